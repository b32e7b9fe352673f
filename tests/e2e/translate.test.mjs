// translate.test.mjs - clients of one protocol at models of the other: texts, images, tools, streams, reasons to stop, usage, refusals.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, jsonSchema, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { startUpstream, startWeir, test, unlimited, waitFor } from './harness.mjs';

const up = await startUpstream();
const retry = { max_retries: 2, base_delay: 0.01, max_delay: 0.05 };
const far = { name: 'anthropic', protocol: 'anthropic', base_url: `http://127.0.0.1:${up.port}`, api_key: 'sk-ant-e2e-canary', limits: unlimited, retry };
const weir = await startWeir({ config: { upstreams: [far] } });
const client = new OpenAI({ baseURL: `http://127.0.0.1:${weir.port}/v1`, apiKey: weir.token, maxRetries: 0 });
const say = (content, more = {}) => ({ model: 'claude-sonnet-4-6', messages: [{ role: 'user', content }], ...more });
const sent = async (tag) => JSON.parse((await up.calls(tag)).at(-1).body);
const user = (text) => ({ role: 'user', content: [{ type: 'text', text }] });
const tools = [{ type: 'function', function: { name: 'f', description: 'It takes x.', parameters: { type: 'object', properties: { x: { type: 'integer' } } } } }];
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

// ---- OpenAI's clients at a model of Anthropic's ------------------------------

test('an answer is OpenAI\'s, and metered by Anthropic\'s figures', async () => {
  const { data, response, request_id: id } = await client.chat.completions.create({
    model: 'claude-sonnet-4-6', temperature: 0.5, stop: ['END'], max_completion_tokens: 50, user: 'u-1',
    messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: '#cache-20-30-0 over the border and far away into the hills beyond the lakes' }],
  }).withResponse();
  assert.equal(data.object, 'chat.completion');
  assert.match(data.choices[0].message.content, /the lakes$/);
  assert.equal(data.choices[0].finish_reason, 'stop');
  assert.ok(Number(response.headers.get('x-weir-cost-usd')) > 0);
  const [call] = await up.calls('#cache-20-30-0 over');
  assert.deepEqual(JSON.parse(call.body), {
    model: 'claude-sonnet-4-6', temperature: 0.5, stop_sequences: ['END'], metadata: { user_id: 'u-1' },
    messages: [user('#cache-20-30-0 over the border and far away into the hills beyond the lakes')], system: 'Be brief.', max_tokens: 50,
  });
  assert.match(call.head, /^POST \/v1\/messages /);
  assert.match(call.head, /anthropic-version: 2023-06-01\r\n/);
  const u = data.usage, r = await weir.settled(id);
  assert.equal(u.prompt_tokens, call.prompt_tokens);
  assert.deepEqual([u.prompt_tokens_details.cached_tokens, u.prompt_tokens_details.cache_write_tokens, u.completion_tokens], [20, 30, call.completion_tokens]);
  assert.deepEqual([r.prompt, r.cached, r.cache_write, r.completion, r.estimated, r.status], [u.prompt_tokens, 20, 30, u.completion_tokens, 0, 'success']);
});

test('a stream comes piece by piece, thoughts apart, its usage if it was asked for', async () => {
  const stream = await client.chat.completions.create(say('#think-3-4 streamed', { stream: true, reasoning_effort: 'high', stream_options: { include_usage: true } }));
  let text = '', thoughts = '', pieces = 0, usage, finish, first;
  const ids = new Set();
  for await (const c of stream) {
    first ??= c;
    ids.add(c.id);
    const delta = c.choices[0]?.delta ?? {};
    pieces += delta.content || delta.reasoning_content ? 1 : 0;
    text += delta.content ?? '';
    thoughts += delta.reasoning_content ?? '';
    finish = c.choices[0]?.finish_reason ?? finish;
    usage = c.usage ?? usage;
  }
  assert.equal(first.choices[0].delta.role, 'assistant');
  assert.deepEqual([text.split(' ').length, thoughts.trim().split(' ').length, pieces, finish, ids.size], [4, 3, 7, 'stop', 1]);
  assert.deepEqual([usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens], [7, 3]);
  const body = await sent('#think-3-4 streamed');
  assert.deepEqual([body.stream, body.thinking, body.output_config, body.stream_options, body.reasoning_effort], [true, { type: 'adaptive' }, { effort: 'high' }, undefined, undefined]);
  for await (const c of await client.chat.completions.create(say('without figures', { stream: true }))) assert.ok(c.choices.length === 1 && !c.usage);
  assert.equal(await client.chat.completions.stream(say('by the helper')).finalContent(), 'by the helper');
});

