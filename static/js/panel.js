/* panel.js - what stands in the monitor panel: the gauges of the chosen model's
 * provider, the queue, this chat's totals, budgets, what failed last. Loaded when the panel is first opened. */
import { boot } from "./boot.js";
import { byId, el } from "./dom.js";
import { clock, count, money, percent, span } from "./format.js";
import { DIMENSIONS, health } from "./texts.js";
import { gauge } from "./gauge.js";

const facts = (pairs) => pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);

/* Of the upstream that is named, or the first. */
export function limits(upstreams, name) {
  const one = upstreams.find((u) => u.name === name) ?? upstreams[0];
  if (!one) return;
  const state = health(one.stabilization?.active ? "stabilizing" : one.status);
  const gauges = Object.entries(DIMENSIONS).filter(([d]) => one.dimensions?.[d]).map(([d, label]) => gauge(label, one.dimensions[d]));
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

function queue(q) {
  const depth = q.depth ?? {};
  byId("m-queue").replaceChildren(...facts([
    ["Running", q.max_concurrent ? `${count(q.running)} of ${count(q.max_concurrent)}` : count(q.running)],
    ["Waiting", count((depth.High ?? 0) + (depth.Medium ?? 0) + (depth.Low ?? 0))],
    ["High · Medium · Low", `${count(depth.High ?? 0)} · ${count(depth.Medium ?? 0)} · ${count(depth.Low ?? 0)}`],
    ["Oldest waits", q.oldest_wait_ms ? span(q.oldest_wait_ms) : "—"],
  ]));
}

/* Whose a budget is: everything, yours, Ada, model gpt-4o. */
function whose({ scope, key, name }) {
  if (scope === "all") return "everything";
  if (scope === "user") return name === boot.user.name ? "yours" : name;
  return `${scope} ${key}`;
}

function budgets(list) {
  byId("m-budget").replaceChildren(...facts(list.length ? list.map((b) => [`Per ${b.window}, ${whose(b)}`, `${money(b.spent_usd)} of ${money(b.limit_usd)}`]) : [["None applies", ""]]));
}

function incidents(errors) {
  const list = errors.slice(0, 3).map((e) => el("li", {}, el("time", { datetime: e.at }, clock(e.at, false)), ` ${e.message ?? e.code}`));
  byId("m-errors").replaceChildren(...(list.length ? list : [el("li", { class: "none" }, "None")]));
}

/* Of /monitoring/live. */
export function snapshot(s, upstream) {
  limits(s.limits ?? [], upstream);
  queue(s.queue ?? {});
  budgets(s.budgets ?? []);
  incidents(s.errors ?? []);
  byId("monitor-at").textContent = `Updated ${clock(s.at ?? new Date())}`;
}

/* How full the model's window will be, of an estimate. */
export function context(e) {
  byId("m-context").replaceChildren(...(e.context_window ? [gauge("Context window", { limit: e.context_window, used: e.prompt_tokens, reserved: 0 })] : []));
}

/* The totals of this chat, and its cost in words. */
export function chat(t, spent) {
  byId("m-chat").replaceChildren(...facts([
    ["Messages", count(t.requests)],
    ["Tokens in", count(t.prompt_tokens)],
    ["Tokens out", count(t.completion_tokens)],
    ["Cost", spent],
  ]));
}
