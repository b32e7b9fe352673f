/* manage.js - the settings pages of people, tokens, budgets and the like: sends the form, asks before it
 * removes, and signs in again where that is wanted. The table is the server's; a change loads it anew. */
import { change, problem, sure } from "./again.js";
import { byId } from "./dom.js";
import "./shell.js";

const path = byId("manage").dataset.path;
const form = byId("edit");
let changing = null;          // the id of what the form changes

/* The form's values as the interface takes them; what was left empty is not sent. */
function values() {
  const body = {};
  for (const field of form.elements) {
    const kind = field.dataset.kind, row = field.closest("p");
    if (!kind || row.hidden) continue;
    let value = kind === "check" ? field.checked : field.value.trim();
    if (value === "" || (kind === "check" && !value && !changing)) continue;
    if (kind === "number") value = Number(value);
    if (kind === "list") value = value.split(",").map((s) => s.trim()).filter(Boolean);
    if (kind === "json") value = JSON.parse(value);
    const [outer, inner] = field.name.split(".");
    if (inner) body[outer] = { ...body[outer], [inner]: value };
    else body[outer] = value;
  }
  return body;
}

function show(mode) {
  for (const row of form.querySelectorAll("p[data-when]"))
    row.hidden = row.dataset.when !== "both" && row.dataset.when !== mode;
  byId("form-title").textContent = byId("save").textContent = mode === "add" ? "Add" : "Change";
}

function fill(item) {
  for (const field of form.elements) {
    if (!field.dataset.kind) continue;
    const [outer, inner] = field.name.split(".");
    const value = inner ? item[outer]?.[inner] : outer === "disabled" ? item.disabled_at !== null : item[outer];
    if (field.dataset.kind === "check") field.checked = Boolean(value);
    else if (field.dataset.kind === "json") field.value = value ? JSON.stringify(value) : "";
    else field.value = Array.isArray(value) ? value.join(", ") : value ?? "";
  }
}

document.querySelector("tbody").addEventListener("click", async (e) => {
  const button = e.target.closest("button[data-act]"), row = e.target.closest("tr");
  if (!button) return;
  if (button.dataset.act === "change") {
    changing = row.dataset.id;
    fill(JSON.parse(row.dataset.item));
    show("change");
    form.querySelector("p:not([hidden]) .field").focus();
    return;
  }
  if (!(await sure(`Remove ${row.cells[0].textContent}?`))) return;
  if ((await change("DELETE", `${path}/${row.dataset.id}`)) !== undefined) location.reload();
});

form?.addEventListener("reset", () => {
  changing = null;
  problem("");
  show("add");
});

form?.addEventListener("submit", async (e) => {
  e.preventDefault();
  let body;
  try {
    body = values();
  } catch {
    problem("The filters are not valid JSON.");
    return;
  }
  const made = changing ? await change("PATCH", `${path}/${changing}`, body) : await change("POST", path, body);
  if (made === undefined) return;
  if (made?.token || made?.secret) {
    byId("secret").textContent = made.token ?? made.secret;
    byId("secret-line").hidden = false;
    byId("say").textContent = "Made. It is in the list when you load the page again.";
    form.reset();
    byId("secret").focus();
  } else location.reload();
});

if (form) show("add");