test('tools are called, in pieces or not, and their results sent back', async () => {
  const whole = await client.chat.completions.create(say('call it', { model: 'tool', tools, tool_choice: 'required', parallel_tool_calls: false }));
  assert.equal(whole.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(whole.choices[0].message.tool_calls, [{ id: 'toolu_a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } }]);
  assert.equal(whole.choices[0].message.content, null);
  const asked = await sent('call it');
  assert.deepEqual(asked.tools, [{ name: 'f', description: 'It takes x.', input_schema: tools[0].function.parameters }]);
  assert.deepEqual(asked.tool_choice, { type: 'any', disable_parallel_tool_use: true });

  const message = await client.chat.completions.stream(say('call it in pieces', { model: 'tool', tools })).finalMessage();
  assert.deepEqual([message.tool_calls[0].id, message.tool_calls[0].function.name, JSON.parse(message.tool_calls[0].function.arguments)], ['toolu_a', 'f', { x: 1 }]);
  const back = await client.chat.completions.create(say('', { model: 'echo', tools, messages: [
    { role: 'user', content: 'there and back' }, message, { role: 'tool', tool_call_id: 'toolu_a', content: 'sunny' }] }));
  assert.equal(back.choices[0].finish_reason, 'stop');
  const turns = JSON.parse((await up.judge()).log.at(-1).body).messages;
  assert.deepEqual(turns, [user('there and back'), { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_a', name: 'f', input: { x: 1 } }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_a', content: [{ type: 'text', text: 'sunny' }] }] }]);
});

test('images and answers of a given shape are said in Anthropic\'s words', async () => {
  await client.chat.completions.create(say([{ type: 'text', text: 'what is in it' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
    { type: 'image_url', image_url: { url: 'https://example.org/a.png', detail: 'low' } }]));
  assert.deepEqual((await sent('what is in it')).messages[0].content.slice(1), [
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } }, { type: 'image', source: { type: 'url', url: 'https://example.org/a.png' } }]);
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
  const parsed = await client.chat.completions.parse(say('{"city":"Bern"}', { response_format: { type: 'json_schema', json_schema: { name: 'place', strict: true, schema } } }));
  assert.deepEqual(parsed.choices[0].message.parsed, { city: 'Bern' });
  assert.deepEqual((await sent('{"city":"Bern"}')).output_config, { format: { type: 'json_schema', schema } });
});

test('what Anthropic has no words for is refused by name, before anything is sent', async () => {
  const before = (await up.judge()).calls;
  for (const [more, param] of [[{ seed: 7 }, 'seed'], [{ n: 2 }, 'n'], [{ response_format: { type: 'json_object' } }, 'response_format'], [{ logprobs: true }, 'logprobs'],
    [{ temperature: 1.5 }, 'temperature'], [{ messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: '', format: 'wav' } }] }] }, 'messages[0].content[0]']])
    await assert.rejects(client.chat.completions.create(say('x', more)), (e) => e instanceof OpenAI.BadRequestError && e.param === param && e.message.includes(`'${param}'`));
  assert.equal((await up.judge()).calls, before);
});

test('refusals and reasons to stop keep their meaning', async () => {
  await assert.rejects(client.chat.completions.create(say('#fault-400 x')), (e) => e.status === 400 && /Unsupported value/.test(e.message));
  await assert.rejects(client.chat.completions.create(say('#fault-404 x', { stream: true })), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create(say('#fault-429 x')), (e) => e instanceof OpenAI.RateLimitError && e.code === 'upstream_rate_limited' && e.headers.get('x-should-retry') === 'false');
  await weir.post('/monitoring/reset-rate-limits', {});
  const again = await client.chat.completions.create(say('#fault-529-once x')).withResponse();
  assert.equal(again.response.headers.get('x-weir-retries'), '1');
  assert.equal((await client.chat.completions.create(say('x', { model: 'filter' }))).choices[0].finish_reason, 'content_filter');
  assert.equal((await client.chat.completions.create(say('one two three four', { max_tokens: 2 }))).choices[0].finish_reason, 'length');
  const broken = await client.chat.completions.create(say('#fault-mid-error x', { stream: true }));
  await assert.rejects(async () => { for await (const _ of broken); }, (e) => e instanceof OpenAI.APIError && e.code === 'upstream_error');
});

