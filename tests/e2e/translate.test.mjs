// translate.test.mjs - clients of one protocol at models of the other: texts, images, tools, streams, reasons to stop, usage, refusals.
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { startUpstream, startWeir, test, unlimited } from './harness.mjs';

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

test('a budget that is used up is a 402 to either client', async () => {
  await weir.post('/admin/budgets', { scope: 'model', key: 'claude-opus-5-5', window: 'total', limit_usd: 0.0000001 });
  await assert.rejects(client.chat.completions.create(say('too dear', { model: 'claude-opus-5-5' })), (e) => e.status === 402 && e.code === 'budget_exceeded');
});
