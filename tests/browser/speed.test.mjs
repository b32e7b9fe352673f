// What keeps the chat page quick, whatever the machine: a flush costs at the end of an answer of 120 KB what it cost early on, and
// a conversation of 500 messages opens as one of 50 does. How long each takes is measured by bench/browser.mjs against its
// targets. A figure that something else on the machine has spoilt is taken again; what grows does so each time.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';
import { write } from './documents.mjs';
import { at, startFrames } from './frames.mjs';

const SIZE = 120 * 1024, MOST = 2.5, TRIES = 4, OPENINGS = 5;

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini' } });
const b = await openBrowser(weir);
const { page } = b;
const { framesOf } = await startFrames(b);
await b.signIn();

const median = (list) => at(list, 0.5);

// `measure` gives [the large one's, the small one's] milliseconds.
async function alike(measure) {
  const seen = [];
  for (let ratio = Infinity; ratio > MOST && seen.length < TRIES;) {
    const [large, small] = await measure();
    ratio = large / small;
    seen.push(`${large.toFixed(1)} of ${small.toFixed(1)} ms`);
    console.log(`# ${seen.at(-1)}`);
    if (seen.length === TRIES) assert.ok(ratio <= MOST, `${seen.join(', ')}; at most ${MOST} times as long is meant`);
  }
}

for (const kind of ['mixed', 'paragraphs', 'one open fence', 'one list', 'nested lists'])
  test(`a flush of a long answer costs what one of a short answer does: ${kind}`, () => alike(async () => {
    await page.goto(b.url('/app/'));
    const { drawn } = await framesOf(write(kind, SIZE)), part = (from, to) => median(drawn.slice(drawn.length * from, drawn.length * to));
    assert.ok(drawn.length > 100, `only ${drawn.length} flushes`);
    return [part(0.8, 1), part(0.05, 0.25)];
  }));

test('a conversation of 500 messages opens as one of 50 does', async () => {
  const talk = async (messages) => {
    let session;
    for (let i = 0; i < messages / 2; i++) session = (await weir.post('/chat/complete', { message: write('mixed', 200), session_id: session, max_tokens: 100 })).json.session_id;
    return session;
  };
  const sessions = [await talk(500), await talk(50)];
  await alike(async () => {
    const times = [[], []];
    for (let i = 0; i < 2 * OPENINGS; i++) {
      await page.goto(b.url(`/app/c/${sessions[i % 2]}`));
      assert.equal(await page.locator('#column .msg').count(), 50);
      times[i % 2].push(await page.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventEnd));
    }
    return times.map(median);
  });
});
