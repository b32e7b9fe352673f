// What is kept and for how long, what is signed, and what is gone once it is erased.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, top, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const cli = (weir, ...args) => run(path.join(build, 'weir'), args, { env: weir.env, cwd: top });

// As somebody who has the database file.
const shell = (weir, sql) => execFileSync('sqlite3', ['-cmd', '.timeout 5000', path.join(weir.state, 'weir.db'), sql], { encoding: 'utf8' });

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

// A plain user with a token, written as `weir` would.
function makeUser(weir, name) {
  const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const body = `weir_0123456789_${crypto.randomBytes(33).toString('base64url').slice(0, 43)}`;
  let crc = 0xffffffff, check = '';
  for (const c of Buffer.from(body)) {
    crc ^= c;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  for (let n = ~crc >>> 0, i = 0; i < 6; i++, n = Math.floor(n / 62)) check = base62[n % 62] + check;
  const token = body + check, user_id = `usr_${crypto.randomBytes(11).toString('hex')}`;
  shell(weir, `INSERT INTO users(user_id, name, role, max_priority, created_ms) VALUES ('${user_id}', '${name}', 0, 2, 0);
    INSERT INTO tokens(token_id, user, name, hash, scopes, max_priority, created_ms)
    SELECT 'tok_${user_id.slice(4)}', id, 'of ${name}', x'${crypto.createHash('sha256').update(token).digest('hex')}', '', 2, 0
    FROM users WHERE user_id = '${user_id}'`);
  return { token, user_id };
}

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
  const ledger = await cli(weir, 'verify');
  assert.equal(ledger.code, 0, ledger.output);
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

test('one person is exported whole and erased without a trace', async () => {
  const weir = await startWeir({ upstream: up });
  const words = Array.from({ length: 20 }, (_, i) => `Zeisig${i}-${(i * 7919) % 1000}-singt`);
  const { token, user_id: user } = makeUser(weir, words[0]);
  const as = { Authorization: `Bearer ${token}` };
  const own = (await weir.get('/app/me', as)).json;
  assert.equal(own.user_id, user);
  const sessions = [];
  for (const w of words.slice(1, 18)) {
    const a = (await weir.post('/chat/complete', { model, message: `${w} ${'x'.repeat(w.length * 99)}`, metadata: { note: words[18] } }, as)).json;
    sessions.push(a.session_id);
  }
  await weir.request('PATCH', `/chat/sessions/${sessions[3]}`, { title: words[19] }, as);
  await weir.post('/admin/budgets', { scope: 'user', key: user, window: 'month', limit_usd: 5 });
  const mine = await weir.post('/chat/complete', { model, message: 'of the administrator' });
  const running = await weir.stream({ model, message: `#slow-10-100-600 ${words[5]}` }, { headers: as });
  await running.next('delta');

  const self = await weir.get('/app/export', as);
  assert.match(self.headers['content-disposition'], /attachment; filename="weir-usr_.*\.json"/);
  for (const w of words) assert.ok(self.text.includes(w), w);
  assert.ok(!self.text.includes('of the administrator'));
  assert.equal(self.json.requests.filter((r) => r.status).length, 17);
  assertError(await weir.get(`/admin/users/${user}/export`, as), 403, 'permission_error', 'forbidden');
  assertError(await weir.request('DELETE', `/admin/users/${user}/data`, undefined, as), 403, 'permission_error', 'forbidden');
  assert.equal((await weir.get(`/admin/users/${user}/export`)).json.messages.length, self.json.messages.length);
  const dir = path.join(weir.state, 'export');
  const cliExport = await cli(weir, 'user', 'export', words[0], '--output', dir);
  assert.equal(cliExport.code, 0, cliExport.output);
  const exports = (await weir.get('/admin/audit')).json.items.filter((a) => a.action === 'person.export');
  assert.deepEqual(exports.map((a) => a.object), [user, user, user], 'by the person, by the administrator, by the command line');
  assert.equal((await cli(weir, 'user', 'export', words[0], '--output', dir)).code, 73, 'it overwrites nothing');
  for (const w of words) assert.ok(fs.readFileSync(path.join(dir, 'person.json'), 'utf8').includes(w), w);
  assert.equal(fs.readFileSync(path.join(dir, 'usage.csv'), 'utf8').trim().split('\r\n').length, 1 + self.json.requests.length);
  assert.equal((await cli(weir, 'user', 'erase', words[0], '--yes')).code, 75);      // Weir has the database

  const cost = (await weir.get('/monitoring/cost-breakdown')).json.total;
  const gone = await weir.request('DELETE', `/admin/users/${user}/data`);
  assert.equal(gone.status, 200, gone.text);
  assert.equal(gone.json.sessions, 18);
  assert.equal(gone.json.requests_ended.length, 1);
  assert.equal(gone.json.files_clean, true);
  await running.end();
  assertError(await weir.get('/app/me', as), 401, 'authentication_error', 'invalid_token');
  assertError(await weir.request('DELETE', `/admin/users/${user}/data`), 404, 'not_found', 'not_found');
  await waitFor('the write-ahead log to be empty', () => inFiles(weir, words).length === 0);
  const copy = path.join(weir.state, 'copy.db');
  assert.equal((await cli(weir, 'backup', copy)).code, 0);
  assert.deepEqual(words.filter((w) => fs.readFileSync(copy).includes(w)), []);
  assert.deepEqual(words.filter((w) => weir.program.output.includes(w)), []);
  // the numbers are there, under another name, and the administrator's texts too
  const after = (await weir.get('/monitoring/cost-breakdown')).json;
  assert.ok(after.total.requests >= cost.requests);
  assert.ok(!JSON.stringify(after).includes(user));
  assert.equal((await weir.get(`/chat/sessions/${mine.json.session_id}/messages`)).json.items[0].content, 'of the administrator');
  const audit = (await weir.get('/admin/audit')).json.items.map((a) => `${a.action} ${a.object}`);
  assert.ok(audit.includes(`person.export ${user}`) && audit.includes(`person.erase ${user}`), audit.join());
  assert.equal((await cli(weir, 'audit', 'verify')).code, 0);
  const ledger = await cli(weir, 'verify');
  assert.equal(ledger.code, 0, ledger.output);
  // the last administrator cannot go
  const admin = (await weir.get('/app/me')).json.user_id;
  assertError(await weir.request('DELETE', `/admin/users/${admin}/data`), 409, 'conflict', 'conflict');
});

test('weir user erase does the same while Weir does not run', async () => {
  const weir = await startWeir({ upstream: up });
  const { token } = makeUser(weir, 'Zeisig');
  await weir.post('/chat/complete', { model, message: 'Zaunkoenig' }, { Authorization: `Bearer ${token}` });
  await weir.program.stop();
  assert.equal((await cli(weir, 'user', 'erase', 'Nobody', '--yes')).code, 67);
  assert.equal((await cli(weir, 'user', 'erase', 'Zeisig')).code, 64);
  assert.notDeepEqual(inFiles(weir, ['Zaunkoenig']), []);
  const exported = await cli(weir, 'user', 'export', 'Zeisig', '--output', path.join(weir.state, 'zeisig'));
  assert.equal(exported.code, 0, exported.output);
  assert.equal(weir.sql("SELECT count(*) AS n FROM audit WHERE action = 'person.export'")[0].n, 1);
  fs.rmSync(path.join(weir.state, 'zeisig'), { recursive: true });
  const r = await cli(weir, 'user', 'erase', 'Zeisig', '--yes');
  assert.equal(r.code, 0, r.output);
  assert.match(r.output, /1 sessions with 2 texts, 1 tokens/);
  assert.deepEqual(inFiles(weir, ['Zaunkoenig', 'Zeisig']), []);
  assert.equal((await cli(weir, 'audit', 'verify')).code, 0);
});

test('with content.key_file no text or title is in any file, and an erased person is gone from backups too', async () => {
  const keyFile = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'weir-key-')), 'content-key');
  const weir = await startWeir({ upstream: up, config: { 'content.key_file': keyFile } });
  const { token, user_id: user } = makeUser(weir, 'plain');
  const as = { Authorization: `Bearer ${token}` };
  const a = (await weir.post('/chat/complete', { model, message: 'KANARIENVOGEL sings' }, as)).json;
  await weir.post('/chat/complete', { model, message: 'and again', session_id: a.session_id }, as);
  assert.deepEqual(inFiles(weir, ['KANARIENVOGEL', 'and again']), []);
  const seen = async () => [(await weir.get(`/chat/sessions/${a.session_id}`, as)).json.title,
    (await weir.get(`/chat/sessions/${a.session_id}/messages`, as)).json.items[0].content];
  assert.deepEqual(await seen(), ['KANARIENVOGEL sings', 'KANARIENVOGEL sings']);
  const search = await weir.get('/chat/sessions?query=kan', as);
  assertError(search, 400, 'invalid_request_error', 'invalid_field');
  assert.match(search.json.error.message, /encrypted/);
  await weir.program.stop();
  await weir.start();                                        // the keys are read from their files
  assert.deepEqual(await seen(), ['KANARIENVOGEL sings', 'KANARIENVOGEL sings']);
  const copy = path.join(weir.state, 'copy.db');
  assert.equal((await cli(weir, 'backup', copy)).code, 0);
  assert.equal((await weir.request('DELETE', `/admin/users/${user}/data`)).status, 200);
  // The backup is put back: the account lives again, its text does not.
  await weir.program.stop();
  for (const s of ['-wal', '-shm']) fs.rmSync(path.join(weir.state, `weir.db${s}`), { force: true });
  fs.renameSync(copy, path.join(weir.state, 'weir.db'));
  await weir.start();
  assert.deepEqual(await seen(), ['', null]);
  // Without the key it does not start.
  await weir.program.stop();
  configure(weir, { 'content.key_file': null });
  const refused = await cli(weir, 'serve');
  assert.equal(refused.code, 78);
  assert.match(refused.output, /content-keys has keys of encrypted text, but content\.key_file is not set/);
  fs.rmSync(path.dirname(keyFile), { recursive: true });
});

