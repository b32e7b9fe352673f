/* sessions.js - the list of conversations. Rows come with the page or from search.js;
 * a new conversation is put on top when it is accepted. A row stays one node for as
 * long as it is shown. What changes one is in change.js. */
import { byId, clone, el, part } from "./dom.js";
import { recall, remember, zone } from "./prefs.js";
import { alert, say } from "./announce.js";

const DAY_MS = 86_400_000, SLOW_MS = 150;
let changes = null;         /* change.js, once it is there */
const ORDER = ["Pinned", "Today", "Yesterday", "Last 7 days", "Last 30 days", "Earlier", "Archived", "Found"];

/* The heading a conversation stands under, by the days of the zone in which times are shown; the server's are UTC. */
const dates = new Intl.DateTimeFormat("sv", { timeZone: zone() });
const date = (at) => dates.format(new Date(at));
function dayOf(s) {
  const at = date(s.updated_at), since = (days) => at >= date(Date.now() - days * DAY_MS);
  if (s.archived) return "Archived";
  if (s.pinned) return "Pinned";
  return since(0) ? "Today" : since(1) ? "Yesterday" : since(7) ? "Last 7 days" : since(30) ? "Last 30 days" : "Earlier";
}

export class Sessions {
  #list = byId("sessions");

  constructor(current) {
    this.current = current;
    this.#list.addEventListener("click", (e) => this.#clicked(e));
    this.#list.addEventListener("dblclick", (e) => { const row = e.target.closest(".session"); if (row) { e.preventDefault(); this.rename(row); } });
    this.#list.addEventListener("keydown", (e) => this.#key(e));
    this.#list.addEventListener("click", (e) => this.#leaving(e));
    this.left = new Set(this.rows().map((row) => row.dataset.id).filter((id) => id !== current && recall(`run.${id}`)));      /* before its answer ended */
    for (const id of this.left) this.chip(id, "writing");
    addEventListener("pageshow", () => { byId("skeleton").hidden = true; });
    for (const id of recall("gone").split(" ")) if (id) this.row(id)?.remove();
    remember("gone", null);
    for (const row of this.rows()) this.settle(row);
    this.tidy();
  }

  rows() { return [...this.#list.querySelectorAll(".session:not([hidden])")]; }

  row(id) { return this.#list.querySelector(`.session[data-id="${CSS.escape(id)}"]`); }

  /* A conversation begun on this page. */
  add(id, title) {
    if (this.row(id)) return;
    const row = this.put({ session_id: id, title, updated_at: new Date().toISOString() });
    this.#list.querySelector(".session.current")?.classList.remove("current");
    row.classList.add("current");
    part(row, "link").setAttribute("aria-current", "page");
    byId("no-sessions")?.remove();
  }

  /* A row for `s` of the server's list, under its day unless `day` says otherwise. */
  put(s, { day = dayOf(s) } = {}) {
    const row = clone("t-session");
    row.dataset.id = s.session_id;
    row.dataset.at = s.updated_at;
    row.classList.toggle("pinned", Boolean(s.pinned));
    part(row, "link").href = `/app/c/${s.session_id}`;
    this.#name(row, s.title);
    this.#place(row, day);
    return row;
  }

  /* "writing", "queued", "2 queued", "failed", "unread" (a dot) or nothing beside the title. */
  chip(id, text) {
    const row = id && this.row(id);
    if (!row) return;
    part(row, "chip").className = `chip ${text.split(" ").pop()}`;
    part(row, "chip").textContent = text;
    part(row, "chip").hidden = !text;
  }

  /* Headings without rows are not shown. */
  tidy() {
    for (const group of this.#list.querySelectorAll("section")) group.hidden = !group.querySelector(".session:not([hidden])");
  }

  /* The newest first. */
  #place(row, day) {
    let group = this.#list.querySelector(`section[data-day="${day}"]`);
    if (!group) {
      group = el("section", { "data-day": day }, el("h2", {}, day), el("ul", { class: "rows" }));
      const next = [...this.#list.querySelectorAll("section")].find((g) => ORDER.indexOf(g.dataset.day) > ORDER.indexOf(day));
      this.#list.insertBefore(group, next ?? byId("no-match"));
    }
    const rows = group.querySelector("ul");
    rows.insertBefore(row, [...rows.children].find((other) => other.dataset.at < row.dataset.at) ?? null);
    this.tidy();
  }

  #clicked(e) {
    const row = e.target.closest(".session");
    if (e.target.closest('[data-part="rename"]')) this.rename(row);
    else if (e.target.closest('[data-part="pin"]')) this.pin(row);
    else if (e.target.closest('[data-part="delete"]')) this.remove([row]);
  }

  /* On the way to another conversation: where it takes long, lines stand in for it. */
  #leaving(e) {
    const link = e.target.closest('[data-part="link"]');
    if (!link || e.defaultPrevented || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    setTimeout(() => { byId("skeleton").hidden = false; say("Loading conversation"); }, SLOW_MS);
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

  /* At once if it can be: the page may be left the moment after. */
  #change(how, ...args) {
    if (changes) changes[how](this, ...args);
    else import("./change.js").then((module) => { changes = module; changes[how](this, ...args); }, () => alert("Not changed: Weir could not be reached."));
  }

  rename(row) { this.#change("rename", row); }
  pin(row) { this.#change("pin", row); }
  archive(rows, archived = true) { this.#change("archive", rows, archived); }
  remove(rows) { this.#change("remove", rows); }

  /* Under the heading where it belongs, as its pin says; what has the focus in it keeps it. */
  settle(row) {
    const day = dayOf({ pinned: row.classList.contains("pinned"), updated_at: row.dataset.at });
    if (row.closest("section").dataset.day === day) return;
    const focused = row.contains(document.activeElement) ? document.activeElement : null;
    this.#place(row, day);
    focused?.focus();
  }

  hide(rows, hidden) {
    rows.forEach((row) => { row.hidden = hidden; });
    this.tidy();
    if (!hidden) part(rows[0], "link").focus();
  }

  #name(row, title) {
    part(row, "name").textContent = title;
    part(row, "link").title = title;
  }

  title(row, title) {
    this.#name(row, title);
    if (row.dataset.id === this.current) { byId("title").textContent = title; document.title = `${title} · Weir`; }
  }
}
