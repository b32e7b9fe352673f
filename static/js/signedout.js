/* signedout.js - the session has ended: a dialog over the page, which stays as it is. The message that was being sent stands
 * in the box, and goes out when the same person is back. */
import { boot } from "./boot.js";
import { open } from "./dialog.js";
import { el } from "./dom.js";
import { recall, remember } from "./prefs.js";

const WITHIN_MS = 3_600_000;            /* later, it stays a draft */
let told = false, shown = false;

/* Open it; the way back leads to this page. `turn` is the message of `session` that was refused for it, null for
 * something else, which says it once. */
export function signedOut(session, turn) {
  if (shown || (told && !turn)) return;
  told = shown = true;
  const leave = () => remember("unsent", turn && JSON.stringify({ user: boot.user?.user_id, session, text: turn.text, parent: turn.parent, at: Date.now() }));
  const dialog = el("dialog", { id: "signed-out", role: "alertdialog", "aria-labelledby": "signed-out-title", "aria-describedby": "signed-out-text" },
    el("header", {}, el("h2", { id: "signed-out-title" }, "You are signed out")),
    el("div", { class: "explain" }, el("p", { id: "signed-out-text" }, turn ? "Your message is kept on this device and is sent when you are back." : "What you wrote is kept on this device and stands in the box when you are back."),
      el("p", {}, el("a", { class: "btn primary", href: `/app/login?next=${encodeURIComponent(location.pathname)}`, onclick: leave }, "Sign in"))));
  dialog.addEventListener("close", () => { shown = false; });
  open(dialog);
}

/* Back from there: send what was not taken, if it still stands in the box of that conversation and it is the same person. */
export function goOn(session, composer) {
  const unsent = JSON.parse(recall("unsent"));
  remember("unsent", null);
  if (unsent.user !== boot.user?.user_id || unsent.session !== session || Date.now() - unsent.at > WITHIN_MS || composer.busy || composer.box.value.trim() !== unsent.text) return;
  if (unsent.parent) composer.edit(unsent.text, unsent.parent);
  composer.press();
}
