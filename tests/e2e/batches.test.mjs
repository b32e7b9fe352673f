// /v1/files and /v1/batches through the npm package openai: a batch that Weir works through by itself. The stand-in's own
// count is the judge of what was paid for.
import assert from 'node:assert/strict';
import OpenAI, { toFile } from 'openai';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { addUser, build, request, run, startUpstream, startWeir, test, top, waitFor } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { retry: { max_retries: 0 }, batches: { file_bytes: 2000000, user_bytes: 3000000, items: 2000, workers: 4 } } });
const model = 'gpt-4o-mini', endpoint = '/v1/chat/completions';
const clientOf = (token, at = weir) => new OpenAI({ baseURL: `http://127.0.0.1:${at.port}/v1`, apiKey: token, maxRetries: 0 });
const client = clientOf(weir.token);
const calls = async () => (await up.judge()).calls;

const item = (id, text, more = {}) => ({ custom_id: id, method: 'POST', url: endpoint, body: { model, messages: [{ role: 'user', content: text }], max_tokens: 20, ...more } });
const jsonl = (items) => items.map((i) => JSON.stringify(i)).join('\n') + '\n';
const rows = (n, text) => jsonl(Array.from({ length: n }, (_, i) => item(`row-${i}`, text(i))));
const upload = async (text, c = client, name = 'in.jsonl') => c.files.create({ file: await toFile(Buffer.from(text), name), purpose: 'batch' });
const start = async (text, c = client, more = {}) => c.batches.create({ input_file_id: (await upload(text, c)).id, endpoint, completion_window: '24h', ...more });
const lines = async (id) => (await (await client.files.content(id)).text()).split('\n').filter(Boolean).map((l) => JSON.parse(l));
const get = (b) => client.batches.retrieve(b.id);
async function until(b, status, c = client) {
  return waitFor(`the batch to be ${status}`, async () => {
    const now = await c.batches.retrieve(b.id);
    return now.status === status && now;
  }, 20000);
}
const act = (b, what, token = weir.token) => request({ port: weir.port, method: 'POST', path: `/v1/batches/${b.id}/${what}`, headers: { Authorization: `Bearer ${token}` } });
const once = (list, n) => assert.deepEqual(list.map((l) => l.custom_id).sort(), Array.from({ length: n }, (_, i) => `row-${i}`).sort());

test('a file comes back byte by byte, is listed and deleted', async () => {
  const text = Array.from({ length: 9000 }, (_, i) => `${i} ü ${'x'.repeat(60)}`).join('\n');      // several parts
  const f = await upload(text, client, 'grüße.jsonl');
  assert.deepEqual([f.object, f.purpose, f.filename, f.bytes, f.status], ['file', 'batch', 'grüße.jsonl', Buffer.byteLength(text), 'processed']);
  assert.equal(f.expires_at - f.created_at, 30 * 86400);
  assert.deepEqual(await client.files.retrieve(f.id), f);
  const content = await client.files.content(f.id);
  assert.equal(content.headers.get('content-length'), String(f.bytes));
  assert.equal(await content.text(), text);
  const g = await upload('second');
  assert.deepEqual((await client.files.list()).data.map((x) => x.id), [g.id, f.id]);
  const pages = [];
  for await (const x of client.files.list({ limit: 1, order: 'asc' })) pages.push(x.id);
  assert.deepEqual(pages, [f.id, g.id]);
  assert.deepEqual(await client.files.delete(f.id), { id: f.id, object: 'file', deleted: true });
  await client.files.delete(g.id);
  await assert.rejects(client.files.retrieve(f.id), (e) => e.status === 404 && e.param === 'file_id');
  await waitFor('its bytes to leave the database', () => weir.sql('SELECT count(*) AS n FROM file_parts')[0].n === 0);
});

