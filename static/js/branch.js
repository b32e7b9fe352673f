/* branch.js - other versions: another answer to a question, another question in its place. Which one a message on the
 * page is, and the way to the others. Loaded after the first answer. */
import { part } from "./dom.js";

/* What `article` is, and where it hangs: the server's words for a message on the page. */
export function mark(article, m) {
  const all = m.siblings;
  const at = all.indexOf(m.message_id);
  const box = part(article, "versions");
  article.dataset.id = m.message_id;
  article.dataset.parent = m.parent_id ?? "root";
  if (m.request_id) article.dataset.request = m.request_id;
  box.replaceChildren();
  if (all.length < 2) return;
  const nav = document.getElementById("t-versions").content.firstElementChild.cloneNode(true);
  part(nav, "at").textContent = `${at + 1}/${all.length}`;
  for (const [name, id] of [["before", all[at - 1]], ["after", all[at + 1]]]) {
    if (id) part(nav, name).href = `${location.pathname}?at=${id}`;
    else part(nav, name).remove();
  }
  box.append(nav);
}
