/* lazy.js - what most visits do not need is loaded at its first use: search and
 * archive, the menu of a conversation, several conversations at once, the list under a finger, attaching files. */
import { alert } from "./announce.js";
import { byId } from "./dom.js";
import { touch } from "./keys.js";

const LONG_PASTE = 8000;                /* characters */

/* Use what load() promises; one that did not come is asked for again the next time. */
function once(load) {
  let it = null;
  return (use) => {
    it ??= load();
    it.then(use, () => { it = null; alert("Weir could not be reached."); });
  };
}

/* session() is the conversation on the page, "" for a new one. */
export function lazy(sessions, session) {
  const list = byId("sessions");
  const box = byId("text");
  let select = null;
  const searching = once(() => import("./search.js").then(({ Search }) => new Search(sessions)));
  const selects = once(() => import("./select.js").then(({ Select }) => (select = new Select(sessions))));
  const selecting = (row) => selects((s) => s.begin(row));
  const heading = once(() => import("./header.js").then(({ Header }) => new Header(sessions, session())));
  const attaching = once(() => import("./attach.js"));
  const take = (files) => attaching((a) => a.take(files));

  byId("search").addEventListener("input", () => searching((s) => s.typed()));
  byId("archive").addEventListener("click", () => searching((s) => s.archived()));
  byId("more-sessions").addEventListener("click", () => searching((s) => s.page()));
  new IntersectionObserver((seen) => { if (seen.some((s) => s.isIntersecting)) searching((s) => s.page()); }, { root: list }).observe(byId("more-sessions"));

  byId("select").addEventListener("click", () => { if (!select) selecting(null); });
  list.addEventListener("click", (e) => {
    const row = e.target.closest(".session");
    if (!row || !e.shiftKey || list.classList.contains("selecting")) return;
    e.preventDefault();
    selecting(row);
  });

  if (touch.matches) import("./touch.js").then((t) => t.underFinger(selecting));

  byId("chat-menu").addEventListener("click", (e) => heading((h) => h.clicked(e)));

  byId("attach").addEventListener("click", () => byId("files").click());
  byId("files").addEventListener("change", (e) => { take([...e.target.files]); e.target.value = ""; });
  const over = (on) => byId("composer").classList.toggle("over", on);      /* a file, held over the page */
  addEventListener("dragover", (e) => { if (e.dataTransfer?.types.includes("Files")) { e.preventDefault(); over(true); } });
  addEventListener("dragleave", (e) => { if (!e.relatedTarget) over(false); });
  addEventListener("drop", (e) => { over(false); if (e.dataTransfer?.files.length) { e.preventDefault(); take([...e.dataTransfer.files]); } });
  box.addEventListener("paste", (e) => {
    const files = [...(e.clipboardData?.files ?? [])];
    const text = e.clipboardData?.getData("text/plain").replace(/\r\n?/g, "\n") ?? "";
    const from = box.selectionStart;
    if (files.length && !text) take(files);
    else if (text.length > LONG_PASTE) attaching((a) => a.offer(text, from));
  });
}