test('a batch is worked through: each item once, with what it cost', async () => {
  const before = await calls();
  const b = await start(rows(40, (i) => `answer ${i}`), client, { metadata: { project: 'demo' } });
  assert.deepEqual([b.object, b.endpoint, b.completion_window, b.metadata.project], ['batch', endpoint, '24h', 'demo']);
  assert.equal(b.expires_at - b.created_at, 86400);
  const end = await until(b, 'completed');
  assert.deepEqual(end.request_counts, { total: 40, completed: 40, failed: 0 });
  assert.equal(end.error_file_id, null);
  assert.equal(end.errors, null);
  for (const t of ['in_progress_at', 'finalizing_at', 'completed_at']) assert.ok(end[t] >= b.created_at, t);
  const out = await lines(end.output_file_id);
  once(out, 40);
  for (const l of out) {
    assert.equal(l.response.status_code, 200);
    assert.match(l.response.request_id, /^req_/);
    assert.equal(l.error, null);
    assert.equal(l.response.body.choices[0].message.content, `answer ${l.custom_id.slice(4)}`);
  }
  assert.equal(await calls() - before, 40);
  const file = await client.files.retrieve(end.output_file_id);
  assert.equal(file.purpose, 'batch_output');
  assert.equal(file.bytes, Buffer.byteLength(await (await client.files.content(end.output_file_id)).text()));
  const [sum] = weir.sql(`SELECT sum(cost_in + cost_out) AS cost, count(*) AS n, min(priority) AS low, max(priority) AS high FROM events WHERE metadata LIKE '%${b.id}%'`);
  assert.deepEqual([sum.n, sum.low, sum.high], [40, 0, 0]);
  assert.equal(Math.round(end.weir.cost_usd * 1e12), sum.cost);
  assert.ok(end.weir.checkpoint_at >= end.in_progress_at && end.weir.checkpoint_at <= end.completed_at, JSON.stringify(end));
  assert.ok((await client.batches.list()).data.some((x) => x.id === b.id));
  await client.files.delete(end.input_file_id);
  await client.files.delete(end.output_file_id);
  const later = await get(b);
  assert.deepEqual([later.input_file_id, later.output_file_id], [end.input_file_id, null]);
  await waitFor('the lines to leave the database', () => weir.sql('SELECT count(*) AS n FROM batch_items WHERE line IS NOT NULL')[0].n === 0);
});

test('what fails is in the error file with its reason; what fails once is not', async () => {
  const b = await start(jsonl([item('fine', 'fine'), item('bad', '#fault-400 poison'), item('once', '#fault-500-once again'), item('none', 'x', { model: 'no-such' })]));
  const end = await until(b, 'completed');
  assert.deepEqual(end.request_counts, { total: 4, completed: 2, failed: 2 });
  assert.deepEqual((await lines(end.output_file_id)).map((l) => l.custom_id).sort(), ['fine', 'once']);
  const errors = Object.fromEntries((await lines(end.error_file_id)).map((l) => [l.custom_id, l]));
  assert.equal(errors.bad.response.status_code, 400);
  assert.equal(typeof errors.bad.response.body.error.message, 'string');
  assert.equal(errors.none.response.status_code, 404);
  assert.equal(errors.none.response.body.error.code, 'model_not_found');
});

test('an answer of several lines is one line of the output, its numbers as they came', async () => {
  const pretty = http.createServer((q, r) => {
    q.resume();
    q.on('end', () => r.setHeader('Content-Type', 'application/json').end(q.method === 'GET' ? '{"data":[{"id":"wordy"}]}' : `{
  "id": "chatcmpl-1", "object": "chat.completion", "model": "wordy",
  "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "a\\nb"}, "finish_reason": "stop"}
  ],
  "x": 0.10,
  "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
}
`));
  });
  await new Promise((done) => { pretty.listen(0, '127.0.0.1', done); });
  const other = await startWeir({ upstream: { url: `http://127.0.0.1:${pretty.address().port}/v1` }, openai: { models: ['wordy'] } });
  const c = clientOf(other.token, other);
  const end = await until(await start(jsonl([item('a', 'x', { model: 'wordy' }), item('b', 'y', { model: 'wordy' })]), c), 'completed', c);
  const text = await (await c.files.content(end.output_file_id)).text();
  assert.equal(text.split('\n').length, 3, text);
  for (const l of text.trim().split('\n')) assert.equal(JSON.parse(l).response.body.choices[0].message.content, 'a\nb');
  assert.match(text, /"x": 0\.10/);
  await other.stop();
  pretty.close();
});

