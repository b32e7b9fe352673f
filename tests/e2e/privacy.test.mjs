// What is kept and for how long, what is signed, and what is gone once it is erased.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, top, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const cli = (weir, ...args) => run(path.join(build, 'weir'), args, { env: weir.env, cwd: top });

// As somebody who has the database file.
const shell = (weir, sql) => execFileSync('sqlite3', [path.join(weir.state, 'weir.db'), sql], { encoding: 'utf8' });

test('the audit log names who did what, is whole, and a cut is found by the anchor', async () => {
  const weir = await startWeir({ upstream: up });
  const b = (await weir.post('/admin/budgets', { scope: 'all', window: 'month', limit_usd: 5 })).json;
  await weir.post('/admin/reload');
  assertError(await weir.get('/monitoring/live', { Authorization: 'Bearer weir_0000000000_x' }), 401, 'authentication_error', 'invalid_token');
  const list = (await weir.get('/admin/audit')).json;
  const made = list.items.find((a) => a.action === 'budget.create');
  assert.equal(made.object, b.budget_id);
  assert.equal(made.detail.limit_usd, 5);
  assert.match(made.actor, /^usr_/);
  assert.match(made.request_id, /^req_/);
  const page = (await weir.get('/admin/audit?limit=1')).json;
  assert.deepEqual(page.items, list.items.slice(0, 1));
  assert.deepEqual((await weir.get(`/admin/audit?limit=1&cursor=${page.next_cursor}`)).json.items, list.items.slice(1, 2));
  const live = await cli(weir, 'audit', 'verify', '--json');
  assert.equal(live.code, 0, live.output);
  const head = JSON.parse(live.output);
  assert.equal(head.rows, list.items.length);
  await weir.program.stop();
  const anchor = weir.logs().match(/audit: head (\d+:[0-9a-f]{64})/g).at(-1).split(' ').at(-1);
  assert.equal((await cli(weir, 'audit', 'verify', '--anchor', anchor)).code, 0);
  // the count of refused credentials was written at the stop
  assert.equal(Number(anchor.split(':')[0]), head.rows + 1);
  assert.equal(JSON.parse(weir.sql("SELECT detail FROM audit WHERE action = 'sign-in.refused'")[0].detail).count, 1);
  shell(weir, 'DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)');
  assert.equal((await cli(weir, 'audit', 'verify')).code, 0);
  const cut = await cli(weir, 'audit', 'verify', '--anchor', anchor, '--json');
  assert.equal(cut.code, 65);
  assert.equal(JSON.parse(cut.output).first_bad, head.rows + 1);
});

// How many of `words` are anywhere in the database's files, raw.
const inFiles = (weir, words, suffixes = ['', '-wal', '-shm']) => suffixes.flatMap((s) => {
  const file = path.join(weir.state, `weir.db${s}`);
  const bytes = fs.existsSync(file) ? fs.readFileSync(file) : Buffer.alloc(0);
  return words.filter((w) => bytes.includes(w)).map((w) => `${w} in weir.db${s}`);
});
const configure = (weir, more) => {
  const file = path.join(weir.state, 'weir.json');
  fs.writeFileSync(file, JSON.stringify({ ...JSON.parse(fs.readFileSync(file)), ...more }));
};
const retention = (weir, done = (r) => r.last_run?.ended_at) => waitFor('a run of retention', async () => {
  const r = (await weir.get('/admin/retention')).json;
  return done(r) && r;
}, 20000);

test('text goes when its time is over, and the page says so; the numbers stay', async () => {
  const weir = await startWeir({ upstream: up });
  const first = await retention(weir);
  assert.deepEqual([first.content_days, first.content_bytes, first.usage_days, first.audit_days], [90, 0, 400, 730]);
  assert.ok(Date.parse(first.next_run_at) > Date.now());
  assert.equal(first.last_run.texts, 0);
  const a = (await weir.post('/chat/complete', { model, message: 'KANARIENVOGEL sings' })).json;
  assert.notDeepEqual(inFiles(weir, ['KANARIENVOGEL']), []);
  await weir.program.stop();
  configure(weir, { 'retention.content': '10ms' });
  await weir.start();
  const r = await retention(weir);
  assert.equal(r.last_run.texts, 2);
  const items = (await weir.get(`/chat/sessions/${a.session_id}/messages`)).json.items;
  assert.deepEqual(items.map((m) => m.content), [null, null]);
  assert.equal(items[1].usage.completion_tokens, a.usage.completion_tokens);
  // the title is the session's, which goes a day after its last use
  shell(weir, "UPDATE sessions SET title = 'plain'");
  await weir.program.stop();
  await weir.start();
  await retention(weir);
  assert.deepEqual(inFiles(weir, ['KANARIENVOGEL']), []);
  assert.equal((await weir.get('/monitoring/cost-breakdown')).json.total.requests, 1);
});

test('with retention.content 0 no text is ever written, and all is counted', async () => {
  const weir = await startWeir({ upstream: up, config: { 'retention.content': 0 } });
  const a = (await weir.post('/chat/complete', { model, message: 'KANARIENVOGEL sings' })).json;
  assert.ok(JSON.stringify(a).includes('KANARIENVOGEL'));            // the stand-in answers with the question
  const b = (await weir.post('/chat/complete', { model, message: 'and again', session_id: a.session_id })).json;
  assert.equal(b.session_id, a.session_id);
  const s = (await weir.get(`/chat/sessions/${a.session_id}`)).json;
  assert.deepEqual([s.title, s.messages, s.totals.requests], ['New chat', 4, 2]);
  assert.deepEqual(inFiles(weir, ['KANARIENVOGEL', 'and again']), []);
  assertError(await weir.post('/chat/sessions', { system: 'Be brief.' }), 400, 'invalid_request_error', 'invalid_field');
  assert.equal((await up.calls('and again')).length, 1);
});
