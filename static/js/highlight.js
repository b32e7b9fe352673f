/* highlight.js - colours for code, loaded language by language when one appears.
 *
 * The highlighter gives text with <span class> marks; a small reader turns that
 * into nodes, so that it never passes through the browser's HTML parser. */
import { el } from "./dom.js";
import { styled } from "./style.js";

const base = "/static/vendor/highlightjs-11.12.0";

/* what people write after ``` → the grammar's file */
const GRAMMARS = {
  bash: "bash", sh: "bash", shell: "bash", zsh: "bash", console: "bash", c: "c", h: "c", cpp: "cpp", "c++": "cpp", cc: "cpp", hpp: "cpp",
  cs: "csharp", csharp: "csharp", css: "css", diff: "diff", patch: "diff", dockerfile: "dockerfile", docker: "dockerfile", go: "go", golang: "go",
  html: "xml", xml: "xml", svg: "xml", ini: "ini", toml: "ini", java: "java", js: "javascript", javascript: "javascript", jsx: "javascript", mjs: "javascript",
  json: "json", jsonc: "json", kotlin: "kotlin", kt: "kotlin", lua: "lua", make: "makefile", makefile: "makefile", markdown: "markdown", md: "markdown",
  nginx: "nginx", perl: "perl", php: "php", python: "python", py: "python", r: "r", ruby: "ruby", rb: "ruby", rust: "rust", rs: "rust",
  scss: "scss", sql: "sql", swift: "swift", ts: "typescript", typescript: "typescript", tsx: "typescript", yaml: "yaml", yml: "yaml",
};
const LONGEST = 100_000;              /* characters: beyond, plain text reads as well and costs nothing */
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'" };

const unescape = (text) => text.replace(/&(?:amp|lt|gt|quot|#x27);/g, (e) => ENTITIES[e]);

/* The highlighter's output, which holds nothing but spans and escaped text, as nodes. */
function nodes(marked) {
  const root = document.createDocumentFragment();
  let at = root;
  for (const [, name, close, text] of marked.matchAll(/<span class="([^"]*)">|(<\/span>)|([^<]+)/g)) {
    if (name !== undefined) at = at.appendChild(el("span", { class: name }));
    else if (close) at = at.parentNode ?? root;
    else at.append(unescape(text));
  }
  return root;
}

/* Colour `code`, an element that holds `text`, if its language is known. Fails silently: plain text stays. */
export async function highlight(code, text, language) {
  const name = GRAMMARS[language.toLowerCase()];
  if (!name || text.length > LONGEST) return;
  try {
    const { default: hljs } = await import(`${base}/core.min.js`);
    if (!hljs.getLanguage(name)) hljs.registerLanguage(name, (await import(`${base}/languages/${name}.min.js`)).default);
    const marked = hljs.highlight(text, { language: name, ignoreIllegals: true }).value;
    await styled("highlight");
    if (code.textContent === text) code.replaceChildren(nodes(marked));
  } catch { /* the text is readable as it is */ }
}