test('an input that is wrong says which line and why, and nothing is sent', async () => {
  const before = await calls();
  const b = await start([JSON.stringify(item('a', 'x')), 'nonsense', JSON.stringify(item('a', 'y')), JSON.stringify({ ...item('c', 'z'), url: '/v1/embeddings' }),
    JSON.stringify({ ...item('d', 'z'), method: 'GET' }), JSON.stringify(item('e', 'z', { stream: true }))].join('\n'));
  const end = await until(b, 'failed');
  assert.ok(end.failed_at);
  assert.deepEqual(end.errors.data.map((e) => [e.line, e.code, e.param]), [[2, 'invalid_json_line', null], [4, 'mismatched_endpoint', 'url'],
    [5, 'invalid_request', 'method'], [6, 'invalid_request', 'body.stream'], [3, 'duplicate_custom_id', 'custom_id']]);
  for (const [text, code] of [['\n \n', 'empty_file'], [rows(2001, () => 'x'), 'too_many_requests']]) {
    assert.equal((await until(await start(text), 'failed')).errors.data[0].code, code);
  }
  assert.equal(await calls(), before);
  const f = await upload(rows(1, () => 'x'));
  const make = (more) => client.batches.create({ input_file_id: f.id, endpoint, completion_window: '24h', ...more });
  for (const [more, param, status] of [[{ input_file_id: 'file_none' }, 'input_file_id', 404], [{ input_file_id: undefined }, 'input_file_id', 400],
    [{ endpoint: '/v1/models' }, 'endpoint', 400], [{ completion_window: '1h' }, 'completion_window', 400], [{ metadata: { a: {} } }, 'metadata.a', 400]]) {
    await assert.rejects(make(more), (e) => e.status === status && e.param === param && typeof e.error.message === 'string', param);
  }
});

test('an upload that is wrong, too large or too much leaves nothing behind', async () => {
  const stored = weir.sql('SELECT count(*) AS n FROM files WHERE state < 2')[0].n;
  const send = (body, type = 'multipart/form-data; boundary=XX') => request({ port: weir.port, method: 'POST', path: '/v1/files', body,
    headers: { Authorization: `Bearer ${weir.token}`, 'Content-Type': type } });
  const part = (name, text, file = '') => `--XX\r\nContent-Disposition: form-data; name="${name}"${file && `; filename="${file}"`}\r\n\r\n${text}\r\n`;
  for (const [body, status, param] of [['{}', 400, undefined], [part('purpose', 'batch') + '--XX--', 400, 'file'], [part('file', 'x', 'a') + '--XX--', 400, 'purpose'],
    [part('file', 'x', 'a') + part('purpose', 'fine-tune') + '--XX--', 400, 'purpose'], [part('file', '', 'a') + part('purpose', 'batch') + '--XX--', 400, 'file'],
    [part('file', 'x', 'a') + part('purpose', 'batch'), 400, undefined],
    [part('purpose', 'batch') + part('expires_after[seconds]', '5') + part('file', 'x', 'a') + '--XX--', 400, 'expires_after[seconds]'],
    [part('file', 'x'.repeat(2000001), 'a') + part('purpose', 'batch') + '--XX--', 413, 'file']]) {
    const r = await send(body);
    assert.equal(r.status, status, `${body.slice(0, 200)}: ${r.text}`);
    if (param) assert.equal(r.json.error.param, param, r.text);
  }
  assert.equal((await send('{}', 'application/json')).status, 415);
  await assert.rejects(upload('x'.repeat(2100000)), (e) => e.status === 413);
  const kept = await upload('x'.repeat(1900000));
  await assert.rejects(upload('x'.repeat(1900000)), (e) => e.status === 400 && /batches\.user_bytes/.test(e.message));
  const left = 3000000 - weir.sql('SELECT sum(max(bytes, 4096)) AS n FROM files WHERE state < 2')[0].n;
  const most = await upload('x'.repeat(left - 10000));
  await assert.rejects(upload('x'.repeat(10001)), (e) => /batches\.user_bytes/.test(e.message));
  for (const f of [await upload('x'.repeat(10000)), most]) await client.files.delete(f.id);       // what fits to the byte is taken
  const tiny = [];
  await assert.rejects(async () => { while (tiny.length < 300) tiny.push(await upload('x')); }, (e) => /batches\.user_bytes/.test(e.message));
  assert.ok(tiny.length < 270, `${tiny.length} files of a byte beside 1.9 of 3 MB`);
  for (const f of [kept, ...tiny]) await client.files.delete(f.id);
  assert.equal(weir.sql('SELECT count(*) AS n FROM files WHERE state < 2')[0].n, stored);
});

