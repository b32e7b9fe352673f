// browser.mjs - how fast the chat page is in Chromium, against its targets: what a flush costs while an answer of 120 KB is
// streamed, layout included, and the whole frame, painted, for each kind of document that a page may find hard to grow; how
// long a key takes to show meanwhile; what 50 answers leave behind; and how long a conversation of 500 messages takes to open.
//   WEIR_BUILD=build node bench/browser.mjs
// tests/browser/speed.test.mjs holds on any machine that these do not grow with the length of what is shown.
import { startUpstream, startWeir, stopAll } from '../tests/e2e/start.mjs';
import { openBrowser } from '../tests/browser/browser.mjs';
import { kinds, write } from '../tests/browser/documents.mjs';
import { at, startFrames } from '../tests/browser/frames.mjs';

const SIZE = 120 * 1024, MESSAGES = 500, OPENINGS = 9, ANSWERS = 50;

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini' } });
const b = await openBrowser(weir);
const { page } = b;
await page.addInitScript(() => {
  globalThis.keys_ms = [];
  const later = globalThis.requestAnimationFrame.bind(globalThis);
  document.addEventListener('input', (e) => later(() => globalThis.whenShown(() => globalThis.keys_ms.push(performance.now() - e.timeStamp))), true);
});
const { cdp, streamed, framesOf } = await startFrames(b);
await b.signIn();

const row = (figure, target, value, unit = 'ms', more = '') =>
  console.log(`${value <= target ? 'ok  ' : 'MISS'}  ${figure.padEnd(64)} ${value.toFixed(1).padStart(7)} ${unit}   at most ${target} ${unit}${more}`);

for (const kind of kinds) {
  await page.goto(b.url('/app/'));
  const { drawn, shown } = await framesOf(write(kind, SIZE));
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
