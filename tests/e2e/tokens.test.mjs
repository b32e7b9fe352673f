// Budgets in tokens: of one request, and of a session with the time it cools afterwards.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const start = (tokens) => startWeir({ upstream: up, config: { tokens } });
const sessionOf = async (weir, id) => (await weir.get(`/chat/sessions/${id}`)).json;

test('a prompt over the input budget is refused with its count, and the estimate says so before', async () => {
  const weir = await start({ request_input_max: 200 });
  const before = (await up.judge()).calls;
  const long = 'word '.repeat(300);
  const e = assertError(await weir.post('/chat/complete', { model, message: long }), 400, 'invalid_request_error', 'out_of_range');
  assert.equal(e.param, 'message');
  const counted = Number(/has (\d+) tokens/.exec(e.message)?.[1]);
  assert.ok(counted > 200, e.message);
  assert.match(e.message, /200 here \(tokens\.request_input_max\)/);
  const list = assertError(await weir.post('/chat/stream', { model, messages: [{ role: 'user', content: long }] }), 400, 'invalid_request_error', 'out_of_range');
  assert.equal(list.param, 'messages');
  assert.equal((await up.judge()).calls, before, 'nothing was sent');
  const estimate = (await weir.post('/chat/estimate', { model, message: long })).json;
  assert.deepEqual([estimate.fits, estimate.why.code, estimate.why.retry_after_ms, estimate.prompt_tokens], [false, 'out_of_range', null, counted]);
  const ok = (await weir.post('/chat/estimate', { model, message: 'short' })).json;
  assert.deepEqual([ok.fits, ok.why], [true, null]);
  assert.equal((await weir.post('/chat/complete', { model, message: 'short' })).status, 200);
  await weir.stop();
});

test('an answer is held to the output budget: max_tokens is lowered, nothing is refused', async () => {
  const weir = await start({ request_output_max: 30 });
  for (const max_tokens of [undefined, 400]) {
    const r = await weir.post('/chat/complete', { model, message: '#lorem-200 clamped', max_tokens });
    assert.equal(r.status, 200, r.text);
    assert.deepEqual([r.json.usage.completion_tokens, r.json.finish_reason], [30, 'length']);
  }
  const less = await weir.post('/chat/complete', { model, message: '#lorem-200 less', max_tokens: 10 });
  assert.equal(less.json.usage.completion_tokens, 10);
  assert.equal((await weir.post('/chat/estimate', { model, message: 'x' })).json.max_completion_tokens, 30);
  await weir.stop();
});

test('a session that has had its tokens cools, says so everywhere, and then begins anew', async () => {
  const weir = await start({ session_max: 60, session_cooldown: 2 });
  const first = (await weir.post('/chat/complete', { model, message: '#lorem-20 one', max_tokens: 20 })).json;
  const id = first.session_id;
  assert.deepEqual((await sessionOf(weir, id)).tokens, { used: first.usage.total_tokens, max: 60, cooling_until: null });
  let used = first.usage.total_tokens;
  while (used < 60) {
    const r = await weir.post('/chat/complete', { model, message: '#lorem-20 more', max_tokens: 20, session_id: id });
    assert.equal(r.status, 200, r.text);
    used += r.json.usage.total_tokens;
  }
  const r = await weir.post('/chat/complete', { model, message: 'too soon', session_id: id });
  const e = assertError(r, 429, 'rate_limited', 'session_cooling');
  assert.ok(e.retry_after_ms > 0 && e.retry_after_ms <= 2000, r.text);
  assert.ok(Number(r.headers['retry-after']) >= 1, 'the header too');
  assert.match(e.message, new RegExp(`had ${used} of the 60 tokens`));
  const estimate = (await weir.post('/chat/estimate', { model, message: 'x', session_id: id })).json;
  if (estimate.why) {                        // unless the two seconds are over by now
    assert.deepEqual([estimate.fits, estimate.why.code], [false, 'session_cooling']);
    assert.ok(estimate.why.retry_after_ms > 0 && estimate.why.retry_after_ms <= 2000);
  }
  const last = weir.records().at(-1);
  const ended = last.at_ms + Math.floor((last.queue_us + last.retry_us + last.ttft_us + last.writing_us) / 1000);
  const shown = (await sessionOf(weir, id)).tokens;
  if (shown.cooling_until) {
    assert.equal(shown.used, used);
    assert.equal(Date.parse(shown.cooling_until), ended + 2000, 'counted from the end of the call that reached it');
  }

  assert.equal((await weir.post('/chat/complete', { model, message: 'another session is free' })).status, 200);

  const after = await waitFor('the cooling to be over', async () => {
    const a = await weir.post('/chat/complete', { model, message: 'later', max_tokens: 5, session_id: id });
    return a.status === 200 && a;
  });
  assert.ok(Date.now() >= ended + 2000, 'not before');
  const anew = (await sessionOf(weir, id)).tokens;
  if (after.json.usage.total_tokens < 60) assert.deepEqual(anew, { used: after.json.usage.total_tokens, max: 60, cooling_until: null });
  await weir.stop();
});

