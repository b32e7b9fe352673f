/* gauge.js - one limit as a bar: used, held (hatched), the reserve line, and a
 * tick where the provider itself says it stands. The page's own gauges come
 * from templates/gauge.mustache; this makes the monitor panel's of the same parts. */
import { clone, part } from "./dom.js";
import { count, level, span } from "./format.js";
import { styled } from "./style.js";

await styled("gauge");

const pct = (n) => `${(Math.min(1, Math.max(0, n)) * 100).toFixed(2)}%`;

/* A gauge for `d` = {limit, used, reserved, remaining, utilization, resets_in_ms, bucket}. */
export function gauge(name, d) {
  const node = clone("t-gauge");
  const used = d.limit ? d.used / d.limit : 0;
  const held = d.limit ? d.reserved / d.limit : 0;
  const tone = level(used + held);
  const bar = part(node, "bar");
  part(node, "name").textContent = name;
  part(node, "num").textContent = `${count(d.used + d.reserved)} of ${count(d.limit)}`;
  bar.classList.add(tone);
  bar.setAttribute("aria-label", name);
  bar.setAttribute("aria-valuenow", String(Math.round(Math.min(1, used + held) * 100)));
  bar.setAttribute("aria-valuetext", `${count(d.used)} of ${count(d.limit)} used, ${count(d.reserved)} held`);
  part(node, "used").setAttribute("width", pct(used));
  part(node, "held").setAttribute("x", pct(used));
  part(node, "held").setAttribute("width", pct(Math.min(held, Math.max(0, 1 - used))));
  const foot = [];
  if (d.reserved > 0) foot.push(`${count(d.reserved)} held`);
  if (d.resets_in_ms > 0 && d.used > 0) foot.push(`free again in ${span(d.resets_in_ms)}`);
  const b = d.bucket;                   /* most of what may go at once has gone */
  if (b && b.left < d.remaining && 2 * b.left < b.capacity) foot.push(`spread: ${count(Math.max(0, b.left))} of ${count(b.capacity)} at once`);
  part(node, "foot").textContent = foot.join(" · ");
  part(node, "foot").hidden = foot.length === 0;
  return node;
}
