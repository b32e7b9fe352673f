/* format.js - numbers, money and time as people read them; cgi/web/view.c writes
 * the same forms into pages. A value that is not known is "—", never 0. */
import { zone } from "./prefs.js";

const NONE = "—";
const known = (n) => typeof n === "number" && Number.isFinite(n);
const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const count = (n) => (known(n) ? grouped.format(n) : NONE);

/* Below a cent six decimals, below a dollar four, else two; nothing spent is "$0.00". */
export function money(usd) {
  if (!known(usd)) return NONE;
  if (usd === 0) return "$0.00";
  const places = usd < 0.01 ? 6 : usd < 1 ? 4 : 2;
  const text = usd.toFixed(places);
  return Number(text) === 0 ? "< $0.000001" : `$${places === 2 ? grouped.format(Math.trunc(usd)) + text.slice(-3) : text}`;
}

/* A free model says so; a model without a price says that. */
export function cost(c) {
  if (!c || !c.priced) return NONE;
  return c.total_usd === 0 ? "free" : money(c.total_usd);
}

/* 0.42 s · 1.8 s · 14 s · 3 min 20 s · 2 h 5 min */
export function span(ms) {
  if (!known(ms)) return NONE;
  const s = ms / 1000;
  if (s < 1) return `${s.toFixed(2)} s`;
  if (s < 10) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole} s`;
  const min = Math.floor(whole / 60);
  if (min < 60) return whole % 60 ? `${min} min ${whole % 60} s` : `${min} min`;
  return min % 60 ? `${Math.floor(min / 60)} h ${min % 60} min` : `${Math.floor(min / 60)} h`;
}

/* A time that is only expected: whole seconds below a minute. */
export const about = (ms) => (ms < 60_000 ? `${Math.max(1, Math.round(ms / 1000))}\u00a0s` : span(ms));

/* 0:42, 11:05: what a countdown shows. */
export function countdown(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}

export const ratio = (n) => (known(n) ? n.toFixed(1) : NONE);
export const speed = (n) => (known(n) ? (n < 10 ? n.toFixed(1) : count(Math.round(n))) : NONE);
export const percent = (n) => (known(n) ? `${(n * 100).toFixed(n >= 0.1 || n === 0 ? 0 : 1)} %` : NONE);

/* The clock time of a Date or RFC 3339 string, 24 hours; in the zone one chose unless told another. */
export function clock(at, seconds = true, timeZone = zone()) {
  const d = new Date(at);
  if (Number.isNaN(d.getTime())) return NONE;
  return d.toLocaleTimeString("en-GB", seconds ? { timeZone } : { hour: "2-digit", minute: "2-digit", timeZone });
}

/* 00:00 UTC: with the zone's name, for a time somebody plans by. */
export const clockIn = (at) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone(), timeZoneName: "short" });

/* The clock time today, with the day before that. */
export function when(at) {
  const d = new Date(at);
  const day = (t) => t.toLocaleDateString("en-GB", { timeZone: zone() });
  if (Number.isNaN(d.getTime())) return NONE;
  if (day(d) === day(new Date())) return clock(d, false);
  return d.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: zone() });
}

/* ok below 80 %, warn below 95 %, err above: one threshold for everything. */
export const level = (share) => (!known(share) || share < 0.8 ? "ok" : share < 0.95 ? "warn" : "err");
