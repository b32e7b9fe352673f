// sdk_anthropic.test.mjs - the npm package @anthropic-ai/sdk pointed at Weir, and the AI SDK by @ai-sdk/anthropic.
import assert from 'node:assert/strict';
import { createAnthropic } from '@ai-sdk/anthropic';
import Anthropic from '@anthropic-ai/sdk';
import { APICallError, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai';
import { startUpstream, startWeir, test, unlimited, waitFor } from './harness.mjs';

const up = await startUpstream('--key', 'sk-ant-e2e-canary');
const entry = (more = {}) => ({
  name: 'anthropic', protocol: 'anthropic', base_url: `http://127.0.0.1:${up.port}/v1`, api_key: 'sk-ant-e2e-canary', ...more,
  limits: { ...unlimited, ...more.limits }, retry: { max_retries: 1, base_delay: 0.01, max_delay: 0.05 },
});
const weir = await startWeir({ config: { upstreams: [entry()] } });
const client = new Anthropic({ baseURL: `http://127.0.0.1:${weir.port}`, apiKey: weir.token, maxRetries: 0 });
const say = (content, more = {}) => ({ model: 'echo', max_tokens: 200, messages: [{ role: 'user', content }], ...more });
const sent = async (tag) => JSON.parse((await up.calls(tag)).at(-1).body);
const tools = [{ name: 'f', description: 'Now.', input_schema: { type: 'object', properties: { x: { type: 'integer' } } } }];

test('an answer is the provider\'s own, with what it cost in the headers', async () => {
  const { data, response, request_id: id } = await client.messages.create(say('plain and simple', { model: 'claude-sonnet-4-6' })).withResponse();
  assert.equal(data.content[0].text, 'plain and simple');
  assert.match(data.id, /^msg_w\d+$/);
  assert.equal(data.usage.service_tier, 'standard');
  assert.match(id, /^req_/);
  assert.equal(response.headers.get('x-request-id'), id);
  assert.equal(response.headers.get('x-weir-upstream'), 'anthropic');
  const usd = Number(response.headers.get('x-weir-cost-usd'));
  assert.ok(Math.abs(usd - (data.usage.input_tokens * 3e-6 + 3 * 15e-6)) < 1e-12, `${usd}`);
  const r = await weir.settled(id);
  assert.deepEqual([r.status, r.prompt, r.completion, r.estimated], ['success', data.usage.input_tokens, 3, 0]);
  assert.equal(weir.sql(`SELECT text FROM words WHERE id = ${r.endpoint}`)[0].text, '/v1/messages');
});

test('what Weir does not know of a request goes on untouched, and so do version and beta headers', async () => {
  const own = { thinking: { type: 'adaptive' }, some_new_member: { deep: [1, 2.5, 'x'] }, metadata: { user_id: 'u' }, cache_control: { type: 'ephemeral', ttl: '1h' } };
  await client.beta.messages.create({ ...say('untouched here', own), betas: ['of-tomorrow-2026', 'another'] });
  const call = (await up.calls('untouched here')).at(-1);
  const body = JSON.parse(call.body);
  for (const [k, v] of Object.entries(own)) assert.deepEqual(body[k], v);
  assert.equal(body.max_tokens, 200);
  assert.match(call.head, /anthropic-version: 2026-10-21\r\n/i);
  assert.match(call.head, /anthropic-beta: of-tomorrow-2026,another\r\n/i);
  assert.match(call.head, /x-api-key: sk-ant-e2e-canary\r\n/);
  const plain = await weir.post('/v1/messages', say('without a version'), { Authorization: '', 'x-api-key': weir.token });
  assert.equal(plain.status, 200, plain.text);
  assert.match((await up.calls('without a version')).at(-1).head, /anthropic-version: 2023-06-01\r\n/i);
});

test('a stream comes event by event, and is metered', async () => {
  const seen = [];
  const { data: stream, request_id: id } = await client.messages.create(say('one two three', { stream: true })).withResponse();
  for await (const e of stream) seen.push(e);
  assert.deepEqual([seen[0].type, seen.at(-1).type], ['message_start', 'message_stop']);
  assert.equal(seen.filter((e) => e.delta?.type === 'text_delta').map((e) => e.delta.text).join(''), 'one two three');
  const r = await weir.settled(id);
  assert.deepEqual([r.prompt, r.completion, r.estimated, r.finish_reason], [seen[0].message.usage.input_tokens, 3, 0, 'stop']);

  const helper = client.messages.stream(say('#think-3-4 by the helper'));
  const message = await helper.finalMessage();
  assert.deepEqual(message.content.map((c) => c.type), ['thinking', 'text']);
  assert.equal(message.content[0].signature, 'c3RhbmQtaW4=');
  assert.equal(message.usage.output_tokens, 7);
});

test('the cache\'s tokens are metered apart', async () => {
  const { data, request_id: id } = await client.messages.create(say('#cache-2000-300-70 x', { model: 'claude-opus-5-5' })).withResponse();
  const r = await weir.settled(id);
  assert.deepEqual([r.prompt, r.cached, r.cache_write, r.cache_write_1h], [data.usage.input_tokens + 2370, 2000, 300, 70]);
});

test('tools are called in pieces and their results sent back', async () => {
  const whole = await client.messages.create(say('call it', { model: 'tool', tools }));
  assert.equal(whole.stop_reason, 'tool_use');
  assert.deepEqual(whole.content[0].input, { x: 1 });
  const message = await client.messages.stream(say('call it in pieces', { model: 'tool', tools })).finalMessage();
  assert.deepEqual([message.content[0].name, message.content[0].input], ['f', { x: 1 }]);
  const back = await client.messages.create({
    model: 'echo', max_tokens: 50, tools,
    messages: [{ role: 'user', content: 'and the weather?' }, { role: 'assistant', content: message.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: message.content[0].id, content: 'sunny' }, { type: 'text', text: 'so it is' }] }],
  });
  assert.equal(back.content[0].text, 'so it is');
});