test('what is running counts: a session cannot pass its maximum by asking twice at once', async () => {
  const weir = await start({ session_max: 60, session_cooldown: 60 });
  const first = (await weir.post('/chat/complete', { model, message: 'one', max_tokens: 5 })).json;
  const id = first.session_id;
  const s = await weir.stream({ model, message: '#slow-0-40-50 two', max_tokens: 50, session_id: id });
  await s.next('delta');
  const e = assertError(await weir.post('/chat/complete', { model, message: 'three', session_id: id }), 429, 'rate_limited', 'session_cooling');
  assert.equal(e.retry_after_ms, 60000, 'the period has not begun yet');
  assert.match(e.message, /what is running is expected to take the rest/);
  const estimate = (await weir.post('/chat/estimate', { model, message: 'three', session_id: id })).json;
  assert.deepEqual([estimate.fits, estimate.why.code, estimate.why.retry_after_ms], [false, 'session_cooling', 60000]);
  await s.end();
  await weir.stop();
});

test('a restart in the cooling period changes nothing of it, a kill -9 neither', async () => {
  const weir = await start({ session_max: 10, session_cooldown: 300 });
  const first = (await weir.post('/chat/complete', { model, message: '#lorem-20 one', max_tokens: 20 })).json;
  const id = first.session_id;
  const before = (await sessionOf(weir, id)).tokens;
  assert.ok(before.cooling_until);
  await weir.restart();
  const e = assertError(await weir.post('/chat/complete', { model, message: 'still', session_id: id }), 429, 'rate_limited', 'session_cooling');
  assert.ok(e.retry_after_ms > 200000 && e.retry_after_ms <= 300000);
  assert.deepEqual((await sessionOf(weir, id)).tokens, before);
  await weir.kill();
  await weir.start();
  assertError(await weir.post('/chat/stream', { model, message: 'still', session_id: id }), 429, 'rate_limited', 'session_cooling');
  assert.deepEqual((await sessionOf(weir, id)).tokens, before);
  await weir.stop();
});

test('without a maximum a session just says what it has had', async () => {
  const weir = await start({});
  const first = (await weir.post('/chat/complete', { model, message: 'one' })).json;
  assert.deepEqual((await sessionOf(weir, first.session_id)).tokens, { used: first.usage.total_tokens, max: null, cooling_until: null });
  await weir.stop();
});

test('a reload puts another maximum in force, counted from the records', async () => {
  const weir = await start({});
  const first = (await weir.post('/chat/complete', { model, message: '#lorem-20 one', max_tokens: 20 })).json;
  const id = first.session_id;
  const config = JSON.parse(fs.readFileSync(path.join(weir.state, 'weir.json'), 'utf8'));
  const reload = async (tokens) => {
    weir.writeConfig({ ...config, tokens });
    const r = await weir.post('/admin/reload');
    assert.equal(r.status, 200, r.text);
  };
  await reload({ session_max: 10, session_cooldown: 300, request_output_max: 7 });
  assertError(await weir.post('/chat/complete', { model, message: 'two', session_id: id }), 429, 'rate_limited', 'session_cooling');
  const other = (await weir.post('/chat/complete', { model, message: '#lorem-20 other' })).json;
  assert.equal(other.usage.completion_tokens, 7);
  await reload({ session_max: 100000 });
  assert.equal((await weir.post('/chat/complete', { model, message: 'three', session_id: id })).status, 200);
  await weir.stop();
});
