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

test('embeddings are metered by their prompt', async () => {
  const { data, response, request_id: id } = await client.embeddings.create({ model: 'gpt-4o-mini', input: ['one two', 'three'] }).withResponse();
  assert.deepEqual(data.data[1].embedding, [1, 2, 3]);
  assert.equal(data.usage.prompt_tokens, 3);
  assert.ok(Number(response.headers.get('x-weir-cost-usd')) > 0);
  const r = await weir.settled(id);
  assert.deepEqual([r.prompt, r.completion, r.estimated, r.status], [3, 0, 0, 'success']);
});

test('models are listed in either protocol\'s shape, one by one too', async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.ok(ids.includes('echo'));
  assert.equal((await client.models.retrieve('echo')).object, 'model');
  const headers = { 'anthropic-version': '2023-06-01' };
  const page = (await weir.get('/v1/models', headers)).json;
  assert.deepEqual([page.has_more, page.first_id, page.data[0].type], [false, page.data[0].id, 'model']);
  assert.equal((await weir.get('/v1/models/echo', headers)).json.display_name, 'echo');
  await assert.rejects(client.models.retrieve('no/such'), OpenAI.NotFoundError);
});

test('responses pass through, streamed or not, and are metered by their usage', async () => {
  const { data, request_id: id } = await client.responses.create({ model: 'echo', input: 'a response' }).withResponse();
  assert.equal(data.output_text, 'a response');
  const r = await weir.settled(id);
  assert.deepEqual([r.prompt, r.cached, r.cache_write, r.completion, r.reasoning], [data.usage.input_tokens, 4, 2, data.usage.output_tokens, 3]);

  const types = [];
  let text = '';
  const { data: stream, request_id: second } = await client.responses.create({ model: 'echo', input: 'streamed as well', stream: true, unknown_member: 1 }).withResponse();
  for await (const e of stream) {
    types.push(e.type);
    if (e.type === 'response.output_text.delta') text += e.delta;
  }
  assert.equal(text, 'streamed as well');
  assert.deepEqual([types[0], types.at(-1)], ['response.created', 'response.completed']);
  const s = await weir.settled(second);
  assert.deepEqual([s.prompt, s.completion, s.estimated], [13, 6, 0]);
  assert.equal((await sent('streamed as well')).unknown_member, 1);

  const called = await client.responses.create({ model: 'echo', input: 'x', tools: [{ type: 'function', name: 'weather', parameters: { type: 'object', properties: {} }, strict: false }] });
  assert.equal(called.output[0].arguments, '{"city":"Bern"}');
  await assert.rejects(client.responses.create({ model: 'echo', input: 'x', background: true }), (e) => e.status === 400 && e.param === 'background');
});

test('a response that fails in its stream ends with an error, one that is cut short with its own event', async () => {
  const long = await client.responses.create({ model: 'echo', input: 'far too #long', stream: true });
  let last;
  for await (const e of long) last = e;
  assert.equal(last.type, 'response.incomplete');
  const failed = await client.responses.create({ model: 'echo', input: 'will #fail', stream: true });
  await assert.rejects(async () => { for await (const e of failed) last = e; });
});

test('a response that its client leaves is stopped at the provider, and recorded with what there was', async () => {
  const { data: stream, request_id: id } = await client.responses.create({ model: 'echo', input: '#slow-0-50-400 response left', stream: true }).withResponse();
  let n = 0;
  for await (const e of stream) if (e.type === 'response.output_text.delta' && ++n === 3) break;
  const call = await waitFor('the abort', async () => (await up.calls('#slow-0-50-400 response')).find((c) => c.end === 'aborted'));
  assert.ok(call.completion_tokens < 50);
  const r = await weir.settled(id);
  assert.deepEqual([r.status, r.estimated, r.completion >= 3], ['cancelled', 1, true]);
});

test('a response that outgrows what a budget pays for is cut, and says that it is incomplete', async () => {
  await weir.post('/admin/budgets', { scope: 'model', key: 'gpt-4.1', window: 'total', limit_usd: 0.02 });
  const input = 'word '.repeat(3000);              // 0.006 to read, and this provider gives it all back whatever the cap
  let last, text = '';
  for await (const e of await client.responses.create({ model: 'gpt-4.1', input, stream: true })) {
    last = e;
    if (e.type === 'response.output_text.delta') text += e.delta;
  }
  assert.deepEqual([last.type, last.response.status, last.response.incomplete_details], ['response.incomplete', 'incomplete', { reason: 'max_output_tokens' }]);
  assert.ok(text.length > 1000 && text.length < input.length && last.response.usage.output_tokens < 2500, `${text.length}, ${last.response.usage.output_tokens}`);
});

