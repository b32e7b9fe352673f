/* recover.js - an answer that was under way when the page was left: its stream again, or, where that is kept
 * no longer, the record of how it ended. Loaded where there is one. */
import { get } from "./api.js";
import { remember } from "./prefs.js";

const TRIES = 60, PAUSE_MS = 2000;

/* The request of another tab or device that is being answered in `session`, null if none is. */
export async function elsewhere(session) {
  return (await get(`/chat/sessions/${session}`)).running_request_id;
}

/* Gives the end of `run`, which reads `request` of `session` again; the page is loaded anew where only the record has it. */
export async function recover(run, request, session, turn) {
  const end = await run.resume(request);
  if (end.kind !== "interrupted") return end;
  turn.back();
  for (let tries = 0; tries < TRIES; tries++) {
    const { items } = await get(`/chat/sessions/${session}/messages`);
    if (items.some((m) => m.request_id === request)) {
      remember(`run.${session}`, null);
      location.reload();
      return end;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return end;
}
