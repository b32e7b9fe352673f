/* manage.js - the settings pages of people, tokens, budgets and the like: opens the form, sends it, asks before it
 * removes, and signs in again where that is wanted. The table is the server's; after a change it is fetched anew. */
import { change, problem, sure } from "./again.js";
import { page } from "./page.js";
import { copy } from "./copy.js";
import { byId } from "./dom.js";
import { wrong } from "./wrong.js";
import "./shell.js";

const path = byId("manage").dataset.path;
const editor = byId("editor");
const form = byId("edit");
let changing = null;          // the id of what the form changes …
let called = "";              // … and its name

/* A moment as a datetime-local field has it, and back. */
const local = (at) => new Date(Date.parse(at) - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
const READ = {
  text: (field) => field.value.trim(),
  number: (field) => (field.value === "" ? "" : Number(field.value)),
  check: (field) => (field.checked || changing ? field.checked : ""),
  time: (field) => (field.value ? new Date(field.value).toISOString() : ""),
  list: (field) => (field.value.trim() ? field.value.split(",").map((s) => s.trim()).filter(Boolean) : ""),
  json: (field) => (field.value.trim() ? JSON.parse(field.value) : ""),
};
const WRITE = {
  check: (field, value) => { field.checked = Boolean(value); },
  time: (field, value) => { field.value = value ? local(value) : ""; },
  list: (field, value) => { field.value = (value ?? []).join(", "); },
  json: (field, value) => { field.value = value ? JSON.stringify(value) : ""; },
};
const fields = () => [...form.elements].filter((f) => f.dataset.kind && !f.closest("p").hidden);

/* The form's values as the interface takes them; what was left empty is not sent. */
function values() {
  const body = {};
  for (const field of fields()) {
    const value = READ[field.dataset.kind](field);
    const [outer, inner] = field.name.split(".");
    if (value === "") continue;
    if (inner) body[outer] = { ...body[outer], [inner]: value };
    else body[outer] = value;
  }
  return body;
}

function fill(item) {
  for (const field of form.elements) {
    if (!field.dataset.kind) continue;
    const [outer, inner] = field.name.split(".");
    const value = inner ? item[outer]?.[inner] : outer === "disabled" ? item.disabled_at !== null : item[outer];
    (WRITE[field.dataset.kind] ?? ((f, v) => { f.value = v ?? ""; }))(field, value);
  }
}

/* Of the form's rows those that can be said now: of an addition or a change, and of the kind that is chosen. */
function fit() {
  for (const row of form.querySelectorAll("p[data-when]")) {
    const [name, kinds] = (row.dataset.only ?? "").split("=");
    row.hidden = (row.dataset.when !== "both" && row.dataset.when !== (changing ? "change" : "add"))
      || Boolean(name && !kinds.split(" ").includes(form.elements[name].value));
  }
}

function open(item) {
  const what = form.dataset.one.replace(/^an? /, "");
  changing = item?.id ?? null;
  called = item?.name;
  form.reset();
  if (item) fill(item.values);
  byId("say").textContent = "";
  amiss("");
  fit();
  byId("form-title").textContent = item ? `Change this ${what}` : `Add ${form.dataset.one}`;
  byId("save").textContent = item ? "Change" : "Add";
  byId("acts").hidden = !item;
  for (const link of byId("acts").querySelectorAll("a")) link.href = `${link.dataset.before}${changing}${link.dataset.after}`;
  editor.showModal();
  fields()[0].focus();
}

const amiss = (text, param = "") => wrong(text, param && form.elements[param], form);

/* The table as it is now. */
async function refresh() {
  const next = await page(location.pathname).catch(() => null);
  if (!next) { location.reload(); return; }
  byId("list").replaceChildren(...[...next.getElementById("list").childNodes].map((n) => document.adoptNode(n)));
  follow();
}

/* The same after a change. The focus is where it was: in row `id`, or if that has gone in the one in its place, `at`. */
async function renew(said, id, at) {
  await refresh();
  byId("say").textContent = said;
  if (document.activeElement !== document.body) return;
  const rows = [...byId("list").querySelectorAll("tbody tr")];
  const row = rows.find((r) => r.dataset.id === id) ?? rows[Math.min(at, rows.length - 1)];
  (row?.querySelector('[data-act="change"]') ?? row?.querySelector(".btn") ?? byId("add") ?? byId("list")).focus();
}

/* What waits is looked at again after a while, for a minute or so; not under somebody's hands. */
let looks = 12;
function follow() {
  if (looks-- > 0 && byId("list").querySelector("[data-waits]"))
    setTimeout(() => (document.hidden || byId("list").querySelector(":focus") || !getSelection().isCollapsed ? follow() : refresh()), 5000);
}

/* What a button beyond Change and Remove does with the row `id`, which is called `name`; `amiss` is told what does not work. */
async function act(button, id, name, amiss) {
  const { method, after, body, sure: question, yes, said, then } = button.dataset;
  byId("say").textContent = "";
  if (question && !(await sure(question.replace("%", () => name), yes))) return;
  const made = await change(method, `${path}/${id}${after}`, body && JSON.parse(body), amiss);
  if (made === undefined) return;
  if (then) { location.assign(then + id); return; }
  editor?.close();
  reveal(made);
  await renew(made?.copies?.length ? `${said}. Copies of the database still have it: ${made.copies.join(", ")}` : said, id);
}

byId("list").addEventListener("click", async (e) => {
  const button = e.target.closest("button[data-act]"), row = e.target.closest("tr");
  if (!button) return;
  if (button.dataset.act === "change") return open({ id: row.dataset.id, name: row.cells[0].textContent, values: JSON.parse(row.dataset.item) });
  if (button.dataset.act === "do") return act(button, row.dataset.id, row.cells[0].textContent, problem);
  byId("say").textContent = "";
  if (!(await sure(`Remove ${row.cells[0].textContent}?`, "Remove"))) return;
  if ((await change("DELETE", `${path}/${row.dataset.id}`)) !== undefined) renew("Removed", row.dataset.id, row.sectionRowIndex);
});

/* A token or a secret is shown once. */
function reveal(made) {
  if (!made?.token && !made?.secret) return;
  byId("secret").textContent = made.token ?? made.secret;
  byId("secret-line").hidden = false;
  byId("secret").focus();
}

async function save(e) {
  e.preventDefault();
  let body;
  try {
    body = values();
  } catch {
    amiss("This is not valid JSON.", "filters");
    return;
  }
  const made = changing ? await change("PATCH", `${path}/${changing}`, body, amiss) : await change("POST", path, body, amiss);
  if (made === undefined) return;
  editor.close();
  reveal(made);
  await renew("Saved", changing);
}

if (form) {
  byId("add").addEventListener("click", () => open(null));
  form.addEventListener("submit", save);
  form.addEventListener("change", fit);
  byId("acts").addEventListener("click", (e) => e.target.dataset.act && act(e.target, changing, called, amiss));
  for (const id of ["close", "cancel"]) byId(id).addEventListener("click", () => editor.close());
  editor.addEventListener("close", () => wrong("", null, byId("say")));
  byId("secret-copy").addEventListener("click", () => copy(byId("secret").textContent, byId("secret-copy").firstElementChild));
}
follow();
