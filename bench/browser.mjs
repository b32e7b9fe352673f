// browser.mjs - how fast the chat page is in Chromium, against its targets: what drawing costs a frame while an answer of
// 120 KB of Markdown is streamed, layout included, and how long a conversation of 500 messages takes to open.
//   WEIR_BUILD=build node bench/browser.mjs
import { startUpstream, startWeir, stopAll } from '../tests/e2e/start.mjs';
import { openBrowser, say } from '../tests/browser/browser.mjs';
import { startStage } from '../tests/browser/stage.mjs';

const SIZE = 120 * 1024, MESSAGES = 500, OPENINGS = 9;
const part = (i) => `## Gate ${i}\n\nThe *gate* is **open** at ${i} metres, says the [manual](https://example.org/${i}).\n\n- one\n- two\n\n\`\`\`c\nint gate_${i} = ${i};\n\`\`\`\n\n| gate | height |\n|:--|--:|\n| ${i} | 1.20 |\n\n`;
let text = 'In short:\n\n';
for (let i = 0; text.length < SIZE; i++) text += part(i);

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini' } });
const b = await openBrowser(weir);
await b.page.addInitScript(() => {
  const later = globalThis.requestAnimationFrame.bind(globalThis);
  globalThis.frames_ms = [];
  globalThis.requestAnimationFrame = (draw) => later((at) => {
    const from = performance.now();
    draw(at);
    document.documentElement.getBoundingClientRect();       // the layout that the frame would do
    globalThis.frames_ms.push(performance.now() - from);
  });
});
await b.signIn();

const row = (figure, target, ms) => console.log(`${ms <= target ? 'ok  ' : 'MISS'}  ${figure.padEnd(60)} ${ms.toFixed(1).padStart(7)} ms   at most ${target} ms`);
const at = (list, share) => list.sort((x, y) => x - y)[Math.min(list.length - 1, Math.floor(list.length * share))];

// The answer in pieces of 20 characters, ten each 4 ms.
async function* answer() {
  yield ['accepted', { request_id: 'req_1', session_id: 'ses_1', message_id: 'msg_1' }];
  yield ['start', { model: 'gpt-4o-mini', upstream: 'openai', attempt: 1, queue_ms: 0 }];
  for (let at = 0; at < text.length; at += 20) {
    if (at % 200 === 0) await new Promise((go) => setTimeout(go, 4));
    yield ['delta', { text: text.slice(at, at + 20) }];
  }
  yield ['done', { finish_reason: 'stop' }];
}
const stage = await startStage(b.page);
stage.play({ events: answer() });
await say(b.page, 'At length, please.');
await b.page.locator('.turn [data-part="acts"]').last().waitFor({ state: 'visible', timeout: 120000 });
stage.play();
const frames = await b.page.evaluate(() => globalThis.frames_ms);
row(`a flush of an answer of ${Math.round(text.length / 1024)} KB, p95 of ${frames.length}`, 4, at(frames, 0.95));

let session;
for (let i = 0; i < MESSAGES / 2; i++) session = (await weir.post('/chat/complete', { message: `In short:\n\n${part(i)}`, session_id: session, max_tokens: 100 })).json.session_id;
const times = [];
for (let i = 0; i < OPENINGS; i++) {
  await b.page.goto(b.url(`/app/c/${session}`));
  times.push(await b.page.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventEnd));
}
row(`a conversation of ${MESSAGES} messages opens, median of ${OPENINGS}`, 300, at(times, 0.5));
await b.close();
await stopAll();
process.exit(0);