test('pause lets what is in flight end, resume goes on, cancel keeps what was answered', async () => {
  const before = await calls();
  const b = await start(rows(30, (i) => `#slow-80-1-3 slow ${i}`));
  await waitFor('answers', async () => (await get(b)).request_counts.completed >= 3);
  const paused = await act(b, 'pause');
  assert.equal(paused.status, 200, paused.text);
  assert.equal(paused.json.weir.paused, true);
  assert.equal(paused.json.weir.eta_ms, null);
  const live = async () => (await weir.get('/monitoring/live')).json.batches;
  assert.deepEqual((await live()).map((l) => [l.batch_id, l.status, l.total, l.paused]), [[b.id, 'in_progress', 30, true]]);
  const still = await waitFor('what is in flight to end', async () => {
    const { in_flight: n, calls: now } = await up.judge();
    return n === 0 && now;
  });
  const done = (await waitFor('the answers to be written', async () => {
    const now = await get(b);
    return now.request_counts.completed === still - before && now;
  })).request_counts.completed;
  assert.ok(done < 30);
  assert.equal((await act(b, 'resume')).json.weir.paused, false);
  await waitFor('more answers', async () => (await get(b)).request_counts.completed > done + 1);
  assert.ok((await get(b)).weir.eta_ms > 0);
  const [shown] = await live();
  assert.deepEqual([shown.paused, shown.completed > done, shown.eta_ms > 0, shown.cost_usd > 0], [false, true, true, true]);
  assert.equal((await client.batches.cancel(b.id)).status, 'cancelling');
  const end = await until(b, 'cancelled');
  const out = await lines(end.output_file_id), never = await lines(end.error_file_id);
  once([...out, ...never], 30);
  assert.equal(out.length, end.request_counts.completed);
  for (const l of never) assert.deepEqual([l.response, l.error.code], [null, 'batch_cancelled']);
  assert.deepEqual(await live(), []);
  assert.equal((await act(b, 'cancel')).status, 409);
  assert.equal((await act(b, 'pause')).status, 409);
});

test('a batch that is paused while an item waits to be tried again costs no time', async () => {
  const before = await calls();
  const b = await start(jsonl([item('again', '#fault-503 later')]));
  await waitFor('a first try', async () => (await calls()) > before && (await up.judge()).in_flight === 0);
  await act(b, 'pause');
  const tasks = `/proc/${weir.program.pid}/task`;
  const task = path.join(tasks, fs.readdirSync(tasks).find((t) => fs.readFileSync(`${tasks}/${t}/comm`, 'utf8').trim() === 'batches'));
  const rests = () => Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(fs.readFileSync(`${task}/status`, 'utf8'))[1]);
  const seconds = () => fs.readFileSync(`${task}/stat`, 'utf8').replace(/.*\) /, '').split(' ').slice(11, 13).reduce((a, t) => a + t / 100, 0);
  for (let i = 0; i < 2; i++) {            // the first time until it is due
    const from = { rests: rests(), at: performance.now(), seconds: seconds() };
    await waitFor('the thread to look again, and again', () => rests() >= from.rests + 2);
    const part = (seconds() - from.seconds) / ((performance.now() - from.at) / 1000);
    assert.ok(part < 0.3, `it used ${part} of the time`);
  }
  await client.batches.cancel(b.id);
  await until(b, 'cancelled');
});

