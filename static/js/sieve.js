/* sieve.js - the form of filters: what is empty stays out of the address, and this
 * browser's time zone is offered. */
import { byId, el } from "./dom.js";

const form = byId("filter-form");

if (form) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (own && own !== "UTC") byId("known-tz").prepend(el("option", { value: own }));
  form.addEventListener("submit", () => {
    const chosen = form.elements.from?.value;
    for (const field of form.elements)
      if (field.name) field.disabled = field.value === "" || (field.name === "tz" && field.value === field.dataset.usual) || (field.name === "range" && Boolean(chosen));
  });
  byId("filter").addEventListener("keydown", (e) => { if (e.key === "Escape") { byId("filter").open = false; byId("filter").querySelector("summary").focus(); } });
}
