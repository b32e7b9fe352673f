// One request explained: what held it, its attempts, reserved against used, price
// and times, in numbers that add up; and the estimate before it is sent.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { addUser, startUpstream, startWeir, test, top, waitFor } from './harness.mjs';
import { assertCost, assertError, keys, pico } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1 }, config: { retry: { budget: 1, max_retries: 5, base_delay: 0.05, max_delay: 0.2 } } });
const model = 'gpt-4o-mini';
const sum = (list, key) => list.reduce((n, x) => n + x[key], 0);
const explain = async (id, headers) => {
  const r = await weir.get(`/monitoring/requests/${id}`, headers);
  assert.equal(r.status, 200, r.text);
  return r.json;
};
const gate = (e, name) => e.gates.find((g) => g.gate === name);

// What holds for every explanation, whatever happened.
function assertAddsUp(e) {
  const t = e.timings;
  assert.deepEqual(keys(t), ['duration_ms', 'queue_ms', 'retry_wait_ms', 'ttft_ms', 'writing_ms']);
  assert.equal(t.queue_ms + t.retry_wait_ms + t.ttft_ms + t.writing_ms, t.duration_ms, JSON.stringify(t));
  assert.equal(sum(e.gates, 'held_ms'), t.queue_ms + t.retry_wait_ms, JSON.stringify([e.gates, t]));
  for (const g of e.gates) {
    assert.deepEqual(keys(g), g.gate.includes('_per_') ? ['gate', 'held_ms', 'spread_ms', 'text'] : ['gate', 'held_ms', 'text']);
    assert.ok(g.held_ms >= 1 && g.text.length > 20, JSON.stringify(g));
  }
  assert.equal(new Set(e.gates.map((g) => g.gate)).size, e.gates.length);
  for (const [i, a] of e.attempts.entries()) assert.equal(a.n, i + 1);
  for (const a of [e.reserved, e.used]) if (a) assert.equal(a.total_tokens, a.input_tokens + a.output_tokens);
}

test('a call that started at once: nothing held it, and every token and picodollar is accounted for', async () => {
  const r = await weir.post('/chat/complete', { model, message: '#lorem-40 at once', metadata: { team: 'a' } });
  const e = await explain(r.json.request_id);
  assertAddsUp(e);
  assert.deepEqual([e.state, e.now, e.promise, e.status, e.upstream, e.priority], ['settled', null, null, 'success', 'openai', 'Medium']);
  assert.ok(e.gates.every((g) => g.gate === 'none'), JSON.stringify(e.gates));
  assert.deepEqual(keys(e.attempts[0]), ['at', 'cost', 'duration_ms', 'error_code', 'http_status', 'model', 'n', 'provider_request_id', 'reason',
    'reserved_input_tokens', 'reserved_output_tokens', 'upstream', 'usage', 'wait_ms']);
  assert.equal(e.attempts[0].reason, 'only');
  assert.equal(e.why_upstream, 'It was the only healthy upstream that serves the model.');
  assert.equal(e.attempts.length, 1);
  assert.deepEqual([e.used.input_tokens, e.used.output_tokens], [r.json.usage.prompt_tokens, 40]);
  assert.deepEqual([e.attempts[0].usage.prompt_tokens, e.attempts[0].usage.completion_tokens], [e.used.input_tokens, 40]);
  assert.deepEqual(e.attempts[0].cost, e.cost);
  assert.equal(e.reserved.input_tokens, e.attempts[0].reserved_input_tokens);
  assert.match(e.attempts[0].provider_request_id, /^req_standin/);
  assert.deepEqual([e.price.input_usd_per_million, e.price.output_usd_per_million, e.price.cached_usd_per_million], [0.15, 0.6, null]);
  assert.equal(e.price.version, JSON.parse(fs.readFileSync(path.join(top, 'data/prices.json'), 'utf8')).as_of);
  assertCost(e.cost);
  assert.equal(pico(e.cost.total_usd), e.used.input_tokens * 150000 + 40 * 600000);
  assert.deepEqual(e.metadata, { team: 'a' });
  assert.deepEqual(weir.records(`e.request_id = '${r.json.request_id}'`).map((x) => x.waited), [null], 'which costs no room');
});

