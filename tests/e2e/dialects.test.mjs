// dialects.test.mjs - providers of OpenAI's shape as each of them speaks: played word for word, heard by the real clients, by the
// chat page, and by a client of Anthropic's; what is said goes on untouched, and is metered.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import Anthropic from '@anthropic-ai/sdk';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { jsonSchema, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { startWeir, test, unlimited } from './harness.mjs';

const chunk = (choices, more = {}) => `data: ${JSON.stringify({ id: 'chatcmpl-7', object: 'chat.completion.chunk', created: 1795000000, model: 'm', choices, ...more })}\n\n`;
const say = (delta, finish_reason = null, more = {}) => [{ index: 0, delta, finish_reason, ...more }];
const done = 'data: [DONE]\n\n';
const figures = { prompt_tokens: 11, completion_tokens: 5, total_tokens: 16 };
const hi = (...words) => words.map((w) => chunk(say({ content: w }))).join('');

// By upstream: what streams are answered with; what a request whose text is one of the other names is, with its status.
const played = {
  azure: {
    stream: chunk([], { prompt_filter_results: [{ prompt_index: 0, content_filter_results: { hate: { filtered: false, severity: 'safe' } } }] }) +
      chunk(say({ role: 'assistant', content: '' }, null, { content_filter_results: {} })) + hi('Hi', ' there.') + chunk(say({}, 'stop')) + chunk([], { usage: figures }) + done,
    filtered: [400, { error: { message: 'The response was filtered due to the prompt triggering the content management policy.', type: null, param: 'prompt', code: 'content_filter', status: 400,
      innererror: { code: 'ResponsibleAIPolicyViolation', content_filter_result: { hate: { filtered: true, severity: 'high' } } } } }],
    limited: [429, { error: { code: '429', message: 'Requests to the ChatCompletions_Create Operation have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second.' } }],
  },
  openrouter: {
    stream: ': OPENROUTER PROCESSING\n\n' + chunk(say({ role: 'assistant', content: '', reasoning: 'Hm.', reasoning_details: [{ type: 'reasoning.text', text: 'Hm.' }] })) + ': OPENROUTER PROCESSING\n\n' +
      hi('Hi', ' there.') + chunk(say({ role: 'assistant', content: '' }, 'stop', { native_finish_reason: 'end_turn' })) +
      chunk(say({ role: 'assistant', content: '' }), { usage: { ...figures, cost: 0.000042, is_byok: false, completion_tokens_details: { reasoning_tokens: 1 }, cost_details: { upstream_inference_cost: null } } }) + done,
    breaks: hi('Hi') + `data: ${JSON.stringify({ id: 'gen-1', object: 'chat.completion.chunk', error: { code: 502, message: 'Provider disconnected unexpectedly', metadata: { error_type: 'provider_unavailable' } }, choices: say({ content: '' }, 'error') })}\n\n`,
    inside: [200, { error: { code: 400, message: 'This model takes no images', metadata: { provider_name: 'x' } } }],
    moderated: [403, { error: { code: 403, message: 'Your input was flagged by moderation', metadata: { reasons: ['violence'] } } }],
    poor: [402, { error: { code: 402, message: 'Insufficient credits' } }],
  },
  ollama: {
    stream: chunk(say({ role: 'assistant', content: '', reasoning: 'Hm.' }), { system_fingerprint: 'fp_ollama' }) + chunk(say({ role: 'assistant', content: 'Hi' }), { created: 1795000001 }) +
      chunk(say({ role: 'assistant', content: ' there.' })) + chunk(say({ role: 'assistant', content: '' }, 'stop')) + chunk([], { usage: figures }) + done,
    tools: chunk(say({ role: 'assistant', content: '', tool_calls: [{ id: 'call_1', index: 0, type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } }] })) +
      chunk(say({ role: 'assistant', content: '', tool_calls: [{ id: 'call_2', index: 1, type: 'function', function: { name: 'now', arguments: '{}' } }] })) +
      chunk(say({ role: 'assistant', content: '' }, 'tool_calls')) + chunk([], { usage: figures }) + done,
    missing: [404, { error: { message: 'model "ollama" not found, try pulling it first', type: 'not_found_error', param: null, code: null } }],
  },
  llama: {
    stream: chunk(say({ role: 'assistant', content: null })) + chunk(say({ reasoning_content: 'Hm.' })) + hi('Hi', ' there.') + chunk(say({}, 'stop')) +
      chunk([], { usage: { ...figures, prompt_tokens_details: { cached_tokens: 4 } }, timings: { cache_n: 4, prompt_n: 7, predicted_n: 5, predicted_ms: 12.5 } }) + done,
    long: [400, { error: { code: 400, message: 'request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it', type: 'exceed_context_size_error', n_prompt_tokens: 9412, n_ctx: 8192 } }],
    loading: [503, { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } }],
  },
  vllm: {
    stream: chunk(say({ role: 'assistant', content: '' }), { usage: { prompt_tokens: 11, completion_tokens: 0, total_tokens: 11 } }) + chunk(say({ reasoning: 'Hm.' }), { usage: { prompt_tokens: 11, completion_tokens: 1, total_tokens: 12 } }) +
      `data: ${JSON.stringify({ usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14, prompt_tokens_details: null }, id: 'chatcmpl-7', object: 'chat.completion.chunk', created: 1795000000, model: 'm', choices: say({ content: 'Hi' }) })}\n\n` +
      chunk(say({ content: ' there.' }), { usage: figures }) + chunk(say({ content: '' }, 'stop', { stop_reason: null, token_ids: null }), { usage: figures }) + chunk([], { usage: figures }) + done,
    tools: chunk(say({ role: 'assistant', content: 'Both.' })) + [[0, 'call_1', 'weather'], [1, 'call_2', 'now']].map(([index, id, name]) => chunk(say({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] }))).join('') +
      [[0, '{"ci'], [1, '{"zone"'], [0, 'ty":"Ulm'], [1, ':"CET"}'], [0, '"}']].map(([index, args]) => chunk(say({ tool_calls: [{ index, function: { arguments: args } }] }))).join('') +
      chunk(say({}, 'tool_calls')) + chunk([], { usage: figures }) + done,
    breaks: hi('Hi') + `data: ${JSON.stringify({ error: { message: 'EngineCore encountered an issue.', type: 'InternalServerError', param: null, code: 500 } })}\n\n${done}`,
    wrong: [400, { error: { message: 'This model does not support tools.', type: 'BadRequestError', param: 'tools', code: 400 } }],
  },
  deepseek: {
    stream: chunk(say({ role: 'assistant', content: null, reasoning_content: 'Hm.' })) + chunk(say({ content: 'Hi', reasoning_content: null })) + hi(' there.') +
      chunk(say({ content: '', reasoning_content: null }, 'stop'), { usage: { ...figures, prompt_cache_hit_tokens: 4, prompt_cache_miss_tokens: 7, prompt_tokens_details: { cached_tokens: 4 }, completion_tokens_details: { reasoning_tokens: 1 } } }) + done,
    poor: [402, { error: { message: 'Insufficient Balance', type: 'unknown_error', param: null, code: 'invalid_request_error' } }],
  },
};

