// The whole selection as a file: three formats with the same rows, totals of the
// dashboard, streamed; one's own only.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { addUser, startUpstream, startWeir, test } from './harness.mjs';
import { assertError, keys, pico } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { models: ['gpt-4o-mini', 'gpt-4o', '=cmd|calc'] } });
const ann = await addUser(weir, 'ann'), annId = (await weir.get('/app/me', ann)).json.user_id;
const get = async (query, headers) => {
  const r = await weir.get(`/monitoring/export?${query}`, headers);
  assert.equal(r.status, 200, r.text);
  return r;
};
const csv = (text) => text.trimEnd().split('\r\n').map((line) => line.split(','));      // no cell of these tests has a comma in it

for (const [model, message] of [['gpt-4o-mini', 'one'], ['gpt-4o', '#lorem-30 two'], ['gpt-4o-mini', '#fault-400 three']])
  await weir.post('/chat/complete', { model, message });
await weir.request('POST', '/chat/complete', { model: 'gpt-4o', message: 'hers' }, ann);

test('each format is a file of the same rows with a name and a type', async () => {
  const [a, b, c] = await Promise.all(['csv', 'json', 'ndjson'].map((f) => get(`format=${f}`)));
  for (const [r, type, ext] of [[a, /^text\/csv; charset=utf-8/, 'csv'], [b, /^application\/json/, 'json'], [c, /^application\/x-ndjson/, 'ndjson']]) {
    assert.match(r.headers['content-type'], type);
    assert.match(r.headers['content-disposition'], new RegExp(`^attachment; filename="weir_usage_\\d{8}T\\d{6}Z\\.${ext}"$`));
    assert.equal(r.headers['transfer-encoding'], 'chunked', 'sent while it is made');
  }
  const [head, ...rows] = csv(a.text);
  const lines = c.text.trimEnd().split('\n').map((l) => JSON.parse(l));
  assert.equal(rows.length, 4);
  assert.deepEqual(lines, b.json.items);
  assert.deepEqual(rows.map((r) => r[0]), lines.map((l) => l.request_id));
  for (const l of lines) assert.equal(l.requested_model, l.model);
  assert.deepEqual(head, Object.keys(lines[0]));
  assert.deepEqual(lines.map((l) => l.at), lines.map((l) => l.at).sort());
  assert.equal((await get('')).headers['content-type'], a.headers['content-type'], 'CSV unless asked otherwise');
});

test('totals are those of the cost breakdown for the same filter, and so are the sums of the rows', async () => {
  for (const filter of ['', 'model=gpt-4o', 'status=error', `user_id=${annId}`, 'from=-48h&to=-24h', 'priority=High']) {
    const { items, totals } = (await get(`format=json&${filter}`)).json;
    assert.deepEqual(totals, (await weir.get(`/monitoring/cost-breakdown?${filter}`)).json.total, filter);
    assert.equal(items.reduce((n, x) => n + x.total_tokens, 0), totals.total_tokens);
    assert.equal(items.reduce((n, x) => n + pico(x.cost_usd), 0), pico(totals.cost_usd));
    const lines = (await get(`format=ndjson&totals=true&${filter}`)).text.trimEnd().split('\n').map((l) => JSON.parse(l));
    assert.deepEqual(lines.pop(), { totals }, filter);
    assert.deepEqual(lines, items);
    const [head, ...rows] = csv((await get(`format=csv&totals=true&${filter}`)).text);
    const last = Object.fromEntries(rows.pop().map((v, i) => [head[i], v]));
    assert.equal(rows.length, items.length);
    assert.equal(last.request_id, 'totals');
    for (const k of ['prompt_tokens', 'completion_tokens', 'total_tokens']) assert.equal(Number(last[k]), totals[k], `${k} of ${filter}`);
    assert.equal(pico(last.cost_usd || '0'), pico(totals.cost_usd ?? '0'));
    for (const x of items) assert.equal(x.queue_ms + x.retry_wait_ms + x.ttft_ms + x.writing_ms, x.duration_ms);
  }
});

test('a name that a spreadsheet would calculate is text', async () => {
  await weir.post('/chat/complete', { model: '=cmd|calc', message: 'x' });
  assert.match((await get('format=csv')).text, /,"'=cmd\|calc",/);
  assert.ok((await get('format=json')).json.items.some((x) => x.model === '=cmd|calc'));
});

test('a user is given their own, whatever they ask for', async () => {
  for (const query of ['format=json', `format=json&user_id=${annId}`]) {
    const { items, totals } = (await get(query, ann)).json;
    assert.deepEqual(items.map((x) => x.user_id), [annId]);
    assert.equal(totals.requests, 1);
  }
  const others = (await weir.get('/app/me')).json.user_id;
  assert.deepEqual((await get(`format=json&user_id=${others}`, ann)).json.items, []);
});

test('a wrong format, filter or name is refused before anything is sent', async () => {
  for (const [query, param] of [['format=xls', 'format'], ['totals=1', 'totals'], ['from=yesterday', 'from'], ['limit=3', 'limit'], ['status=ok', 'status']]) {
    const r = await weir.get(`/monitoring/export?${query}`);
    assert.equal(assertError(r, 400, 'invalid_request_error').param, param);
    assert.equal(r.headers['content-disposition'], undefined);
  }
  assertError(await weir.request('GET', '/monitoring/export', undefined, { Authorization: '' }), 401);
});

test('with the operations log on, each call that ended is a line there, and its text is not', async () => {
  const logged = await startWeir({ upstream: up, config: { operations_log: { on: true, max_bytes: 2048, older: 2 } } });
  const ids = [];
  for (let i = 0; i < 6; i++) ids.push((await logged.post('/chat/complete', { model: 'gpt-4o-mini', message: `secret words ${i}` })).json.request_id);
  const read = (name) => fs.readFileSync(path.join(logged.state, name), 'utf8');
  const text = read('operations.jsonl.1') + read('operations.jsonl');
  const lines = text.trimEnd().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual(lines.map((l) => l.request_id), ids.slice(-lines.length));
  assert.deepEqual(keys(lines[0]), ['api_endpoint', 'attempts', 'cost', 'delay_ms', 'end', 'error', 'finish_reason', 'metrics', 'model',
    'priority', 'request_id', 'session_id', 'start', 'status', 'upstream', 'usage', 'user_id']);
  assert.ok(!text.includes('secret'));
  await logged.stop();
});

test('the view for other programs has each settled call', () => {
  const rows = weir.sql('SELECT * FROM token_usage ORDER BY timestamp');
  assert.deepEqual(keys(rows[0]), ['api_endpoint', 'id', 'priority_level', 'session_id', 'timestamp', 'tokens_used', 'user_id']);
  assert.equal(rows.reduce((n, r) => n + r.tokens_used, 0), weir.records().reduce((n, r) => n + r.prompt + r.completion, 0));
});
