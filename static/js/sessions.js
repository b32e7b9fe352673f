/* sessions.js - the list of conversations: rename, pin, archive, delete, each with
 * a way back. Rows come with the page or from search.js; a new conversation is put
 * on top when it is accepted. A row stays one node for as long as it is shown. */
import { send } from "./api.js";
import { byId, clone, el, part } from "./dom.js";
import { isEnter } from "./keys.js";
import { recall, remember } from "./prefs.js";
import { say, alert } from "./announce.js";
import { offer } from "./undo.js";

const DAY_MS = 86_400_000;
const ORDER = ["Pinned", "Today", "Yesterday", "Last 7 days", "Last 30 days", "Earlier", "Archived", "Found"];
const path = (row) => `/chat/sessions/${row.dataset.id}`;
const titleOf = (row) => part(row, "name").textContent;
const some = (rows) => (rows.length === 1 ? `“${titleOf(rows[0])}”` : `${rows.length} conversations`);

/* The heading a conversation stands under; days are UTC, as the server's. */
function dayOf(s, now = Date.now()) {
  const today = now - now % DAY_MS;
  const at = Date.parse(s.updated_at);
  if (s.archived) return "Archived";
  if (s.pinned) return "Pinned";
  if (at >= today) return "Today";
  if (at >= today - DAY_MS) return "Yesterday";
  if (at >= today - 7 * DAY_MS) return "Last 7 days";
  return at >= today - 30 * DAY_MS ? "Last 30 days" : "Earlier";
}

export class Sessions {
  #list = byId("sessions");

  constructor(current) {
    this.current = current;
    this.#list.addEventListener("click", (e) => this.#clicked(e));
    this.#list.addEventListener("dblclick", (e) => { const row = e.target.closest(".session"); if (row) { e.preventDefault(); this.rename(row); } });
    this.#list.addEventListener("keydown", (e) => this.#key(e));
    for (const id of recall("gone").split(" ")) if (id) this.row(id)?.remove();
    remember("gone", null);
    this.tidy();
  }

  rows() { return [...this.#list.querySelectorAll(".session:not([hidden])")]; }

  row(id) { return this.#list.querySelector(`.session[data-id="${CSS.escape(id)}"]`); }

  /* A conversation begun on this page. */
  add(id, title) {
    if (this.row(id)) return;
    const row = this.put({ session_id: id, title, updated_at: new Date().toISOString() }, { first: true });
    this.#list.querySelector(".session.current")?.classList.remove("current");
    row.classList.add("current");
    part(row, "link").setAttribute("aria-current", "page");
    byId("no-sessions")?.remove();
  }

  /* A row for `s` of the server's list, under its day unless `day` says otherwise. */
  put(s, { day = dayOf(s), first = false } = {}) {
    const row = clone("t-session");
    row.dataset.id = s.session_id;
    row.dataset.at = s.updated_at;
    row.classList.toggle("pinned", Boolean(s.pinned));
    part(row, "link").href = `/app/c/${s.session_id}`;
    this.#name(row, s.title);
    this.#place(row, day, first);
    return row;
  }

  /* "writing", "queued", "failed" or nothing beside the title. */
  chip(id, text) {
    const row = id && this.row(id);
    if (!row) return;
    part(row, "chip").className = `chip ${text}`;
    part(row, "chip").textContent = text;
    part(row, "chip").hidden = !text;
  }

  /* Headings without rows are not shown. */
  tidy() {
    for (const group of this.#list.querySelectorAll("section")) group.hidden = !group.querySelector(".session:not([hidden])");
  }

  #place(row, day, first = false) {
    let group = this.#list.querySelector(`section[data-day="${day}"]`);
    if (!group) {
      group = el("section", { "data-day": day }, el("h2", {}, day), el("ul", { class: "rows" }));
      const next = [...this.#list.querySelectorAll("section")].find((g) => ORDER.indexOf(g.dataset.day) > ORDER.indexOf(day));
      this.#list.insertBefore(group, next ?? byId("no-match"));
    }
    group.querySelector("ul")[first ? "prepend" : "append"](row);
    this.tidy();
  }

  #clicked(e) {
    const row = e.target.closest(".session");
    if (e.target.closest('[data-part="rename"]')) this.rename(row);
    else if (e.target.closest('[data-part="pin"]')) this.pin(row);
    else if (e.target.closest('[data-part="delete"]')) this.remove([row]);
  }

  #key(e) {
    const row = e.target.closest(".session");
    if (!row || e.target.matches("input")) return;
    const rows = this.rows();
    const next = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (next) {
      e.preventDefault();
      const other = rows[rows.indexOf(row) + next];
      if (other) part(other, "link").focus();
    } else if (e.key === "F2") this.rename(row);
    else if (e.key === "Delete") this.remove([row]);
  }

  rename(row) {
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
      this.#title(row, title);
      try { await send("PATCH", path(row), { title }, { keepalive: true }); say("Renamed"); }
      catch (x) { this.#title(row, before); alert(`Not renamed: ${x.message}`); }
    };
    box.addEventListener("keydown", (e) => {
      e.stopPropagation();
      if (isEnter(e)) { e.preventDefault(); end(true); }
      if (e.key === "Escape") end(false);
    });
    box.addEventListener("blur", () => end(true));
    link.replaceWith(box);
    box.select();
  }

  async pin(row) {
    const pinned = !row.classList.contains("pinned");
    try { await send("PATCH", path(row), { pinned }); } catch (x) { alert(`Not changed: ${x.message}`); return; }
    row.classList.toggle("pinned", pinned);
    this.#place(row, dayOf({ pinned, updated_at: row.dataset.at }), true);
    say(pinned ? "Pinned" : "No longer pinned");
  }

  /* Out of the list, or back into it where `archived` is false. */
  async archive(rows, archived = true) {
    const set = (value) => Promise.all(rows.map((row) => send("PATCH", path(row), { archived: value })));
    try { await set(archived); } catch (x) { alert(`Not changed: ${x.message}`); return; }
    this.#hide(rows, true);
    offer(`${archived ? "Archived" : "Taken back"} ${some(rows)}.`, {
      undo: async () => { this.#hide(rows, false); try { await set(!archived); } catch (x) { alert(`Not taken back: ${x.message}`); } },
      final: () => rows.forEach((row) => row.remove()),
    });
  }

  /* Gone at once to the eye; really, when the time for Undo is over. */
  remove(rows) {
    this.#hide(rows, true);
    offer(`Deleted ${some(rows)}.`, {
      undo: () => this.#hide(rows, false),
      final: (leaving) => this.#delete(rows, leaving),
    });
  }

  async #delete(rows, leaving) {
    if (leaving) remember("gone", rows.map((r) => r.dataset.id).join(" "));       /* the next page may have been rendered before */
    try {
      await Promise.all(rows.map((row) => send("DELETE", path(row), undefined, { keepalive: leaving })));
      if (!leaving && rows.some((row) => row.dataset.id === this.current)) location.assign("/app/");
      rows.forEach((row) => row.remove());
    } catch (x) {
      this.#hide(rows, false);
      alert(`Not deleted: ${x.message}`);
    }
  }

  #hide(rows, hidden) {
    rows.forEach((row) => { row.hidden = hidden; });
    this.tidy();
    if (!hidden) part(rows[0], "link").focus();
  }

  #name(row, title) {
    part(row, "name").textContent = title;
    part(row, "link").title = title;
  }

  #title(row, title) {
    this.#name(row, title);
    if (row.dataset.id === this.current) { byId("title").textContent = title; document.title = `${title} · Weir`; }
  }
}
