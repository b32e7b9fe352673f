/* texts.js - every sentence about a state, keyed by the code the server sends.
 *
 * One table each for what a message waits for, how an answer ended, why a
 * request failed and what may be done about it. No code is written to the page;
 * an unknown one falls back to the server's own sentence. */
import { about, clock, clockIn, count, countdown, money, percent, span } from "./format.js";

/* queue.reason, the gate that binds, where it is no limit. */
const REASONS = {
  concurrency: "Waiting for one of the running requests to end",
  budget: "Waiting for the budget",
  pacing: "Spacing requests evenly",
  stabilizing: "Going slowly after the provider's rate limit",
  backoff: "Waiting before the next attempt",
  session: "Waiting for the message before it",
};

export const DIMENSIONS = {
  requests_per_minute: "Requests per minute",
  requests_per_hour: "Requests per hour",
  tokens_per_minute: "Tokens per minute",
  tokens_per_hour: "Tokens per hour",
  input_tokens_per_minute: "Input tokens per minute",
  output_tokens_per_minute: "Output tokens per minute",
};

/* "tokens per minute": a limit within a sentence. */
export const limitName = (dimension) => DIMENSIONS[dimension]?.toLowerCase();

/* The pill's word for a status of /monitoring/rate-limits, and its colour. */
export const HEALTH = {
  healthy: { word: "Healthy", tone: "ok" },
  warning: { word: "Warning", tone: "warn" },
  limited: { word: "Limited", tone: "warn" },
  stabilizing: { word: "Stabilizing", tone: "warn" },
  error: { word: "Down", tone: "err" },
  down: { word: "Down", tone: "err" },
  unknown: { word: "Unknown", tone: "" },
};

/* done.finish_reason: a chip under the answer; stop needs none. */
export const FINISH = {
  length: "Stopped at the output limit",
  content_filter: "The provider's filter ended this answer",
  tool_calls: "The model asked for a tool, which the chat page does not run",
  cancelled: "Stopped",
  budget: "Stopped at the budget's end",
};

/* error.code: what happened (null: the server's own sentence), and what to do about it. */
const ERRORS = {
  invalid_token: { head: "You are signed out.", todo: "Sign in again; your message is kept here.", actions: ["signin", "edit"] },
  csrf_failed: { head: null, todo: "Your message is kept.", actions: ["reload", "edit"] },
  forbidden: { head: null, todo: "Ask an administrator for the right to chat.", actions: ["edit"] },
  priority_not_allowed: { head: null, todo: "Choose a lower priority and send again.", actions: ["edit"] },
  model_not_found: { head: "This model is no longer offered.", todo: "Choose another model and send again.", actions: ["edit"] },
  context_length_exceeded: { head: null, todo: "Shorten the message, begin a new chat, or choose a model with a larger window.", actions: ["edit"], other: true },
  body_too_large: { head: "This message is too large.", todo: "Shorten it; 1 MiB is the most that is taken.", actions: ["edit"] },
  budget_exceeded: { head: "A budget is used up.", todo: "Nothing was sent or charged.", actions: ["edit"], other: true },
  unpriced_model: { head: null, todo: "Choose a model that has a price.", actions: ["edit"], other: true },
  queue_full: { head: "The queue is full.", todo: "Try again in a moment; nothing was sent or charged.", actions: ["retry", "edit"] },
  queue_timeout: { head: "This would wait longer than allowed.", todo: "Try again later, or choose another model.", actions: ["retry", "edit"] },
  session_cooling: { head: null, todo: "Wait, or begin a new conversation; nothing was sent or charged.", actions: ["retry", "edit"] },
  rate_limited: { head: null, todo: "Try again when your own limit is free again.", actions: ["retry", "edit"] },
  request_too_large_for_limit: { head: null, todo: "Shorten the message or choose another model.", actions: ["edit"], other: true },
  upstream_rate_limited: { head: "The provider kept refusing because of its rate limit.", todo: "Wait a little, or choose another model.", actions: ["retry", "edit"], other: true },
  upstream_quota: { head: null, todo: "Choose a model of another provider meanwhile.", actions: ["edit"], other: true },
  upstream_auth: { head: null, todo: "Choose a model of another provider meanwhile.", actions: ["edit"], other: true },
  upstream_truncated: { head: "The provider's answer broke off.", todo: "What arrived is kept above.", actions: ["retry"] },
  upstream_timeout: { head: "The provider took too long.", todo: "Try again, or choose another model.", actions: ["retry", "edit"], other: true },
  no_upstream: { head: null, todo: "Try again in a moment, or choose another model.", actions: ["retry", "edit"], other: true },
  storage_unavailable: { head: "Weir is read-only: new messages wait, reading works.", todo: "Try again in a moment.", actions: ["retry", "edit"] },
  draining: { head: "Weir is being restarted.", todo: "Try again in a few seconds.", actions: ["retry", "edit"] },
  cancelled: { head: "Stopped.", todo: "", actions: ["retry"] },
  invalid_request_error: { head: "This request was refused.", todo: "Change the message, or choose another model.", actions: ["edit", "retry"] },
  upstream_error: { head: null, todo: "Try again, or choose another model.", actions: ["retry", "edit"] },
  network: { head: "Weir could not be reached.", todo: "Check the connection and try again; your message is kept.", actions: ["retry", "edit"] },
  interrupted: { head: "The connection ended before the answer did.", todo: "What arrived is kept above.", actions: ["reload", "continue", "retry"] },
};

