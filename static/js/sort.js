/* sort.js - the dashboard's tables by a column of one's choice, within what the page
 * shows: the server's order comes back with a third press. A panel that is fetched
 * anew keeps its order. */
import { el } from "./dom.js";

const UNITS = { h: 3600, min: 60, s: 1 };
const orders = new Map();             // by caption: {at, down}

/* What a cell is compared by: its words; of a column of figures a number, or a span in seconds. Nothing known comes last. */
function value(cell) {
  const text = cell.innerText.trim();
  const spans = [...text.matchAll(/([\d.]+) (h|min|s)\b/g)];
  if (text === "" || text === "—") return null;
  if (!cell.classList.contains("num")) return text.toLowerCase();
  if (spans.length) return spans.reduce((sum, [, n, unit]) => sum + Number(n) * UNITS[unit], 0);
  const [number] = /^[≈<$ ]*([+-]?[\d,]*\.?\d+)(?=$|[ %/])/.exec(text)?.slice(1) ?? [];
  return number === undefined ? text.toLowerCase() : Number(number.replaceAll(",", ""));
}

const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);

function apply(table) {
  const order = orders.get(table.caption.textContent);
  const body = table.tBodies[0];
  body.served ??= [...body.rows];
  for (const [i, head] of [...table.tHead.rows[0].cells].entries())
    head.setAttribute("aria-sort", order?.at === i ? (order.down ? "descending" : "ascending") : "none");
  const keyed = body.served.map((row) => [order ? value(row.cells[order.at]) : 0, row]);
  const known = keyed.filter(([v]) => v !== null), rest = keyed.filter(([v]) => v === null);
  known.sort(([a], [b]) => compare(a, b) * (order?.down ? -1 : 1));
  body.append(...[...known, ...rest].map(([, row]) => row));
}

function press(table, at) {
  const name = table.caption.textContent, before = orders.get(name);
  const first = table.tHead.rows[0].cells[at].classList.contains("num");        /* figures: the largest first */
  if (before?.at !== at) orders.set(name, { at, down: first });
  else if (before.down === first) orders.set(name, { at, down: !first });
  else orders.delete(name);
  apply(table);
}

/* Headings become buttons. */
function prepare(root) {
  for (const table of root.querySelectorAll(".grid.sorts")) {
    if (table.tBodies[0].rows.length < 2) continue;
    for (const [i, head] of [...table.tHead.rows[0].cells].entries()) {
      if (head.querySelector(".sr, button")) continue;
      const button = el("button", { type: "button", class: "sorter", onclick: () => press(table, i) }, ...head.childNodes);
      head.append(button);
    }
    apply(table);
  }
}

document.addEventListener("weir:fresh", (e) => prepare(e.target));
prepare(document);
