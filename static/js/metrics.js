/* metrics.js - the line under each answer: what it took and what it cost.
 * cgi/web/view.c writes the same line for answers that come with the page. */
import { el } from "./dom.js";
import { cost, count, ratio, span, speed } from "./format.js";

const exact = (c) => (c?.priced && c.total_usd ? `${c.total_usd.toFixed(12).replace(/0+$/, "")} US dollars` : "");

/* [label, value, what it means, in the short line too?] for each part. */
function parts({ usage = {}, cost: c, metrics: m = {} }) {
  const about = usage.estimated ? "≈ " : "";
  const list = [
    ["Tokens", `${about}${count(usage.prompt_tokens)} in / ${count(usage.completion_tokens)} out`,
      `${count(usage.cached_tokens)} of the input cached, ${count(usage.reasoning_tokens)} of the output reasoning`, true],
    ["Cost", cost(c), c?.saved_usd !== undefined ? "Nothing was sent to the provider" : c?.priced ? exact(c) || "This model is free" : "No price is set for this model", true],
    ["Efficiency", m.chars_per_token === null || m.chars_per_token === undefined ? "—" : `${ratio(m.chars_per_token)} chars/tok`,
      "Visible answer characters per visible answer token", false],
    ["First token", span(m.ttft_ms), "From sending to the provider until its first visible token", false],
  ];
  if (m.tokens_per_second !== null && m.tokens_per_second !== undefined) {
    list.push(["Speed", `${speed(m.tokens_per_second)} tok/s`, "Output tokens per second between the first and the last", false]);
  }
  list.push(["Queued", span(m.queue_ms), "From accepted to sent", false]);
  list.push(["Retries", count(m.retries), m.retry_wait_ms ? `Waited ${span(m.retry_wait_ms)} between attempts` : "Attempts beyond the first", false]);
  if (m.from_cache) {
    list.push(["Cached", c?.saved_usd === null || c?.saved_usd === undefined ? "no call" : `saved ${cost({ priced: true, total_usd: c.saved_usd })}`,
      "Given again from the cache: nothing was sent to the provider", true]);
  }
  if (m.omitted_messages) {
    list.push(["Left out", `${count(m.omitted_messages)} messages`,
      "The oldest of this conversation: the model did not see them, as its window is full", true]);
  }
  return list;
}

/* Write the line of `numbers` (usage, cost, metrics) into `line`. */
export function showMetrics(line, numbers) {
  const list = parts(numbers);
  const nodes = list.flatMap(([label, value, title, short], i) =>
    [el("span", { class: short ? null : "long", title }, `${label} `, el("b", {}, value), i + 1 < list.length ? " ·" : ""), " "]);
  line.replaceChildren(...nodes);
  line.hidden = false;
}