test('usage of long ago is of nobody: pseudonyms, the same numbers, a ledger that holds', async () => {
  const weir = await startWeir({ upstream: up });
  const person = makeUser(weir, 'kolibri'), ago = (days) => new Date(Date.now() - days * 86400000).toISOString();
  const event = (id, days, session_id) => ({ request_id: id, at: ago(days), user_id: person.user_id, session_id, model, usage: { prompt_tokens: 100, completion_tokens: 10 }, api_endpoint: '/x' });
  const told = await weir.post('/usage/events', { events: [event('imp_a', 120, 'ses_longago1'), event('imp_b', 119.5, 'ses_longago1'), event('imp_c', 110, 'ses_longago2'), event('imp_d', 3, 'ses_young')] });
  assert.equal(told.status, 200, told.text);
  const figures = async () => {
    const { by_user, by_session, cost_per, ...rest } = (await weir.get(`/monitoring/cost-breakdown?from=${ago(130).slice(0, 10)}T00:00:00Z`)).json;
    return { rest, by_user };
  };
  await weir.program.stop();
  configure(weir, { retention: { anonymize: '34d' } });
  const refused = await cli(weir, 'config', 'check');
  assert.equal(refused.code, 78);
  assert.match(refused.output, /retention\.anonymize must be 0 or at least 35d/);
  configure(weir, { retention: { anonymize: 0 } });
  await weir.start();
  const before = await figures();
  assert.deepEqual(before.by_user.map((u) => [u.key, u.requests]), [[person.user_id, 4]]);
  await weir.program.stop();
  configure(weir, { retention: { anonymize: '40d' } });
  await weir.start();
  const r = await retention(weir);
  assert.deepEqual([r.anonymize_days, r.names_held_by_budgets, r.last_run.anonymized], [40, false, 3]);
  assert.equal(r.anonymous_before, `${ago(40).slice(0, 10)}T00:00:00.000Z`);
  const after = await figures();
  assert.deepEqual(after.rest, before.rest);
  assert.equal(after.by_user.reduce((n, u) => n + u.requests, 0), 4);
  assert.equal(after.by_user.find((u) => u.key === person.user_id).requests, 1);
  assert.ok(after.by_user.filter((u) => u.key !== person.user_id).every((u) => /^ano_[0-9a-f]{16}$/.test(u.key)));
  assert.deepEqual((await weir.get('/admin/users')).json.items.filter((u) => u.user_id.startsWith('ano_')), []);
  const checked = await cli(weir, 'verify');
  assert.equal(checked.code, 0, checked.output);
  assert.deepEqual(inFiles(weir, ['ses_longago1', 'ses_longago2']), []);
  const noted = weir.sql("SELECT detail FROM audit WHERE action = 'usage.anonymized'");
  assert.deepEqual(noted.map((a) => JSON.parse(a.detail)), [{ requests: 3 }]);
  assert.ok(fs.readdirSync(path.join(weir.state, 'pseudonym-keys')).every((f) => /^\d{4}-\d{2}$/.test(f)));
  await weir.restart();
  assert.equal((await retention(weir)).last_run.anonymized, 0);
});