const event = (type, more) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
const block = (index, content_block, ...deltas) => event('content_block_start', { index, content_block }) + deltas.map((delta) => event('content_block_delta', { index, delta })).join('') + event('content_block_stop', { index });
const json = (...parts) => parts.map((partial_json) => ({ type: 'input_json_delta', partial_json }));
played.anthropic = {
  stream: event('message_start', { message: { id: 'msg_7', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 11, cache_read_input_tokens: 100, cache_creation_input_tokens: 0, output_tokens: 1 } } }) +
    block(0, { type: 'text', text: '' }, { type: 'text_delta', text: 'Both.' }) + event('ping', {}) +
    block(1, { type: 'tool_use', id: 'call_1', name: 'weather', input: {} }, ...json('', '{"city"', ':"Ulm"}')) + block(2, { type: 'tool_use', id: 'call_2', name: 'now', input: {} }, ...json('{"zone":"CET"}')) +
    event('message_delta', { delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 9 } }) + event('message_stop', {}),
};

const seen = [];
const server = http.createServer(async (req, res) => {
  let text = '';
  for await (const d of req) text += d;
  const name = req.url.split('/')[1], body = JSON.parse(text || '{}');
  if (req.method === 'GET') return res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ object: 'list', data: [{ id: name, object: 'model', created: 1, owned_by: name }] }));
  const asked = typeof body.messages.at(-1).content === 'string' ? body.messages.at(-1).content : body.messages.at(-1).content.at(-1).text;
  const it = { name, url: req.url, headers: req.headers, body, n: seen.filter((s) => s.asked === asked && s.name === name).length, asked };
  seen.push(it);
  let answer = played[name][asked] ?? played[name].stream;
  if ((asked === 'limited' || asked === 'loading') && it.n > 0) answer = played[name].stream;
  if (asked === 'for ever') return res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(answer.split('\n\n')[0] + '\n\n');
  if (typeof answer === 'string') return res.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(answer);
  return res.writeHead(answer[0], { 'Content-Type': 'application/json' }).end(JSON.stringify(answer[1]));
}).listen(0, '127.0.0.1');
await once(server, 'listening');
server.unref();

