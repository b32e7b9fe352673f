/* explain.js - "Explain this message": where its time went, what held it, its
 * attempts, what was set aside and what was used, at which price. */
import { get } from "./api.js";
import { open } from "./dialog.js";
import { el } from "./dom.js";
import { cost, count, span } from "./format.js";
import { styled } from "./style.js";

const PARTS = [["queue_ms", "Queued"], ["retry_wait_ms", "Retry wait"], ["ttft_ms", "First token"], ["writing_ms", "Writing"]];
/* Dollars for a million tokens: in cents, or as much finer as the price is. */
const rate = (usd) => `$${usd.toFixed(Math.max(2, `${usd}`.split(".")[1]?.length ?? 0))}`;
const fact = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
const section = (title, ...kids) => el("section", {}, el("h3", {}, title), ...kids);

/* One row for each part of the time, each bar beginning where the one before ends. */
function times(t) {
  const total = Math.max(1, t.duration_ms);
  let from = 0;
  const rows = PARTS.map(([key, name]) => {
    const begin = from / total * 100;
    const wide = t[key] / total * 100;
    const bar = document.getElementById("t-span").content.firstElementChild.cloneNode(true);
    bar.querySelector(".used").setAttribute("x", `${begin.toFixed(2)}%`);
    bar.querySelector(".used").setAttribute("width", `${Math.max(t[key] > 0 ? 0.8 : 0, wide).toFixed(2)}%`);
    from += t[key];
    return el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, bar), el("td", { class: "num" }, span(t[key])));
  });
  return el("table", { class: "times" }, el("tbody", {}, ...rows,
    el("tr", { class: "total" }, el("th", { scope: "row" }, "Total"), el("td"), el("td", { class: "num" }, span(t.duration_ms)))));
}

/* A wait that would read 0.00 s is none. */
function attempts(list) {
  return el("ol", { class: "attempts" }, ...list.map((a) => el("li", {},
    `${a.upstream} · ${a.model} · ${a.http_status ? `answered ${a.http_status}` : a.error_code ?? "no answer"} after ${span(a.duration_ms)}`,
    a.wait_ms >= 5 ? `, having waited ${span(a.wait_ms)}` : "")));
}

function tokens(e) {
  const both = (t) => (t ? `${count(t.input_tokens)} in, ${count(t.output_tokens)} out` : "—");
  return el("dl", { class: "facts" }, ...fact("Set aside", both(e.reserved)), ...fact("Used", both(e.used)), ...fact("Cost", cost(e.cost)),
    ...(e.price ? fact("Price", `${rate(e.price.input_usd_per_million)} / ${rate(e.price.output_usd_per_million)} a million · table ${e.price.version}`) : []));
}

function promised(p) {
  if (!p) return [];
  return [section("What was promised", el("p", {}, `At place ${count(p.position)} it was expected to start in ${span(p.starts_in_ms)}; it started after ${span(p.came_in_ms)}.`))];
}

/* Open the dialog about `request`; the focus returns when it is closed. */
export async function explain(request) {
  const body = el("div", { class: "explain" }, el("p", { class: "muted" }, "Reading the record…"));
  const close = el("button", { class: "btn small", type: "button", onclick: () => dialog.close() }, "Close");
  const dialog = el("dialog", { "aria-labelledby": "explain-title" }, el("header", {}, el("h2", { id: "explain-title" }, "What became of this message"), close), body);
  dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
  await open(dialog);
  try {
    const [e] = await Promise.all([get(`/monitoring/requests/${request}`), styled("gauge")]);
    body.replaceChildren(
      section("Where its time went", times(e.timings)),
      section("What held it", el("ul", {}, ...(e.gates.length ? e.gates.map((g) => el("li", {}, `${span(g.held_ms)}: ${g.text}`)) : [el("li", {}, "Nothing: it went out at once.")]))),
      section(e.attempts.length > 1 ? `${e.attempts.length} attempts` : "One attempt", attempts(e.attempts), el("p", { class: "muted" }, e.why_upstream)),
      section("Tokens and money", tokens(e)), ...promised(e.promise),
      el("p", { class: "ref muted" }, "Request ", el("code", {}, e.request_id)));
  } catch (x) { body.replaceChildren(el("p", {}, `It cannot be explained: ${x.message}`)); }
}
