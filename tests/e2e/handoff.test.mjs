// A session changes hands: with its history, budget and totals; what was spent stays spent by who spent it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build, request, run, startUpstream, startWeir, test, top, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const model = 'gpt-4o-mini';

async function person(on, name, more) {
  const u = await on.createUser(name, more);
  const t = (await on.post('/admin/tokens', { user_id: u.user_id, name })).json;
  return { ...t, user_id: u.user_id, ask: (method, where, body) => request({ port: on.port, method, path: where, body, headers: { Authorization: `Bearer ${t.token}` } }) };
}
const [gil, rea] = [await person(weir, 'gil'), await person(weir, 'rea')];
const chat = async (who, message, session_id) => {
  const r = await who.ask('POST', '/chat/complete', { model, message, session_id });
  assert.equal(r.status, 200, r.text);
  return r.json;
};
const give = (who, id, to) => who.ask('POST', `/chat/sessions/${id}/handoff`, to);
const holds = async (on) => {
  const r = await run(path.join(build, 'weir'), ['verify'], { env: on.env, cwd: top });
  assert.equal(r.code, 0, r.output);
};

test('the receiver goes on where the giver stopped, and each has paid for what they asked', async () => {
  const first = await chat(gil, 'the first question'), id = first.session_id;
  await chat(gil, 'and the second', id);
  const b = (await weir.post('/admin/budgets', { scope: 'session', key: id, window: 'total', limit_usd: 1 })).json;
  const spent = async () => (await weir.get('/admin/budgets')).json.items.find((i) => i.budget_id === b.budget_id).spent_usd;
  const before = (await gil.ask('GET', `/chat/sessions/${id}`)).json;
  await gil.ask('PATCH', `/chat/sessions/${id}`, { pinned: true });
  const r = await give(gil, id, { user_id: rea.user_id });
  assert.deepEqual([r.status, r.json], [200, { session_id: id, from_user_id: gil.user_id, user_id: rea.user_id }], r.text);

  for (const [method, where] of [['GET', ''], ['GET', '/messages'], ['DELETE', '']]) assertError(await gil.ask(method, `/chat/sessions/${id}${where}`), 404, 'not_found');
  assertError(await gil.ask('POST', '/chat/complete', { model, message: 'still mine?', session_id: id }), 404, 'not_found');
  const after = (await rea.ask('GET', `/chat/sessions/${id}`)).json;
  assert.deepEqual([after.title, after.totals, after.messages, after.pinned], [before.title, before.totals, before.messages, false]);
  const { items } = (await rea.ask('GET', `/chat/sessions/${id}/messages`)).json;
  assert.deepEqual(items.filter((m) => m.role === 'user').map((m) => m.content), ['the first question', 'and the second']);

  const third = await chat(rea, 'the third', id);
  assert.ok(third.usage.prompt_tokens > first.usage.prompt_tokens + 10, 'the history was sent with it');
  const paid = async (who) => (await who.ask('GET', '/monitoring/cost-breakdown')).json.total;
  assert.deepEqual([(await paid(gil)).requests, (await paid(rea)).requests], [2, 1]);
  const usage = (await rea.ask('GET', `/monitoring/session-usage/${id}`)).json;
  assert.equal(usage.totals.requests, 3);
  assert.ok(Math.abs(usage.totals.cost_usd - (await paid(gil)).cost_usd - (await paid(rea)).cost_usd) < 1e-12);
  await waitFor('the budget to have all of it', async () => Math.abs(await spent() - usage.totals.cost_usd) < 1e-12);
  await holds(weir);
  const line = (await weir.get('/admin/audit')).json.items.find((i) => i.action === 'session.handoff' && i.object === id);
  assert.deepEqual([line.actor, JSON.stringify(line.detail).includes(gil.user_id), JSON.stringify(line.detail).includes(rea.user_id)], [gil.user_id, true, true]);
});

test('only the owner and an administrator hand over, nothing that runs, and to somebody who may chat', async () => {
  const mona = await person(weir, 'mona', { role: 'monitor' });
  const { session_id: id } = await chat(gil, 'mine alone');
  assertError(await give(rea, id, { user_id: rea.user_id }), 404, 'not_found');
  for (const [to, param] of [[{}, 'user_id'], [{ user_id: 'usr_nobody' }, 'user_id'], [{ user_id: mona.user_id }, 'user_id'], [{ token_id: 'tok_none' }, 'token_id'],
    [{ user_id: rea.user_id, token_id: rea.token_id }, 'user_id'], [{ to: rea.user_id }, 'to']]) {
    const r = await give(gil, id, to);
    assertError(r, 400, 'invalid_request_error');
    assert.equal(r.json.error.param, param, r.text);
  }
  const s = await weir.stream({ model, message: '#slow-0-50-1000 runs', session_id: id }, { headers: { Authorization: `Bearer ${gil.token}` } });
  await s.next('delta');
  const busy = await give(gil, id, { user_id: rea.user_id });
  assertError(busy, 409, 'conflict');
  assert.match(busy.json.error.message, /answered/);
  await gil.ask('POST', '/chat/cancel', { session_id: id });
  await s.next('done');

  const boss = await person(weir, 'boss', { role: 'admin' });
  assertError(await give(boss, id, { user_id: boss.user_id }), 403, 'permission_error');
  const r = await give(boss, id, { token_id: rea.token_id });             // a token stands for its user
  assert.deepEqual([r.status, r.json.user_id, r.text.includes('mine alone')], [200, rea.user_id, false]);
  assertError(await boss.ask('GET', `/chat/sessions/${id}`), 404, 'not_found');
  assert.equal((await rea.ask('GET', `/chat/sessions/${id}`)).status, 200);
  const own = await give(rea, id, { token_id: rea.token_id });            // within one user every token has it already
  assert.deepEqual([own.status, own.json.from_user_id, own.json.user_id], [200, rea.user_id, rea.user_id]);
  await holds(weir);
  await weir.stop();
});

test('encrypted texts are the receiver\'s to read, also when the giver is erased', async () => {
  const key = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'weir-handoff-')), 'content-key');
  const sealed = await startWeir({ upstream: up, config: { 'content.key_file': key } });
  const [from, to] = [await person(sealed, 'from'), await person(sealed, 'to')];
  const { session_id: id } = await chat(from, 'KANARIENVOGEL sings');
  assert.equal((await give(from, id, { user_id: to.user_id })).status, 200);
  assert.equal((await sealed.request('DELETE', `/admin/users/${from.user_id}/data`)).status, 200);
  assert.equal((await to.ask('GET', `/chat/sessions/${id}`)).json.title, 'KANARIENVOGEL sings');
  assert.equal((await to.ask('GET', `/chat/sessions/${id}/messages`)).json.items[0].content, 'KANARIENVOGEL sings');
  await chat(to, 'and goes on', id);
  await holds(sealed);
  await sealed.stop();
});
