// sdk_openai.test.mjs - the npm package openai pointed at Weir: what it can do with a provider it can do here, metered.
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { addUser, request, startUpstream, startWeir, test, waitFor } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { responses: 'on', max_concurrent: 4 } });
const client = new OpenAI({ baseURL: `http://127.0.0.1:${weir.port}/v1`, apiKey: weir.token, maxRetries: 0 });
const say = (content, more = {}) => ({ model: 'echo', messages: [{ role: 'user', content }], ...more });
const sent = async (tag) => JSON.parse((await up.calls(tag)).at(-1).body);
const tools = [{ type: 'function', function: { name: 'weather', description: 'Now.', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];

test('an answer is the provider\'s own, with what it cost in the headers', async () => {
  const { data, response, request_id: id } = await client.chat.completions.create(say('plain and simple')).withResponse();
  assert.equal(data.choices[0].message.content, 'plain and simple');
  assert.match(data.id, /^chatcmpl-w\d+$/);
  assert.equal(data.service_tier, 'default');
  assert.match(id, /^req_/);
  assert.equal(response.headers.get('request-id'), id);
  assert.equal(response.headers.get('x-weir-retries'), '0');
  assert.equal(response.headers.get('x-weir-upstream'), 'openai');
  assert.match(response.headers.get('x-weir-queue-ms'), /^\d+$/);
  const r = await weir.settled(id);
  assert.equal(r.status, 'success');
  assert.equal(r.prompt, data.usage.prompt_tokens);
  assert.equal(r.completion, data.usage.completion_tokens);
  assert.equal(r.session, 0);
  assert.equal(weir.sql(`SELECT text FROM words WHERE id = ${r.endpoint}`)[0].text, '/v1/chat/completions');
});

test('a priced model\'s answer says what it cost', async () => {
  const { data, response } = await client.chat.completions.create(say('what does it cost', { model: 'gpt-4o-mini' })).withResponse();
  const usd = Number(response.headers.get('x-weir-cost-usd'));
  assert.ok(Math.abs(usd - (data.usage.prompt_tokens * 0.15e-6 + data.usage.completion_tokens * 0.6e-6)) < 1e-12, `${usd}`);
});

test('what Weir does not know of a request goes on untouched, and what it limits by is its own', async () => {
  await client.chat.completions.create(say('untouched here', {
    temperature: 0.70, logit_bias: { 50256: -100 }, metadata: { a: '1' }, some_new_member: { deep: [1, 2.50, 'x'] }, max_completion_tokens: 77,
    tools, tool_choice: 'auto', response_format: { type: 'json_object' },
  }));
  const call = (await up.calls('untouched here')).at(-1);
  const body = JSON.parse(call.body);
  assert.deepEqual(body.some_new_member, { deep: [1, 2.5, 'x'] });
  assert.deepEqual(body.logit_bias, { 50256: -100 });
  assert.deepEqual(body.tools, tools);
  assert.equal(body.max_completion_tokens, 77);
  assert.equal('max_tokens' in body, false);
  assert.match(call.head, /authorization: Bearer sk-e2e-canary/i);
  await client.chat.completions.create(say('no cap was asked for'));
  const open = await sent('no cap was');
  assert.equal('max_tokens' in open || 'max_completion_tokens' in open, false);
});

test('a stream comes piece by piece, its usage only if it was asked for', async () => {
  const before = await client.chat.completions.create(say('one two three', { stream: true }));
  const pieces = [];
  for await (const chunk of before) pieces.push(chunk);
  assert.equal(pieces.map((c) => c.choices[0].delta.content ?? '').join(''), 'one two three');
  assert.equal(pieces.at(-1).choices[0].finish_reason, 'stop');
  assert.ok(pieces.every((c) => c.choices.length === 1 && !c.usage));
  assert.deepEqual((await sent('one two three')).stream_options, { include_usage: true });

  const after = await client.chat.completions.create(say('with usage', { stream: true, stream_options: { include_usage: true } }));
  let usage;
  for await (const chunk of after) usage = chunk.usage ?? usage;
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens === 2);
  const helper = client.chat.completions.stream(say('by the helper'));
  assert.equal(await helper.finalContent(), 'by the helper');
});

test('a stream without usage is metered all the same', async () => {
  const { data, request_id: id } = await client.chat.completions.create(say('metered in any case', { stream: true })).withResponse();
  for await (const _ of data) { /* to its end */ }
  const r = await weir.settled(id);
  assert.equal(r.completion, 4);
  assert.equal(r.estimated, 0);
});

test('tools are called in pieces and their results sent back', async () => {
  const whole = await client.chat.completions.create(say('call it', { model: 'tool', tools }));
  assert.equal(whole.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(JSON.parse(whole.choices[0].message.tool_calls[0].function.arguments), { x: 1 });
  const stream = client.chat.completions.stream(say('call it in pieces', { model: 'tool', tools }));
  const message = await stream.finalMessage();
  assert.equal(message.tool_calls[0].function.name, 'f');
  const back = await client.chat.completions.create({
    model: 'echo', tools,
    messages: [{ role: 'user', content: 'and the weather?' }, message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'sunny' }],
  });
  assert.equal(back.choices[0].message.content, 'and the weather?');
});

test('structured output and images go through', async () => {
  const parsed = await client.chat.completions.parse(say('{"city":"Bern"}', {
    response_format: { type: 'json_schema', json_schema: { name: 'place', strict: true, schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false } } },
  }));
  assert.deepEqual(parsed.choices[0].message.parsed, { city: 'Bern' });
  const png = `data:image/png;base64,${Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), Buffer.from([0, 0, 4, 0, 0, 0, 2, 0]), Buffer.alloc(8)]).toString('base64')}`;
  const parts = [{ type: 'text', text: 'what is in it' }, { type: 'image_url', image_url: { url: png } }];
  const { request_id: id } = await client.chat.completions.create(say(parts, { model: 'gpt-4o' })).withResponse();
  assert.deepEqual((await sent('what is in it')).messages[0].content, parts);
  // 1024 × 512 are two tiles of 170 and 85.
  const counted = (await weir.settled(id)).counted;
  assert.ok(counted > 425 && counted < 445, `${counted}`);
});

