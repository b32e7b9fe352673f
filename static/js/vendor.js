/* vendor.js - the only place that knows where vendored packages lie and which
 * version they have. The dashboard's uPlot is a plain script of its own page. */
const base = "/static/vendor";

export { lexer } from "/static/vendor/marked-18.2.1/marked.esm.js";
export { createParser } from "/static/vendor/eventsource-parser-3.1.1/index.js";

/* Gives the highlighter's core; the browser loads it once. */
export async function highlighter() {
  return (await import(`${base}/highlightjs-11.12.0/core.min.js`)).default;
}

/* Gives one language's grammar; `name` is a file name without its ending. */
export async function grammar(name) {
  return (await import(`${base}/highlightjs-11.12.0/languages/${name}.min.js`)).default;
}
