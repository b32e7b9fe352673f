// What must survive: a restart, kill -9 at any instant, a shutdown under load; and backups.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build, request, run, startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertErrorObject, assertStream } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const limits = { requests_per_minute: 600, requests_per_hour: 6000, tokens_per_minute: 600000, tokens_per_hour: 6000000 };

test('a restart keeps sessions, figures and what the limits remember', async () => {
  const weir = await startWeir({ upstream: up, openai: { limits } });
  const a = (await weir.post('/chat/complete', { model, message: 'before the restart' })).json;
  await weir.post('/chat/complete', { model, message: '#fault-429-once remembered' });
  const read = async () => ({
    total: (await weir.get('/monitoring/cost-breakdown')).json.total,
    messages: (await weir.get(`/chat/sessions/${a.session_id}/messages`)).json,
  });
  const before = await read();
  const used = (await weir.get('/monitoring/rate-limits')).json.upstreams[0];
  const how = await weir.program.stop();
  assert.deepEqual(how, { code: 0, signal: null });
  await weir.start();
  assert.deepEqual(await read(), before);
  const after = (await weir.get('/monitoring/rate-limits')).json.upstreams[0];
  assert.equal(after.dimensions.requests_per_hour.used, used.dimensions.requests_per_hour.used);
  assert.equal(after.dimensions.tokens_per_hour.used, used.dimensions.tokens_per_hour.used);
  assert.equal(after.stabilization.active, true);
  const b = await weir.post('/chat/complete', { model, message: 'after the restart', session_id: a.session_id });
  assert.equal(b.status, 200, b.text);
  await weir.stop();
});

test('kill -9 leaves every paid call in the books, none twice, none open', async () => {
  await up.reset();
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 64 } });
  for (let round = 0; round < 4; round++) {
    const streams = await Promise.all(Array.from({ length: 12 }, (_, i) =>
      weir.stream({ model, message: `#slow-${i * 10}-10-${20 + i} killed ${round} ${i}` }).catch(() => null)));
    const quick = Array.from({ length: 20 }, (_, i) => weir.post('/chat/complete', { model, message: `quick ${round} ${i}` }).catch(() => null));
    await waitFor('calls to be under way', async () => (await up.judge()).in_flight >= 5, 5000).catch(() => {});
    await new Promise((go) => setTimeout(go, round * 40));     // another instant each round; nothing is asserted of it
    await weir.kill('SIGKILL');
    await Promise.all(quick);
    await Promise.all(streams.map((s) => s?.end(5000)));
    for (const s of streams) assert.ok(!s || s.terminals().length <= 1);
    await weir.start();
  }
  const judge = await waitFor('the provider to see every end', async () => {
    const j = await up.judge();
    return j.in_flight === 0 && j;
  });
  const rows = weir.records();
  assert.deepEqual(rows.filter((r) => r.state !== 'settled'), [], 'nothing stays open after a start');
  assert.equal(new Set(rows.map((r) => r.request_id)).size, rows.length);
  const charged = rows.filter((r) => r.attempts > 0);
  assert.ok(charged.length >= judge.calls, `${judge.calls} calls, ${charged.length} records`);
  assert.ok(charged.length <= judge.calls + 12 * 4, 'hardly more than were sent: an intent that never went out is charged as an estimate');
  const sum = (k) => charged.reduce((n, r) => n + r[k], 0);
  assert.ok(sum('prompt') >= judge.prompt_tokens * 0.9, `${sum('prompt')} for ${judge.prompt_tokens}`);
  for (const r of rows.filter((x) => x.error_code === 'interrupted')) assert.equal(r.estimated, 1);
  const exact = rows.filter((r) => r.status === 'success');
  for (const r of exact) assert.equal(r.estimated, 0);
  await weir.stop();
});

