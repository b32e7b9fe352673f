/* change.js - what is done with conversations of the list: rename, pin, archive, delete,
 * each with a way back. Loaded at its first use. */
import { send } from "./api.js";
import { byId, el, part } from "./dom.js";
import { remember } from "./prefs.js";
import { say, alert } from "./announce.js";
import { styled } from "./style.js";
import { offer } from "./undo.js";

await styled("list");

const path = (row) => `/chat/sessions/${row.dataset.id}`;
const titleOf = (row) => part(row, "name").textContent;
const some = (rows) => (rows.length === 1 ? `“${titleOf(rows[0])}”` : `${rows.length} conversations`);

export function rename(sessions, row) {
  const link = part(row, "link");
  const before = titleOf(row);
  const box = el("input", { value: before, maxlength: "200", "aria-label": "Title" });
  let over = false;
  const end = async (keep) => {
    if (over) return;
    over = true;
    const title = box.value.trim();
    box.replaceWith(link);
    link.focus();
    if (!keep || !title || title === before) return;
    sessions.title(row, title);
    try { await send("PATCH", path(row), { title }, { keepalive: true }); say("Renamed"); }
    catch (x) { sessions.title(row, before); alert(`Not renamed: ${x.message}`); }
  };
  box.addEventListener("keydown", (e) => {
    e.stopPropagation();
    if (e.key === "Enter") { e.preventDefault(); end(true); }
    if (e.key === "Escape") end(false);
  });
  box.addEventListener("blur", () => end(true));
  link.replaceWith(box);
  box.select();
}

export async function pin(sessions, row) {
  const pinned = !row.classList.contains("pinned");
  try { await send("PATCH", path(row), { pinned }); } catch (x) { alert(`Not changed: ${x.message}`); return; }
  row.classList.toggle("pinned", pinned);
  sessions.settle(row);
  say(pinned ? "Pinned" : "No longer pinned");
}

/* What has the focus where these rows were: the one after them, or before; where there is none, what begins a new chat. */
function beside(rows) {
  const all = [...byId("sessions").querySelectorAll(".session")], at = all.indexOf(rows.at(-1));
  const shown = (row) => !row.hidden;
  const row = all.slice(at).find(shown) ?? all.slice(0, at).findLast(shown);
  return row ? part(row, "link") : byId("new-chat");
}

/* Out of the list, or back into it where `archived` is false. */
export async function archive(sessions, rows, archived) {
  const set = (value) => Promise.all(rows.map((row) => send("PATCH", path(row), { archived: value })));
  try { await set(archived); } catch (x) { alert(`Not changed: ${x.message}`); return; }
  sessions.hide(rows, true);
  offer(`${archived ? "Archived" : "Taken back"} ${some(rows)}.`, {
    undo: async () => { sessions.hide(rows, false); try { await set(!archived); } catch (x) { alert(`Not taken back: ${x.message}`); } },
    final: () => rows.forEach((row) => row.remove()),
    beside: () => beside(rows),
  });
}

/* Gone at once to the eye; really, when the time for Undo is over. */
export function remove(sessions, rows) {
  sessions.hide(rows, true);
  offer(`Deleted ${some(rows)}.`, {
    undo: () => sessions.hide(rows, false),
    final: (leaving) => forget(sessions, rows, leaving),
    beside: () => beside(rows),
  });
}

async function forget(sessions, rows, leaving) {
  if (leaving) remember("gone", rows.map((r) => r.dataset.id).join(" "));       /* the next page may have been rendered before */
  try {
    await Promise.all(rows.map((row) => send("DELETE", path(row), undefined, { keepalive: leaving })));
    if (!leaving && rows.some((row) => row.dataset.id === sessions.current)) location.assign("/app/");
    rows.forEach((row) => row.remove());
  } catch (x) {
    sessions.hide(rows, false);
    alert(`Not deleted: ${x.message}`);
  }
}