test('a stream that fails in the middle ends with an error the client throws', async () => {
  const stream = await client.chat.completions.create(say('#fault-mid-error please', { stream: true }));
  let text = '';
  await assert.rejects(async () => {
    for await (const c of stream) text += c.choices[0].delta.content ?? '';
  }, (e) => e instanceof OpenAI.APIError && e.code === 'upstream_error');
  assert.ok(text.length > 0);
});

test('a client that leaves stops the provider', async () => {
  const stream = await client.chat.completions.create(say('#slow-0-50-400 left alone', { stream: true }));
  let n = 0;
  for await (const _ of stream) if (++n === 3) break;
  const call = await waitFor('the abort', async () => (await up.calls('#slow-0-50-400 left')).find((c) => c.end === 'aborted'));
  assert.ok(call.completion_tokens < 50);
});

test('a named session keeps the texts, is made if it is not there, and nobody else\'s is reached', async () => {
  const headers = { 'X-Weir-Session': 'agent-7', 'X-Weir-Priority': 'High', 'X-Weir-Metadata': '{"run":"a1"}' };
  const first = await client.chat.completions.create(say('kept in a session'), { headers }).withResponse();
  const r = await weir.settled(first.request_id);
  assert.equal(r.session_id, (await weir.get('/chat/sessions/agent-7')).json.session_id);
  assert.equal(r.metadata, '{"run":"a1"}');
  await client.chat.completions.create(say('and a second one'), { headers });
  const messages = (await weir.get('/chat/sessions/agent-7/messages')).json.items;
  assert.deepEqual(messages.map((m) => m.content), ['kept in a session', 'kept in a session', 'and a second one', 'and a second one']);
  const other = await addUser(weir, 'other');
  const own = await request({ port: weir.port, method: 'POST', path: '/v1/chat/completions', body: say('mine'), headers: { ...other, 'X-Weir-Session': 'agent-7' } });
  assert.equal(own.status, 200, own.text);
  assert.equal((await weir.get('/chat/sessions/agent-7')).json.messages, 4);
  const stolen = await request({ port: weir.port, method: 'POST', path: '/v1/chat/completions', body: say('mine'), headers: { ...other, 'X-Weir-Session': r.session_id } });
  assert.equal(stolen.status, 404, stolen.text);
  await assert.rejects(client.chat.completions.create(say('x'), { headers: { 'X-Weir-Priority': 'Urgent' } }), (e) => e.status === 400);
  await assert.rejects(client.chat.completions.create(say('x'), { headers: { 'X-Weir-Metadata': '[1]' } }), (e) => e.status === 400);
});

test('no member that is limited gets past by being spelled with escapes', async () => {
  const text = '{"model":"echo","messages":[{"role":"user","content":"by escapes"}],"max\\u005ftokens":5,"str\\u0065am":false}';
  const r = await weir.post('/v1/chat/completions', text);
  assert.equal(r.status, 200, r.text);
  const body = (await up.calls('by escapes')).at(-1).body;
  assert.equal(body.match(/tokens/g).length, 1, body);
});

// ---- limits, budgets, waiting ------------------------------------------------

const narrow = await startWeir({ upstream: up, openai: { max_concurrent: 1, limits: { requests_per_minute: 600, tokens_per_minute: 1000000 }, retry: { max_retries: 1, base_delay: 0.01, max_delay: 0.05 } },
  config: { queue: { max_size: 1 } } });
const patient = new OpenAI({ baseURL: `http://127.0.0.1:${narrow.port}/v1`, apiKey: narrow.token });

test('a stream that waits is opened after two seconds and told its place in comments', async () => {
  const first = await patient.chat.completions.create(say('#slow-0-100-28 holds the place', { stream: true }));
  await waitFor('the place to be taken', async () => (await up.calls('#slow-0-100-28')).length > 0);
  const began = performance.now();
  const s = await narrow.stream(say('waits its turn', { stream: true }), { path: '/v1/chat/completions' });
  const opened = performance.now() - began;
  assert.ok(opened > 1900 && opened < 2700, `opened after ${opened} ms`);
  assert.equal(s.status, 200);
  for await (const _ of first) { /* to its end */ }
  await s.end();
  assert.match(s.text, /^: queued position=1 eta_ms=\d+\n\n/m);
  assert.match(s.text, /"content":"turn"/);
  assert.match(s.text, /data: \[DONE\]\n\n$/);
});