for (const strategy of ['BATCH', 'ASYNC']) {
  test(`${strategy}: a conversation goes on at once, a new budget knows what was spent, and a stop leaves nothing behind`, async () => {
    const weir = await startWeir({ upstream: up, config: { durability: { strategy, batch_seconds: 60 } } });
    let session, spent = 0;
    for (let n = 1; n <= 3; n++) {
      const r = await weir.post('/chat/complete', { model, message: `turn ${n} of a talk about rivers`, session_id: session });
      assert.equal(r.status, 200, r.text);
      session = r.json.session_id;
      spent += Math.round(r.json.cost.total_usd * 1e12);
    }
    assert.equal((await weir.get(`/chat/sessions/${session}/messages`)).json.items.length, 6);
    const last = await weir.post('/chat/complete', { model, message: 'one more that nobody has looked at' });
    spent += Math.round(last.json.cost.total_usd * 1e12);
    assert.equal(weir.record(last.json.request_id).state, 'sent', 'its rows are to come');
    const budget = await weir.post('/admin/budgets', { scope: 'all', window: 'month', limit_usd: 1 });
    assert.equal(budget.status, 201, budget.text);
    const b = (await weir.get(`/admin/budgets/${budget.json.budget_id}`)).json;
    assert.equal(Math.round(b.spent_usd * 1e12), spent);
    const late = await weir.post('/chat/complete', { model, message: 'settled at the stop' });
    await weir.program.stop();
    assert.equal(weir.record(late.json.request_id).status, 'success');
    assert.equal(fs.statSync(path.join(weir.state, 'spill.ndjson')).size, 0);
    await weir.stop();
  });
}

// Streams that go on for long, until their marks are in the ledger; all of a round of marks come with one commit.
async function marked(weir, n, rounds) {
  const streams = await Promise.all(Array.from({ length: n }, (_, i) =>
    weir.stream({ model, message: `#slow-0-40-1000 marked${i} tell me what a weir does to a river` })));
  await Promise.all(streams.map((s) => s.next('delta', 1)));
  const read = () => weir.sql('SELECT request_id, completion, cost_out FROM events WHERE state = 1 ORDER BY id');
  let rows = read();
  for (let round = 0; round < rounds; round++) {
    const before = new Map(rows.map((r) => [r.request_id, r.completion]));
    rows = await waitFor('marks', () => {
      const now = read();
      return now.some((r) => r.completion !== before.get(r.request_id)) && now;
    }, 10000);
    assert.equal(rows.length, n);
    if (round > 0) assert.deepEqual(rows.filter((r) => r.completion === before.get(r.request_id)), [], 'all at once');
  }
  return { streams, rows };
}

for (const strategy of ['REALTIME', 'ASYNC']) {
  test(`${strategy}: kill -9 charges and shows what running answers had come to at their last mark`, async () => {
    await up.reset();
    const weir = await startWeir({ upstream: up, openai: { max_concurrent: 64 }, config: { durability: { strategy } } });
    const { streams, rows } = await marked(weir, 20, 2);
    await weir.kill('SIGKILL');
    await Promise.all(streams.map((s) => s.end(5000)));
    const judge = await waitFor('the provider to see every end', async () => {
      const j = await up.judge();
      return j.in_flight === 0 && j;
    });
    await weir.start();
    assert.equal(judge.log.length, streams.length);
    for (const [i, s] of streams.entries()) {
      const { request_id: id, session_id: session } = s.first('accepted');
      const r = weir.record(id), at = rows.find((x) => x.request_id === id), call = judge.log.find((c) => c.tag.split(' ')[1] === `marked${i}`);
      assert.deepEqual([r.state, r.error_code, r.estimated, r.attempts], ['settled', 'interrupted', 1, 1], id);
      assert.ok(r.completion >= at.completion && r.completion > 20, `${r.completion} charged, ${at.completion} marked`);
      assert.ok(r.completion <= call.completion_tokens, `${r.completion} charged, ${call.completion_tokens} sent`);
      const [cost] = weir.sql(`SELECT e.cost_out, r.rate_out * e.completion AS want FROM events e JOIN rates r ON r.id = e.rate WHERE request_id = '${id}'`);
      assert.equal(cost.cost_out, cost.want);
      const { json } = await weir.get(`/chat/sessions/${session}/messages`);
      const last = json.items.at(-1), text = last.content ?? last.text;
      assert.equal(last.role, 'assistant', JSON.stringify(json));
      assert.ok(text.length > 20 && s.deltas().startsWith(text), text);
      const [word] = /[a-z]{4,}/.exec(text);
      if (i === 0) assert.ok((await weir.get(`/chat/sessions?query=${word}&limit=100`)).json.items.some((x) => x.session_id === session), `${word} is found`);
    }
    const verified = await run(path.join(build, 'weir'), ['verify'], { env: weir.env });
    assert.equal(verified.code, 0, verified.output);
    await weir.stop();
  });
}

