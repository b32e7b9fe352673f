// Sessions that programs name themselves: a name is its owner's alone, wherever a request says it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build, request, run, startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const key = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'weir-names-')), 'content-key');
const weir = await startWeir({ upstream: up, others: [{ name: 'search', protocol: 'operation' }], config: { 'content.key_file': key } });
const model = 'gpt-4o-mini', name = 'nightly';

async function person(called) {
  const u = await weir.createUser(called);
  const { token } = (await weir.post('/admin/tokens', { user_id: u.user_id, name: called })).json;
  const ask = (method, where, body, headers) => request({ port: weir.port, method, path: where, body, headers: { Authorization: `Bearer ${token}`, ...headers } });
  return { ...u, token, ask,
    say: async (text, session = name) => {
      const r = await ask('POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content: text }] }, { 'X-Weir-Session': session });
      assert.equal(r.status, 200, r.text);
    },
    session: async (called = name) => (await ask('GET', `/chat/sessions/${called}`)).json,
    said: async (called = name) => (await ask('GET', `/chat/sessions/${called}/messages`)).json.items.filter((m) => m.role === 'user').map((m) => m.content) };
}
const [ann, bob] = [await person('ann'), await person('bob')];
const each = (await weir.post('/admin/budgets', { scope: 'session', each: true, window: 'day', limit_usd: 5 })).json;

test('two users with one name have a session each, encrypted, counted and budgeted apart', async () => {
  await Promise.all([ann.say('of ann'), bob.say('of bob')]);
  await bob.say('of bob again');
  const [a, b] = [await ann.session(), await bob.session()];
  for (const s of [a, b]) assert.match(s.session_id, /^ses_[0-9A-Za-z]{22}$/);
  assert.notEqual(a.session_id, b.session_id);
  assert.deepEqual([a.title, b.title], [name, name]);
  assert.deepEqual([await ann.said(), await bob.said()], [['of ann'], ['of bob', 'of bob again']]);
  assert.ok(weir.sql('SELECT title FROM sessions').every((s) => !s.title.includes(name)));

  for (const [who, s, n] of [[ann, a, 1], [bob, b, 2]]) {
    const history = (await who.ask('GET', `/monitoring/history?session_id=${name}`)).json.items;
    assert.deepEqual(history.map((i) => i.session_id), Array(n).fill(s.session_id));
    const usage = (await who.ask('GET', `/monitoring/session-usage/${name}`)).json;
    assert.deepEqual([usage.session_id, usage.totals.requests], [s.session_id, n]);
    assert.equal((await weir.get(`/monitoring/token-usage?user_id=${who.user_id}&session_id=${name}`)).json.totals.requests, n);
    const page = await who.ask('GET', `/app/c/${name}`);
    assert.ok(page.status === 200 && page.text.includes(`of ${who.name}`), page.text);
    const ledger = (await weir.get(`/admin/budgets/${each.budget_id}`)).json.ledgers.find((l) => l.key === s.session_id);
    assert.equal(ledger.spent_usd, s.totals.cost_usd);
  }
  assert.equal((await run(path.join(build, 'weir'), ['verify'], { env: weir.env })).code, 0);
});

test('a name works wherever a session is named, and an id that is not yours is nothing', async () => {
  const [a, b] = [await ann.session(), await bob.session()];
  const more = await ann.ask('POST', '/chat/complete', { model, message: 'by its name', session_id: name });
  assert.deepEqual([more.status, more.json.session_id], [200, a.session_id], more.text);
  for (const session of [b.session_id, 'ses_0000000000000000000000']) {
    const r = await ann.ask('POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content: 'looks in' }] }, { 'X-Weir-Session': session });
    assert.equal(assertError(r, 404, 'not_found', 'not_found').param, 'X-Weir-Session');
    assert.ok(r.json.error.message.includes(session));
  }
  const none = await ann.ask('POST', '/chat/complete', { model, message: 'x', session_id: 'never-used' });
  assertError(none, 404, 'not_found');
  assert.ok(none.json.error.message.includes("'never-used'"), none.text);
  assert.equal((await up.calls('looks in')).length, 0);
  assert.deepEqual((await bob.said()).length, 2);

  const [runs, his] = await Promise.all([ann, bob].map((who) => weir.stream({ model, messages: [{ role: 'user', content: '#slow-0-50-400 runs' }], stream: true },
    { path: '/v1/chat/completions', headers: { Authorization: `Bearer ${who.token}`, 'X-Weir-Session': 'runs' } })));
  await waitFor('ann\'s to be cancelled', async () => (await ann.ask('POST', '/chat/cancel', { session_id: 'runs' })).json.cancelled.length === 1);
  await runs.end();
  assert.equal((await bob.ask('POST', '/chat/cancel', { session_id: 'runs' })).json.cancelled.length, 1, 'his went on');
  await his.end();
});

test('a name that is deleted or given away begins anew', async () => {
  const [a, b] = [await ann.session(), await bob.session()];
  assert.equal((await ann.ask('DELETE', `/chat/sessions/${name}`)).status, 204);
  assertError(await ann.ask('GET', `/chat/sessions/${name}`), 404, 'not_found');
  await ann.say('a new night');
  assert.notEqual((await ann.session()).session_id, a.session_id);
  assert.deepEqual(await ann.said(), ['a new night']);

  assert.equal((await bob.ask('POST', `/chat/sessions/${name}/handoff`, { user_id: ann.user_id })).json.session_id, b.session_id);
  await bob.say('mine is another');
  assert.notEqual((await bob.session()).session_id, b.session_id);
  assert.deepEqual([await bob.said(), await ann.said()], [['mine is another'], ['a new night']]);
  await ann.say('goes on by id', b.session_id);
  assert.deepEqual(await ann.said(b.session_id), ['of bob', 'of bob again', 'goes on by id']);
});

test('usage made elsewhere and operations go by the same names; others\' ids are refused', async () => {
  const event = (id, who, session_id) => ({ request_id: id, at: new Date().toISOString(), user_id: who.user_id, model, session_id, usage: { prompt_tokens: 9, completion_tokens: 1 } });
  const r = await weir.post('/usage/events', { events: [event('e-1', ann, 'elsewhere'), event('e-2', bob, 'elsewhere'), event('e-3', bob, 'elsewhere')] });
  assert.equal(r.json?.accepted, 3, r.text);
  for (const [who, n] of [[ann, 1], [bob, 2]]) {
    assert.equal((await who.ask('GET', '/monitoring/session-usage/elsewhere')).json.totals.requests, n);
    assert.equal((await who.session('elsewhere')).title, 'elsewhere');
  }
  const lease = await bob.ask('POST', '/operations/acquire', { name: 'find', upstream: 'search', session_id: 'elsewhere' });
  assert.equal(lease.status, 200, lease.text);
  assert.equal((await bob.ask('POST', `/operations/${lease.json.lease_id}/settle`, { status: 'success' })).status, 200);
  assert.equal((await bob.ask('GET', '/monitoring/session-usage/elsewhere')).json.totals.requests, 3);
  for (const session of [(await bob.session()).session_id, 'ses_0000000000000000000000'])
    assert.equal(assertError(await weir.post('/usage/events', event('e-4', ann, session)), 400, 'invalid_request_error').param, 'session_id');
  assert.equal((await weir.post('/usage/events', event('e-5', bob, (await bob.session()).session_id))).status, 200);
});

test('what an older Weir named stays its owner\'s under that name, and is in nobody\'s way', async () => {
  const old = await startWeir({ upstream: up });
  const other = await old.createUser('other');
  const { token } = (await old.post('/admin/tokens', { user_id: other.user_id, name: 'other' })).json;
  const say = (text, headers) => old.post('/v1/chat/completions', { model, messages: [{ role: 'user', content: text }] }, { 'X-Weir-Session': 'agent', ...headers });
  await say('first', { Authorization: `Bearer ${token}` });
  execFileSync('sqlite3', [path.join(old.state, 'weir.db'), '.timeout 2000', "UPDATE sessions SET session_id = 'agent'"]);      // as it was then
  assert.equal((await old.get('/monitoring/session-usage/agent')).json.totals.requests, 1, 'an administrator finds it by its id');
  const budget = await old.post('/admin/budgets', { scope: 'session', key: 'agent', window: 'day', limit_usd: 1 });
  assert.deepEqual([budget.status, budget.json.key], [201, 'agent'], budget.text);
  assert.equal((await say('second', { Authorization: `Bearer ${token}` })).status, 200);
  assert.equal((await say('the administrator\'s own')).status, 200);
  const sessions = old.sql('SELECT s.session_id, u.name, s.requests FROM sessions s JOIN users u ON u.id = s.user ORDER BY s.id');
  assert.deepEqual([sessions.length, sessions[0].session_id, sessions[0].name, sessions[0].requests], [2, 'agent', 'other', 2]);
  assert.equal(sessions[1].requests, 1);
  assert.equal((await old.get('/monitoring/session-usage/agent')).json.session_id, sessions[1].session_id, 'now that is the administrator\'s own');
  await old.stop();
});
