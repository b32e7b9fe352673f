/* signedout.js - the session has ended: a dialog over the page, which stays as it is. */
import { el } from "./dom.js";

/* Open it; the way back leads to this page. */
export function signedOut() {
  if (document.getElementById("signed-out")) return;
  const to = `/app/login?next=${encodeURIComponent(location.pathname)}`;
  const dialog = el("dialog", { id: "signed-out", role: "alertdialog", "aria-labelledby": "signed-out-title", "aria-describedby": "signed-out-text" },
    el("header", {}, el("h2", { id: "signed-out-title" }, "You are signed out")),
    el("div", { class: "explain" }, el("p", { id: "signed-out-text" }, "Your message is kept on this device and stands in the box when you are back."),
      el("p", {}, el("a", { class: "btn primary", href: to }, "Sign in"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