test('kill -9 charges no more of an answer than was asked for, however its tokens are guessed', async () => {
  await up.reset();
  const weir = await startWeir({ upstream: up });
  const s = await weir.stream({ model, message: '#chunks-100-25 long pieces', max_tokens: 100 });      // of eighteen bytes, for four seconds
  await waitFor('a mark', () => weir.sql('SELECT completion FROM events')[0].completion > 0);
  await weir.kill('SIGKILL');
  await s.end(5000);
  await weir.start();
  const [r] = weir.sql('SELECT e.completion, e.cost_out, r.rate_out FROM events e JOIN rates r ON r.id = e.rate');
  assert.deepEqual([r.completion, r.cost_out], [100, 100 * r.rate_out], `${s.all('delta').length} pieces came`);
  await weir.stop();
});

test('SIGTERM lets running streams finish, refuses new work and ends with 0', async () => {
  const weir = await startWeir({ upstream: up });
  const s = await weir.stream({ model, message: '#slow-0-50-20 finishes' });
  await s.next('delta', 2);
  weir.program.child.kill('SIGTERM');
  await s.end();
  assertStream(s);
  assert.equal(s.terminals()[0].event, 'done', s.text);
  assert.deepEqual(await weir.program.exit, { code: 0, signal: null });
  await weir.stop();
});

test('a drain that takes too long ends streams with an error event', async () => {
  const weir = await startWeir({ upstream: up, config: { drain: 0.3 } });
  const s = await weir.stream({ model, message: '#slow-0-50-1000 never finishes' });
  await s.next('delta', 2);
  const id = s.first('accepted').request_id;
  weir.program.child.kill('SIGTERM');
  await s.end();
  assertStream(s);
  assertErrorObject(s.first('error'), 'unavailable', 'draining');
  assert.equal((await weir.program.exit).code, 0);
  const r = weir.record(id);
  assert.equal(r.state, 'settled');
  assert.ok(r.completion > 0 && r.estimated === 1);
  await weir.stop();
});

test('while Weir is down nginx says so in JSON', async () => {
  const weir = await startWeir({ upstream: up });
  await weir.kill('SIGKILL');
  const r = await request({ port: weir.port, path: '/monitoring/live', headers: weir.headers });
  assert.ok([502, 503].includes(r.status));
  assert.ok(r.json?.error?.message, r.text);
  assert.ok(r.headers['x-request-id']);
  await weir.stop();
});

test('a backup is whole, made while Weir writes, and never over an existing file', async () => {
  const weir = await startWeir({ upstream: up });
  const work = Array.from({ length: 30 }, (_, i) => weir.post('/chat/complete', { model, message: `during backup ${i}` }));
  const file = path.join(weir.state, 'copy.db');
  const made = await run(path.join(build, 'weir'), ['backup', file], { env: weir.env, cwd: weir.state });
  assert.equal(made.code, 0, made.output);
  await Promise.all(work);
  assert.equal(execFileSync('sqlite3', [file, 'pragma integrity_check'], { encoding: 'utf8' }).trim(), 'ok');
  assert.equal(fs.statSync(file).mode & 0o077, 0);
  const again = await run(path.join(build, 'weir'), ['backup', file], { env: weir.env, cwd: weir.state });
  assert.notEqual(again.code, 0);
  await weir.stop();
});

test('a second Weir on the same state folder is refused', async () => {
  const weir = await startWeir({ upstream: up });
  const second = await run(path.join(build, 'weir'), ['serve'], { env: weir.env, cwd: weir.state });
  assert.ok(second.code !== 0 && second.code !== null, JSON.stringify(second));
  assert.equal((await weir.get('/readyz')).status, 200);
  await weir.stop();
});

test('an emptied database stops the start with exit 78 and is left as it is', async () => {
  const weir = await startWeir({ upstream: up });
  await weir.program.stop();
  const file = path.join(weir.state, 'weir.db');
  for (const f of fs.readdirSync(weir.state)) if (/^weir\.db-/.test(f)) fs.rmSync(path.join(weir.state, f));
  fs.truncateSync(file, 0);
  const r = await run(path.join(build, 'weir'), ['serve'], { env: weir.env, cwd: weir.state });
  assert.equal(r.code, 78, r.output);
  assert.match(r.output, /weir\.db/);
  assert.equal(fs.statSync(file).size, 0);
  await weir.stop();
});
