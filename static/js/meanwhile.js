/* meanwhile.js - what another tab or device did: what it said in the conversation on this page is put where it belongs, and what
 * it began into the list; nothing else is touched, neither the message box nor what is read. Loaded with the second snapshot. */
import { get } from "./api.js";
import { say } from "./announce.js";
import { byId } from "./dom.js";
import { page } from "./page.js";
import { adopt } from "./turn.js";

let looking = false, done = "";         /* the last message that was looked at */

const ids = (messages) => new Set(messages.map((m) => m.dataset.id));

/* Make the messages of `column` those of the page the server would give now; gives how many came. */
function merge(column, now) {
  const mine = [...column.querySelectorAll(".msg[data-id]")], there = ids(now), here = ids(mine);
  const from = Math.max(0, mine.findIndex((m) => there.has(m.dataset.id)));       /* before it stand earlier ones that were asked for */
  for (const m of mine.slice(from)) if (!there.has(m.dataset.id)) m.remove();     /* another version took its place */
  for (const turn of column.querySelectorAll(".turn")) if (!turn.querySelector(".msg")) turn.remove();
  const fresh = now.filter((m) => !here.has(m.dataset.id)).map((m) => document.adoptNode(m));
  if (fresh.length) document.getElementById("empty")?.remove();
  column.append(...fresh);
  fresh.forEach(adopt);
  return fresh.length;
}

const NEWEST = 20;
const list = byId("sessions");
let owed = false;                       /* the list is to be looked at when the pointer has left it: no row moves under that */

/* Conversations of the server's that the list has not. */
async function begun(sessions, busy) {
  if (list.matches(":hover")) {
    if (!owed) list.addEventListener("pointerleave", () => { owed = false; begun(sessions, busy).catch(() => {}); }, { once: true });
    owed = true;
    return;
  }
  const { items } = await get(`/chat/sessions?limit=${NEWEST}`);
  if (busy() || byId("search").value || list.matches(":hover")) return;       /* the next look has them */
  const fresh = items.filter((s) => !sessions.row(s.session_id));
  fresh.forEach((s) => sessions.put(s));
  if (fresh.length) byId("no-sessions")?.remove();
}

/* Has the list all conversations, and `session` (if there is one) a message that `column` has not? `told`: surely. busy() says
 * whether a message of this page is under way, which then settles it by itself; then() is called when all is shown. */
export async function look(sessions, session, column, told, busy, then) {
  begun(sessions, busy).catch(() => {});
  if (!session) return;
  const last = [...column.querySelectorAll(".msg:not([hidden])")].pop();
  if (looking) return;
  if (last && !last.dataset.id) {       /* refused, or not known to be kept */
    if (told && document.hidden) location.reload();
    return;
  }
  looking = true;
  try {
    const leaf = told ? "" : (await get(`/chat/sessions/${session}`)).leaf_id;
    if (!told && (!leaf || leaf === last?.dataset.id || leaf === done)) return;
    const now = [...(await page(`/app/c/${session}`)).querySelectorAll("#column .msg")];
    if (busy()) return;
    done = leaf;
    if (merge(column, now)) say("New messages");
    then();
  } finally { looking = false; }
}
