// frames.mjs - what it costs the page to show an answer while it comes: processor time of the page's thread for each frame,
// so that waiting for a processor is not in it; a busy machine's slower memory is.
import { say } from './browser.mjs';
import { startStage } from './stage.mjs';

const PIECE = 800;          // characters a frame: 48,000 a second where nothing is slow

// The least value that `share` of the list do not exceed.
export const at = (list, share) => [...list].sort((x, y) => x - y)[Math.min(list.length - 1, Math.floor(list.length * share))];

// Before the page is opened first.
export async function startFrames({ context, page }) {
  let seen = () => {};
  await page.exposeFunction('weirShown', () => seen());
  await page.addInitScript(() => {
    const later = globalThis.requestAnimationFrame.bind(globalThis);
    globalThis.whenShown = (then) => {                      // a message comes after the frame that it was sent in
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = then;
      port2.postMessage(null);
    };
    globalThis.requestAnimationFrame = (draw) => later((time) => {
      performance.mark('draw');
      draw(time);
      document.documentElement.getBoundingClientRect();     // the layout that the frame would do
      performance.mark('drawn');
      globalThis.whenShown(() => { performance.mark('shown'); globalThis.weirShown(); });
    });
  });
  const cdp = await context.newCDPSession(page);
  const stage = await startStage(page);

  // The answer in deltas of 20 characters, a piece of them for each frame.
  async function* answer(text) {
    yield ['accepted', { request_id: 'req_1', session_id: 'ses_1', message_id: 'msg_1' }];
    yield ['start', { model: 'gpt-4o-mini', upstream: 'openai', attempt: 1, queue_ms: 0 }];
    for (let from = 0; from < text.length; from += 20) {
      if (from > 0 && from % PIECE === 0) await new Promise((go) => { seen = go; setTimeout(go, 1000); });     /* what is drawn at once has no frame */
      yield ['delta', { text: text.slice(from, from + 20) }];
    }
    yield ['done', { finish_reason: 'stop' }];
  }

  // Stream `text` and wait until it stands there, while `meanwhile` goes on.
  async function streamed(text, meanwhile = async () => {}) {
    stage.play({ events: answer(text) });
    await say(page, 'At length, please.');
    await meanwhile();
    await page.locator('.turn').last().locator('.msg.assistant [data-part="acts"]').waitFor({ state: 'visible', timeout: 120000 });
    stage.play();
  }

  // The milliseconds of processor time that each frame took while `text` was streamed: {drawn, shown}, lists in order.
  async function framesOf(text) {
    const marks = [];
    const collect = ({ value }) => marks.push(...value.filter((e) => ['draw', 'drawn', 'shown'].includes(e.name)));
    cdp.on('Tracing.dataCollected', collect);
    await cdp.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['blink.user_timing'], excludedCategories: ['*'] } });
    await streamed(text);
    const complete = new Promise((resolve) => cdp.once('Tracing.tracingComplete', resolve));
    await cdp.send('Tracing.end');
    await complete;
    cdp.off('Tracing.dataCollected', collect);
    marks.sort((x, y) => x.tts - y.tts);
    const took = (name) => marks.flatMap((mark, i) => {
      const end = mark.name === 'draw' && marks.slice(i + 1).find((m) => m.name === name);
      return end ? [(end.tts - mark.tts) / 1000] : [];
    });
    return { drawn: took('drawn'), shown: took('shown') };
  }
  return { cdp, streamed, framesOf };
}