test('images are counted by their size, in the prompt as Weir expects it', async () => {
  const data = Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), Buffer.from([0, 0, 3, 0, 0, 0, 2, 0]), Buffer.alloc(8)]).toString('base64');
  const parts = [{ type: 'text', text: 'what is in it' }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data } }];
  const { request_id: id } = await client.messages.create(say(parts)).withResponse();
  assert.deepEqual((await sent('what is in it')).messages[0].content, parts);
  const { counted } = await weir.settled(id);                    // 768 × 512 / 750 = 525
  assert.ok(counted > 525 && counted < 550, `${counted}`);
});

test('tokens are counted by the provider, for nothing', async () => {
  const { data, response, request_id: id } = await client.messages.countTokens({ model: 'claude-sonnet-4-6', messages: [{ role: 'user', content: 'one two three' }] }).withResponse();
  assert.equal(data.input_tokens, 10);
  const r = await weir.settled(id);
  assert.deepEqual([r.status, r.prompt, r.completion, response.headers.get('x-weir-cost-usd')], ['success', 0, 0, '0']);
});

test('a cap of 0, which only fills the cache, goes on as it is; without one nothing does', async () => {
  await client.messages.create(say('warm it', { max_tokens: 0 }));
  assert.equal((await sent('warm it')).max_tokens, 0);
  await assert.rejects(client.messages.create(say('x', { max_tokens: undefined })), (e) => e.status === 400 && e.error.error.param === 'max_tokens');
  await assert.rejects(client.messages.create(say('x', { max_tokens: -1 })), (e) => e.status === 400 && e.error.error.param === 'max_tokens');
});