test('a refusal of Weir\'s is one the client knows', async () => {
  await assert.rejects(client.chat.completions.create(say('x', { model: 'nobody-has-it' })), (e) => e instanceof OpenAI.NotFoundError && e.code === 'model_not_found' && e.param === 'model');
  await assert.rejects(client.chat.completions.create({ model: 'echo', messages: [] }), (e) => e instanceof OpenAI.BadRequestError && e.param === 'messages');
  await assert.rejects(new OpenAI({ baseURL: client.baseURL, apiKey: 'weir_wrong' }).models.list(), OpenAI.AuthenticationError);
  await assert.rejects(client.post('/no/such/path'), (e) => e instanceof OpenAI.NotFoundError && e.error.code === 'not_found');
  await assert.rejects(client.get('/chat/completions'), (e) => e.status === 405 && e.error.code === 'method_not_allowed');
});

test('a refusal of the provider\'s keeps its status and words; its faults are Weir\'s to try again', async () => {
  await assert.rejects(client.chat.completions.create(say('x', { model: 'fault-400' })), (e) => e.status === 400 && /Unsupported value/.test(e.message));
  await assert.rejects(client.chat.completions.create(say('in a stream', { model: 'fault-422', stream: true })), (e) => e.status === 422);
  const { data, response } = await client.chat.completions.create(say('#fault-503-once again please')).withResponse();
  assert.equal(data.choices[0].finish_reason, 'stop');
  assert.equal(response.headers.get('x-weir-retries'), '1');
});
