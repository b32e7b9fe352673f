/* monitor.js - the panel beside the conversation: limits of the chosen model's
 * provider, the queue, this chat's totals, what failed last. Fed by the page's
 * live snapshot, and by limits events while an answer is written. */
import { get } from "./api.js";
import { byId, el } from "./dom.js";
import { clock, count, money, percent, span } from "./format.js";
import { DIMENSIONS, health } from "./texts.js";
import { gauge } from "./gauge.js";
import { recall, remember } from "./prefs.js";

const facts = (pairs) => pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);

export class Monitor {
  #panel = byId("monitor"); #toggle = byId("show-monitoring");

  /* upstream() names the provider of the chosen model; refresh() asks for a new snapshot. */
  constructor({ upstream, refresh }) {
    this.upstream = upstream;
    this.snapshot = null;
    this.#toggle.checked = recall("monitor") === "1" && innerWidth >= 1100;
    this.#toggle.addEventListener("change", () => {
      remember("monitor", this.#toggle.checked ? "1" : null);
      this.#show();
      if (this.shown) refresh();
    });
    byId("monitor-close").addEventListener("click", () => { this.#toggle.checked = false; this.#toggle.dispatchEvent(new Event("change")); this.#toggle.focus(); });
    this.#panel.addEventListener("keydown", (e) => { if (e.key === "Escape") byId("monitor-close").click(); });
    this.#show();
  }

  get shown() { return this.#toggle.checked; }

  #show() {
    this.#panel.hidden = !this.shown;
    byId("app").classList.toggle("monitored", this.shown);
  }

  /* A snapshot of /monitoring/live, or null for "as before". */
  take(snapshot) {
    if (snapshot) this.snapshot = snapshot;
    if (!this.shown || !this.snapshot) return;
    const s = this.snapshot;
    this.limits(s.limits);
    this.#queue(s.queue ?? {});
    this.#budgets(s.budgets ?? []);
    this.#incidents(s.errors ?? []);
    byId("monitor-at").textContent = `Updated ${clock(s.at ?? new Date())}`;
  }

  /* How many wait for an upstream, as far as the last snapshot knew. */
  waitingFor(upstream) {
    return this.snapshot?.limits?.find((u) => u.name === upstream)?.waiting;
  }

  /* The gauges of the chosen model's upstream. */
  limits(upstreams) {
    if (!this.shown || !upstreams) return;
    const list = Array.isArray(upstreams) ? upstreams : upstreams.upstreams ?? [];
    const one = list.find((u) => u.name === this.upstream()) ?? list[0];
    if (!one) return;
    const state = health(one.stabilization?.active ? "stabilizing" : one.status);
    const gauges = Object.entries(DIMENSIONS).filter(([d]) => one.dimensions?.[d]).map(([d, name]) => gauge(name, one.dimensions[d]));
    byId("m-limits").replaceChildren(...(gauges.length ? gauges : [el("p", { class: "none" }, "No limits apply to this model.")]));
    byId("m-upstream").textContent = one.name;
    byId("m-state").textContent = state.word;
    byId("m-state").className = `pill ${state.tone}`;
    const note = byId("m-note");
    note.hidden = !one.stabilization?.active;
    if (one.stabilization?.active) {
      note.textContent = `Running at ${percent(one.stabilization.rate_factor)} until ${clock(one.stabilization.until, false)}, after the provider's rate limit.`;
    }
  }

  #queue(q) {
    const depth = q.depth ?? {};
    byId("m-queue").replaceChildren(...facts([
      ["Running", q.max_concurrent ? `${count(q.running)} of ${count(q.max_concurrent)}` : count(q.running)],
      ["Waiting", count((depth.High ?? 0) + (depth.Medium ?? 0) + (depth.Low ?? 0))],
      ["High · Medium · Low", `${count(depth.High ?? 0)} · ${count(depth.Medium ?? 0)} · ${count(depth.Low ?? 0)}`],
      ["Oldest waits", q.oldest_wait_ms ? span(q.oldest_wait_ms) : "—"],
    ]));
  }

  #budgets(list) {
    byId("m-budget").replaceChildren(...facts(list.length ? list.map((b) => [`Per ${b.window}, ${b.scope}`, `${money(b.spent_usd)} of ${money(b.limit_usd)}`]) : [["None applies", ""]]));
  }

  #incidents(errors) {
    const list = errors.slice(0, 3).map((e) => el("li", {}, el("time", { datetime: e.at }, clock(e.at, false)), ` ${e.message ?? e.code}`));
    byId("m-errors").replaceChildren(...(list.length ? list : [el("li", { class: "none" }, "None")]));
  }

  /* How full the model's window will be: of an estimate. */
  context(e) {
    const box = byId("m-context");
    box.replaceChildren(...(e.context_window ? [gauge("Context window", { limit: e.context_window, used: e.prompt_tokens, reserved: 0 })] : []));
  }

  /* This chat's totals: from the server, also for the line in the header. */
  async chat(session) {
    if (!session) return;
    let t;
    try { t = (await get(`/monitoring/session-usage/${session}`)).totals; } catch { return; }
    const spent = t.cost_usd === 0 ? "free" : money(t.cost_usd);
    byId("sum").textContent = t.total_tokens ? `${spent} · ${count(t.total_tokens)} tok` : "";
    byId("m-chat").replaceChildren(...facts([
      ["Messages", count(t.requests)],
      ["Tokens in", count(t.prompt_tokens)],
      ["Tokens out", count(t.completion_tokens)],
      ["Cost", spent],
    ]));
  }
}