test('a batch whose day is over expires, with what was not sent named', async () => {
  const b = await start(rows(200, (i) => `#slow-40-1-3 late ${i}`));
  await waitFor('answers', async () => (await get(b)).request_counts.completed >= 2);
  execFileSync('sqlite3', ['-cmd', '.timeout 5000', path.join(weir.state, 'weir.db'), `UPDATE batches SET expires_ms = 1 WHERE batch_id = '${b.id}'`]);
  const end = await until(b, 'expired');
  assert.ok(end.request_counts.completed < 200);
  const out = await lines(end.output_file_id), never = await lines(end.error_file_id);
  once([...out, ...never], 200);
  for (const l of never) assert.equal(l.error.code, 'batch_expired');
});

test('kill -9 of Weir: what was answered is not asked again, what was in flight is, and marked', async () => {
  const before = await calls(), n = 24;
  const b = await start(rows(n, (i) => `#slow-30-50-10 kill ${i}`));
  await waitFor('answers, and the provider in the middle of more', async () => (await get(b)).request_counts.completed >= 6 && (await up.judge()).in_flight >= 3);
  await weir.kill('SIGKILL');
  const cut = (await up.judge()).in_flight;
  await weir.restart();
  const end = await until(b, 'completed');
  const out = await lines(end.output_file_id);
  once(out, n);
  const again = out.filter((l) => l.weir.first_request_id);
  assert.ok(again.length >= 1, 'some were in flight');
  assert.equal(await calls() - before, n + again.length, 'charged once but for those that are marked');
  assert.equal(end.weir.repeated, again.length);
  for (const l of again) assert.equal(typeof l.weir.first_cost_usd, 'number');
  assert.ok(cut >= 0);
  assert.equal((await run(path.join(build, 'weir'), ['verify'], { env: weir.env, cwd: top })).code, 0);
});

test('a stop goes on where it was, and pays for nothing twice', async () => {
  const before = await calls(), n = 30;
  const b = await start(rows(n, (i) => `#slow-60-1-3 stop ${i}`));
  await waitFor('answers', async () => (await get(b)).request_counts.completed >= 3);
  await weir.kill('SIGTERM');
  await weir.restart();
  const end = await until(b, 'completed');
  once(await lines(end.output_file_id), n);
  assert.equal(await calls() - before, n);
  assert.equal(end.weir.repeated, 0);
});

test('what is somebody else\'s is not there, for an administrator neither; a token that ends ends its batches', async () => {
  const b = await start(rows(1, () => 'mine'));
  const headers = await addUser(weir, 'eve'), [{ token_id }] = (await weir.get('/app/tokens', headers)).json.items;
  const eve = clientOf(headers.Authorization.slice(7));
  const end = await until(b, 'completed');
  for (const ask of [() => eve.batches.retrieve(b.id), () => eve.batches.cancel(b.id), () => eve.files.retrieve(end.input_file_id), () => eve.files.delete(end.output_file_id),
    () => eve.files.content(end.output_file_id), () => eve.batches.create({ input_file_id: end.input_file_id, endpoint, completion_window: '24h' })]) {
    await assert.rejects(ask(), (e) => e.status === 404);
  }
  assert.deepEqual([(await eve.batches.list()).data, (await eve.files.list()).data], [[], []]);
  const hers = await start(rows(60, (i) => `#slow-60-1-3 hers ${i}`), eve);
  await assert.rejects(get(hers), (e) => e.status === 404);
  await waitFor('answers', async () => (await eve.batches.retrieve(hers.id)).request_counts.completed >= 1);
  const gone = await request({ port: weir.port, method: 'DELETE', path: `/admin/tokens/${token_id}`, headers: { Authorization: `Bearer ${weir.token}` } });
  assert.equal(gone.status, 204, gone.text);
  await waitFor('her batch to end', () => weir.sql(`SELECT state FROM batches WHERE batch_id = '${hers.id}'`)[0].state === 7);
});

