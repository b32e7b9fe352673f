/* monitor.js - the panel beside the conversation, open or not as this person left it, and what it is fed from: the
 * page's live snapshot, and limits events while an answer is written. panel.js draws it. */
import { get, send } from "./api.js";
import { byId } from "./dom.js";
import { count, money } from "./format.js";

const beside = matchMedia("(min-width: 68.75em)");      /* else it lies over the conversation */

export class Monitor {
  #panel = byId("monitor"); #toggle = byId("show-monitoring");

  /* upstream() names the provider of the chosen model; refresh() asks for a new snapshot. */
  constructor({ upstream, refresh }) {
    this.upstream = upstream;
    this.snapshot = null;
    this.#toggle.checked &&= beside.matches;
    this.#toggle.addEventListener("change", () => {
      if (beside.matches) send("PATCH", "/app/me", { show_monitoring: this.shown }, { keepalive: true }).catch(() => {});
      this.#show();
      if (this.shown) refresh();
      if (this.shown && !beside.matches) byId("monitor-close").focus();
    });
    byId("monitor-close").addEventListener("click", () => { this.#toggle.checked = false; this.#toggle.dispatchEvent(new Event("change")); this.#toggle.focus(); });
    this.#panel.addEventListener("keydown", (e) => { if (e.key === "Escape") byId("monitor-close").click(); });
    document.addEventListener("focusin", (e) => this.#uncover(e.target));
    this.#show();
  }

  /* Where the panel lies over the conversation, it gives way to what gets the focus beneath it. */
  #uncover(focused) {
    if (!this.shown || this.#panel.contains(focused) || focused.closest("dialog")) return;
    if (focused.getBoundingClientRect().left < this.#panel.getBoundingClientRect().left) return;
    this.#toggle.checked = false;
    this.#toggle.dispatchEvent(new Event("change"));
  }

  get shown() { return this.#toggle.checked; }

  #show() {
    this.#panel.hidden = !this.shown;
  }

  /* A snapshot of /monitoring/live, or null for "as before". */
  take(snapshot) {
    if (snapshot) this.snapshot = snapshot;
    if (this.snapshot) this.#draw("snapshot", this.snapshot, this.upstream());
    if (this.estimate) this.#draw("context", this.estimate);
  }

  /* How many wait for an upstream, as far as the last snapshot knew. */
  waitingFor(upstream) {
    return this.snapshot?.limits?.find((u) => u.name === upstream)?.waiting;
  }

  /* Not to be had without a connection; then the next snapshot draws it. */
  #draw(how, ...args) {
    if (this.shown) import("./panel.js").then((panel) => panel[how](...args), () => {});
  }

  /* `upstreams` of a limits event. */
  limits(upstreams) { if (upstreams) this.#draw("limits", Array.isArray(upstreams) ? upstreams : upstreams.upstreams ?? [], this.upstream()); }

  /* The newest estimate. */
  context(e) {
    this.estimate = e;
    this.#draw("context", e);
  }

  /* This chat's totals: from the server, also for the line in the header. */
  async chat(session) {
    if (!session) return;
    let t;
    try { t = (await get(`/monitoring/session-usage/${session}`)).totals; } catch { return; }
    const spent = t.cost_usd === 0 ? "free" : money(t.cost_usd);
    byId("sum").textContent = t.total_tokens ? `${spent} · ${count(t.total_tokens)} tok` : "";
    this.#draw("chat", t, spent);
  }
}