test('a refusal of Weir\'s is one the client knows', async () => {
  await assert.rejects(client.messages.create(say('x', { model: 'nobody-has-it' })), (e) => e instanceof Anthropic.NotFoundError && e.error.type === 'error' && e.error.error.type === 'not_found_error' &&
    e.error.error.details.error_code === 'model_not_found' && e.requestID === e.error.request_id);
  await assert.rejects(client.messages.create({ model: 'echo', max_tokens: 5, messages: [] }), (e) => e instanceof Anthropic.BadRequestError && e.error.error.param === 'messages');
  await assert.rejects(new Anthropic({ baseURL: client.baseURL, apiKey: 'weir_wrong' }).messages.create(say('x')), Anthropic.AuthenticationError);
  await assert.rejects(client.post('/v1/messages/batches', { body: {} }), (e) => e instanceof Anthropic.NotFoundError && e.error.error.type === 'not_found_error');
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.ok(ids.includes('claude-sonnet-4-6'));
});

test('so is one of nginx\'s, whether the body is too large or no Weir is there', async () => {
  const told = (status, type) => (e) => e.status === status && e.error.type === 'error' && e.error.error.type === type && /^req_/.test(e.requestID) && e.error.request_id === e.requestID;
  await assert.rejects(client.messages.create(say('x'.repeat(33 * 1024 * 1024))), told(413, 'request_too_large'));
  const alone = await startWeir({ config: { upstreams: [entry()] } });
  await alone.program.stop();
  await assert.rejects(new Anthropic({ baseURL: `http://127.0.0.1:${alone.port}`, apiKey: weir.token, maxRetries: 0 }).messages.create(say('x')), told(503, 'api_error'));
  await alone.stop();
});

test('a refusal of the provider\'s keeps its status and words; its faults are Weir\'s to try again', async () => {
  await assert.rejects(client.messages.create(say('x', { model: 'fault-400' })), (e) => e.status === 400 && /Unsupported value/.test(e.message));
  await assert.rejects(client.messages.create(say('in a stream', { model: 'fault-413', stream: true })), (e) => e.status === 413);
  const { response } = await client.messages.create(say('#fault-529-once again please')).withResponse();
  assert.equal(response.headers.get('x-weir-retries'), '1');
  await assert.rejects(client.messages.create(say('#fault-529 for ever')), (e) => e.status === 502 && e.headers.get('x-should-retry') === 'false');
});

test('a stream that fails in the middle ends with an error the client throws', async () => {
  const stream = await client.messages.create(say('#fault-mid-error please', { stream: true }));
  let text = '';
  await assert.rejects(async () => { for await (const e of stream) text += e.delta?.text ?? ''; }, (e) => e instanceof Anthropic.APIError && e.error.error.details.error_code === 'upstream_error');
  assert.ok(text.length > 0);
});

test('a client that leaves stops the provider', async () => {
  const stream = await client.messages.create(say('#slow-0-50-400 left alone', { stream: true, max_tokens: 400 }));
  let n = 0;
  for await (const _ of stream) if (++n === 5) break;
  const call = await waitFor('the abort', async () => (await up.calls('#slow-0-50-400 left')).find((c) => c.end === 'aborted'));
  assert.ok(call.completion_tokens < 50);
});

test('a named session keeps the texts', async () => {
  const headers = { 'X-Weir-Session': 'agent-8' };
  await client.messages.create(say('kept in a session', { system: [{ type: 'text', text: 'Be kind.' }] }), { headers });
  const messages = (await weir.get('/chat/sessions/agent-8/messages')).json.items;
  assert.deepEqual(messages.map((m) => m.content), ['kept in a session', 'kept in a session']);
});

// ---- limits, budgets, waiting ------------------------------------------------

const narrow = await startWeir({
  config: { upstreams: [entry({ max_concurrent: 1, limits: { requests_per_minute: 600, input_tokens_per_minute: 40000, output_tokens_per_minute: 8000 } }), { name: 'builtin', protocol: 'builtin' }], queue: { max_size: 1 } },
});
const patient = new Anthropic({ baseURL: `http://127.0.0.1:${narrow.port}`, apiKey: narrow.token });

