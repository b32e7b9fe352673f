/* columns.js - which columns the table of requests shows;
 * the choice stays in this browser. */
import { byId, el } from "./dom.js";
import { recall, remember } from "./prefs.js";

const box = byId("columns");
const hidden = new Set(recall("columns").split(",").filter(Boolean));
const table = () => byId("requests-table");

function show() {
  for (const cell of table()?.querySelectorAll("[data-col]") ?? []) cell.hidden = hidden.has(cell.dataset.col);
}

if (box && table()) {
  const heads = [...table().querySelectorAll("th[data-col]")];
  box.querySelector(".pop").append(...heads.map((head) => {
    const input = el("input", { type: "checkbox", checked: !hidden.has(head.dataset.col), onchange() {
      hidden[input.checked ? "delete" : "add"](head.dataset.col);
      remember("columns", [...hidden].join(","));
      show();
    } });
    return el("label", { class: "check" }, input, head.textContent);
  }));
  box.hidden = false;
  box.addEventListener("keydown", (e) => { if (e.key === "Escape") { box.open = false; box.querySelector("summary").focus(); } });
  document.addEventListener("click", (e) => { if (!box.contains(e.target)) box.open = false; });
  document.addEventListener("weir:fresh", show);
  show();
}
