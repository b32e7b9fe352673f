/* left.js - conversations of the list that were left before their answer ended: is it still written, did it
 * fail, or is it there and unread? Loaded where there is one. */
import { ApiError, get } from "./api.js";
import { recall } from "./prefs.js";

const WORDS = { success: "unread", cancelled: "" };

/* Its record stands when it has ended. */
async function ended(request) {
  try { return (await get(`/monitoring/requests/${request}`)).status; } catch (x) {
    if (x instanceof ApiError && x.status === 404) return null;
    throw x;
  }
}

/* Look at each once; a later snapshot looks again at those that go on. */
export async function look(sessions) {
  for (const id of [...sessions.left]) {
    const request = recall(`run.${id}`);
    let status = "cancelled";             /* no word: its answer was seen in another tab */
    try { if (request) status = await ended(request); } catch { return; }
    if (!status) continue;
    sessions.left.delete(id);
    sessions.chip(id, WORDS[status] ?? "failed");
  }
}
