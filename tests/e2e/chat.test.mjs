// Chat from end to end: /chat/complete, /chat/stream and what is stored of them.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from './harness.mjs';
import { assertCost, assertMetrics, assertStream, assertUsage, keys, pico } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const model = 'gpt-4o-mini';

test('complete answers with every field, the provider\'s usage and its exact price', async () => {
  const r = await weir.post('/chat/complete', { model, message: 'the weir holds the water' });
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(keys(r.json), ['cost', 'finish_reason', 'message', 'message_id', 'metrics', 'model', 'request_id', 'session_id', 'upstream', 'usage']);
  assert.match(r.json.request_id, /^req_\w{22}$/);
  assert.match(r.json.session_id, /^ses_\w{22}$/);
  assert.match(r.json.message_id, /^msg_\w{11}$/);
  assert.equal(r.headers['x-request-id'], r.json.request_id);
  assert.deepEqual(r.json.message, { role: 'assistant', content: 'the weir holds the water' });
  assert.equal(r.json.model, model);
  assert.equal(r.json.upstream, 'openai');
  assert.equal(r.json.finish_reason, 'stop');
  assertUsage(r.json.usage);
  assertCost(r.json.cost);
  assertMetrics(r.json.metrics);
  const [call] = await up.calls('the weir holds the water');
  assert.equal(r.json.usage.prompt_tokens, call.prompt_tokens);
  assert.equal(r.json.usage.completion_tokens, call.completion_tokens);
  assert.equal(r.json.usage.estimated, false);
  assert.equal(r.json.cost.priced, true);
  assert.equal(pico(r.json.cost.input_usd), call.prompt_tokens * 150000);
  assert.equal(pico(r.json.cost.output_usd), call.completion_tokens * 600000);
  assert.equal(r.json.metrics.attempts, 1);
  assert.equal(r.json.metrics.retries, 0);
  assert.equal(r.json.metrics.priority, 'Medium');
});

test('a stream sends accepted, start, deltas, usage and done in order', async () => {
  const s = await (await weir.stream({ model, message: '#slow-30-20-6 one' })).end();
  assertStream(s);
  const names = s.names().filter((n) => n !== 'limits');
  assert.equal(names[0], 'accepted');
  assert.equal(names[1], 'start');
  assert.ok(names.slice(2, -2).every((n) => n === 'delta') && names.length > 4, names.join(' '));
  assert.deepEqual(names.slice(-2), ['usage', 'done']);
  const accepted = s.first('accepted'), start = s.first('start'), usage = s.first('usage'), done = s.first('done');
  assert.deepEqual(keys(accepted), ['message_id', 'request_id', 'session_id']);
  assert.equal(s.headers['x-request-id'], accepted.request_id);
  assert.deepEqual(keys(start), ['attempt', 'model', 'queue_ms', 'upstream']);
  assert.equal(start.attempt, 1);
  assert.equal(s.deltas(), 'the water runs over a low');
  assert.deepEqual(keys(usage), ['cost', 'metrics', 'usage']);
  assertUsage(usage.usage);
  assertCost(usage.cost);
  assertMetrics(usage.metrics);
  assert.equal(usage.usage.completion_tokens, 6);
  assert.ok(usage.metrics.ttft_ms >= 30 && usage.metrics.writing_ms >= 60, JSON.stringify(usage.metrics));
  assert.equal(done.finish_reason, 'stop');
  assert.deepEqual(keys(done), ['cost', 'finish_reason', 'message', 'message_id', 'metrics', 'model', 'request_id', 'session_id', 'upstream', 'usage']);
  assert.deepEqual(done.message, { role: 'assistant' });
  assert.deepEqual(done.usage, usage.usage);
  assert.equal(done.request_id, accepted.request_id);
});

test('deltas are passed on as they come, not at the end', async () => {
  const s = await weir.stream({ model, message: '#slow-0-200-5 as they come' });
  await s.next('delta', 2);
  assert.equal(s.ended, false);
  assert.equal(s.terminals().length, 0);
  await s.end();
  assertStream(s);
});

test('the provider is asked for usage, with the key, and without anything of Weir\'s', async () => {
  await (await weir.stream({ model, message: 'what goes out', max_tokens: 50, temperature: 0.5, top_p: 0.9, stop: ['END'] })).end();
  const [call] = await up.calls('what goes out');
  const sent = JSON.parse(call.body);
  assert.equal(sent.stream, true);
  assert.equal(sent.stream_options.include_usage, true);
  assert.equal(sent.max_tokens ?? sent.max_completion_tokens, 50);
  assert.equal(sent.temperature, 0.5);
  assert.equal(sent.top_p, 0.9);
  assert.deepEqual(sent.stop, ['END']);
  assert.deepEqual(sent.messages, [{ role: 'user', content: 'what goes out' }]);
  for (const k of keys(sent))
    assert.ok(['model', 'messages', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'stop'].includes(k), k);
  assert.match(call.head, /^Authorization: Bearer sk-e2e-canary\r$/m);
  assert.doesNotMatch(call.head, /^Accept-Encoding: .*gzip/mi);
  assert.doesNotMatch(call.head, /^Expect:/mi);
});