const names = Object.keys(played).filter((name) => name !== 'anthropic');
const base = `http://127.0.0.1:${server.address().port}`;
const retry = { max_retries: 1, base_delay: 0.01, max_delay: 0.05 };
const own = {
  azure: { base_url: `${base}/azure`, auth: 'api-key', api_version: '2024-10-21', api_key: 'azure-canary' },
  ollama: { api_key: undefined }, vllm: { stream_usage: 'continuous' },
};
const weir = await startWeir({ config: { upstreams: names.map((name) => ({ name, base_url: `${base}/${name}/v1`, api_key: 'sk-e2e-canary', models: [name], limits: unlimited, retry, ...own[name] })).concat([{ name: 'anthropic', protocol: 'anthropic', base_url: `${base}/anthropic`, api_key: 'sk-ant-e2e-canary', models: ['anthropic'], limits: unlimited, retry }]) } });
const client = new OpenAI({ baseURL: `http://127.0.0.1:${weir.port}/v1`, apiKey: weir.token, maxRetries: 0 });
const claude = new Anthropic({ baseURL: `http://127.0.0.1:${weir.port}`, apiKey: weir.token, maxRetries: 0 });
const ask = (model, content, more = {}) => ({ model, messages: [{ role: 'user', content }], ...more });
const thinks = (name) => name !== 'azure';

for (const name of names) {
  test(`${name}: a stream goes on word for word, its usage only to who asked for it`, async () => {
    for (const wanted of [true, false]) {
      const s = await (await weir.stream(ask(name, 'hello', { stream: true, ...(wanted ? { stream_options: { include_usage: true } } : {}) }), { path: '/v1/chat/completions' })).end();
      const sent = played[name].stream.split('\n\n').filter((l) => l.startsWith('data: ')).map((l) => l.slice(6)).map((l) => (l === '[DONE]' ? l : JSON.parse(l)));
      const expected = wanted ? sent : sent.filter((d) => !(d.usage && !d.choices.length)).map((d) => (d === '[DONE]' ? d : (({ usage, ...rest }) => rest)(d)));
      assert.deepEqual(s.events.map((e) => e.data), expected);
      const r = await weir.settled(s.headers['x-request-id']);
      assert.deepEqual([r.prompt, r.completion, r.estimated, r.status, r.finish_reason], [11, 5, 0, 'success', 'stop']);
      assert.equal(r.cached, ['llama', 'deepseek'].includes(name) ? 4 : 0);
      if (name === 'openrouter') assert.equal(r.cost_in + r.cost_out, 42000000);
    }
  });

  test(`${name}: heard by openai, by the AI SDK, by the chat page and by Anthropic's client`, async () => {
    assert.equal(await client.chat.completions.stream(ask(name, 'hello')).finalContent(), 'Hi there.');
    const errors = [];
    const result = streamText({ model: createOpenAICompatible({ name: 'weir', baseURL: client.baseURL, apiKey: weir.token })(name), prompt: 'hello', onError: ({ error }) => errors.push(error) });
    assert.deepEqual([await result.text, (await result.reasoningText) ?? '', errors], ['Hi there.', thinks(name) ? 'Hm.' : '', []]);
    const s = await (await weir.stream({ model: name, message: 'hello' })).end();
    assert.equal(s.deltas(), 'Hi there.');
    assert.equal(s.all('delta').map((e) => e.data.reasoning ?? '').join(''), thinks(name) ? 'Hm.' : '');
    const message = await claude.messages.stream(ask(name, 'hello', { max_tokens: 50 })).finalMessage();
    assert.deepEqual(message.content.map((c) => c.text ?? c.thinking), thinks(name) ? ['Hm.', 'Hi there.'] : ['Hi there.']);
    assert.deepEqual([message.stop_reason, message.usage.input_tokens + message.usage.cache_read_input_tokens, message.usage.output_tokens], ['end_turn', 11, 5]);
  });
}

