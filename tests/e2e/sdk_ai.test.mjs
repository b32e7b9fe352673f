// sdk_ai.test.mjs - the AI SDK pointed at Weir through two of its providers: OpenAI's (Responses, and Chat Completions by name)
// and the one for whatever is OpenAI-compatible. And ollama's own client, which speaks another protocol.
import assert from 'node:assert/strict';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai';
import { Ollama } from 'ollama';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { responses: 'on', max_concurrent: 1, retry: { max_retries: 0, base_delay: 0.01, max_delay: 0.05 } }, config: { queue: { max_size: 1 } } });
const baseURL = `http://127.0.0.1:${weir.port}/v1`;
const openai = createOpenAI({ baseURL, apiKey: weir.token });
const compatible = createOpenAICompatible({ name: 'weir', baseURL, apiKey: weir.token, includeUsage: true });
const bare = createOpenAICompatible({ name: 'weir', baseURL, apiKey: weir.token });
const ways = { 'openai.chat': openai.chat, responses: openai, compatible };
const weather = tool({ description: 'The weather.', inputSchema: jsonSchema({ type: 'object', properties: {} }), execute: async () => 'sunny' });
const place = jsonSchema({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false });

for (const [name, model] of Object.entries(ways)) {
  test(`${name}: whole answers`, async () => {
    const { text, usage, finishReason } = await generateText({ model: model('echo'), prompt: `whole by ${name}` });
    assert.equal(text, `whole by ${name}`);
    assert.equal(finishReason, 'stop');
    assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
  });

  test(`${name}: streams`, async () => {
    const seen = [];
    const result = streamText({ model: model('echo'), prompt: `streamed by ${name}`, onError: ({ error }) => seen.push(error) });
    let text = '';
    for await (const part of result.textStream) text += part;
    assert.deepEqual(seen, []);
    assert.equal(text, `streamed by ${name}`);
    assert.equal(await result.finishReason, 'stop');
    assert.ok((await result.usage).outputTokens >= 3);
  });

  test(`${name}: tools`, async () => {
    const id = name === 'responses' ? 'echo' : 'tool';
    const tools = name === 'responses' ? { weather } : { f: weather };
    const result = streamText({ model: model(id), prompt: `tools by ${name}`, tools, stopWhen: stepCountIs(1) });
    const calls = await result.toolCalls;
    assert.deepEqual(calls.map((c) => [c.toolName, c.input]), [name === 'responses' ? ['weather', { city: 'Bern' }] : ['f', { x: 1 }]]);
    assert.equal((await result.toolResults)[0].output, 'sunny');
  });

  test(`${name}: structured output`, async () => {
    const { output } = await generateText({ model: model('echo'), prompt: '{"city":"Bern"}', output: Output.object({ schema: place }) });
    assert.deepEqual(output, { city: 'Bern' });
  });

  test(`${name}: errors are its own`, async () => {
    await assert.rejects(generateText({ model: model('nobody-has-it'), prompt: 'x', maxRetries: 0 }),
      (e) => APICallError.isInstance(e) && e.statusCode === 404 && !e.isRetryable && /no model 'nobody-has-it'/.test(e.message));
  });
}

test('a client that does not ask for usage sees none, and is metered', async () => {
  const result = streamText({ model: bare('echo'), prompt: 'without asking for it' });
  await result.consumeStream();
  assert.equal((await result.usage).outputTokens, undefined);
  assert.deepEqual(JSON.parse((await up.calls('without asking')).at(-1).body).stream_options, { include_usage: true });
  const row = await waitFor('its record', () => weir.records().find((r) => r.completion === 4 && r.status === 'success'));
  assert.equal(row.estimated, 0);
});