// A stream that has the only place until its controller ends it.
async function hold(what) {
  const tag = `#slow-0-100-1000 holds ${what}`;
  const stream = await patient.messages.create(say(tag, { stream: true, max_tokens: 4000 }));
  await waitFor('the place to be taken', async () => (await up.calls(tag)).length > 0);
  return stream;
}

test('a long wait in the queue is only a long wait, told in comments', async () => {
  const first = await hold('the place');
  const s = await narrow.stream(say('waits its turn', { stream: true }), { path: '/v1/messages' });
  await waitFor('to be told', () => s.comments.length > 0);
  first.controller.abort();
  await s.end();
  assert.match(s.text, /^: queued position=1 eta_ms=\d+\n\n/m);
  assert.deepEqual([s.names()[0], s.names().at(-1)], ['message_start', 'message_stop']);
  const again = await hold('it again');
  const waits = patient.messages.stream(say('by the client too')).finalText();
  await waitFor('the client to be told', async () => (await narrow.get('/monitoring/queue-status')).json.now.entries.length === 1);
  again.controller.abort();
  assert.equal(await waits, 'by the client too');
});

test('a full queue is a 429 that the client tries again by itself', async () => {
  const first = await hold('again');
  const second = patient.messages.create(say('stands in line'));
  await waitFor('one to wait', async () => (await narrow.get('/monitoring/queue-status')).json.now.entries.length === 1);
  const refused = await narrow.post('/v1/messages', say('one too many'));
  assert.deepEqual([refused.status, refused.json.error.type, refused.json.error.details.error_code], [429, 'rate_limit_error', 'queue_full']);
  assert.ok(Number(refused.headers['retry-after']) >= 1);
  const third = patient.messages.create(say('comes back later'));
  first.controller.abort();
  assert.equal((await second).content[0].text, 'stands in line');
  assert.equal((await third).content[0].text, 'comes back later');
});

test('Weir\'s limits are told as Anthropic tells its own', async () => {
  const { response } = await patient.messages.create(say('limits please')).withResponse();
  const h = (name) => response.headers.get(`anthropic-ratelimit-${name}`);
  assert.deepEqual([h('requests-limit'), h('input-tokens-limit'), h('output-tokens-limit')], ['600', '40000', '8000']);
  assert.ok(Number(h('requests-remaining')) < 600);
  assert.ok(Date.parse(h('requests-reset')) > Date.now() - 1000);
});

test('a cap beyond a limit on output, as the AI SDK sends it, is no reason to wait or to refuse', async () => {
  const message = await patient.messages.stream(say('capped far above', { max_tokens: 64000 })).finalMessage();
  assert.equal(message.content[0].text, 'capped far above');
  assert.equal((await sent('capped far above')).max_tokens, 64000);
});

test('a prompt that its cache had is not counted against the limit on input', async () => {
  const used = async () => (await narrow.get('/monitoring/rate-limits')).json.upstreams.find((u) => u.name === 'anthropic').dimensions.input_tokens_per_minute.used;
  const before = await used();
  await patient.messages.create(say('#cache-30000-0-0 much of it known'));
  assert.ok(await used() - before < 100, `${await used()}`);
});

test('a budget that is used up is a 402 that nobody tries again', async () => {
  await narrow.post('/admin/budgets', { scope: 'model', key: 'claude-haiku-4-5', window: 'total', limit_usd: 0.0000001 });
  const before = (await up.judge()).calls;
  for (const stream of [false, true])
    await assert.rejects(patient.messages.create(say('too dear', { model: 'claude-haiku-4-5', stream })), (e) => e.status === 402 && e.error.error.type === 'billing_error' && e.headers.get('x-should-retry') === 'false' && e.error.error.budget.scope === 'model');
  assert.equal((await up.judge()).calls, before);
  const { input_tokens: n } = await patient.messages.countTokens({ model: 'claude-haiku-4-5', messages: [{ role: 'user', content: 'this is free' }] });
  assert.equal(n, 10);
});

