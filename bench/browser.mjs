// browser.mjs - how fast the chat page is in Chromium, against its targets: what a flush costs while an answer of 120 KB is
// streamed, layout included, and the whole frame, painted, for each kind of document that a page may find hard to grow; how
// long a key takes to show meanwhile; what 50 answers leave behind; and how long a conversation of 500 messages takes to open.
//   WEIR_BUILD=build node bench/browser.mjs
// What a flush and a frame cost is processor time of the page's thread, for the same piece of text each: waiting for a
// processor is not in it, but a busy machine's slower memory is.
import { startUpstream, startWeir, stopAll } from '../tests/e2e/start.mjs';
import { openBrowser, say } from '../tests/browser/browser.mjs';
import { kinds, write } from '../tests/browser/documents.mjs';
import { startStage } from '../tests/browser/stage.mjs';

const SIZE = 120 * 1024, PIECE = 800, MESSAGES = 500, OPENINGS = 9, ANSWERS = 50;

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini' } });
const b = await openBrowser(weir);
const { page } = b;
let seen = () => {};
await page.exposeFunction('weirShown', () => seen());
await page.addInitScript(() => {
  const later = globalThis.requestAnimationFrame.bind(globalThis);
  const shown = (then) => {                                 // a message comes after the frame that it was sent in
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = then;
    port2.postMessage(null);
  };
  globalThis.requestAnimationFrame = (draw) => later((at) => {
    performance.mark('draw');
    draw(at);
    document.documentElement.getBoundingClientRect();       // the layout that the frame would do
    performance.mark('drawn');
    shown(() => { performance.mark('shown'); globalThis.weirShown(); });
  });
  globalThis.keys_ms = [];
  document.addEventListener('input', (e) => later(() => shown(() => globalThis.keys_ms.push(performance.now() - e.timeStamp))), true);
});
await b.signIn();
const cdp = await b.context.newCDPSession(page);
const stage = await startStage(page);

const row = (figure, target, value, unit = 'ms', more = '') =>
  console.log(`${value <= target ? 'ok  ' : 'MISS'}  ${figure.padEnd(64)} ${value.toFixed(1).padStart(7)} ${unit}   at most ${target} ${unit}${more}`);
const at = (list, share) => [...list].sort((x, y) => x - y)[Math.min(list.length - 1, Math.floor(list.length * share))];

// The answer in deltas of 20 characters, a piece of them for each frame: 48,000 characters a second where nothing is slow.
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

// The milliseconds of processor time that each frame drawn in `work` took until it was drawn, and until it was shown.
async function framesOf(work) {
  const marks = [];
  const collect = ({ value }) => marks.push(...value.filter((e) => ['draw', 'drawn', 'shown'].includes(e.name)));
  cdp.on('Tracing.dataCollected', collect);
  await cdp.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['blink.user_timing'], excludedCategories: ['*'] } });
  await work();
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

for (const kind of kinds) {
  await page.goto(b.url('/app/'));
  const { drawn, shown } = await framesOf(() => streamed(write(kind, SIZE)));
  for (const [what, most, list] of [['a flush', 4, drawn], ['a frame', 16, shown]])
    row(`${what} of an answer of ${SIZE / 1024} KB, ${kind}, p95 of ${list.length}`, most, at(list, 0.95), 'ms',
      `   median ${at(list, 0.5).toFixed(1)}, most ${at(list, 1).toFixed(1)}`);
}

await page.goto(b.url('/app/'));
await streamed(write('mixed', SIZE), () => page.locator('#text').pressSequentially('a letter at a time while it is written', { delay: 40 }));
const keys = await page.evaluate(() => globalThis.keys_ms.slice(1));        // the first is the message itself
row(`a key shows while an answer of ${SIZE / 1024} KB comes, p95 of ${keys.length}`, 50, at(keys, 0.95));

// Nodes that live and are not in the conversation: those that a copy of it adds are.
async function alive() {
  await cdp.send('HeapProfiler.collectGarbage');
  return (await cdp.send('Memory.getDOMCounters')).nodes;
}
async function others() {
  const all = await alive();
  await page.evaluate(() => {
    const column = document.getElementById('column');
    column.after(column.cloneNode(true));
    document.documentElement.getBoundingClientRect();
  });
  const twice = await alive();
  await page.evaluate(() => document.getElementById('column').nextSibling.remove());
  return all - (twice - all);
}
await page.goto(b.url('/app/'));
await streamed(write('mixed', 4096));
const before = await others();
for (let i = 0; i < ANSWERS; i++) await streamed(write('mixed', 4096));
row(`nodes left behind by ${ANSWERS} answers, each`, 10, (await others() - before) / ANSWERS, '  ');

let session;
for (let i = 0; i < MESSAGES / 2; i++) session = (await weir.post('/chat/complete', { message: write('mixed', 200), session_id: session, max_tokens: 100 })).json.session_id;
const times = [];
for (let i = 0; i < OPENINGS; i++) {
  await page.goto(b.url(`/app/c/${session}`));
  times.push(await page.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventEnd));
}
row(`a conversation of ${MESSAGES} messages opens, median of ${OPENINGS}`, 300, at(times, 0.5));
await b.close();
await stopAll();
process.exit(0);
