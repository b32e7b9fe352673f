// What somebody tries who has an account, or had one: another's answers by key, cache, stream or session; and more time than
// a token has, by a browser or a token that was made with it.
import assert from 'node:assert/strict';
import { request, startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError, assertErrorObject, assertStream } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, nginx: (conf) => conf.replaceAll(/^.*limit_req zone=.*$/gm, '') });
const model = 'gpt-4o-mini';
const origin = `http://127.0.0.1:${weir.port}`;
const ask = (method, where, { body, headers } = {}) => request({ port: weir.port, method, path: where, body, headers });
const chat = (who, message, more, headers) => ask('POST', '/chat/complete', { body: { model, message, ...more }, headers: { ...who.headers, ...headers } });

// Somebody with a token that may all that they may.
async function person(name, more) {
  const u = await weir.createUser(name, more);
  return { ...u, ...await token(u.user_id) };
}

async function token(user_id, more) {
  const r = await weir.post('/admin/tokens', { user_id, name: 'all', ...more });
  assert.equal(r.status, 201, r.text);
  return { ...r.json, headers: { Authorization: `Bearer ${r.json.token}` } };
}

async function browser(t) {
  const r = await ask('POST', '/app/login', { body: { token: t.token }, headers: { Origin: origin } });
  assert.equal(r.status, 200, r.text);
  return { Cookie: [r.headers['set-cookie']].flat()[0].split(';')[0], Origin: origin, 'X-CSRF-Token': r.json.csrf_token };
}

const ann = await person('ann'), bob = await person('bob'), meg = await person('meg', { role: 'monitor' });
const status = async (headers) => (await ask('GET', '/app/me', { headers })).status;

test("another's idempotency key is one's own: neither the answer nor that there is one is told", async () => {
  const key = { 'Idempotency-Key': 'the-same' };
  const a = await chat(ann, 'secret of ann', {}, key);
  assert.equal(a.status, 200);
  const b = await chat(bob, 'secret of ann', {}, key);
  assert.equal(b.status, 200, b.text);
  assert.equal(b.headers['idempotent-replayed'], undefined);
  assert.notEqual(b.json.request_id, a.json.request_id);
  assert.equal((await up.calls('secret of ann')).length, 2);
  assert.equal((await chat(bob, 'something else', {}, { 'Idempotency-Key': 'used-by-ann' })).status, 200);
  const running = await weir.stream({ model, message: '#slow-0-20-100 ann runs' }, { headers: { ...ann.headers, 'Idempotency-Key': 'runs' } });
  await running.next('delta');
  assert.equal((await chat(bob, 'bob has a key too', {}, { 'Idempotency-Key': 'runs' })).status, 200);
  assertStream(await running.end());
});

test("another's answer is not given again, nor shared while it is made", async () => {
  const same = { messages: [{ role: 'user', content: '#slow-100-5-5 what both ask' }], message: undefined, cache: true };
  const [a, b] = await Promise.all([ann, bob].map((who) => chat(who, undefined, same)));
  const again = await chat(bob, undefined, same);
  for (const r of [a, b, again]) assert.equal(r.status, 200, r.text);
  assert.equal((await up.calls('#slow-100-5-5 what both ask')).length, 2);
  assert.equal(again.json.metrics.from_cache, true, 'one\'s own is');
});

test("another's stream is read by nobody: running or ended, from any event", async () => {
  const s = await weir.stream({ model, message: '#slow-0-20-60 for ann alone' }, { headers: ann.headers });
  await s.next('delta');
  const id = s.first('accepted').request_id;
  const tries = async () => {
    for (const from of [undefined, '0', '1', '999999']) {
      const last = from === undefined ? {} : { 'Last-Event-ID': from };
      assertError(await ask('GET', `/chat/stream/${id}`, { headers: { ...bob.headers, ...last } }), 404, 'not_found', 'not_found');
      assertError(await weir.get(`/chat/stream/${id}`, last), 404, 'not_found', 'not_found');
    }
    assertError(await ask('GET', `/chat/stream/${id}`, { headers: meg.headers }), 403, 'permission_error');
    assert.deepEqual((await ask('POST', '/chat/cancel', { body: { request_id: id }, headers: bob.headers })).json?.cancelled ?? [], []);
  };
  await tries();
  assertStream(await s.end());
  assert.equal(s.terminals()[0].data.finish_reason, 'stop');
  await tries();
  const mine = await weir.stream(undefined, { path: `/chat/stream/${id}`, method: 'GET', headers: ann.headers });
  await mine.end();
  assert.equal(mine.deltas(), s.deltas());
});

