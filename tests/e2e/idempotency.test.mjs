// One request however often it is sent: Idempotency-Key on Weir's own paths and the compatible ones.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, unlimited, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const anthropic = { name: 'anthropic', protocol: 'anthropic', base_url: `http://127.0.0.1:${up.port}`, api_key: 'sk-e2e-canary', limits: unlimited, models: ['claude-sonnet-4-6'] };
const weir = await startWeir({ upstream: up, openai: { responses: 'on' }, others: [anthropic], config: { retry: { max_retries: 0 } } });
const send = (key, body, where = '/chat/complete') => weir.post(where, { model, ...body }, { 'Idempotency-Key': key });
const calls = async () => (await up.judge()).calls;
const answered = (key) => waitFor(`the answer of ${key} to be stored`, () => weir.sql(`SELECT state FROM idempotency WHERE key = '${key}'`)[0]?.state === 2);

test('fifty at once with one key make one call; who comes later gets the same answer', async () => {
  const before = await calls();
  const all = await Promise.all(Array.from({ length: 50 }, () => send('fifty', { message: '#slow-200-0-5 hello' })));
  const good = all.filter((r) => r.status === 200);
  assert.ok(good.length >= 1);
  for (const r of all.filter((x) => x.status !== 200)) {
    const e = assertError(r, 409, 'idempotency_in_progress', 'idempotency_in_progress');
    if (e.running_request_id) assert.equal(e.running_request_id, good[0].json.request_id);
  }
  await answered('fifty');
  const later = await Promise.all(Array.from({ length: 50 }, () => send('fifty', { message: '#slow-200-0-5 hello' })));
  for (const r of later) {
    assert.equal(r.status, 200);
    assert.equal(r.headers['idempotent-replayed'], 'true');
    assert.equal(r.text, good[0].text);
  }
  assert.equal(good[0].headers['idempotent-replayed'], undefined);
  assert.equal(await calls() - before, 1);
  assert.equal(weir.records(`e.request_id = '${good[0].json.request_id}'`).length, 1);
});

test('the key in the body is the same key; another body is refused; another path is another request', async () => {
  const one = await weir.post('/chat/complete', { model, message: '#lorem-3 a', idempotency_key: 'in-body' });
  await answered('in-body');
  const again = await weir.post('/chat/complete', { model, message: '#lorem-3 a', idempotency_key: 'in-body' });
  assert.equal(again.text, one.text);
  assertError(await weir.post('/chat/complete', { model, message: '#lorem-3 b', idempotency_key: 'in-body' }), 422, 'idempotency_mismatch', 'idempotency_mismatch');
  assertError(await weir.post('/chat/complete', { model, message: 'x', idempotency_key: 'one' }, { 'Idempotency-Key': 'two' }), 400, 'invalid_request_error', 'invalid_field');
  assert.equal(assertError(await send('no blanks', { message: 'x' }), 400, 'invalid_request_error', 'invalid_field').param, 'Idempotency-Key');
  const s = await weir.stream({ model, message: '#lorem-3 a' }, { headers: { 'Idempotency-Key': 'in-body' } });
  await s.end();
  assert.equal(s.terminals()[0].event, 'done');
});

test('a stream is replayed as one burst that ends in done', async () => {
  const ask = () => weir.stream({ model, message: '#slow-5-2-30 stream' }, { headers: { 'Idempotency-Key': 'stream' } });
  const one = await (await ask()).end();
  await answered('stream');
  const before = await calls();
  const two = await (await ask()).end();
  assert.equal(two.headers['idempotent-replayed'], 'true');
  assert.equal(two.headers['content-type'], 'text/event-stream');
  assert.deepEqual(two.events.map((e) => [e.id, e.event, e.data]), one.events.map((e) => [e.id, e.event, e.data]));
  assert.equal(await calls(), before);
});

test('what came to nothing can be tried again, and what is refused before it is accepted takes no key', async () => {
  assertError(await send('retry', { message: '#fault-500-once again' }), 502, 'upstream_error');
  await waitFor('the key to be free', () => weir.sql("SELECT 1 FROM idempotency WHERE key = 'retry'").length === 0);
  assert.equal((await send('retry', { message: '#fault-500-once again' })).status, 200);
  assertError(await send('refused', { message: '' }), 400, 'invalid_request_error');
  assert.equal((await send('refused', { message: '#lorem-2 fine' })).status, 200);
});

test('after kill -9 in the middle the key tells what became of it, and no second call is made', async () => {
  const s = await weir.stream({ model, message: '#slow-0-50-200 killed', on_disconnect: 'keep' }, { headers: { 'Idempotency-Key': 'killed' } });
  await s.next('delta', 1);
  await weir.kill('SIGKILL');
  await weir.restart();
  const before = await calls();
  assertError(await weir.post('/chat/stream', { model, message: '#slow-0-50-200 killed', on_disconnect: 'keep' }, { 'Idempotency-Key': 'killed' }), 410, 'gone', 'interrupted');
  assert.equal(await calls(), before);
  await answered('fifty');
  assert.equal((await send('fifty', { message: '#slow-200-0-5 hello' })).headers['idempotent-replayed'], 'true', 'answers outlive a restart');
});

test('a deleted conversation leaves no answer behind', async () => {
  const r = await send('deleted', { message: '#lorem-4 to be deleted' });
  await answered('deleted');
  assert.equal((await weir.request('DELETE', `/chat/sessions/${r.json.session_id}`)).status < 300, true);
  assert.deepEqual(weir.sql("SELECT 1 FROM idempotency WHERE key = 'deleted'"), []);
});

// On every path that calls a provider, streamed or not, as the provider speaks or translated.
const chat = (more = {}) => (content) => ({ model, messages: [{ role: 'user', content }], ...more });
const messages = (more = {}) => chat({ model: 'claude-sonnet-4-6', max_tokens: 50, ...more });
const paths = [
  ['/chat/stream', (message) => ({ model, message })],
  ['/v1/chat/completions', chat()], ['/v1/chat/completions', chat({ stream: true })], ['/v1/chat/completions', chat({ model: 'claude-sonnet-4-6', stream: true })],
  ['/v1/messages', messages()], ['/v1/messages', messages({ stream: true })], ['/v1/messages', messages({ model })],
  ['/v1/responses', (input) => ({ model, input })], ['/v1/responses', (input) => ({ model, input, stream: true })],
  ['/v1/embeddings', (input) => ({ model, input })],
];

for (const [n, [path, body]] of paths.entries())
  test(`fifty at once with one key make one call: ${path} ${JSON.stringify(body('x'))}`, async () => {
    const one = body(`#slow-100-0-5 path ${n}`), before = await calls(), anthropic = path === '/v1/messages';
    const ask = (what = one) => weir.post(path, what, { 'Idempotency-Key': `path-${n}` });
    const code = (r) => (anthropic ? r.json.error.details.error_code : r.json.error.code);
    const all = await Promise.all(Array.from({ length: 50 }, () => ask()));
    const good = all.filter((r) => r.status === 200);
    assert.ok(good.length >= 1 && all.every((r) => r.status === 200 || (r.status === 409 && code(r) === 'idempotency_in_progress')));
    await answered(`path-${n}`);
    const again = await ask();
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.equal(again.text, good[0].text);
    const other = await ask(body('something else'));
    assert.deepEqual([other.status, code(other), other.json.type], [422, 'idempotency_mismatch', anthropic ? 'error' : undefined]);
    assert.equal(await calls() - before, 1);
  });
