/* settings.js - every choice takes effect when it is made; there is nothing to save. */
import { send } from "./api.js";
import { byId, el } from "./dom.js";
import { cookie, isZone, recall, remember, setCookie, setTheme, zone } from "./prefs.js";
import { wrong } from "./wrong.js";
import "./jump.js";
import "./shell.js";

const apply = {
  theme: setTheme,
  metrics: (how) => setCookie("weir_metrics", how === "full" ? "" : how),
  dollars: (value) => remember("dollars", value === "on" ? null : value),
  sendkey: (value) => remember("sendkey", value === "enter" ? null : value),
  jump: (value) => remember("jump", value === "off" ? null : value),
};
const now = { theme: cookie("weir_theme"), metrics: cookie("weir_metrics") || "full", sendkey: recall("sendkey") || "enter",
  jump: recall("jump") || "off", dollars: recall("dollars") || "on" };
/* What was done, or what is wrong with a field. */
function say(text, amiss = "", field = null) {
  wrong(amiss, field, byId("say"));
  byId("say").textContent = text;
}

for (const [name, value] of Object.entries(now)) {
  for (const input of document.querySelectorAll(`input[name="${name}"]`)) {
    input.checked = input.value === value;
    input.addEventListener("change", () => {
      apply[name](input.value);
      say("Saved");
    });
  }
}

const box = byId("zone");
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
box.value = zone() ?? "";
byId("zones").append(...[...new Set([own, "UTC", ...Intl.supportedValuesOf("timeZone")])].map((name) => el("option", { value: name })));
box.addEventListener("change", () => {
  const name = box.value.trim();
  const known = name === "" || isZone(name);
  if (known) setCookie("weir_tz", name);
  say(known ? "Saved" : "", known ? "" : `There is no time zone “${name}”; one is called as Europe/Berlin.`, box);
});

byId("password").addEventListener("submit", async (e) => {
  e.preventDefault();
  const current = byId("current").value;
  try {
    await send("PATCH", "/app/me", { password: byId("next").value, ...(current ? { current_password: current } : {}) });
    e.target.reset();
    say("The password is changed; other browsers are signed out.");
  } catch (error) {
    say("", error.message, e.target.elements[error.error?.param]);
  }
});
