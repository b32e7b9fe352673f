/* select.js - several conversations at once: mark them, then archive, export or
 * delete. Shift with a click marks from the last one on. Loaded when it is needed. */
import { byId, el, part } from "./dom.js";
import { alert, say } from "./announce.js";
import { styled } from "./style.js";

await styled("list");

const MOST = 100;                       /* that the server puts into one file */

export class Select {
  #list = byId("sessions"); #bar = byId("bulk"); #button = byId("select"); #last = null;

  constructor(sessions) {
    this.sessions = sessions;
    this.#button.addEventListener("click", () => this.#mode(!this.on));      /* the first click was ours to be loaded by */
    this.#list.addEventListener("click", (e) => this.#clicked(e), { capture: true });
    this.#list.addEventListener("change", () => this.#count());
    this.#bar.addEventListener("click", (e) => { const act = e.target.closest("[data-act]")?.dataset.act; if (act) this.#act(act); });
    byId("sidebar").addEventListener("keydown", (e) => { if (e.key === "Escape" && this.on) { e.stopPropagation(); this.#mode(false); this.#button.focus(); } });
  }

  /* Begin, with `row` marked if there is one. */
  begin(row) {
    this.#mode(true);
    if (row) part(row, "mark").checked = true;
    this.#last = row;
    this.#count();
  }

  get on() { return this.#list.classList.contains("selecting"); }

  #marked() { return this.sessions.rows().filter((row) => part(row, "mark").checked); }

  #mode(on) {
    this.#list.classList.toggle("selecting", on);
    this.#bar.hidden = !on;
    this.#button.setAttribute("aria-pressed", String(on));
    for (const box of this.#list.querySelectorAll('[data-part="mark"]')) box.checked = false;
    this.#count();
    this.#last = null;
  }

  #clicked(e) {
    const row = e.target.closest(".session");
    if (!row || e.target.closest("button")) return;
    if (!this.on) return;
    const box = part(row, "mark");
    if (e.target !== box) { e.preventDefault(); e.stopPropagation(); }
    if (e.target !== box) box.checked = !box.checked;
    if (e.shiftKey && this.#last) {
      const rows = this.sessions.rows();
      const [from, to] = [rows.indexOf(this.#last), rows.indexOf(row)].sort((a, b) => a - b);
      for (const one of rows.slice(Math.max(0, from), to + 1)) part(one, "mark").checked = box.checked;
    }
    this.#last = row;
    this.#count();
  }

  #count() {
    const n = this.#marked().length;
    part(this.#bar, "text").textContent = `${n} selected`;
    for (const button of this.#bar.querySelectorAll("[data-act]")) button.disabled = n === 0;
  }

  #act(act) {
    const rows = this.#marked();
    if (act === "archive") {
      const back = rows.filter((row) => row.closest('[data-day="Archived"]'));
      if (back.length) this.sessions.archive(back, false);
      if (back.length < rows.length) this.sessions.archive(rows.filter((row) => !back.includes(row)));
    } else if (act === "delete") this.sessions.remove(rows);
    else {
      if (rows.length > MOST) { alert(`At most ${MOST} conversations go into one file.`); return; }
      const [first, ...also] = rows.map((row) => row.dataset.id);
      el("a", { href: `/chat/sessions/${first}/export?format=md${also.length ? `&also=${also.join()}` : ""}`, download: true }).click();
      say(`${rows.length} exported`);
    }
    this.#mode(false);
  }
}