test("another's session is not continued by a header either", async () => {
  const { session_id } = (await chat(ann, 'between us')).json;
  const r = await ask('POST', '/v1/chat/completions', { body: { model, messages: [{ role: 'user', content: 'bob looks in' }] },
    headers: { ...bob.headers, 'X-Weir-Session': session_id } });
  const e = assertError(r, 404, 'not_found', 'not_found');
  assert.deepEqual([e.param, (await up.calls('bob looks in')).length], ['X-Weir-Session', 0], r.text);
  const messages = (await ask('GET', `/chat/sessions/${session_id}/messages`, { headers: ann.headers })).json.items;
  assert.equal(messages.length, 2, 'nothing was put into it');
  assertError(await ask('GET', `/monitoring/session-usage/${session_id}`, { headers: bob.headers }), 404, 'not_found', 'not_found');
  assert.deepEqual(weir.sql(`SELECT DISTINCT u.name FROM events e JOIN sessions s ON s.id = e.session JOIN users u ON u.id = e.user
    WHERE s.session_id = '${session_id}' AND s.user = (SELECT id FROM users WHERE name = 'ann')`).map((x) => x.name), ['ann']);
});

test('who signed a browser in with a token is out when that is revoked, changed or over, and what runs there ends', async () => {
  for (const end of [
    (t) => weir.request('DELETE', `/admin/tokens/${t.token_id}`),
    (t) => weir.request('PATCH', `/admin/tokens/${t.token_id}`, { scopes: ['monitor'] }),
  ]) {
    const t = await token(ann.user_id), other = await browser(ann), b = await browser(t);
    assert.deepEqual([await status(b), await status(other)], [200, 200]);
    assert.ok([200, 204].includes((await end(t)).status));
    assert.deepEqual([await status(b), await status(other)], [401, 200]);
  }
  const t = await token(ann.user_id), b = await browser(t);
  const open = await weir.stream.call({ ...weir, headers: b }, { model, message: '#slow-0-20-5000 in the browser' });
  await open.next('delta');
  assert.equal((await weir.request('DELETE', `/admin/tokens/${t.token_id}`)).status, 204);
  await open.end(2000);
  assertErrorObject(open.first('error'), 'permission_error', 'access_ended');
  await waitFor('the provider to be let go', async () => (await up.judge()).in_flight === 0);
});

test('who made tokens with a token, or in a browser it signed in, has none of them when it is revoked, and what they do ends', async () => {
  const t = await token(ann.user_id), b = await browser(t);
  const made = [];
  for (const headers of [t.headers, b]) {
    const r = await ask('POST', '/app/tokens', { body: { name: 'kept for later' }, headers });
    assert.equal(r.status, 201, r.text);
    made.push({ Authorization: `Bearer ${r.json.token}` });
  }
  const open = await weir.stream({ model, message: '#slow-0-20-5000 by what was made' }, { headers: made[1] });
  await open.next('delta');
  assert.equal((await weir.request('DELETE', `/admin/tokens/${t.token_id}`)).status, 204);
  await open.end(2000);
  assertErrorObject(open.first('error'), 'permission_error', 'access_ended');
  assert.deepEqual(await Promise.all([...made, b, ann.headers].map(status)), [401, 401, 401, 200]);
});

test('a browser that a token signed in is out when the token is over', async () => {
  const short = await token(ann.user_id, { expires_at: new Date(Date.now() + 1500).toISOString() });
  const brief = await browser(short);
  assert.equal(await status(brief), 200);
  await waitFor('the browser to be out', async () => await status(brief) === 401, 5000);
});

test('a budget of a token counts what is done in a browser that it signed in', async () => {
  const t = await token(bob.user_id);
  const budget = (await weir.post('/admin/budgets', { scope: 'token', key: t.token_id, window: 'total', limit_usd: 0.000001 })).json;
  const b = await browser(t);
  const r = await ask('POST', '/chat/complete', { body: { model, message: 'by the back door '.repeat(20) }, headers: b });
  assertError(r, 402, 'budget_exceeded');
  assert.equal(r.json.error.budget.id, budget.budget_id);
  for (const headers of [t.headers, b]) assertError(await ask('POST', '/app/tokens', { body: { name: 'way out' }, headers }), 403, 'permission_error', 'forbidden');
});

test('a token that is made with another does not outlive it', async () => {
  const until = new Date(Date.now() + 3600000).toISOString();
  const t = await token(bob.user_id, { expires_at: until });
  for (const headers of [t.headers, await browser(t)]) {
    const r = await ask('POST', '/app/tokens', { body: { name: 'heir' }, headers });
    assert.equal(r.status, 201, r.text);
    assert.equal(r.json.expires_at, until);
    const e = assertError(await ask('POST', '/app/tokens', { body: { name: 'heir', expires_at: new Date(Date.now() + 7200000).toISOString() }, headers }), 400, 'invalid_request_error', 'out_of_range');
    assert.equal(e.param, 'expires_at');
  }
});