test('a call that waited: told where it stands while it does, then what held it and what it was promised', async () => {
  const first = await weir.stream({ model, message: '#slow-0-50-1000 holds the only place' });
  await first.next('delta');
  const holder = first.first('accepted').request_id;
  let e = await explain(holder);
  assertAddsUp(e);
  assert.deepEqual([e.state, e.now.state, e.now.upstream, e.attempts.length], ['sent', 'writing', 'openai', 1]);
  assert.ok(e.now.output_pieces >= 1);
  assert.equal(e.status, null);

  const second = await weir.stream({ model, message: 'waits for it' });
  await second.next('queue');
  const id = second.first('accepted').request_id;
  e = await waitFor('some held time', async () => {
    const now = await explain(id);
    return gate(now, 'concurrency')?.held_ms >= 5 && now;
  });
  assertAddsUp(e);
  assert.deepEqual([e.state, e.now.state, e.now.position, e.now.ahead, e.now.reason], ['accepted', 'queued', 1, 0, 'concurrency']);
  assert.equal(e.attempts.length, 0);
  assert.equal(e.reserved, null);

  const third = await weir.stream({ model, message: 'the next of the same session', session_id: second.first('accepted').session_id });
  await third.next('queue');
  await weir.post('/chat/cancel', { request_id: holder });
  await second.end();
  await third.end();
  e = await explain(id);
  assertAddsUp(e);
  assert.equal(e.held_by, 'concurrency');
  assert.ok(gate(e, 'concurrency').held_ms >= e.timings.queue_ms * 0.5, JSON.stringify(e));
  assert.deepEqual(keys(e.promise), ['came_in_ms', 'error_ms', 'position', 'starts_in_ms']);
  assert.deepEqual([e.promise.position, e.promise.came_in_ms], [1, e.timings.queue_ms]);
  assert.equal(e.promise.error_ms, e.promise.came_in_ms - e.promise.starts_in_ms);
  e = await explain(third.first('accepted').request_id);
  assertAddsUp(e);
  assert.ok(gate(e, 'session').held_ms >= 1, JSON.stringify(e.gates));
  e = await explain(holder);
  assertAddsUp(e);
  assert.equal(e.status, 'cancelled');
});

test('a call that was tried again: each attempt, the rests between them, and the time the failed ones took', async () => {
  const r = await weir.post('/chat/complete', { model, message: '#fault-503-twice please' });
  const e = await explain(r.json.request_id);
  assertAddsUp(e);
  assert.deepEqual(e.attempts.map((a) => a.http_status), [503, 503, 200]);
  assert.deepEqual(e.attempts.map((a) => a.usage.completion_tokens), [0, 0, e.used.output_tokens]);
  assert.match(e.why_upstream, /tried again/);
  assert.ok(gate(e, 'backoff')?.held_ms >= 1, JSON.stringify(e.gates));
  const lost = e.attempts.slice(0, 2).reduce((n, a) => n + a.duration_ms, 0);
  assert.ok(Math.abs((gate(e, 'attempt')?.held_ms ?? 0) - lost) <= 2, JSON.stringify(e));
});

test('a call that gave up, and one that was refused by its provider, add up too', async () => {
  const holder = await weir.stream({ model, message: '#slow-0-50-1000 holds again' });
  await holder.next('delta');
  const waiting = await weir.stream({ model, message: 'leaves the queue' });
  await waiting.next('queue');
  for (const s of [waiting, holder]) await weir.post('/chat/cancel', { request_id: s.first('accepted').request_id });
  await waiting.end();
  const e = await explain(waiting.first('accepted').request_id);
  assertAddsUp(e);
  assert.deepEqual([e.status, e.attempts.length, e.reserved, e.timings.queue_ms], ['cancelled', 0, null, e.timings.duration_ms]);
  const bad = await weir.post('/chat/complete', { model, message: '#fault-400 x' });
  const f = await explain(bad.json.error.request_id);
  assertAddsUp(f);
  assert.deepEqual([f.status, f.attempts[0].http_status, f.used.total_tokens], ['error', 400, 0]);
});

test('others see only their own, and an administrator of others only numbers', async () => {
  const ann = await addUser(weir, 'ann', 'user'), bob = await addUser(weir, 'bob', 'user');
  const r = await weir.request('POST', '/chat/complete', { model, message: 'private', metadata: { note: 'private' } }, ann);
  assert.equal(r.status, 200, r.text);
  const id = r.json.request_id;
  assert.deepEqual((await explain(id, ann)).metadata, { note: 'private' });
  assertError(await weir.get(`/monitoring/requests/${id}`, bob), 404);
  const seen = await explain(id);
  assert.equal(seen.metadata, null);
  assert.equal(seen.user_id, (await weir.get('/app/me', ann)).json.user_id);
  assert.ok(!JSON.stringify(seen).includes('private'));
  assertError(await weir.get('/monitoring/requests/req_none'), 404);

  const held = await weir.stream({ model, message: '#slow-0-50-1000 private' }, { headers: ann });
  await held.next('delta');
  const running = held.first('accepted').request_id;
  assert.equal((await explain(running)).now.state, 'writing');
  assertError(await weir.get(`/monitoring/requests/${running}`, bob), 404);
  held.leave();
  await waitFor('its end', async () => (await explain(running)).state === 'settled');
});

