// Clients that go away while a model writes; the stand-in is the judge.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertStream } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const model = 'gpt-4o-mini';

// Leave after the n-th delta; gives the stand-in's entry once it saw the close.
async function leaveAfter(tag, n, extra = {}) {
  const s = await weir.stream({ model, message: `#slow-0-20-1000 ${tag}`, ...extra });
  await s.next('delta', n);
  const { request_id } = s.first('accepted');
  const before = Date.now();
  s.leave();
  const call = await waitFor('the provider to see the close', async () => {
    const [c] = await up.calls(`#slow-0-20-1000 ${tag}`);
    return c.end === 'aborted' && c;
  }, 3000);
  const judge = await up.judge();
  const seen = judge.now_utc_ms - (judge.now_us - call.end_us) / 1000;
  return { request_id, call, tookMs: seen - before };
}

test('the provider is stopped at once and what was written is recorded as cancelled', async () => {
  const { request_id, call, tookMs } = await leaveAfter('leaves the stream', 3);
  assert.ok(tookMs < 250, `${tookMs} ms`);
  const row = await weir.settled(request_id);
  assert.equal(row.status, 'cancelled');
  assert.equal(row.estimated, 1, 'the provider never told its usage');
  assert.ok(Math.abs(row.completion - call.completion_tokens) <= 3, `${row.completion} for ${call.completion_tokens}`);
  assert.ok(Math.abs(row.prompt - call.prompt_tokens) <= 8, `${row.prompt} for ${call.prompt_tokens}`);
});

test('the partial answer is kept in the session', async () => {
  const { request_id } = await leaveAfter('leaves a part', 4);
  const { session_id } = await weir.settled(request_id);
  const { items } = (await weir.get(`/chat/sessions/${session_id}/messages`)).json;
  assert.equal(items.length, 2);
  assert.match(items[1].content, /^the water runs over/);
});

test('fifty that leave at once leave nothing open', async () => {
  const streams = await Promise.all(Array.from({ length: 50 }, (_, i) =>
    weir.stream({ model, message: `#slow-0-20-1000 crowd ${i}` })));
  await waitFor('32 of them to run', () => streams.filter((s) => s.all('delta').length >= 2).length === 32);
  for (const s of streams) s.leave();
  await waitFor('the provider to have nothing in flight', async () => (await up.judge()).in_flight === 0);
  await waitFor('Weir to have nothing running', async () => (await weir.get('/monitoring/queue-status')).json.now.running === 0);
  const calls = (await up.calls('#slow-0-20-1000 crowd')).length;
  await waitFor('no record to be open', () => weir.records('e.state < 2').length === 0);
  assert.ok(weir.records('e.status = 2 AND e.attempts > 0').length >= calls);
});

test('a non-stream client that leaves stops the provider too', async () => {
  const s = await weir.get('/healthz');
  assert.equal(s.status, 200);
  const controller = new AbortController();
  const answer = fetch(`http://127.0.0.1:${weir.port}/chat/complete`, {
    method: 'POST', signal: controller.signal, headers: { ...weir.headers, 'Content-Type': 'application/json' },
    body: JSON.stringify({ model, message: '#slow-60000-0-5 nobody waits' }),
  }).catch(() => 'left');
  await waitFor('the call', async () => (await up.calls('#slow-60000-0-5 nobody')).length === 1);
  controller.abort();
  assert.equal(await answer, 'left');
  await waitFor('the close', async () => (await up.calls('#slow-60000-0-5 nobody'))[0].end === 'aborted', 3000);
});

test('one that reads slowly loses nothing and holds nobody up', async () => {
  const slow = await weir.stream({ model, message: '#lorem-16000 slow reader' });
  slow.pause();
  const other = await (await weir.stream({ model, message: '#lorem-50 quick reader' })).end();
  assertStream(other);
  slow.resume();
  await slow.end(20000);
  assertStream(slow);
  assert.equal(slow.first('usage').usage.completion_tokens, 16000);
  assert.equal(slow.deltas().split(' ').length, 16000);
});