test('a session carries its history and its system text to the provider', async () => {
  const first = (await weir.post('/chat/complete', { model, message: 'turn one', system: 'Be brief.' })).json;
  const second = await weir.post('/chat/complete', { model, message: 'turn two', session_id: first.session_id });
  assert.equal(second.status, 200, second.text);
  assert.equal(second.json.session_id, first.session_id);
  const [call] = await up.calls('turn two');
  assert.deepEqual(JSON.parse(call.body).messages, [
    { role: 'system', content: 'Be brief.' }, { role: 'user', content: 'turn one' },
    { role: 'assistant', content: 'turn one' }, { role: 'user', content: 'turn two' }]);
});

test('what came of an answer before it was stopped is in the history of the next', async () => {
  const s = await weir.stream({ model, message: '#slow-0-20-3000 to be stopped' });
  await s.next('delta');
  const { request_id, session_id } = s.first('accepted');
  await weir.post('/chat/cancel', { request_id });
  await s.end();
  await weir.post('/chat/complete', { model, message: 'and after that', session_id });
  const [call] = await up.calls('and after that');
  assert.deepEqual(JSON.parse(call.body).messages, [{ role: 'user', content: '#slow-0-20-3000 to be stopped' }, { role: 'assistant', content: s.deltas() }, { role: 'user', content: 'and after that' }]);
});

test('with messages the caller keeps the history', async () => {
  const messages = [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }, { role: 'user', content: 'kept by caller' }];
  const r = await weir.post('/chat/complete', { model, messages });
  assert.equal(r.status, 200, r.text);
  assert.equal(r.json.message.content, 'kept by caller');
  const [call] = await up.calls('kept by caller');
  assert.deepEqual(JSON.parse(call.body).messages, messages);
});

test('text of any kind comes back as it went', async () => {
  const text = 'Zürich 漢字 🦦 "quoted" back\\slash\ttab\n\ndata: [DONE]\r\nevent: done \u2028 <b>&amp;</b> {"error":1}';
  const r = await weir.post('/chat/complete', { model, message: text });
  assert.equal(r.json.message.content, text);
  const s = await (await weir.stream({ model, message: text })).end();
  assertStream(s);
  assert.equal(s.deltas(), text);
});

test('finish reasons are passed on: length, tool_calls, content_filter', async () => {
  const length = await weir.post('/chat/complete', { model, message: '#lorem-40 x', max_tokens: 10 });
  assert.equal(length.json.finish_reason, 'length', length.text);
  assert.equal(length.json.usage.completion_tokens, 10);
  for (const [name, reason] of [['tool', 'tool_calls'], ['filter', 'content_filter']]) {
    const s = await (await weir.stream({ model, message: `#${name} x` })).end();
    assertStream(s);
    assert.equal(s.first('done')?.finish_reason, reason, s.text);
  }
});

test('reasoning is passed on apart from the answer and counted', async () => {
  const s = await (await weir.stream({ model, message: '#think-4-3 x' })).end();
  assertStream(s);
  assert.equal(s.all('delta').map((e) => e.data.reasoning ?? '').join(''), 'the water runs over');
  assert.equal(s.deltas(), 'a low wall');
  assert.equal(s.first('usage').usage.reasoning_tokens, 4);
  assert.equal(s.first('usage').usage.completion_tokens, 7);
});

for (const name of ['crlf', 'drip', 'no-done'])
  test(`a stream written in another manner is understood: ${name}`, async () => {
    const s = await (await weir.stream({ model, message: `#${name} x` })).end();
    assertStream(s);
    assert.equal(s.first('done')?.finish_reason, 'stop', s.text);
    assert.equal(s.deltas(), 'the water runs over a low wall and is held back until');
    assert.equal(s.first('usage').usage.completion_tokens, 12);
  });

test('the models learned from the provider are listed with window, price and health', async () => {
  const r = await weir.get('/chat/models');
  assert.equal(r.status, 200);
  const m = (r.json.items ?? r.json.models).find((x) => x.id === model);
  assert.ok(m, r.text);
  assert.equal(m.upstream, 'openai');
  assert.equal(m.healthy, true);
});

test('an unknown model is a 404 that says so, and nothing is sent', async () => {
  const before = (await up.judge()).calls;
  const r = await weir.post('/chat/complete', { model: 'no-such-model', message: 'x' });
  assert.equal(r.status, 404);
  assert.equal(r.json.error.code, 'model_not_found');
  assert.equal((await up.judge()).calls, before);
});

test('what was said is stored with usage, cost and metrics, and in the ledger', async () => {
  const r = (await weir.post('/chat/complete', { model, message: 'to be stored' })).json;
  const list = await weir.get(`/chat/sessions/${r.session_id}/messages`);
  assert.equal(list.status, 200, list.text);
  const [user, assistant] = list.json.items;
  assert.equal(user.role, 'user');
  assert.equal(user.content, 'to be stored');
  assert.equal(assistant.role, 'assistant');
  assert.equal(assistant.content, 'to be stored');
  assert.deepEqual(assistant.usage, r.usage);
  assert.deepEqual(assistant.cost, r.cost);
  assert.deepEqual(assistant.metrics, r.metrics);
});