test('a full queue is a 429 that the client tries again by itself', async () => {
  const hold = await patient.chat.completions.create(say('#slow-0-100-12 holds again', { stream: true }));
  const second = patient.chat.completions.create(say('stands in line'));
  await waitFor('one to wait', async () => (await narrow.get('/monitoring/queue-status')).json.now.entries.length === 1);
  const refused = await narrow.post('/v1/chat/completions', say('one too many'));
  assert.deepEqual([refused.status, refused.json.error.code], [429, 'queue_full']);
  assert.ok(Number(refused.headers['retry-after']) >= 1 && Number(refused.headers['retry-after-ms']) >= 1);
  assert.equal(refused.headers['x-should-retry'], undefined);
  const third = patient.chat.completions.create(say('comes back later'));
  for await (const _ of hold) { /* to its end */ }
  assert.equal((await second).choices[0].message.content, 'stands in line');
  assert.equal((await third).choices[0].message.content, 'comes back later');
});

test('what Weir has tried again already, the client does not', async () => {
  await assert.rejects(patient.chat.completions.create(say('#fault-503 for ever')), (e) => e.status === 502 && e.headers.get('x-should-retry') === 'false');
  assert.equal((await up.calls('#fault-503 for ever')).length, 2);
});

test('Weir\'s limits are told as OpenAI tells its own', async () => {
  const { response } = await patient.chat.completions.create(say('limits please')).withResponse();
  const h = (name) => response.headers.get(`x-ratelimit-${name}`);
  assert.equal(h('limit-requests'), '600');
  assert.ok(Number(h('remaining-requests')) < 600 && Number(h('remaining-tokens')) < 1000000);
  assert.match(h('reset-requests'), /^(\d+h)?(\d+m)?\d+(\.\d{3})?(ms|s)$/);
});

test('a budget that is used up is a 402 that nobody tries again', async () => {
  await narrow.post('/admin/budgets', { scope: 'model', key: 'gpt-4o', window: 'total', limit_usd: 0.0000001 });
  const before = (await up.judge()).calls;
  await assert.rejects(patient.chat.completions.create(say('too dear', { model: 'gpt-4o' })), (e) => e.status === 402 && e.code === 'budget_exceeded' && e.headers.get('x-should-retry') === 'false' && e.error.budget.scope === 'model');
  await assert.rejects(patient.chat.completions.create(say('too dear', { model: 'gpt-4o', stream: true })), (e) => e.status === 402);
  assert.equal((await up.judge()).calls, before);
});

test('under a budget an answer is capped, though the client named no cap', async () => {
  await narrow.post('/admin/budgets', { scope: 'model', key: 'gpt-4o-mini', window: 'total', limit_usd: 0.0003 });
  await patient.chat.completions.create(say('a little is left', { model: 'gpt-4o-mini' }));
  const cap = (await up.calls('a little is left')).at(-1).body;
  assert.match(cap, /"max_tokens":\d+\}$/);
});

test('a user\'s own limit is a 429 in time', async () => {
  const u = (await narrow.post('/admin/users', { name: 'slowly', role: 'user', limits: { requests_per_minute: 2 } })).json;
  const t = (await narrow.post('/admin/tokens', { user_id: u.user_id, name: 'sdk' })).json;
  const slow = new OpenAI({ baseURL: patient.baseURL, apiKey: t.token, maxRetries: 0 });
  const { response } = await slow.chat.completions.create(say('the first')).withResponse();
  assert.deepEqual([response.headers.get('x-ratelimit-limit-requests'), response.headers.get('x-ratelimit-remaining-requests')], ['2', '1']);
  await slow.chat.completions.create(say('the second'));
  await assert.rejects(slow.chat.completions.create(say('the third')), (e) => e instanceof OpenAI.RateLimitError && Number(e.headers.get('retry-after')) > 0);
});

test('what is cancelled by Weir has an end, streamed or not', async () => {
  const provider = await startUpstream();
  const own = await startWeir({ upstream: provider });
  for (const stream of [false, true]) {
    const session_id = `cancelled-${stream}`, before = (await provider.judge()).calls, path = '/v1/chat/completions';
    const body = { model: 'echo', messages: [{ role: 'user', content: '#slow-0-50-400 cancelled' }], stream }, headers = { 'X-Weir-Session': session_id };
    const asked = stream ? own.stream(body, { path, headers }) : own.post(path, body, headers);
    await waitFor('the call', async () => (await provider.judge()).calls > before);
    await waitFor('it to be cancelled', async () => (await own.post('/chat/cancel', { session_id })).json.cancelled.length === 1);
    const r = await asked;
    if (stream) assert.match((await r.end()).text, /data: \[DONE\]\n\n$/);
    else assert.deepEqual([r.status, r.json.error.code], [409, 'cancelled'], r.text);
  }
  await own.stop();
});