test('each is asked where and as it wants to be', () => {
  const of = (name) => seen.find((s) => s.name === name);
  assert.equal(of('azure').url, '/azure/openai/deployments/azure/chat/completions?api-version=2024-10-21');
  assert.deepEqual([of('azure').headers['api-key'], of('azure').headers.authorization], ['azure-canary', undefined]);
  assert.equal(of('ollama').headers.authorization, undefined);
  assert.equal(of('llama').headers.authorization, 'Bearer sk-e2e-canary');
  assert.deepEqual(of('vllm').body.stream_options, { include_usage: true, continuous_usage_stats: true });
});

test('what is wrong with a request is said as the provider says it: status, words, code and member', async () => {
  const refused = (model, content) => client.chat.completions.create(ask(model, content)).then(() => assert.fail('it was answered'), (e) => [e.status, e.code, e.param, e.message.replace(/^\d+ /, '')]);
  assert.deepEqual(await refused('azure', 'filtered'), [400, 'content_filter', 'prompt', played.azure.filtered[1].error.message]);
  assert.deepEqual(await refused('ollama', 'missing'), [404, 'model_not_found', null, played.ollama.missing[1].error.message]);
  assert.deepEqual(await refused('llama', 'long'), [400, 'context_length_exceeded', null, played.llama.long[1].error.message]);
  assert.deepEqual(await refused('vllm', 'wrong'), [400, 'upstream_refused', 'tools', played.vllm.wrong[1].error.message]);
  assert.deepEqual(await refused('openrouter', 'inside'), [400, 'upstream_refused', null, 'This model takes no images']);
  assert.deepEqual(await refused('openrouter', 'moderated'), [400, 'upstream_refused', null, 'Your input was flagged by moderation']);
});

test('what passes by itself is tried again: a limit, a model that is being loaded', async () => {
  for (const [model, content] of [['azure', 'limited'], ['llama', 'loading']]) {
    const { data, response } = await client.chat.completions.create(ask(model, content, { stream: true })).withResponse();
    let text = '';
    for await (const c of data) text += c.choices[0]?.delta.content ?? '';
    assert.deepEqual([text, response.headers.get('x-weir-retries')], ['Hi there.', '1']);
  }
});

test('an error in the middle of a stream is one to every client', async () => {
  for (const [model, words] of [['openrouter', 'Provider disconnected unexpectedly'], ['vllm', 'EngineCore encountered an issue.']]) {
    const stream = await client.chat.completions.create(ask(model, 'breaks', { stream: true }));
    let text = '';
    await assert.rejects(async () => { for await (const c of stream) text += c.choices[0].delta.content; }, (e) => e instanceof OpenAI.APIError && e.message.includes(words));
    assert.equal(text, 'Hi');
    const other = await claude.messages.create(ask(model, 'breaks', { stream: true, max_tokens: 50 }));
    await assert.rejects(async () => { for await (const _ of other); }, (e) => e instanceof Anthropic.APIError && e.message.includes(words));
    assert.equal((await (await weir.stream({ model, message: 'breaks' })).end()).events.at(-1).data.partial, true);
  }
});

const two = (input) => [{ id: 'call_1', name: 'weather', input: { city: 'Ulm' } }, { id: 'call_2', name: 'now', input }];

