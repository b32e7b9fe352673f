// anthropic.test.mjs - an upstream that speaks Anthropic's protocol, from the chat page's side.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, unlimited, waitFor } from './harness.mjs';

const up = await startUpstream('--key', 'sk-ant-e2e-canary');
const entry = {
  name: 'anthropic', protocol: 'anthropic', base_url: `http://127.0.0.1:${up.port}`, api_key: 'sk-ant-e2e-canary', limits: unlimited,
  retry: { max_retries: 2, base_delay: 0.01, max_delay: 0.05 },
};
const weir = await startWeir({ config: { upstreams: [entry], default_model: 'claude-sonnet-4-6', cache: { models: ['echo'] } } });
const said = async (tag) => (await up.calls(tag)).map((c) => ({ ...c, body: JSON.parse(c.body) }));

test('its models are learned from its own list', async () => {
  const { json } = await weir.get('/v1/models');
  assert.ok(json.data.some((m) => m.id === 'claude-opus-5-5' && m.owned_by === 'anthropic'));
});

test('the chat page asks as Anthropic wants to be asked', async () => {
  const r = await weir.post('/chat/complete', { system: 'Be brief.', message: 'whole by messages', temperature: 0.5, stop: 'END', max_tokens: 50 });
  assert.equal(r.status, 200, r.text);
  assert.equal(r.json.message.content, 'whole by messages');
  assert.equal(r.json.finish_reason, 'stop');
  assert.equal(r.json.usage.completion_tokens, 3);
  assert.equal(r.json.usage.estimated, false);
  assert.ok(r.json.cost.total_usd > 0);
  const [call] = await said('whole by messages');
  assert.deepEqual(call.body, { system: 'Be brief.', messages: [{ role: 'user', content: 'whole by messages' }], model: 'claude-sonnet-4-6', temperature: 0.5, stop_sequences: ['END'], max_tokens: 50 });
  assert.match(call.head, /anthropic-version: 2023-06-01\r\n/);
  assert.match(call.head, /x-api-key: sk-ant-e2e-canary/);
  assert.doesNotMatch(call.head, /authorization/i);
});

test('a stream, its thinking apart, and the session it continues', async () => {
  const s = await weir.stream({ message: '#think-3-4 streamed' });
  await s.end();
  const of = (name) => s.all(name).map((e) => e.data);
  assert.equal(of('delta').map((d) => d.reasoning ?? '').join('').split(' ').length, 3);
  assert.equal(of('delta').map((d) => d.text ?? '').join('').split(' ').length, 4);
  const [done] = of('done');
  assert.deepEqual([done.usage.completion_tokens, done.usage.reasoning_tokens, done.finish_reason], [7, 3, 'stop']);
  const next = await weir.post('/chat/complete', { session_id: done.session_id, message: 'and then' });
  assert.equal(next.status, 200, next.text);
  const [call] = await said('and then');
  assert.deepEqual(call.body.messages.map((m) => m.role), ['user', 'assistant', 'user']);
});

test('what its cache had and took is a part of the prompt, at prices of their own', async () => {
  const { json } = await weir.post('/chat/complete', { message: '#cache-2000-300-70 x' });
  const row = weir.record(json.request_id);
  const [call] = await up.calls('#cache-2000-300-70');
  assert.deepEqual([row.prompt, row.cached, row.cache_write, row.cache_write_1h], [call.prompt_tokens, 2000, 300, 70]);
  const price = { in: 3000000, out: 15000000, read: 300000, write: 3750000, hour: 6000000 };      // claude-sonnet-4-6, data/prices.json
  const fresh = call.prompt_tokens - 2370;
  const pico = fresh * price.in + 2000 * price.read + 300 * price.write + 70 * price.hour + row.completion * price.out;
  assert.equal(Math.round(json.cost.total_usd * 1e12), pico);
});

test('the cache answers in Anthropic\'s words too: who asks the same, by the same headers, without signed thoughts', async () => {
  const ask = (text, more = {}, headers = {}) => weir.post('/v1/messages', { model: 'echo', max_tokens: 50, messages: [{ role: 'user', content: text }], ...more }, headers);
  const hit = (r) => r.headers['x-weir-cache'];
  assert.equal(hit(await ask('kept')), undefined);
  const again = await ask('kept');
  assert.deepEqual([hit(again), again.json.content, again.json.stop_reason], ['hit', [{ type: 'text', text: 'kept' }], 'end_turn']);
  const s = await weir.stream({ model: 'echo', max_tokens: 50, messages: [{ role: 'user', content: 'kept' }], stream: true }, { path: '/v1/messages' });
  assert.equal((await s.end()).all('content_block_delta')[0].data.delta.text, 'kept');
  assert.equal(hit(await ask('kept', {}, { 'anthropic-beta': 'other' })), undefined);
  assert.equal((await up.calls('kept')).length, 2);
  assert.equal(hit(await ask('#think-2-2 thought')), undefined);
  assert.equal(hit(await ask('#think-2-2 thought')), undefined);
});

test('refusals are understood: what may be tried again is', async () => {
  assert.equal((await weir.post('/chat/complete', { message: '#fault-529-once x' })).status, 200);
  assert.equal((await weir.post('/chat/complete', { message: '#fault-429-once x' })).status, 200);
  const no = await weir.post('/chat/complete', { message: '#fault-400 x' });
  assert.deepEqual([no.status, no.json.error.message], [400, 'Unsupported value.']);
  assert.equal((await weir.post('/chat/complete', { message: '#fault-404 x' })).status, 404);
  assert.equal((await weir.post('/chat/complete', { message: '#fault-413 x' })).status, 413);
});

test('a stream that fails in the middle ends with an error', async () => {
  const s = await weir.stream({ message: '#fault-mid-error x' });
  const last = (await s.end()).events.at(-1);
  assert.equal(last.event, 'error');
  assert.equal(last.data.partial, true);
});

test('a key that is refused takes the upstream out, and an account without money too', async () => {
  for (const [what, code, status] of [['#fault-403 x', 'upstream_auth', 502], ['#fault-quota x', 'upstream_quota', 503]]) {
    const no = await weir.post('/chat/complete', { message: what });
    assert.deepEqual([no.status, no.json.error.code], [status, code]);
    assert.equal((await weir.post('/chat/complete', { message: 'after it' })).status, 503);
    await weir.post('/monitoring/reset-rate-limits', {});
  }
  assert.equal((await weir.post('/chat/complete', { message: 'again' })).status, 200);
});

test('leaving stops the provider', async () => {
  const s = await weir.stream({ message: '#slow-0-50-400 left', on_disconnect: 'cancel' });
  await s.next('delta');
  s.leave();
  await waitFor('the abort', async () => (await up.calls('#slow-0-50-400 left')).find((c) => c.end === 'aborted'));
});
