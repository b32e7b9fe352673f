/* drawer.js - a request's explanation in a drawer beside the list; the same page
 * opens for whoever follows the link without this script, or in a new tab. */
import { page } from "./page.js";
import { el } from "./dom.js";

let drawer = null;

function open(part) {
  const close = el("button", { class: "btn small", type: "button", onclick: () => drawer.close() }, "Close");
  drawer?.remove();
  part.querySelector(".back")?.remove();
  drawer = el("dialog", { class: "drawer", "aria-labelledby": "h-explain", onclose: () => { drawer.remove(); drawer = null; } }, close, part);
  drawer.addEventListener("click", (e) => { if (e.target === drawer) drawer.close(); });
  document.body.append(drawer);
  drawer.showModal();
}

document.addEventListener("click", async (e) => {
  const link = e.target.closest?.("a.explain");
  if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || e.button) return;
  e.preventDefault();
  try {
    const part = (await page(link.getAttribute("href") + location.search)).getElementById("explain");
    open(document.adoptNode(part));
  } catch {
    location.assign(link.href);
  }
});
