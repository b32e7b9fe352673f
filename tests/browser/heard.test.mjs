// What a screen reader hears of a message, state by state: what the two quiet regions say, and how often.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from '../e2e/harness.mjs';
import { openBrowser, say } from './browser.mjs';
import { startStage } from './stage.mjs';

const weir = await startWeir({ upstream: await startUpstream(), config: { default_model: 'gpt-4o-mini' } });
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
const stage = await startStage(page);
page.setDefaultTimeout(12000);
const accepted = ['accepted', { request_id: 'req_0Vc5rc5rsJDA4fk1XlBw2P', session_id: 'ses_0Vc5rc5rsJDA4fk1XlBw2P', message_id: 'msg_0Vc5rc5rsJD' }];
const start = ['start', { model: 'gpt-4o-mini', upstream: 'openai', attempt: 1, queue_ms: 0 }];
const place = (position, more = {}) => ['queue', { position, ahead: position - 1, eta_ms: 1000 * position, eta_error_ms: 0, reason: 'tokens_per_minute', upstream: 'openai', ...more }];
const done = ['done', { finish_reason: 'stop' }];

// A message whose events come one by one, as the test gives them; all that was said since.
async function spoken() {
  let wake;
  const waiting = [];
  stage.play({ events: (async function* () {
    for (;;) {
      while (waiting.length) {
        const event = waiting.shift();
        yield event;
        if (event[0] === 'done' || event[0] === 'error') return;
      }
      await new Promise((go) => { wake = go; });
    }
  }()) });
  await page.goto(b.url('/app/'));
  await page.evaluate(() => {
    globalThis.heard = [];
    for (const id of ['say', 'alert']) new MutationObserver(() => globalThis.heard.push(`${id}: ${document.getElementById(id).textContent}`)).observe(document.getElementById(id), { childList: true });
  });
  await say(page, 'hello');
  return {
    give(...events) { waiting.push(...events); wake?.(); },
    async until(words) { await page.waitForFunction((w) => globalThis.heard.some((h) => h.includes(w)), words).catch(async () => assert.fail(`“${words}” was not said, but ${JSON.stringify(await page.evaluate(() => globalThis.heard))}`)); return page.evaluate(() => globalThis.heard); },
    card: (words) => page.locator('.turn .status', { hasText: words }).waitFor(),
  };
}

test('a place in line is said at once, then the newest after five seconds, and the front at once', async () => {
  const s = await spoken(), since = Date.now();
  s.give(accepted, place(4));
  await s.until('position 4');
  s.give(place(3));
  await s.card('position 3');
  s.give(place(2), place(2, { eta_ms: 1500 }));
  await s.card('position 2');
  assert.deepEqual((await s.until('position 2')).filter((h) => h.includes('position')).map((h) => h.match(/position \d/)[0]), ['position 4', 'position 2']);
  assert.ok(Date.now() - since >= 4500, `${Date.now() - since} ms after the first`);
  s.give(place(1));
  await s.until('you are next');
  s.give(start, ['delta', { text: 'Good ' }], ['delta', { text: 'day.' }], done);
  const heard = await s.until('Answer finished');
  assert.equal(heard.filter((h) => h.includes('you are next')).length, 1);
  assert.deepEqual(heard.slice(-2), ['say: Answer started', 'say: Answer finished']);
});

test('spacing is not said; each attempt and each error is, once', async () => {
  const s = await spoken();
  s.give(accepted, place(1, { reason: 'pacing', eta_ms: 4000 }));
  await s.card('Spacing requests');
  s.give(['retry', { attempt: 1, max: 4, delay_ms: 8000, status: 503, reason: 'overloaded' }]);
  await s.until('The provider answered 503');
  s.give(place(1, { reason: 'backoff' }), ['retry', { attempt: 2, max: 4, delay_ms: 9000, status: 429, reason: 'upstream_rate_limited', limit: 'tokens_per_minute' }]);
  await s.until('tokens per minute');
  s.give(['error', { error: { type: 'upstream_error', code: 'upstream_error', message: 'The provider answered 500 four times.', request_id: 'req_0Vc5rc5rsJDA4fk1XlBw2P' } }]);
  const heard = await s.until('alert: ');
  assert.equal(heard.filter((h) => h.startsWith('alert: ')).length, 1);
  assert.equal(heard.filter((h) => h.startsWith('say: ')).length, 2, heard.join('\n'));
});

test('a long answer is said to go on, every eight seconds', async () => {
  const s = await spoken(), since = Date.now();
  s.give(accepted, start, ['delta', { text: 'One ' }]);
  await s.until('Answer started');
  const more = setInterval(() => s.give(['delta', { text: 'and more ' }]), 200);
  try {
    await s.until('Still writing');
  } finally {
    clearInterval(more);
  }
  assert.ok(Date.now() - since >= 7500, `${Date.now() - since} ms after the start`);
  s.give(done);
  await s.until('Answer finished');
});
