/* dashboard.js - keeps a page of the dashboard fresh. The server renders every panel; when
 * the live snapshot changes, the page is fetched again and the panels that differ are
 * taken over, so a figure has one way to be written. */
import { page } from "./page.js";
import { byId } from "./dom.js";
import { Chart } from "./charts.js";
import { Live } from "./live.js";
import { about, clock } from "./format.js";
import "./act.js";
import "./columns.js";
import "./drawer.js";
import "./sieve.js";
import "./sort.js";
import "./shell.js";

const POLL_MS = 5000, STALE_POLLS = 3;
/* A select is held while it is open; where a browser cannot tell, while it has the focus. */
const MENUS = `dialog[open], .filter[open], .columns[open], select:${CSS.supports("selector(:open)") ? "open" : "focus"}`;
const zone = byId("main").dataset.zone;
const charts = [...document.querySelectorAll(".chart")].map((box) => new Chart(box, zone));
let seen = new Date();
let busy = false;
let owed = false;                       /* there is something newer than what is shown */

const panels = (root) => [...root.querySelectorAll("[data-panel]")];

/* Somebody selects or chooses: the whole page is left as it is until they have done. */
const held = () => Boolean(document.querySelector(MENUS)) || !(getSelection()?.isCollapsed ?? true);

/* What has the focus in a panel, so that its like can have it in the next one; "" if there is none. */
function focused(panel) {
  const node = document.activeElement, row = node?.closest("[data-id]");
  if (!panel.contains(node) || node === panel) return "";
  if (node.hasAttribute("href")) return `[href="${CSS.escape(node.getAttribute("href"))}"]`;
  if (node.matches(".sorter")) return `th:nth-child(${node.parentNode.cellIndex + 1}) > .sorter`;
  if (node.matches(".scroll")) return ".scroll";
  return row && node.dataset.do ? `[data-id="${CSS.escape(row.dataset.id)}"] [data-do="${node.dataset.do}"]` : "";
}

/* Its like in the new panel; or, where that is gone, what can be done in its row, or in the one that is in its place now;
 * or the panel's heading. */
function refocus(panel, like, was, at) {
  const rows = [...panel.querySelectorAll("tbody tr")];
  const row = at < 0 ? null : rows.find((r) => r.dataset.id === was.row) ?? rows[Math.min(at, rows.length - 1)];
  const heading = panel.closest("section").querySelector("h2");
  heading.tabIndex = -1;
  (panel.querySelector(like) ?? row?.querySelector(`[data-do="${was.act}"]`) ?? row?.querySelector("[data-do], a") ?? heading).focus({ preventScroll: true });
}

function put(panel, next) {
  const left = panel.scrollLeft, like = focused(panel), node = document.activeElement, row = node.closest("tr");
  const was = { row: row?.dataset.id, act: node.dataset?.do }, at = like && row ? row.sectionRowIndex : -1;
  panel.replaceChildren(...[...next.childNodes].map((n) => document.adoptNode(n)));
  panel.scrollLeft = left;
  panel.dispatchEvent(new Event("weir:fresh", { bubbles: true }));
  if (like) refocus(panel, like, was, at);
}

/* Rows that came wait behind "12 new", so that none jumps away under the pointer. False: there are no new ones. */
function hold(panel, next) {
  const had = new Set([...panel.querySelectorAll("tr[data-id]")].map((r) => r.dataset.id));
  const rows = [...next.querySelectorAll("tr[data-id]")], came = rows.filter((r) => !had.has(r.dataset.id)).length;
  if (!came || !had.size) return false;
  const button = byId(panel.dataset.hold).querySelector("button");
  button.textContent = came === rows.length ? `${came} or more new` : `${came} new`;
  button.onclick = () => { button.hidden = true; put(panel, next); };
  button.hidden = false;
  return true;
}

function takeOver(fresh) {
  for (const panel of panels(document)) {
    const next = fresh.querySelector(`[data-panel="${CSS.escape(panel.dataset.panel)}"]`);
    if (!next || panel.isEqualNode(next) || (panel.dataset.hold && hold(panel, next))) continue;
    if (panel.contains(document.activeElement) && panel !== document.activeElement && !focused(panel)) owed = true;
    else put(panel, next);
  }
  for (const chart of charts) chart.refresh();
}

function stamp() {
  const gone = Date.now() - seen.getTime();
  byId("stamp").textContent = gone < 1000 ? "Updated just now" : `Updated ${about(gone)} ago`;
  byId("stamp").title = clock(seen, true, zone);
}

async function refresh(snapshot) {
  seen = new Date();
  byId("stale").hidden = true;
  stamp();
  owed ||= Boolean(snapshot);
  if (!owed || busy) return;              /* a page that is on its way may be from before: the next poll asks again */
  busy = true;
  owed = false;
  try {
    const fresh = await page(location.pathname + location.search);
    if (held()) owed = true;              /* since it was asked for: the next poll brings what is newer */
    else takeOver(fresh);
  } finally { busy = false; }
}

const live = new Live(POLL_MS, {
  held,
  take: (snapshot) => refresh(snapshot).catch(() => { owed = true; }),
  failed(misses) {
    if (misses <= STALE_POLLS) return;
    byId("stale").textContent = `No update since ${clock(seen, true, zone)}. The figures below are from then.`;
    byId("stale").hidden = false;
  },
});

function now() {
  owed = true;
  live.now();
}

setInterval(stamp, 1000);
document.addEventListener("weir:changed", now);
byId("refresh").addEventListener("click", (e) => { e.preventDefault(); now(); });