test('items whose provider is out keep nobody else of their batch waiting; once it is back, all come to an end', async () => {
  const asked = [];
  const provider = http.createServer((q, r) => {
    let text = '';
    q.on('data', (d) => { text += d; }).on('end', () => {
      if (q.method === 'POST') asked.push(JSON.parse(text).messages[0].content);
      r.setHeader('Content-Type', 'application/json').end(JSON.stringify(q.method === 'GET' ? { data: [{ id: 'away' }] }
        : { id: 'x', object: 'chat.completion', model: 'away', choices: [{ index: 0, message: { role: 'assistant', content: 'back' }, finish_reason: 'stop' }],
            usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }));
    });
  });
  const listen = (port) => new Promise((done) => { provider.listen(port, '127.0.0.1', done); });
  await listen(0);
  const { port } = provider.address();
  await new Promise((done) => { provider.close(done); provider.closeAllConnections(); });
  const other = await startWeir({ upstream: up, config: { retry: { max_retries: 0 }, batches: { workers: 4 } },
    others: [{ name: 'away', base_url: `http://127.0.0.1:${port}/v1`, api_key: 'sk-e2e-canary', models: ['away'], limits: { requests_per_minute: 0, requests_per_hour: 0 } }] });
  const c = clientOf(other.token, other), now = () => c.batches.retrieve(b.id);
  const far = (i) => i < 20 || i % 2, n = 80, near = Array.from({ length: n }, (_, i) => i).filter((i) => !far(i)).length;
  const began = performance.now();
  const b = await start(jsonl(Array.from({ length: n }, (_, i) => item(`row-${i}`, `item ${i}`, far(i) ? { model: 'away' } : {}))), c);
  const half = await waitFor('those whose provider is there', async () => {
    const v = await now();
    return v.request_counts.completed === near && v;
  }, 20000);
  const took = performance.now() - began;
  assert.ok(took < 9000, `${took} ms: less than one is tried again after`);
  assert.equal(half.request_counts.failed, 0);
  const rest = await waitFor('the others to be waited for', async () => {
    const v = await now();
    return v.weir.waits_for && v;
  });
  assert.match(rest.weir.waits_for, /^(upstream_connect|no_upstream)$/);
  assert.equal(rest.weir.eta_ms, null);
  await listen(port);
  const end = await waitFor('all to end', async () => {
    const v = await now();
    return v.status === 'completed' && v;
  }, 30000);
  assert.deepEqual([end.request_counts, end.weir.waits_for], [{ total: n, completed: n, failed: 0 }, null]);
  once((await (await c.files.content(end.output_file_id)).text()).split('\n').filter(Boolean).map((l) => JSON.parse(l)), n);
  assert.deepEqual(asked.sort(), Array.from({ length: n }, (_, i) => i).filter(far).map((i) => `item ${i}`).sort(), 'each was asked once');
  await other.stop();
  provider.closeAllConnections();
  provider.close();
});

test('a budget that does not let it on holds the batch, and fails nothing', async () => {
  const { user_id: id } = (await weir.get('/app/me')).json;
  const budget = (await weir.post('/admin/budgets', { scope: 'user', key: id, window: 'day', limit_usd: 0 })).json;
  const before = await calls();
  const b = await start(rows(5, (i) => `held ${i}`));
  await waitFor('the batch to be held', async () => (await get(b)).weir.waits_for === 'budget_exceeded');
  const held = await get(b);
  assert.deepEqual([held.status, held.request_counts, held.weir.eta_ms], ['in_progress', { total: 5, completed: 0, failed: 0 }, null]);
  assert.equal(await calls(), before);
  await client.batches.cancel(b.id);
  await until(b, 'cancelled');
  await weir.request('DELETE', `/admin/budgets/${budget.budget_id}`);
});