// ---- before sending --------------------------------------------------------

const estimate = async (body) => {
  const r = await weir.post('/chat/estimate', { model, ...body });
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(keys(r.json), ['budget', 'context_window', 'cost_high_usd', 'cost_low_usd', 'fits', 'max_completion_tokens', 'model', 'prompt_tokens', 'starts_in_ms', 'why']);
  return r.json;
};

test('an estimate counts the prompt as a call does, and its costs are those of a short and the longest answer', async () => {
  const ask = { message: 'how much is this, please?', max_tokens: 200 };
  const before = await estimate(ask);
  assert.equal(before.prompt_tokens, (await explain((await weir.post('/chat/complete', { model, ...ask })).json.request_id)).prompt_tokens_counted);
  assert.deepEqual([before.max_completion_tokens, before.fits, before.starts_in_ms, before.context_window, before.budget], [200, true, 0, 128000, null]);
  assert.equal(pico(before.cost_high_usd), before.prompt_tokens * 150000 + 200 * 600000);
  for (let i = 0; i < 12; i++) await weir.post('/chat/complete', { model: 'gpt-4o', message: `#lorem-${50 + i} learn` });
  const e = await estimate({ ...ask, model: 'gpt-4o' });
  assert.equal(pico(e.cost_low_usd), e.prompt_tokens * 2500000 + 51 * 10000000, 'nine of ten answers have 51 tokens');
  assert.equal(pico((await estimate({ ...ask, model: 'gpt-4o', max_tokens: 20 })).cost_low_usd), e.prompt_tokens * 2500000 + 20 * 10000000);
  const free = await estimate({ message: 'hello', model: 'builtin/eliza' });
  assert.deepEqual([free.cost_low_usd, free.cost_high_usd], [0, 0]);
  assert.deepEqual(((e2) => [e2.cost_low_usd, e2.cost_high_usd, e2.context_window])(await estimate({ message: 'hello', model: 'echo' })), [null, null, null]);
});

test('a conversation that does not fit is said not to, and refused when sent', async () => {
  const ask = { message: 'word '.repeat(130000) };
  const e = await estimate(ask);
  assert.deepEqual([e.fits, e.max_completion_tokens, e.cost_low_usd, e.cost_high_usd, e.starts_in_ms], [false, 0, null, null, null]);
  assert.ok(e.prompt_tokens > e.context_window);
  assert.equal(e.why.code, 'context_length_exceeded');
  assertError(await weir.post('/chat/complete', { model, ...ask }), 400, 'invalid_request_error', 'context_length_exceeded');
});

test('where others wait, an estimate is what a call sent now is told', async () => {
  const slow = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 60 } } });       // ten at once, then one a second
  const streams = await Promise.all(Array.from({ length: 13 }, (_, i) => slow.stream({ model, message: `number ${i}` })));
  await Promise.all(streams.map((s) => s.next('accepted')));
  await waitFor('three to wait', async () => (await slow.get('/monitoring/queue-status')).json.now.entries.length === 3);
  const e = (await slow.post('/chat/estimate', { model, message: 'and I?' })).json;
  const s = await slow.stream({ model, message: 'and I?' });
  const told = await s.next('queue');
  assert.ok(e.starts_in_ms > 1000 && e.starts_in_ms <= 4000, `${e.starts_in_ms}`);
  assert.ok(Math.abs(e.starts_in_ms - told.eta_ms) <= 1000, `${e.starts_in_ms} and ${told.eta_ms}`);
  for (const x of [s, ...streams]) x.leave();
  await slow.stop();
});

test('a mebibyte of one letter is counted as what it is', async () => {
  const e = await estimate({ messages: [{ role: 'user', content: 'a'.repeat(1000000) }] });
  assert.ok(e.prompt_tokens > 125000 && e.prompt_tokens < 125020, `${e.prompt_tokens}`);
});

test('a prompt larger than a limit lets pass at all does not fit', async () => {
  const small = await startWeir({ upstream: up, openai: { limits: { tokens_per_minute: 1000 } } });
  const ask = { model, message: 'word '.repeat(2000), max_tokens: 10 };
  const r = await small.post('/chat/estimate', ask);
  assert.deepEqual([r.status, r.json.fits, r.json.starts_in_ms], [200, false, null]);
  assertError(await small.post('/chat/complete', ask), 429, null, 'request_too_large_for_limit');
  await small.stop();
});