test('a budget that is used up is a 402 that nobody tries again', async () => {
  await weir.post('/admin/budgets', { scope: 'model', key: 'claude-opus-5-5', window: 'total', limit_usd: 0.0000001 });
  await assert.rejects(client.chat.completions.create(say('too dear', { model: 'claude-opus-5-5' })), (e) => e.status === 402 && e.code === 'budget_exceeded');
});

// ---- Anthropic's clients at a model of OpenAI's ------------------------------

const near = await startWeir({ upstream: up, openai: { retry } });
const claude = new Anthropic({ baseURL: `http://127.0.0.1:${near.port}`, apiKey: near.token, maxRetries: 0 });
const ask = (content, more = {}) => ({ model: 'gpt-4o-mini', max_tokens: 64, messages: [{ role: 'user', content }], ...more });
const xTool = [{ name: 'f', description: 'It takes x.', input_schema: tools[0].function.parameters, cache_control: { type: 'ephemeral' } }];

test('an answer is Anthropic\'s, and metered by OpenAI\'s figures', async () => {
  const { data, response } = await claude.messages.create(ask([{ type: 'text', text: 'back over it again', cache_control: { type: 'ephemeral' } }], {
    system: [{ type: 'text', text: 'Be brief.' }], stop_sequences: ['END'], metadata: { user_id: 'u-1' },
  })).withResponse();
  assert.deepEqual([data.type, data.role, data.stop_reason, data.content], ['message', 'assistant', 'end_turn', [{ type: 'text', text: 'back over it again' }]]);
  const [call] = await up.calls('back over it again');
  assert.deepEqual(JSON.parse(call.body), {
    model: 'gpt-4o-mini', messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'back over it again' }], stop: ['END'], user: 'u-1', max_tokens: 64,
  });
  assert.match(call.head, /^POST \/v1\/chat\/completions /);
  assert.doesNotMatch(call.head, /anthropic/i);
  assert.deepEqual([data.usage.input_tokens, data.usage.output_tokens], [call.prompt_tokens, call.completion_tokens]);
  const r = await near.settled(response.headers.get('request-id'));
  assert.deepEqual([r.prompt, r.completion, r.estimated, r.status], [call.prompt_tokens, call.completion_tokens, 0, 'success']);
});

test('a stream has Anthropic\'s events, thoughts in a block of their own', async () => {
  const types = [];
  let text = '', thoughts = '';
  const stream = await claude.messages.create(ask('#think-3-4 streamed', { stream: true, thinking: { type: 'enabled', budget_tokens: 8000 } }));
  for await (const e of stream) {
    if (types.at(-1) !== e.type) types.push(e.type);
    if (e.delta?.type === 'text_delta') text += e.delta.text;
    if (e.delta?.type === 'thinking_delta') thoughts += e.delta.thinking;
  }
  assert.deepEqual(types, ['message_start', 'content_block_start', 'content_block_delta', 'content_block_stop', 'content_block_start', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop']);
  assert.deepEqual([text.split(' ').length, thoughts.trim().split(' ').length], [4, 3]);
  const body = await sent('#think-3-4 streamed');
  assert.deepEqual([body.reasoning_effort, body.stream_options, body.thinking], ['medium', { include_usage: true }, undefined]);
  const message = await claude.messages.stream(ask('by the helper')).finalMessage();
  assert.deepEqual([message.content[0].text, message.stop_reason, message.usage.output_tokens], ['by the helper', 'end_turn', 3]);
  const [call] = await up.calls('by the helper');
  assert.equal(message.usage.input_tokens, call.prompt_tokens);
});

test('tools are used, in pieces or not, and their results sent back', async () => {
  const whole = await claude.messages.create(ask('use it', { model: 'tool', tools: xTool, tool_choice: { type: 'any', disable_parallel_tool_use: true } }));
  assert.equal(whole.stop_reason, 'tool_use');
  const [use] = whole.content;
  assert.deepEqual([use.type, use.name, use.input], ['tool_use', 'f', { x: 1 }]);
  const asked = await sent('use it');
  assert.deepEqual([asked.tools, asked.tool_choice, asked.parallel_tool_calls], [tools, 'required', false]);

  const message = await claude.messages.stream(ask('use it in pieces', { model: 'tool', tools: xTool })).finalMessage();
  assert.deepEqual([message.content[0].name, message.content[0].input, message.stop_reason], ['f', { x: 1 }, 'tool_use']);
  await claude.messages.create(ask('', { model: 'echo', tools: xTool, messages: [{ role: 'user', content: 'there and back' }, { role: 'assistant', content: whole.content },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: 'sunny' }, { type: 'text', text: 'thank you' }] }] }));
  assert.deepEqual((await sent('thank you')).messages, [{ role: 'user', content: 'there and back' },
    { role: 'assistant', content: null, tool_calls: [{ id: use.id, type: 'function', function: { name: 'f', arguments: '{"x":1}' } }] },
    { role: 'tool', tool_call_id: use.id, content: 'sunny' }, { role: 'user', content: 'thank you' }]);
});

