/* act.js - what an operator does on the dashboard: a button or select with data-do.
 * The panels are fetched anew afterwards. */
import { asked, change, sure } from "./again.js";
import { byId } from "./dom.js";
import { say } from "./announce.js";

const id = (node) => node.closest("tr").dataset.id;

/* Each gives the sentence to say when it is done, or nothing if it was not. */
const ACTS = {
  async cancel(button) {
    const row = button.closest("tr");
    if (!(await sure(`Cancel the request at place ${row.cells[0].textContent.trim()}?`))) return "";
    const made = await change("POST", "/chat/cancel", { request_id: id(button) });
    return made && (made.cancelled.length ? "Cancelled" : "It had begun or ended already");
  },
  async priority(select) {
    const made = await change("POST", `/admin/queue/${id(select)}/priority`, { priority: select.value });
    return made && `Priority is ${made.priority} now, place ${made.position}`;
  },
  async pause(button) {
    return (await change("POST", `/v1/batches/${id(button)}/pause`, {})) && "Paused; what is under way ends";
  },
  async resume(button) {
    return (await change("POST", `/v1/batches/${id(button)}/resume`, {})) && "It goes on";
  },
  async raise(button) {
    if (!(await asked(byId("raise")))) return "";
    return (await change("POST", `/v1/batches/${id(button)}/resume`, { weir: { budget_usd: byId("raise-usd").valueAsNumber } })) && "It goes on";
  },
  async stop(button) {
    if (!(await sure("Cancel this batch? What was answered stays; the rest is not sent."))) return "";
    return (await change("POST", `/v1/batches/${id(button)}/cancel`, {})) && "Cancelled";
  },
  async acknowledge(button) {
    return (await change("POST", `/admin/alerts/${id(button)}/acknowledge`, {})) && "Acknowledged";
  },
  async smooth() {
    await (await import("./smooth.js")).test();
    return "";
  },
  async reset() {
    if (!(await asked(byId("reset")))) return "";
    const reason = byId("reset-reason").value.trim();
    return (await change("POST", "/monitoring/reset-rate-limits", reason ? { reason } : {})) && "Limits are reset";
  },
};

async function act(event) {
  const node = event.target.closest("[data-do]");
  if (!node || (node.tagName === "SELECT") !== (event.type === "change")) return;
  const done = await ACTS[node.dataset.do](node);
  if (done) say(done);
  document.dispatchEvent(new Event("weir:changed"));
}

document.addEventListener("click", act);
document.addEventListener("change", act);