/* {head, todo, actions, other} for an error object; other: a model may be had that takes the message. */
export function failure(error) {
  const known = ERRORS[error.code] ?? ERRORS[error.type] ?? {};
  return {
    head: known.head ?? error.message ?? "The request failed.",
    todo: known.todo ?? "Try again; if it stays, the request id helps whoever looks into it.",
    actions: known.actions ?? ["retry", "edit"],
    other: known.other ?? false,
  };
}

/* Budget per day for everyone: $4.98 of $5.00 spent. It resets at 00:00 UTC, in 5 h 12 min. */
export function budget(b, now = Date.now()) {
  if (!b) return "";
  const left = Math.max(0, Date.parse(b.resets_at) - now);
  const of = b.limit_usd === undefined ? "" : `: ${money(b.spent_usd)} of ${money(b.limit_usd)} spent`;
  const resets = b.resets_at ? ` It resets at ${clockIn(b.resets_at)}, in ${left < 3_600_000 ? countdown(left) : span(left)}.` : "";
  return `Budget per ${b.window ?? "period"} for ${b.scope === "all" ? "everyone" : `this ${b.scope ?? "account"}`}${of}.${resets}`;
}

/* What it waits for; with `spread` not what is used of a limit holds it, but its pace. */
function waitsFor(reason, spread) {
  const limit = limitName(reason), span = reason?.split("_per_")[1];
  if (!limit) return REASONS[reason] ?? "";
  return `Waiting for ${limit}${spread ? `: Weir spreads the ${span}'s ${count(spread.limit)}, at most ${count(spread.capacity)} at once` : ""}`;
}

/* One waiting message: its place, when it is expected to start, and why it waits. */
export function queued(q) {
  if (q.reason === "pacing") return { head: `Spacing requests: ${span(q.eta_ms)}`, more: "" };
  const place = q.ahead === 0 || q.position === 1 ? "you are next" : `position ${count(q.position)}`;
  const total = q.waiting && q.waiting >= q.position ? ` of ${count(q.waiting)}` : "";
  const begins = q.eta_ms === null || q.eta_ms === undefined ? ""
    : q.eta_ms < 500 ? " · starts any moment"
    : ` · starts in about ${about(q.eta_ms)}${q.eta_error_ms >= 500 ? ` (±\u00a0${about(q.eta_error_ms)})` : ""}`;
  return { head: `Queued: ${place}${total}${begins}`, more: waitsFor(q.reason, q.spread) };
}

/* A button's words for another model: how much sooner than in `wait_ms`, if that is known. */
export function switched(other, wait_ms) {
  const sooner = wait_ms === undefined ? "" : ` · ${about(wait_ms - other.ms)} sooner`;
  return `Switch to ${other.name}${sooner}`;
}

/* A mail about a budget that is used up. */
export function mail(to, error) {
  const body = `${error.message ?? "A budget is used up."}\n${budget(error.budget)}\nRequest ${error.request_id ?? "–"}`;
  return `mailto:${to}?subject=${encodeURIComponent("Weir: a budget is used up")}&body=${encodeURIComponent(body)}`;
}

/* An attempt failed and another follows in `left` ms. */
export function retrying(r, left) {
  if (r.status === 429) {
    const limit = limitName(r.limit ?? r.reason);
    return { head: `Paused by the provider's ${limit ? `limit on ${limit}` : "rate limit"} until ${clock(Date.now() + left)} (${countdown(left)})`,
      more: `Attempt ${r.attempt + 1} of ${r.max + 1} follows by itself. Your message is safe.` };
  }
  const what = r.status ? `The provider answered ${r.status}.` : "The provider could not be reached.";
  return { head: `${what} Trying again in ${about(left)}`, more: `Attempt ${r.attempt + 1} of ${r.max + 1}. Your message is safe.` };
}

/* A limit of one's own is used up; it is free again in `left` ms. */
export function limited({ limit, message }, left) {
  const own = limit?.scope === "token" ? "This token has" : "You have";
  const tokens = limit?.name.startsWith("tokens");
  return { head: limit ? `${own} used ${tokens ? `all ${count(limit.limit)} tokens` : `${count(limit.limit)} of ${count(limit.limit)} requests`} this minute.` : message,
    more: `Your message is sent by itself at ${clock(Date.now() + left)} (${countdown(left)}).` };
}

/* The pill for a health object or a status: {word, tone, title, why}, the last where it is explained. While a provider recovers,
 * `limits` (rate-limits' upstreams) tell for how long and at what pace. */
export function health(h, limits = [], now = Date.now()) {
  const status = typeof h === "string" ? h : h?.status ?? "unknown";
  const known = HEALTH[status] ?? HEALTH.unknown;
  const slow = status === "stabilizing" && limits.find((u) => u.stabilization?.active)?.stabilization;
  const word = slow ? `${known.word} · ${span(Date.parse(slow.until) - now)} left · at ${percent(slow.rate_factor)}` : known.word;
  return { word, tone: known.tone, title: h?.text ?? known.word, why: `/app/dashboard/limits${/stabilizing|limited/.test(status) ? "#stabilization" : ""}` };
}
