/* smooth.js - do answers arrive as they are written? A short stream of Weir's own is read as a chat's is, and what it says is
 * when its pieces came. Loaded when somebody asks. */
import { call, refusal } from "./api.js";
import { byId } from "./dom.js";

const BURST_MS = 25, PAUSE_MS = 500;    /* pieces that come within the one came together; a gap above the other is felt */
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
const CHECK = "In the proxy before Weir: switch off its buffering (nginx: proxy_buffering off) and the compression of text/event-stream, and let a connection be open for an hour. docs/operating.md has more, under “Behind a proxy of your own”.";

/* What is found, by what the times say. */
const FOUND = {
  smooth: (t) => `Smooth: ${t.of} pieces, the longest gap ${seconds(t.gap)}.`,
  uneven: (t) => `Uneven: ${t.of} pieces in ${t.bursts} bursts, the longest gap ${seconds(t.gap)}. Something between this browser and Weir holds streams back, or the way is slow. ${CHECK}`,
  lump: (t) => `Arrived in one lump after ${seconds(t.first)}: something between this browser and Weir holds streams back. ${CHECK}`,
  cut: (t) => `Cut after ${t.came} of ${t.of} pieces: something between this browser and Weir ends streams, or Weir was stopped. ${CHECK}`,
  foreign: () => `What came is no stream of Weir’s: something between this browser and Weir answers in its place. ${CHECK}`,
};

/* When each piece came, in milliseconds since `from`; as far as they come. */
async function arrivals(response, from) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const at = [];
  let text = "", of = 0;
  try {
    for (let r = await reader.read(); !r.done; r = await reader.read()) {
      const events = (text + r.value).split("\n\n");
      text = events.pop();
      for (const data of events.map((e) => /^data: (.*)$/m.exec(e)?.[1]).filter(Boolean)) {
        of = JSON.parse(data).of;
        at.push(performance.now() - from);
      }
    }
  } catch { /* it broke off: so many came */ }
  return { at, of };
}

/* Name and figures of what was found. */
export function judge({ at, of }) {
  const gaps = at.slice(1).map((t, i) => t - at[i]);
  const told = { of, came: at.length, first: at[0], gap: Math.max(0, ...gaps), bursts: 1 + gaps.filter((g) => g > BURST_MS).length };
  const kind = !of ? "foreign" : told.came < of ? "cut" : told.bursts === 1 ? "lump" : told.gap > PAUSE_MS ? "uneven" : "smooth";
  return [kind, told];
}

let running = false;

/* Test it, and say in #smooth what was found. */
export async function test() {
  if (running) return;
  running = true;
  byId("smooth").textContent = "Testing, for about two seconds…";
  try {
    const from = performance.now(), response = await call("/monitoring/stream-test", { headers: { Accept: "text/event-stream" } });
    if (!response.ok) throw await refusal(response);
    const [kind, told] = judge(await arrivals(response, from));
    byId("smooth").textContent = FOUND[kind](told);
  } catch (e) {
    byId("smooth").textContent = e.message;
  } finally { running = false; }
}
