/* math.js - a formula as MathML, which the browser draws itself. Loaded when one appears. */
import temml from "/static/vendor/temml-0.13.5/temml.js";

/* Draw `tex` into `node`; what cannot be read stays as it was written. */
export function draw(node, tex, display) {
  try {
    temml.render(tex, node, { displayMode: display, throwOnError: true, trust: false, strict: false });
  } catch (e) {
    node.textContent = tex;
    node.title = e.message;
    node.classList.add("unread");
  }
}