// An item of which at most $0.00078 + its prompt may be charged, and that is charged 1,000 tokens of output, 600 microdollars, or a little less.
const costly = (n) => jsonl(Array.from({ length: n }, (_, i) => item(`row-${i}`, `#lorem-4000 ${i}`, { max_tokens: 1000 })));
const spent = async (b) => (await get(b)).weir.cost_usd;
const resume = (b, weirs) => client.post(`/batches/${b.id}/resume`, { body: weirs ? { weir: weirs } : {} });

test('a budget of its own is never passed: what it pays for is answered, then the batch rests until the budget is raised', async () => {
  const before = await calls(), b = await start(costly(12), client, { weir: { budget_usd: 0.003 } });
  assert.equal(b.weir.budget_usd, 0.003);
  const rests = await waitFor('the batch to rest', async () => { const now = await get(b); return now.weir.paused && now; }, 20000);
  assert.deepEqual([rests.status, rests.weir.waits_for, rests.request_counts.failed], ['in_progress', 'batch_budget', 0]);
  const answered = rests.request_counts.completed, each = rests.weir.cost_usd / answered;
  assert.ok(rests.weir.cost_usd <= 0.003 && answered >= 3, JSON.stringify(rests.weir));
  assert.ok(rests.weir.cost_usd + each > 0.003 * 0.8, 'it used what it had');
  assert.equal(await calls() - before, answered, 'nothing was asked beyond');
  for (const weirs of [undefined, { budget_usd: 0.003 }, { budget_usd: 0.001 }])
    await assert.rejects(resume(b, weirs), (e) => e.status === 402 && e.param === 'weir.budget_usd' && /\$0\.003, \$0\.00\d+ is spent/.test(e.message));
  const on = await resume(b, { budget_usd: 1 });
  assert.deepEqual([on.weir.paused, on.weir.budget_usd, on.weir.waits_for], [false, 1, null]);
  const end = await until(b, 'completed');
  assert.deepEqual(end.request_counts, { total: 12, completed: 12, failed: 0 });
  assert.equal(await calls() - before, 12, 'each was asked once');
});

test('a budget holds over kills: nothing is paid beyond it, and nothing twice', async () => {
  const other = await startWeir({ upstream: up, config: { retry: { max_retries: 0 }, batches: { workers: 4 } } });
  const c = clientOf(other.token, other), before = await calls();
  const text = jsonl(Array.from({ length: 40 }, (_, i) => item(`row-${i}`, `#lorem-400 #slow-60-2-1 ${i}`, { max_tokens: 100 })));
  const b = await c.batches.create({ input_file_id: (await upload(text, c)).id, endpoint, completion_window: '24h', weir: { budget_usd: 0.0008 } });
  for (let n = 1; n <= 3; n++) {
    await waitFor('some answers', async () => (await c.batches.retrieve(b.id)).request_counts.completed >= n, 20000);
    await other.kill();
    await other.restart();
  }
  const rests = await waitFor('the batch to rest', async () => { const now = await c.batches.retrieve(b.id); return now.weir.paused && now; }, 40000);
  const paid = other.sql('SELECT SUM(cost_in + cost_out) AS c FROM events')[0].c;
  assert.ok(paid <= 0.0008e12, `${paid}`);
  assert.equal(rests.weir.waits_for, 'batch_budget');
  assert.ok(rests.request_counts.completed >= 4, JSON.stringify(rests));
  await other.restart();
  assert.equal((await c.batches.retrieve(b.id)).weir.waits_for, 'batch_budget', 'it is known after a restart');
  assert.ok(await calls() > before);
  await other.stop();
});

