/* wrong.js - what is wrong with a form, said at the field it is about: the page's line
 * #problem goes there, and the field points to it. */
import { problem } from "./again.js";
import { byId } from "./dom.js";

/* Without a field the line stands before `place`. "": nothing is wrong. */
export function wrong(text, field, place) {
  const line = byId("problem");
  for (const one of document.querySelectorAll('[aria-errormessage="problem"]')) {
    one.removeAttribute("aria-invalid");
    one.removeAttribute("aria-errormessage");
  }
  if (text && field) field.parentElement.append(line);
  else place.before(line);
  problem(text);
  if (!text || !field) return;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-errormessage", "problem");
  field.focus();
}
