/* shell.js - what every page shares: the theme button, signing out, menus, and the sidebar:
 * a drawer on narrow screens, folded away on wide ones. */
import { send } from "./api.js";
import { byId } from "./dom.js";
import { dark, recall, setTheme } from "./prefs.js";
import { say } from "./announce.js";
import "./keys.js";

byId("theme")?.addEventListener("click", () => {
  setTheme(dark() ? "light" : "dark");
  say(dark() ? "Dark theme" : "Light theme");
});

byId("logout")?.addEventListener("click", async () => {
  try { await send("POST", "/app/logout", {}); } finally { location.assign("/app/login"); }
});

/* A row of links that is wider than the screen shows the one of this page. */
document.querySelector(":is(.sections, .parts) [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

/* A menu is closed with Escape, and by a click elsewhere. */
document.addEventListener("keydown", (e) => {
  const menu = e.key === "Escape" && e.target.closest(".drop[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("click", (e) => { for (const menu of document.querySelectorAll(".drop[open]")) if (!menu.contains(e.target)) menu.open = false; });

if (recall("jump")) import("./jump.js");

const app = byId("app");
const menu = byId("menu");

function draw(open) {
  const wide = matchMedia("(min-width: 43.75em)").matches;
  app.classList.toggle(wide ? "folded" : "drawn", open !== wide);
  menu.setAttribute("aria-expanded", String(open));
  if (open) byId("sidebar").querySelector("a, button").focus();
  else menu.focus();
}

if (menu) {
  menu.addEventListener("click", () => draw(!byId("sidebar").checkVisibility({ visibilityProperty: true })));
  byId("scrim").addEventListener("click", () => draw(false));
  byId("sidebar").addEventListener("keydown", (e) => { if (e.key === "Escape" && app.classList.contains("drawn")) draw(false); });
}
