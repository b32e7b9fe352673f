/* touch.js - the list of conversations under a finger: a long press opens what may be
 * done with one, a swipe to the left shows its buttons. Loaded where there is no mouse. */
import { open } from "./dialog.js";
import { byId, el, part } from "./dom.js";

const HOLD_MS = 500, SWIPE_PX = 48, STILL_PX = 10;
const list = byId("sessions");
let timer = 0, from = null, held = false;

/* Everything the row's own buttons do, and `more` [label, f], as a sheet at the lower edge. */
function sheet(row, more) {
  const items = [...row.querySelectorAll(".acts button")].map((b) => [b.textContent.trim(), () => b.click()]);
  const button = ([label, f]) => el("button", { type: "button", class: "btn", onclick: () => { dialog.close(); f(); } }, label);
  const dialog = el("dialog", { class: "sheet", "aria-label": part(row, "name").textContent },
    el("p", {}, part(row, "name").textContent), ...[...items, ...more].map(button), button(["Close", () => {}]));
  dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
  open(dialog);
}

function show(row) {
  for (const other of list.querySelectorAll(".session.open")) if (other !== row) other.classList.remove("open");
  row?.classList.add("open");
}

/* select(row) begins to mark several, with this one marked. */
export function underFinger(select) {
  const still = () => { clearTimeout(timer); timer = 0; };
  list.addEventListener("touchstart", (e) => {
    const row = e.target.closest(".session");
    held = false;
    still();
    if (!row || e.touches.length > 1 || list.classList.contains("selecting")) { from = null; return; }
    from = { row, x: e.touches[0].clientX, y: e.touches[0].clientY };
    if (!e.target.closest("button, input")) timer = setTimeout(() => { held = true; sheet(row, [["Select several", () => select(row)]]); }, HOLD_MS);
  }, { passive: true });
  list.addEventListener("touchmove", (e) => {
    if (!from) return;
    const right = e.touches[0].clientX - from.x, down = Math.abs(e.touches[0].clientY - from.y);
    if (down > STILL_PX || Math.abs(right) > STILL_PX) still();
    if (down > SWIPE_PX / 2) from = null;
    else if (right < -SWIPE_PX) show(from.row);
    else if (right > SWIPE_PX) show(null);
  }, { passive: true });
  list.addEventListener("touchend", (e) => { still(); if (held) e.preventDefault(); });
  list.addEventListener("touchcancel", still);
  list.addEventListener("contextmenu", (e) => { if (e.target.closest(".session")) e.preventDefault(); });
}