test('calls of several tools at once are calls to Anthropic\'s clients too, each whole in a piece or all in turns', async () => {
  for (const [model, input, before] of [['ollama', {}, 0], ['vllm', { zone: 'CET' }, 1]]) {
    const message = await claude.messages.stream(ask(model, 'tools', { max_tokens: 50 })).finalMessage();
    assert.equal(message.content.length, 2 + before);
    assert.deepEqual(message.content.slice(before).map(({ id, name, input: i }) => ({ id, name, input: i })), two(input));
    const s = await (await weir.stream(ask(model, 'tools', { max_tokens: 50, stream: true }), { path: '/v1/messages' })).end();
    for (const kind of ['content_block_start', 'content_block_stop']) assert.deepEqual(s.all(kind).map((e) => e.data.index), [...Array(2 + before).keys()], kind);
    const errors = [];
    const streamed = streamText({ model: createAnthropic({ baseURL: client.baseURL, apiKey: weir.token })(model), prompt: 'tools', onError: ({ error }) => errors.push(error),
      tools: Object.fromEntries(['weather', 'now'].map((name) => [name, tool({ inputSchema: jsonSchema({ type: 'object', properties: {} }) })])) });
    assert.deepEqual([(await streamed.toolCalls).map((c) => ({ id: c.toolCallId, name: c.toolName, input: c.input })), errors], [two(input), []]);
  }
});

test('Anthropic\'s blocks are one answer to OpenAI\'s client: words, calls, what its cache had', async () => {
  const message = await client.chat.completions.stream({ ...ask('anthropic', 'tools'), stream_options: { include_usage: true } }).finalChatCompletion();
  const { content, tool_calls: calls } = message.choices[0].message;
  assert.deepEqual([content, message.choices[0].finish_reason], ['Both.', 'tool_calls']);
  assert.deepEqual(calls.map((c) => ({ id: c.id, name: c.function.name, input: JSON.parse(c.function.arguments) })), two({ zone: 'CET' }));
  assert.deepEqual([message.usage.prompt_tokens, message.usage.prompt_tokens_details.cached_tokens, message.usage.completion_tokens], [111, 100, 9]);
});

test('an account without money takes its provider out', async () => {
  for (const name of ['openrouter', 'deepseek']) {
    await assert.rejects(client.chat.completions.create(ask(name, 'poor')), (e) => e.status === 503 && e.code === 'upstream_quota' && e.headers.get('x-should-retry') === 'false');
    await assert.rejects(client.chat.completions.create(ask(name, 'hello', { stream: true })), (e) => e.status === 503);
  }
});

test('a wait in line that was longer than it may be ends a stream that was opened with an error, in each client\'s words', async () => {
  const narrow = await startWeir({ config: { drain: 0, queue: { max_wait: 2.5 }, upstreams: [{ name: 'ollama', base_url: `${base}/ollama/v1`, models: ['ollama'], limits: unlimited, max_concurrent: 1 }] } });
  const at = `http://127.0.0.1:${narrow.port}`, options = { apiKey: narrow.token, maxRetries: 0 };
  const holder = await narrow.stream({ model: 'ollama', message: 'for ever' });
  await holder.next('start');
  const read = async (asked) => { for await (const _ of await asked); };
  await Promise.all([
    assert.rejects(read(new OpenAI({ baseURL: `${at}/v1`, ...options }).chat.completions.create(ask('ollama', 'hello', { stream: true }))), (e) => e instanceof OpenAI.APIError && e.code === 'queue_timeout'),
    assert.rejects(read(new Anthropic({ baseURL: at, ...options }).messages.create(ask('ollama', 'hello', { stream: true, max_tokens: 5 }))), (e) => e.error.error.type === 'rate_limit_error' && e.error.error.details.error_code === 'queue_timeout'),
    assert.rejects(new OpenAI({ baseURL: `${at}/v1`, ...options }).chat.completions.create(ask('ollama', 'hello')), (e) => e instanceof OpenAI.RateLimitError && Number(e.headers.get('retry-after')) > 0),
  ]);
  holder.leave();
  await narrow.stop();
});