// Errors of a stream, abort, the queue, 402 and 429 are the same whichever way is taken.
for (const [name, model] of Object.entries(ways)) {
  test(`${name}: a stream that fails in the middle is an error part`, async () => {
    const seen = [];
    const result = streamText({ model: model('echo'), prompt: '#fault-event-500-3 x', onError: ({ error }) => seen.push(error) });
    await result.consumeStream();
    assert.ok(seen.length === 1, `${seen.length} errors`);
  });

  test(`${name}: abort stops the provider`, async () => {
    const stop = new AbortController(), prompt = `#slow-0-50-400 aborted by ${name}`;
    const result = streamText({ model: model('echo'), prompt, abortSignal: stop.signal });
    let n = 0;
    try {
      for await (const _ of result.textStream) if (++n === 3) stop.abort();
    } catch { /* how it says so is its own business */ }
    const call = await waitFor('the abort', async () => (await up.calls(prompt)).find((c) => c.end === 'aborted'));
    assert.ok(call.completion_tokens < 50);
  });

  test(`${name}: a long wait in the queue is only a long wait`, async () => {
    const prompt = `#slow-0-100-25 holds the place for ${name}`;
    const all = streamText({ model: compatible('echo'), prompt }).consumeStream();
    await waitFor('the place to be taken', async () => (await up.calls(prompt)).length > 0);
    const { text } = streamText({ model: model('echo'), prompt: 'after a while' });
    assert.equal(await text, 'after a while');
    await all;
  });

  test(`${name}: a full queue is a 429 that the client tries again by itself`, async () => {
    const prompt = `#slow-0-100-100 holds it for ${name}`, queue = async () => (await weir.get('/monitoring/queue-status')).json;
    const hold = await weir.stream({ model: 'echo', message: prompt });
    await waitFor('the place to be taken', async () => (await up.calls(prompt)).length > 0);
    const waits = generateText({ model: compatible('echo'), prompt: 'stands in line' });
    await waitFor('one to wait', async () => (await queue()).now.entries.length === 1);
    const { rejected } = (await queue()).lifetime;
    await assert.rejects(generateText({ model: model('echo'), prompt: 'one too many', maxRetries: 0 }), (e) => e.statusCode === 429 && e.isRetryable && e.responseHeaders['retry-after'] >= 1);
    const late = generateText({ model: model('echo'), prompt: 'comes back later' });
    await waitFor('a refusal of the one that is late', async () => (await queue()).lifetime.rejected >= rejected + 2);
    hold.leave();
    assert.deepEqual([(await waits).text, (await late).text], ['stands in line', 'comes back later']);
  });

  test(`${name}: a 429 says when it may be tried again, a 402 that it may not`, async () => {
    const u = (await weir.post('/admin/users', { name: `one-a-minute-${name.replace('.', '-')}`, role: 'user', limits: { requests_per_minute: 1 } })).json;
    const t = (await weir.post('/admin/tokens', { user_id: u.user_id, name: 'sdk' })).json;
    const headers = { Authorization: `Bearer ${t.token}` };
    await generateText({ model: model('echo'), prompt: 'the first', headers });
    await assert.rejects(generateText({ model: model('echo'), prompt: 'the second', headers, maxRetries: 0 }), (e) => e.statusCode === 429 && e.isRetryable && Number(e.responseHeaders['retry-after']) > 0);
    if (name === 'openai.chat') await weir.post('/admin/budgets', { scope: 'model', key: 'gpt-4o', window: 'total', limit_usd: 0.0000001 });
    const before = (await up.judge()).calls;
    await assert.rejects(generateText({ model: model('gpt-4o'), prompt: 'too dear' }), (e) => e.statusCode === 402 && !e.isRetryable);
    assert.equal((await up.judge()).calls, before);
  });
}

test('embeddings', async () => {
  const { embeddings, usage } = await embedMany({ model: compatible.embeddingModel('echo'), values: ['one two', 'three'] });
  assert.deepEqual(embeddings[1], [1, 2, 3]);
  assert.equal(usage.tokens, 3);
});

test('ollama\'s own client is told that its paths are not here', async () => {
  const ollama = new Ollama({ host: `http://127.0.0.1:${weir.port}` });
  await assert.rejects(ollama.chat({ model: 'echo', messages: [{ role: 'user', content: 'x' }] }), (e) => e.status_code === 404);
});
