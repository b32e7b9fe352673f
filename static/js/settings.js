/* settings.js - every choice takes effect when it is made; there is nothing to save. */
import { send } from "./api.js";
import { byId } from "./dom.js";
import { cookie, recall, remember, setMetrics, setTheme } from "./prefs.js";
import "./shell.js";

const apply = {
  theme: setTheme,
  metrics: setMetrics,
  dollars: (value) => remember("dollars", value === "on" ? null : value),
  sendkey: (value) => remember("sendkey", value === "enter" ? null : value),
};
const now = { theme: cookie("weir_theme"), metrics: cookie("weir_metrics") || "full", sendkey: recall("sendkey") || "enter", dollars: recall("dollars") || "on" };

for (const [name, value] of Object.entries(now)) {
  for (const input of document.querySelectorAll(`input[name="${name}"]`)) {
    input.checked = input.value === value;
    input.addEventListener("change", () => {
      apply[name](input.value);
      byId("say").textContent = "Saved";
    });
  }
}

byId("password").addEventListener("submit", async (e) => {
  e.preventDefault();
  const current = byId("current").value;
  try {
    await send("PATCH", "/app/me", { password: byId("next").value, ...(current ? { current_password: current } : {}) });
    e.target.reset();
    byId("say").textContent = "The password is changed; other browsers are signed out.";
  } catch (error) {
    byId("say").textContent = error.message;
  }
});
