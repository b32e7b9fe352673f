// providers.test.mjs - where providers of OpenAI's shape differ: addresses, keys, usage, errors; and the built-in model by the same path.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from './harness.mjs';

const up = await startUpstream();
const limits = { requests_per_minute: 0, requests_per_hour: 0, tokens_per_minute: 0, tokens_per_hour: 0 };
const origin = up.url.replace(/\/v1$/, '');
const weir = await startWeir({ config: { upstreams: [
  { name: 'azure', base_url: origin, api_key: 'azure-canary', auth: 'api-key', api_version: '2024-10-21', models: ['lorem-3'], limits },
  { name: 'vllm', base_url: up.url, stream_usage: 'continuous', models: ['lorem-4'], limits },
  { name: 'old', base_url: up.url, stream_usage: 'none', models: ['lorem-5'], limits },
  { name: 'openrouter', base_url: up.url, models: ['usage-cost', 'crlf', 'fault-200-error', 'openai/gpt-4o'], limits, retry: { max_retries: 0 } },
] } });
const ask = (model, tag, more = {}) => ({ model, messages: [{ role: 'user', content: tag }], ...more });
const sent = async (tag) => (await up.calls(tag)).at(-1);

test('Azure is asked at its deployment, with its own key header', async () => {
  const r = await weir.post('/v1/chat/completions', ask('lorem-3', 'to azure'));
  assert.equal(r.status, 200, r.text);
  const { head } = await sent('to azure');
  assert.match(head, /^POST \/openai\/deployments\/lorem-3\/chat\/completions\?api-version=2024-10-21 /);
  assert.match(head, /\r\napi-key: azure-canary\r\n/);
  assert.doesNotMatch(head, /authorization/i);
});

test('usage in streams is asked for as each provider takes it', async () => {
  for (const [model, want] of [['lorem-4', { include_usage: true, continuous_usage_stats: true }], ['lorem-5', undefined]]) {
    const s = await (await weir.stream(ask(model, `usage of ${model}`, { stream: true }), { path: '/v1/chat/completions' })).end();
    assert.match(s.text, /data: \[DONE\]\n\n$/);
    assert.deepEqual(JSON.parse((await sent(`usage of ${model}`)).body).stream_options, want);
  }
});

test('OpenRouter: its cost counts, its comments are skipped, an error in a 200 is an error', async () => {
  const r = await weir.post('/v1/chat/completions', ask('usage-cost', 'a said cost'));
  assert.equal(Number(r.headers['x-weir-cost-usd']), 0.00123456789);
  const s = await (await weir.stream(ask('crlf', 'with comments', { stream: true }), { path: '/v1/chat/completions' })).end();
  assert.deepEqual(s.comments, []);
  assert.match(s.text, /data: \[DONE\]\n\n$/);
  const bad = await weir.post('/v1/chat/completions', ask('fault-200-error', 'an error in a 200', { stream: true }));
  assert.deepEqual([bad.status, bad.headers['content-type'], bad.headers['x-should-retry']], [502, 'application/json', 'false']);
});

test('the built-in model answers by the same path, whole and streamed', async () => {
  const whole = await weir.post('/v1/chat/completions', ask('builtin/eliza', 'I feel tired'));
  assert.equal(whole.status === 200 ? whole.json.choices[0].finish_reason : whole.text, 'stop');
  const s = await (await weir.stream(ask('builtin/eliza', 'I feel tired', { stream: true, stream_options: { include_usage: true } }), { path: '/v1/chat/completions' })).end();
  const chunks = s.events.map((e) => e.data).filter((d) => d.object);
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.equal(chunks.map((c) => c.choices[0]?.delta.content ?? '').join(''), whole.json.choices[0].message.content);
  assert.ok(chunks.at(-1).usage.completion_tokens > 0);
});

test('where no provider has /v1/responses a client is told so, and what to use', async () => {
  const r = await weir.post('/v1/responses', { model: 'lorem-4', input: 'x' });
  assert.deepEqual([r.status, r.json.error.type, r.json.error.code, /use \/v1\/chat\/completions/.test(r.json.error.message)], [404, 'not_found', 'not_found', true]);
});

test('a model whose name has slashes is found by it, written out or not', async () => {
  for (const path of ['/v1/models/openai/gpt-4o', '/v1/models/openai%2Fgpt-4o']) assert.equal((await weir.get(path)).json.id, 'openai/gpt-4o');
  assert.equal((await weir.get('/v1/models/openai%2Fgpt-4o', { 'anthropic-version': '2023-06-01' })).json.type, 'model');
  assert.equal((await weir.get('/v1/models/openai%2Fnone')).json.error.code, 'model_not_found');
  assert.equal((await weir.post('/v1/chat/completions', ask('openai/gpt-4o', 'by its whole name'))).status, 200);
  assert.equal(JSON.parse((await sent('by its whole name')).body).model, 'openai/gpt-4o');
});

test('whatever is not there under /v1 is a 404 in JSON, by every method; what is there says which it takes', async () => {
  for (const path of ['/v1', '/v1/', '/v1/audio/speech', '/v1/chat/completions/', '/v1/models/', '/v1//models'])
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const r = await weir.request(method, path, method.startsWith('P') ? {} : undefined);
      assert.deepEqual([r.status, r.json.error.code, r.headers['request-id'] === r.headers['x-request-id']], [404, 'not_found', true], `${method} ${path}`);
    }
  for (const path of ['/v1/messages/batches', '/v1/messages/']) assert.equal((await weir.post(path, {})).json.error.type, 'not_found_error');
  const r = await weir.get('/v1/messages');
  assert.deepEqual([r.status, r.json.type, r.headers.allow], [405, 'error', 'POST']);
});
