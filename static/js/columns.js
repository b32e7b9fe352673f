/* columns.js - which columns the table of requests shows. The choice stays in this browser, as a cookie of the names of
 * those left out, so that the server writes the table without them. */
import { byId, el } from "./dom.js";
import { cookie, setCookie } from "./prefs.js";

const box = byId("columns");
const table = () => byId("requests-table");
const without = new Set(cookie("weir_columns").split(".").filter(Boolean));

if (box) {
  const heads = [...table().querySelectorAll("th[data-col]")].slice(1);
  box.querySelector(".pop").append(...heads.map((head) => {
    const name = head.dataset.col;
    const input = el("input", { type: "checkbox", checked: !without.has(name), onchange() {
      without[input.checked ? "delete" : "add"](name);
      table().classList.toggle(`no-${name}`, !input.checked);
      setCookie("weir_columns", [...without].join("."));
    } });
    return el("label", { class: "check" }, input, head.textContent);
  }));
  box.classList.add("ready");
  box.addEventListener("keydown", (e) => { if (e.key === "Escape") { box.open = false; box.querySelector("summary").focus(); } });
  document.addEventListener("click", (e) => { if (!box.contains(e.target)) box.open = false; });
}
