/* hurry.js - what waits goes sooner: the next attempt at once, or before others in the queue. Loaded when somebody asks. */
import { send } from "./api.js";
import { alert } from "./announce.js";

/* Try again without waiting for the pause to end. */
export async function now(request, turn) {
  try {
    const { retried } = await send("POST", "/chat/retry", { request_id: request });
    if (retried) turn.hurried();
  } catch (x) { alert(x.message); }
}

/* An administrator moves it within the queue. */
export async function raise(request, turn) {
  turn.raise = false;
  try { await send("POST", `/admin/queue/${request}/priority`, { priority: "High" }); } catch (x) { alert(`The priority stays: ${x.message}`); }
}