test('images and answers of a given shape are said in OpenAI\'s words', async () => {
  await claude.messages.create(ask([{ type: 'text', text: 'what is in this' }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } }]));
  assert.deepEqual((await sent('what is in this')).messages[0].content[1], { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } });
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
  await claude.messages.create(ask('{"city":"Ulm"}', { output_config: { format: { type: 'json_schema', schema } } }));
  assert.deepEqual((await sent('{"city":"Ulm"}')).response_format, { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } });
});

test('what OpenAI has no words for is refused by name, before anything is sent', async () => {
  const before = (await up.judge()).calls;
  for (const [more, param] of [[{ top_k: 5 }, 'top_k'], [{ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools[0]'], [{ max_tokens: 0 }, 'max_tokens'], [{ speed: 'fast' }, 'speed'],
    [{ messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'file', file_id: 'f' } }] }] }, 'messages[0].content[0]']])
    await assert.rejects(claude.messages.create(ask('x', more)), (e) => e instanceof Anthropic.BadRequestError && e.error.error.type === 'invalid_request_error' && e.message.includes(`'${param}'`));
  assert.equal((await up.judge()).calls, before);
});

test('refusals and reasons to stop keep their meaning there too', async () => {
  const is = (kind, type) => (e) => e instanceof kind && e.error.type === 'error' && e.error.error.type === type;
  await assert.rejects(claude.messages.create(ask('#fault-400 x')), (e) => is(Anthropic.BadRequestError, 'invalid_request_error')(e) && /Unsupported value/.test(e.message));
  await assert.rejects(claude.messages.create(ask('#fault-404 x', { stream: true })), is(Anthropic.NotFoundError, 'not_found_error'));
  await assert.rejects(claude.messages.create(ask('#fault-429 x')), is(Anthropic.RateLimitError, 'rate_limit_error'));
  await near.post('/monitoring/reset-rate-limits', {});
  assert.equal((await claude.messages.create(ask('#fault-503-once x'))).stop_reason, 'end_turn');
  assert.equal((await claude.messages.create(ask('x', { model: 'filter' }))).stop_reason, 'refusal');
  assert.equal((await claude.messages.create(ask('one two three four', { max_tokens: 2 }))).stop_reason, 'max_tokens');
  const broken = await claude.messages.create(ask('#fault-mid-error x', { stream: true }));
  await assert.rejects(async () => { for await (const _ of broken); }, (e) => e instanceof Anthropic.APIError && /"api_error"/.test(e.message));
  await near.post('/admin/budgets', { scope: 'model', key: 'gpt-4o', window: 'total', limit_usd: 0.0000001 });
  await assert.rejects(claude.messages.create(ask('too dear', { model: 'gpt-4o' })), (e) => e.status === 402 && e.error.error.type === 'billing_error');
});

// ---- what Weir adds to a call, for either ------------------------------------

test('under a budget an answer is cut where the money ends, and says so in the client\'s words', async () => {
  await near.post('/admin/budgets', { scope: 'model', key: 'gpt-4.1', window: 'total', limit_usd: 0.0004 });
  const message = await claude.messages.stream(ask('#lorem-400 of money', { model: 'gpt-4.1', max_tokens: 4000 })).finalMessage();
  assert.deepEqual([message.stop_reason, message.content.length], ['max_tokens', 1]);
  assert.ok(message.usage.output_tokens > 5 && message.usage.output_tokens < 60, `${message.usage.output_tokens}`);
});

test('what was answered under a key is answered again, word for word', async () => {
  for (const [w, path, body] of [[weir, '/v1/chat/completions', say('kept by its key')], [near, '/v1/messages', ask('kept by its key too')]])
    for (const stream of [false, true]) {
      const once = () => w.post(path, { ...body, stream }, { 'Idempotency-Key': `translated-${stream}` });
      const first = await once();
      await waitFor('the answer to be stored', () => w.sql(`SELECT state FROM idempotency WHERE key = 'translated-${stream}'`)[0]?.state === 2);
      const again = await once();
      assert.equal(again.headers['idempotent-replayed'], 'true');
      assert.equal(again.text, first.text);
    }
  assert.deepEqual([(await up.calls('kept by its key')).length], [4]);
});

