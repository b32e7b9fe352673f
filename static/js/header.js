/* header.js - the menu beside the title: what may be done with this conversation. */
import { byId } from "./dom.js";
import { alert } from "./announce.js";

export class Header {
  #menu = byId("chat-menu");

  /* `session` is the conversation on the page. */
  constructor(sessions, session) {
    this.sessions = sessions;
    this.session = session;
    for (const link of this.#menu.querySelectorAll("[data-export]")) link.href = `/chat/sessions/${session}/export?format=${link.dataset.export}`;
  }

  /* A conversation far down the list may have no row yet. */
  #row() {
    return this.sessions.row(this.session) ?? this.sessions.put({ session_id: this.session, title: byId("title").textContent, updated_at: new Date().toISOString() });
  }

  /* Somebody clicked in the menu, maybe before this was there. */
  clicked(e) {
    const button = e.target.closest("button, a");
    if (!button) return;
    this.#menu.open = false;
    this.#menu.querySelector("summary").focus();
    if (button.dataset.act === "rename") this.sessions.rename(this.#row());
    else if (button.dataset.act === "pin") this.sessions.pin(this.#row());
    else if (button.dataset.act === "archive") this.sessions.archive([this.#row()], !button.dataset.archived);
    else if (button.dataset.act === "handoff") { const row = this.#row(); import("./handoff.js").then((m) => m.handOver(row), () => alert("Weir could not be reached.")); }
    else if (button.dataset.act === "delete") this.sessions.remove([this.#row()]);
  }
}
