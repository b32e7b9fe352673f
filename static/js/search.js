/* search.js - finding conversations: the titles on the page at once, titles and
 * text at the server after a pause; the archive; and the next page when the end of
 * the list comes into view. Loaded when it is needed. */
import { get } from "./api.js";
import { byId, el, part } from "./dom.js";
import { alert, say } from "./announce.js";
import { styled } from "./style.js";

await styled("list");

const PAUSE_MS = 200, PAGE = 50;

/* `text` with what was looked for marked. */
function marked(text, words) {
  const any = new RegExp(`(${words.map((w) => w.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi");
  return text.split(any).map((piece, i) => (i % 2 ? el("mark", {}, piece) : piece));
}

export class Search {
  #list = byId("sessions"); #box = byId("search"); #none = byId("no-match"); #more = byId("more-sessions"); #archive = byId("archive");
  #timer = 0; #cursor = ""; #loading = false;

  constructor(sessions) {
    this.sessions = sessions;
    this.#cursor = this.#more.dataset.before ?? "";
    byId("clear-search").addEventListener("click", () => { this.#box.value = ""; this.typed(); this.#box.focus(); });
  }

  /* The words in the box are others. */
  typed() {
    const text = this.#box.value.trim();
    clearTimeout(this.#timer);
    for (const row of this.#list.querySelectorAll(".session")) {
      if (row.closest('[data-day="Found"]')) row.remove();
      else { row.hidden = !part(row, "name").textContent.toLowerCase().includes(text.toLowerCase()); part(row, "found").hidden = true; }
    }
    this.sessions.tidy();
    this.#none.hidden = true;
    if (text) this.#timer = setTimeout(() => this.#ask(text), PAUSE_MS);
  }

  async #ask(text) {
    let items;
    try { ({ items } = await get(`/chat/sessions?limit=${PAGE}&query=${encodeURIComponent(text)}`)); }
    catch (x) { alert(`Not searched: ${x.message}`); return; }
    if (this.#box.value.trim() !== text) return;
    for (const s of items) {
      const row = this.sessions.row(s.session_id) ?? this.sessions.put(s, { day: "Found" });
      row.hidden = false;
      part(row, "found").hidden = !s.found;
      part(row, "found").replaceChildren(...(s.found ? marked(s.found, text.split(/\s+/)) : []));
    }
    this.sessions.tidy();
    const hits = this.sessions.rows().length;
    this.#none.hidden = hits > 0;
    part(this.#none, "text").textContent = `No conversation matches “${text}”.`;
    say(hits ? `${hits} found` : part(this.#none, "text").textContent);
  }

  /* The next page of the list. */
  async page() {
    if (this.#loading || !this.#cursor || this.#box.value) return;
    this.#loading = true;
    try {
      const { items, next_cursor: next } = await get(`/chat/sessions?limit=${PAGE}&before=${encodeURIComponent(this.#cursor)}`);
      for (const s of items) if (!this.sessions.row(s.session_id)) this.sessions.put(s);
      this.#cursor = next ?? "";
      this.#more.hidden = !next;
    } catch (x) { alert(`The list could not be continued: ${x.message}`); }
    this.#loading = false;
  }

  /* Show the archive under the list, or hide it. */
  async archived() {
    const show = this.#archive.getAttribute("aria-pressed") !== "true";
    if (show) {
      let items;
      try { ({ items } = await get(`/chat/sessions?archived=1&limit=1000`)); } catch (x) { alert(`The archive could not be read: ${x.message}`); return; }
      for (const s of items) if (!this.sessions.row(s.session_id)) this.sessions.put(s);
      if (!items.length) say("The archive is empty");
      this.#archive.textContent = items.length ? "Hide archive" : "The archive is empty";
    } else {
      this.#list.querySelector('[data-day="Archived"]')?.remove();
      this.#archive.textContent = "Show archive";
    }
    this.#archive.setAttribute("aria-pressed", String(show));
    this.#list.querySelector('[data-day="Archived"]')?.scrollIntoView({ block: "nearest" });
  }
}
