/* again.js - a change that may ask for a sign-in first: the page's dialogs #sure and
 * #again, its line #problem. */
import { ApiError, send } from "./api.js";
import { boot } from "./boot.js";
import { byId } from "./dom.js";

export function problem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

let before = Promise.resolve();         /* the last question: its dialog tells of its end a moment after it is gone */

/* Show a dialog; gives true if it was answered with its first button. */
export function asked(dialog) {
  before = before.then(() => new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  }));
  return before;
}

/* Ask #sure with this sentence; `yes` is said on the button that agrees. */
export function sure(text, yes) {
  byId("sure-text").textContent = text;
  if (yes) byId("sure-yes").textContent = yes;
  return asked(byId("sure"));
}

async function signInAgain() {
  const input = byId("again-proof");
  if (!(await asked(byId("again")))) return false;
  const proof = input.value;
  input.value = "";
  await send("POST", "/app/login", proof.startsWith("weir_") ? { token: proof } : { name: boot.user.name, password: proof });
  return true;
}

/* Send it, and once more after a sign-in if that is what it takes. Gives undefined if it did not work: `wrong` is given
 * the sentence and the field it is about; unless told otherwise #problem says it. */
export async function change(method, where, body, wrong = problem) {
  wrong("");
  try {
    return await send(method, where, body);
  } catch (e) {
    try {
      if (e instanceof ApiError && e.error?.code === "reauthentication_required" && (await signInAgain())) return await send(method, where, body);
      wrong(e.message, e.error?.param);
    } catch (again) {
      wrong(again.message);
    }
    return undefined;
  }
}
