/* handoff.js - a conversation goes to another person: a dialog that asks to whom, says what that
 * means, and stays open while it is refused. It cannot be taken back, so there is no Undo. Loaded at its first use. */
import { boot } from "./boot.js";
import { get, send } from "./api.js";
import { open } from "./dialog.js";
import { byId, el, part } from "./dom.js";
import { say } from "./announce.js";

/* An administrator knows who there is; everybody else asks the other for their id. */
async function people(list) {
  if (boot.user?.role !== "admin") return;
  try {
    const { items } = await get("/admin/users");
    list.append(...items.filter((u) => u.role !== "monitor").map((u) => el("option", { value: u.user_id }, u.name)));
  } catch { /* the id is typed */ }
}

/* Ask for whom the conversation of `row` is. */
export function handOver(row) {
  const to = el("input", { class: "field", id: "handoff-to", required: true, maxlength: "40", placeholder: "usr_…", list: "handoff-people", autocomplete: "off", "aria-describedby": "handoff-what handoff-why" });
  const why = el("p", { class: "fault", id: "handoff-why", role: "alert" });
  const list = el("datalist", { id: "handoff-people" });
  const go = el("button", { class: "btn primary", type: "submit" }, "Hand over");
  const form = el("form", { class: "explain" },
    el("p", { id: "handoff-what" }, "With its history and its budget. You no longer see it then; what you spent stays on your account. This cannot be undone."),
    el("p", {}, el("label", { for: "handoff-to" }, "Id of the other person"), to, list, el("small", { class: "help" }, "It stands under Settings, on their page.")),
    why, el("p", {}, go, " ", el("button", { class: "btn", type: "button", onclick: () => dialog.close() }, "Cancel")));
  const dialog = el("dialog", { "aria-labelledby": "handoff-title" }, el("header", {}, el("h2", { id: "handoff-title" }, `Hand over “${part(row, "name").textContent}”`)), form);
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    go.disabled = true;
    why.textContent = "";
    try {
      await send("POST", `/chat/sessions/${row.dataset.id}/handoff`, { user_id: to.value.trim() });
      say("Handed over");
      location.assign("/app/");
    } catch (x) {
      why.textContent = x.message;
      go.disabled = false;
      to.focus();
    }
  });
  dialog.addEventListener("close", () => byId("chat-menu").querySelector("summary").focus());
  open(dialog);
  people(list);
}
