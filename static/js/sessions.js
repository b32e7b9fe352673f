/* sessions.js - the list of conversations: find, rename, delete with an undo.
 * The rows come with the page; a new conversation is put on top when it is accepted. */
import { get, send } from "./api.js";
import { byId, clone, el, part } from "./dom.js";
import { isEnter } from "./keys.js";
import { recall, remember } from "./prefs.js";
import { say, alert } from "./announce.js";

const UNDO_MS = 8000;

export class Sessions {
  #list = byId("sessions"); #search = byId("search"); #none = byId("no-match");
  #undo = byId("undo"); #pending = null; #timer = 0; #late = 0;

  constructor(current) {
    this.current = current;
    this.#list.addEventListener("click", (e) => this.#clicked(e));
    this.#list.addEventListener("dblclick", (e) => { const row = e.target.closest(".session"); if (row) { e.preventDefault(); this.#rename(row); } });
    this.#list.addEventListener("keydown", (e) => this.#key(e));
    this.#search.addEventListener("input", () => this.#filter());
    byId("undo-button").addEventListener("click", () => this.#bring_back());
    addEventListener("pagehide", () => this.#delete_now(true));
    this.row(recall("gone"))?.remove();
    remember("gone", null);
  }

  /* A conversation begun on this page. */
  add(id, title) {
    if (this.row(id)) return;
    const row = clone("t-session");
    row.dataset.id = id;
    part(row, "link").href = `/app/c/${id}`;
    this.#name(row, title);
    this.#group("Today", "prepend").prepend(row);
    this.#mark(row);
    byId("no-sessions")?.remove();
  }

  row(id) { return this.#list.querySelector(`.session[data-id="${CSS.escape(id)}"]`); }

  /* "writing", "queued", "failed" or nothing beside the title. */
  chip(id, text) {
    const row = id && this.row(id);
    if (!row) return;
    part(row, "chip").className = `chip ${text}`;
    part(row, "chip").textContent = text;
    part(row, "chip").hidden = !text;
  }

  #mark(row) {
    this.#list.querySelector(".session.current")?.classList.remove("current");
    row.classList.add("current");
    part(row, "link").setAttribute("aria-current", "page");
  }

  /* The rows under a heading; the heading is made at the list's "prepend" or "append" end. */
  #group(day, end) {
    const there = this.#list.querySelector(`section[data-day="${day}"] ul`);
    if (there) return there;
    const rows = el("ul", { class: "rows" });
    this.#list[end](el("section", { "data-day": day }, el("h2", {}, day), rows));
    return rows;
  }

  #clicked(e) {
    const row = e.target.closest(".session");
    if (e.target.closest('[data-part="rename"]')) this.#rename(row);
    else if (e.target.closest('[data-part="delete"]')) this.#delete(row);
  }

  #key(e) {
    const row = e.target.closest(".session");
    if (!row || e.target.matches("input")) return;
    const rows = [...this.#list.querySelectorAll(".session:not([hidden])")];
    const next = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (next) {
      e.preventDefault();
      const other = rows[rows.indexOf(row) + next];
      if (other) part(other, "link").focus();
    } else if (e.key === "F2") this.#rename(row);
    else if (e.key === "Delete") this.#delete(row);
  }

  #rename(row) {
    const link = part(row, "link");
    const before = link.textContent;
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
      try { await send("PATCH", `/chat/sessions/${row.dataset.id}`, { title }); say("Renamed"); }
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

  #name(row, title) {
    part(row, "link").textContent = title;
    part(row, "link").title = title;
  }

  #title(row, title) {
    this.#name(row, title);
    if (row.dataset.id === this.current) { byId("title").textContent = title; document.title = `${title} · Weir`; }
  }

  /* Gone at once to the eye; really, when the time for Undo is over. */
  #delete(row) {
    this.#delete_now();
    row.hidden = true;
    this.#pending = row;
    part(this.#undo, "text").textContent = `Deleted “${part(row, "link").textContent}”`;
    this.#undo.hidden = false;
    this.#timer = setTimeout(() => this.#delete_now(), UNDO_MS);
    say("Deleted. Undo is available.");
    byId("undo-button").focus();
  }

  #bring_back() {
    clearTimeout(this.#timer);
    if (this.#pending) { this.#pending.hidden = false; part(this.#pending, "link").focus(); }
    this.#pending = null;
    this.#undo.hidden = true;
  }

  async #delete_now(leaving = false) {
    clearTimeout(this.#timer);
    const row = this.#pending;
    this.#pending = null;
    this.#undo.hidden = true;
    if (!row) return;
    if (leaving) remember("gone", row.dataset.id);       /* the next page may have been rendered before */
    try {
      await send("DELETE", `/chat/sessions/${row.dataset.id}`, undefined, { keepalive: leaving });
      if (row.dataset.id === this.current && !leaving) location.assign("/app/");
      row.remove();
    } catch (x) {
      row.hidden = false;
      alert(`Not deleted: ${x.message}`);
    }
  }

  /* What is on the page at once; what is only at the server after a pause. */
  #filter() {
    const words = this.#search.value.trim().toLowerCase();
    this.#show(words);
    clearTimeout(this.#late);
    if (words) this.#late = setTimeout(() => this.#ask(words), 200);
  }

  #show(words) {
    let hits = 0;
    for (const row of this.#list.querySelectorAll(".session")) {
      row.hidden = row === this.#pending || !part(row, "link").textContent.toLowerCase().includes(words);
      if (!row.hidden) hits++;
    }
    for (const group of this.#list.querySelectorAll("section")) group.hidden = !group.querySelector(".session:not([hidden])");
    this.#none.hidden = hits > 0 || !words;
    this.#none.textContent = `No conversation matches “${this.#search.value.trim()}”.`;
  }

  async #ask(words) {
    let found;
    try { found = await get(`/chat/sessions?limit=50&query=${encodeURIComponent(words)}`); } catch { return; }
    if (this.#search.value.trim().toLowerCase() !== words) return;
    for (const s of found.items) {
      if (this.row(s.session_id)) continue;
      const row = clone("t-session");
      row.dataset.id = s.session_id;
      part(row, "link").href = `/app/c/${s.session_id}`;
      this.#name(row, s.title);
      this.#group("Found", "append").append(row);
    }
    this.#show(words);
  }
}