test('a stream that costs more than is left ends as if its cap were reached', async () => {
  await narrow.post('/admin/budgets', { scope: 'model', key: 'claude-opus-5-5', window: 'total', limit_usd: 0.004 });
  const message = await patient.messages.stream(say('#lorem-2000 and more', { model: 'claude-opus-5-5', max_tokens: 5000 })).finalMessage();
  assert.equal(message.stop_reason, 'max_tokens');
  assert.ok(message.content[0].text.length > 20);
  assert.ok((await sent('#lorem-2000 and more')).max_tokens < 250);
});

test('a stream that goes on beyond what is left is cut, and closed where it stood', async () => {
  await narrow.post('/admin/budgets', { scope: 'model', key: 'claude-sonnet-4-6', window: 'total', limit_usd: 0.02 });
  const words = Array.from({ length: 200 }, (_, i) => `antidisestablishmentarianism${i}`).join(' ');
  const s = await narrow.stream(say(words, { model: 'claude-sonnet-4-6', stream: true, max_tokens: 5000 }), { path: '/v1/messages' });
  await s.end();
  const text = s.all('content_block_delta').map((e) => e.data.delta.text).join('');
  assert.ok(text.length > 0 && text.length < words.length / 2, `${text.length}`);
  assert.deepEqual(s.names().slice(-3), ['content_block_stop', 'message_delta', 'message_stop']);
  assert.equal(s.first('content_block_stop').index, 0);
  assert.equal(s.first('message_delta').delta.stop_reason, 'max_tokens');
});

test('a user\'s own limit is a 429 in time', async () => {
  const u = (await narrow.post('/admin/users', { name: 'slowly', role: 'user', limits: { requests_per_minute: 1 } })).json;
  const t = (await narrow.post('/admin/tokens', { user_id: u.user_id, name: 'sdk' })).json;
  const slow = new Anthropic({ baseURL: patient.baseURL, apiKey: t.token, maxRetries: 0 });
  const { response } = await slow.messages.create(say('the first')).withResponse();
  assert.equal(response.headers.get('anthropic-ratelimit-requests-limit'), '1');
  await assert.rejects(slow.messages.create(say('the second')), (e) => e instanceof Anthropic.RateLimitError && Number(e.headers.get('retry-after')) > 0);
});

test('the built-in model answers in these words too, and its prompts are counted here', async () => {
  const message = await patient.messages.stream(say('I am sad.', { model: 'builtin/eliza' })).finalMessage();
  assert.equal(message.stop_reason, 'end_turn');
  assert.ok(message.content[0].text.length > 5 && message.usage.output_tokens > 0);
  const whole = await patient.messages.create(say('I am sad.', { model: 'builtin/eliza' }));
  assert.deepEqual(whole.content.map((c) => c.type), ['text']);
  const { input_tokens: n } = await patient.messages.countTokens({ model: 'builtin/eliza', messages: [{ role: 'user', content: 'hello world' }] });
  assert.equal(n, 9);
});

// ---- the AI SDK ----------------------------------------------------------------

const ai = createAnthropic({ baseURL: `http://127.0.0.1:${weir.port}/v1`, apiKey: weir.token });

test('AI SDK: whole answers, streams, tools, structured output', async () => {
  const { text, usage, finishReason } = await generateText({ model: ai('echo'), prompt: 'whole by ai' });
  assert.deepEqual([text, finishReason], ['whole by ai', 'stop']);
  assert.ok(usage.inputTokens > 0 && usage.outputTokens === 3);

  const seen = [];
  const streamed = streamText({ model: ai('echo'), prompt: 'streamed by ai', onError: ({ error }) => seen.push(error) });
  assert.equal(await streamed.text, 'streamed by ai');
  assert.deepEqual(seen, []);

  const f = tool({ description: 'Now.', inputSchema: jsonSchema({ type: 'object', properties: {} }), execute: async () => 'sunny' });
  const called = streamText({ model: ai('tool'), prompt: 'tools by ai', tools: { f }, stopWhen: stepCountIs(1) });
  assert.deepEqual((await called.toolCalls).map((c) => [c.toolName, c.input]), [['f', { x: 1 }]]);

  const schema = jsonSchema({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false });
  const { output } = await generateText({ model: ai('claude-sonnet-4-6'), prompt: '{"city":"Bern"}', output: Output.object({ schema }) });
  assert.deepEqual(output, { city: 'Bern' });
});