test('the AI SDK\'s providers understand what they are told', async () => {
  const openai = createOpenAICompatible({ name: 'weir', baseURL: `http://127.0.0.1:${weir.port}/v1`, apiKey: weir.token, includeUsage: true });
  const anthropic = createAnthropic({ baseURL: `http://127.0.0.1:${near.port}/v1`, apiKey: near.token });
  const f = tool({ description: 'It takes x.', inputSchema: jsonSchema(tools[0].function.parameters), execute: async () => 'sunny' });
  for (const model of [openai, anthropic]) {
    const errors = [];
    const streamed = streamText({ model: model('echo'), prompt: 'by the other side', onError: ({ error }) => errors.push(error) });
    let text = '';
    for await (const part of streamed.textStream) text += part;
    assert.deepEqual([text, await streamed.finishReason, (await streamed.usage).outputTokens, errors], ['by the other side', 'stop', 4, []]);
    const called = streamText({ model: model('tool'), prompt: 'call', tools: { f }, onError: ({ error }) => errors.push(error) });
    for await (const _ of called.fullStream);
    assert.deepEqual([(await called.toolCalls)[0].input, await called.finishReason, errors], [{ x: 1 }, 'tool-calls', []]);
    const { text: whole, finishReason } = await generateText({ model: model('echo'), prompt: 'whole as well' });
    assert.deepEqual([whole, finishReason], ['whole as well', 'stop']);
  }
});

test('a stream that a restart ends says so in the client\'s words', async () => {
  const leaving = await startWeir({ config: { drain: 0.3, upstreams: [{ ...far, models: ['claude-sonnet-4-6'] }, { name: 'openai', base_url: up.url, api_key: 'sk-e2e-canary', limits: unlimited, models: ['gpt-4o-mini'] }] } });
  const all = [];
  for (const [path, body, first] of [['/v1/chat/completions', say, /"content":"/], ['/v1/messages', ask, /content_block_delta/]])
    for (const model of ['claude-sonnet-4-6', 'gpt-4o-mini']) {
      const s = await leaving.stream(body('#slow-0-50-1000 never ends', { model, stream: true }), { path });
      await waitFor('its first words', () => first.test(s.text));
      all.push(s);
    }
  leaving.program.child.kill('SIGTERM');
  for (const [i, s] of all.entries()) {
    await s.end();
    assert.match(s.text, i < 2 ? /data: \{"error":\{[^\n]*"draining"[^\n]*\n\ndata: \[DONE\]\n\n$/ : /event: error\ndata: \{"type":"error"[^\n]*"draining"[^\n]*\n\n$/);
  }
  assert.equal((await leaving.program.exit).code, 0);
  assert.deepEqual(leaving.sql('SELECT completion > 0 AS some, estimated FROM events').map((r) => [r.some, r.estimated]), Array(4).fill([1, 1]));
  await leaving.stop();
});

// ---- one model at providers of both protocols --------------------------------

test('what one protocol has no words for goes to the provider that has', async () => {
  const both = await startWeir({ config: { upstreams: [{ ...far, models: ['echo'] }, { name: 'openai', base_url: up.url, api_key: 'sk-e2e-canary', limits: unlimited, models: ['echo'] }] } });
  const to = new OpenAI({ baseURL: `http://127.0.0.1:${both.port}/v1`, apiKey: both.token, maxRetries: 0 });
  const seen = new Set();
  for (let i = 0; i < 6; i++)
    seen.add((await to.chat.completions.create(say(`turn ${i}`, { model: 'echo', seed: 7 })).withResponse()).response.headers.get('x-weir-upstream'));
  assert.deepEqual([...seen], ['openai']);
  const other = new Anthropic({ baseURL: `http://127.0.0.1:${both.port}`, apiKey: both.token, maxRetries: 0 });
  for (const [text, stream] of [['#fault-503-once first', false], ['#fault-503-once second', true]]) {
    const { data, response } = await other.messages.create(ask(text, { model: 'echo', stream })).withResponse();
    let said = stream ? '' : data.content[0].text;
    if (stream) for await (const e of data) said += e.delta?.text ?? '';
    assert.ok(said.length > 0);
    assert.equal(response.headers.get('x-weir-retries'), '1');
  }
  await both.stop();
});
