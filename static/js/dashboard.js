/* dashboard.js - keeps the overview fresh. The server renders every panel; when the
 * live snapshot changes, the page is fetched again and the panels that differ are
 * taken over, so a figure has one way to be written. */
import { page } from "./api.js";
import { byId } from "./dom.js";
import { Chart } from "./charts.js";
import { Live } from "./live.js";
import { clock, count, money } from "./format.js";
import "./shell.js";

const POLL_MS = 5000;
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

const charts = [
  new Chart("tokens", { series: ["in", "out"], show: count, short: (v) => compact.format(v), nothing: "No tokens in this time." }),
  new Chart("cost", { series: [""], show: money, short: (v) => (v === 0 ? "0" : `$${Number(v.toPrecision(2))}`), nothing: "Nothing was spent in this time." }),
];
let seen = new Date();
let busy = false;

const panels = (root) => [...root.querySelectorAll("[data-panel]")];

/* Somebody reads, selects or types here: leave it as it is until the next time. */
function inUse(panel) {
  const chosen = getSelection();
  return (chosen && !chosen.isCollapsed && panel.contains(chosen.anchorNode)) || (panel.contains(document.activeElement) && document.activeElement !== panel);
}

function takeOver(fresh) {
  let series = false;
  for (const panel of panels(document)) {
    const next = fresh.querySelector(`[data-panel="${CSS.escape(panel.dataset.panel)}"]`);
    if (!next || panel.isEqualNode(next) || inUse(panel)) continue;
    const left = panel.scrollLeft;
    panel.replaceChildren(...[...next.childNodes].map((n) => document.adoptNode(n)));
    panel.scrollLeft = left;
    if (panel.dataset.panel === "tokens" || panel.dataset.panel === "cost") series = true;
  }
  for (const id of ["d-tokens", "d-cost"]) byId(id).textContent = fresh.getElementById(id)?.textContent ?? "";
  if (series) for (const chart of charts) chart.draw();
}

async function refresh(snapshot) {
  seen = new Date();
  byId("stale").hidden = true;
  if (snapshot && !busy) {
    busy = true;
    try { takeOver(await page(location.pathname + location.search)); } finally { busy = false; }
  }
  byId("stamp").textContent = `Updated ${clock(seen)}`;
}

new Live(POLL_MS, {
  take: (snapshot) => refresh(snapshot).catch(() => {}),
  failed(misses) {
    if (misses < 3) return;
    byId("stale").textContent = `No update since ${clock(seen)}. The figures below are from then.`;
    byId("stale").hidden = false;
  },
});
