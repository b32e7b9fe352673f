/* dashboard.js - keeps a page of the dashboard fresh. The server renders every panel; when
 * the live snapshot changes, the page is fetched again and the panels that differ are
 * taken over, so a figure has one way to be written. */
import { page } from "./api.js";
import { byId } from "./dom.js";
import { Chart } from "./charts.js";
import { Live } from "./live.js";
import { clock } from "./format.js";
import "./act.js";
import "./columns.js";
import "./drawer.js";
import "./sieve.js";
import "./sort.js";
import "./shell.js";

const POLL_MS = 5000;
const zone = byId("main").dataset.zone;
const charts = [...document.querySelectorAll(".chart")].map((box) => new Chart(box, zone));
let seen = new Date();
let busy = false;

const panels = (root) => [...root.querySelectorAll("[data-panel]")];

/* Somebody reads, selects or types here: leave it as it is until the next time. */
function inUse(panel) {
  const chosen = getSelection();
  return (chosen && !chosen.isCollapsed && panel.contains(chosen.anchorNode)) || (panel.contains(document.activeElement) && document.activeElement !== panel);
}

function put(panel, next) {
  const left = panel.scrollLeft;
  panel.replaceChildren(...[...next.childNodes].map((n) => document.adoptNode(n)));
  panel.scrollLeft = left;
  panel.dispatchEvent(new Event("weir:fresh", { bubbles: true }));
}

/* Rows that came wait behind "12 new", so that none jumps away under the pointer. False: there are no new ones. */
function hold(panel, next) {
  const had = new Set([...panel.querySelectorAll("tr[data-id]")].map((r) => r.dataset.id));
  const came = [...next.querySelectorAll("tr[data-id]")].filter((r) => !had.has(r.dataset.id)).length;
  if (!came || !had.size) return false;
  const line = byId(panel.dataset.hold), button = line.querySelector("button");
  button.textContent = `${came} new`;
  button.onclick = () => { line.hidden = true; put(panel, next); };
  line.hidden = false;
  return true;
}

function takeOver(fresh) {
  for (const panel of panels(document)) {
    const next = fresh.querySelector(`[data-panel="${CSS.escape(panel.dataset.panel)}"]`);
    if (!next || panel.isEqualNode(next) || inUse(panel)) continue;
    if (!(panel.dataset.hold && hold(panel, next))) put(panel, next);
  }
  for (const chart of charts) chart.refresh();
}

async function refresh(snapshot) {
  seen = new Date();
  byId("stale").hidden = true;
  if (snapshot && !busy) {
    busy = true;
    try { takeOver(await page(location.pathname + location.search)); } finally { busy = false; }
  }
  byId("stamp").textContent = `Updated ${clock(seen, true, zone)}`;
}

const live = new Live(POLL_MS, {
  take: (snapshot) => refresh(snapshot).catch(() => {}),
  failed(misses) {
    if (misses < 3) return;
    byId("stale").textContent = `No update since ${clock(seen, true, zone)}. The figures below are from then.`;
    byId("stale").hidden = false;
  },
});
document.addEventListener("weir:changed", () => live.now());
