/* empty.js - the page of a new conversation: its examples, the chosen model with its
 * price, and what is left of the tightest budget. */
import { byId, part } from "./dom.js";
import { money } from "./format.js";

const box = byId("empty");
const PERIODS = { day: "today’s budget", week: "this week’s budget", month: "this month’s budget", total: "the budget" };

/* use(text) puts an example into the message box. */
export function examples(use) {
  for (const example of box?.querySelectorAll(".examples .btn") ?? []) example.addEventListener("click", () => use(example.textContent));
}

export function showModel(option) {
  if (box?.isConnected) part(box, "model").textContent = option ? `${option.textContent.trim()}${option.textContent.includes("$") ? " a million tokens" : ""}` : "";
}

/* `budgets` are those of the live snapshot. */
export function showBudget(budgets) {
  if (!box?.isConnected) return;
  const left = (b) => Math.max(0, b.limit_usd - b.spent_usd - b.reserved_usd);
  const [least] = budgets.filter((b) => b.limit_usd > 0).sort((a, b) => left(a) / a.limit_usd - left(b) / b.limit_usd);
  part(box, "budget").textContent = least ? ` · ${money(left(least))} of ${PERIODS[least.window] ?? "the budget"} left` : "";
}