test('AI SDK: errors, abort, 402 and 429', async () => {
  await assert.rejects(generateText({ model: ai('nobody-has-it'), prompt: 'x', maxRetries: 0 }), (e) => APICallError.isInstance(e) && e.statusCode === 404 && !e.isRetryable && /no model 'nobody-has-it'/.test(e.message));
  const stop = new AbortController();
  const result = streamText({ model: ai('echo'), prompt: '#slow-0-50-400 aborted by ai', maxOutputTokens: 400, abortSignal: stop.signal });
  let n = 0;
  try {
    for await (const _ of result.textStream) if (++n === 3) stop.abort();
  } catch { /* how it says so is its own business */ }
  await waitFor('the abort', async () => (await up.calls('#slow-0-50-400 aborted by ai')).find((c) => c.end === 'aborted'));
  const seen = [];
  await streamText({ model: ai('echo'), prompt: '#fault-mid-error by ai', onError: ({ error }) => seen.push(error) }).consumeStream();
  assert.equal(seen.length, 1);
  const poor = createAnthropic({ baseURL: `http://127.0.0.1:${narrow.port}/v1`, apiKey: narrow.token });
  await assert.rejects(generateText({ model: poor('claude-haiku-4-5'), prompt: 'too dear' }), (e) => e.statusCode === 402 && !e.isRetryable);
});

test('AI SDK: a wait in the queue, a full one, a limit of its own', async () => {
  const narrowly = createAnthropic({ baseURL: `http://127.0.0.1:${narrow.port}/v1`, apiKey: narrow.token });
  const queue = async () => (await narrow.get('/monitoring/queue-status')).json;
  const hold = await narrow.stream(say('#slow-0-100-100 holds it for ai', { stream: true }), { path: '/v1/messages' });
  await waitFor('the place to be taken', async () => (await up.calls('#slow-0-100-100 holds it')).length > 0);
  const waits = streamText({ model: narrowly('echo'), prompt: 'stands in line for ai' });
  const text = waits.text;
  await waitFor('one to wait', async () => (await queue()).now.entries.length === 1);
  const { rejected } = (await queue()).lifetime;
  await assert.rejects(generateText({ model: narrowly('echo'), prompt: 'one too many', maxRetries: 0 }), (e) => e.statusCode === 429 && e.isRetryable && e.data.error.type === 'rate_limit_error');
  const late = generateText({ model: narrowly('echo'), prompt: 'comes back later for ai' });
  await waitFor('a refusal of the one that is late', async () => (await queue()).lifetime.rejected >= rejected + 2);
  hold.leave();
  assert.deepEqual([await text, (await late).text], ['stands in line for ai', 'comes back later for ai']);
  const u = (await narrow.post('/admin/users', { name: 'slowly-by-ai', role: 'user', limits: { requests_per_minute: 1 } })).json;
  const t = (await narrow.post('/admin/tokens', { user_id: u.user_id, name: 'sdk' })).json;
  const slow = createAnthropic({ baseURL: `http://127.0.0.1:${narrow.port}/v1`, apiKey: t.token });
  await generateText({ model: slow('echo'), prompt: 'the first' });
  await assert.rejects(generateText({ model: slow('echo'), prompt: 'the second', maxRetries: 0 }), (e) => e.statusCode === 429 && e.isRetryable && Number(e.responseHeaders['retry-after']) > 0);
});
