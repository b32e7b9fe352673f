/* shell.js - what every page shares: the theme button, signing out, the sidebar
 * drawer of narrow screens. */
import { send } from "./api.js";
import { byId } from "./dom.js";
import { dark, setTheme } from "./prefs.js";
import { say } from "./announce.js";

byId("theme")?.addEventListener("click", () => {
  setTheme(dark() ? "light" : "dark");
  say(dark() ? "Dark theme" : "Light theme");
});

byId("logout")?.addEventListener("click", async () => {
  try { await send("POST", "/app/logout", {}); } finally { location.assign("/app/login"); }
});

const app = byId("app");
const menu = byId("menu");

function draw(open) {
  app.classList.toggle("drawn", open);
  menu.setAttribute("aria-expanded", String(open));
  if (open) byId("sidebar").querySelector("a, button").focus();
  else menu.focus();
}

if (menu) {
  menu.addEventListener("click", () => draw(true));
  byId("scrim").addEventListener("click", () => draw(false));
  byId("sidebar").addEventListener("keydown", (e) => { if (e.key === "Escape" && app.classList.contains("drawn")) draw(false); });
}
