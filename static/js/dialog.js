/* dialog.js - a dialog over the chat page, with the style sheet of what stands in them. Loaded with the first. */
import { styled } from "./style.js";

/* Open `dialog`; closed, it is gone, and the focus is back. */
export async function open(dialog) {
  await styled("dialog");
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