test('an answer that nobody caps is asked for with the cap that the budget reckons with', async () => {
  const b = await start(jsonl([item('row-0', '#lorem-20000', { max_tokens: undefined })]), client, { weir: { budget_usd: 0.011 } });
  await until(b, 'completed');
  const cost = await spent(b);
  assert.ok(cost > 0.009 && cost <= 0.011, `${cost}`);
});

test('what a budget cannot be is refused by name; a model without a price fails; no budget is none', async () => {
  const id = (await upload(rows(1, () => 'x'))).id, make = (own) => client.batches.create({ input_file_id: id, endpoint, completion_window: '24h', weir: own });
  for (const [own, param] of [['much', 'weir'], [{ budget_usd: 'much' }, 'weir.budget_usd'], [{ budget_usd: -1 }, 'weir.budget_usd'], [{ budget_usd: 0 }, 'weir.budget_usd'], [{ budget_usd: 3e6 }, 'weir.budget_usd'], [{ budget: 5 }, 'weir.budget']])
    await assert.rejects(make(own), (e) => e.status === 400 && e.param === param, JSON.stringify(own));
  assert.equal((await make(undefined)).weir.budget_usd, null);
  const b = await start(jsonl([item('row-0', 'free?', { model: 'lorem-20' })]), client, { weir: { budget_usd: 5 } });
  const end = await until(b, 'completed');
  assert.deepEqual(end.request_counts, { total: 1, completed: 0, failed: 1 });
  const [why] = await lines(end.error_file_id);
  assert.match(JSON.stringify(why), /no price, and the batch has a budget/);
});

test('with content.key_file neither files nor answers are readable in the database', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-key-'));
  const sealed = await startWeir({ upstream: up, config: { content: { key_file: path.join(folder, 'key') } } });
  const c = clientOf(sealed.token, sealed);
  const text = rows(3, (i) => `PLATYPUS ${i}`);
  const b = await start(text, c);
  const end = await until(b, 'completed', c);
  assert.equal(await (await c.files.content(b.input_file_id)).text(), text);
  assert.match(await (await c.files.content(end.output_file_id)).text(), /PLATYPUS 2/);
  for (const name of ['weir.db', 'weir.db-wal']) assert.equal(fs.readFileSync(path.join(sealed.state, name)).includes('PLATYPUS'), false, name);
  await sealed.stop();
  fs.rmSync(folder, { recursive: true });
});

test('an erased person leaves no file, no batch and no line of either', async () => {
  const u = (await weir.post('/admin/users', { name: 'leaver', role: 'user', password: 'seven green tomatoes' })).json;
  const t = (await weir.post('/admin/tokens', { user_id: u.user_id, name: 'x' })).json;
  const c = clientOf(t.token);
  const b = await start(rows(3, (i) => `personal ${i}`), c);
  await until(b, 'completed', c);
  await start(rows(200, (i) => `#slow-50-1-3 personal ${i}`), c);
  const exported = (await weir.get('/app/export', { Authorization: `Bearer ${t.token}` })).json;
  assert.deepEqual([exported.files.length, exported.batches.map((x) => x.endpoint)], [3, [endpoint, endpoint]]);
  const id = weir.sql(`SELECT id FROM users WHERE user_id = '${u.user_id}'`)[0].id;
  const left = () => weir.sql(`SELECT (SELECT count(*) FROM files WHERE user = ${id}) + (SELECT count(*) FROM batches WHERE user = ${id}) AS n,
    (SELECT count(*) FROM batch_items i WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.id = i.id >> 20)) AS lines,
    (SELECT count(*) FROM file_parts p WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.id = p.id >> 20)) AS parts`)[0];
  assert.ok(left().n > 3);
  const r = await weir.request('DELETE', `/admin/users/${u.user_id}/data`);
  assert.ok(r.status < 300, r.text);
  assert.deepEqual(left(), { n: 0, lines: 0, parts: 0 });
});
