// Signing in: passwords, browsers, what a browser may change, and tokens of one's own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { request, startUpstream, startWeir, test } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
// nginx lets an address try 20 times; how it does so is not what is tested here.
const weir = await startWeir({ upstream: up, nginx: (conf) => conf.replaceAll(/^.*limit_req zone=.*$/gm, '') });
const model = 'gpt-4o-mini';
const origin = `http://127.0.0.1:${weir.port}`;
const password = 'seven green tomatoes';
const ask = (method, where, { body, headers } = {}) => request({ port: weir.port, method, path: where, body, headers });
const bearer = (token) => ({ Authorization: `Bearer ${token}` });

// Sign in; gives what a browser sends from then on.
async function signIn(proof) {
  const r = await ask('POST', '/app/login', { body: proof, headers: { Origin: origin } });
  assert.equal(r.status, 200, r.text);
  const cookie = [r.headers['set-cookie']].flat()[0].split(';')[0];
  return { Cookie: cookie, Origin: origin, 'X-CSRF-Token': r.json.csrf_token };
}

test('name and password sign in; a wrong one, an unknown name and a disabled user are the same 401', async () => {
  const u = await weir.createUser('hans', { password });
  const browser = await signIn({ name: 'Hans', password });
  assert.equal((await ask('GET', '/app/me', { headers: browser })).json.user_id, u.user_id);
  await weir.request('PATCH', `/admin/users/${u.user_id}`, { disabled: true });
  assertError(await ask('GET', '/app/me', { headers: browser }), 401, 'authentication_error');
  const answers = [];
  for (const proof of [{ name: 'hans', password }, { name: 'hans', password: 'wrong' }, { name: 'nobody', password }])
    answers.push(await ask('POST', '/app/login', { body: proof }));
  for (const r of answers) assertError(r, 401, 'authentication_error', 'invalid_token');
  assert.equal(new Set(answers.map((r) => r.json.error.message)).size, 1);
  for (const body of [{ name: 'hans' }, { password }, { name: 'hans', password, token: weir.token }])
    assertError(await ask('POST', '/app/login', { body }), 400, 'invalid_request_error');
});

test('after five wrong passwords the next waits, for a known name and for an unknown one', async () => {
  const u = await weir.createUser('ida', { password });
  for (const name of ['ida', 'not-there']) {
    const statuses = [];
    for (let i = 0; i < 6; i++) statuses.push(await ask('POST', '/app/login', { body: { name, password: `wrong ${i}` } }));
    assert.deepEqual(statuses.map((r) => r.status), [401, 401, 401, 401, 401, 429], name);
    const wait = Number(statuses[5].headers['retry-after']);
    assert.ok(wait > 20 && wait <= 30, String(wait));
  }
  assertError(await ask('POST', '/app/login', { body: { name: 'ida', password } }), 429, 'rate_limited');      // the right one too
  const failed = (await weir.get('/admin/audit')).json.items.filter((i) => i.action === 'sign-in.failed');
  assert.deepEqual(failed.map((i) => [i.object, i.detail.failures]), [['', 5], [u.user_id, 5]]);
});

test('a new id at each sign-in; browsers are listed and ended one by one; a new password ends the others', async () => {
  await weir.createUser('jan', { password });
  const first = await signIn({ name: 'jan', password });
  const r = await ask('POST', '/app/login', { body: { name: 'jan', password }, headers: { Origin: origin, Cookie: first.Cookie } });
  assert.notEqual([r.headers['set-cookie']].flat()[0].split(';')[0], first.Cookie);
  assertError(await ask('GET', '/app/me', { headers: first }), 401, 'authentication_error');
  const forged = await ask('POST', '/app/login', { body: { name: 'jan', password }, headers: { Origin: origin, Cookie: `weir=${'A'.repeat(43)}` } });
  assert.doesNotMatch([forged.headers['set-cookie']].flat()[0], /A{43}/);
  const [a, b, c] = [await signIn({ name: 'jan', password }), await signIn({ name: 'jan', password }), await signIn({ name: 'jan', password })];
  const list = (await ask('GET', '/app/browser-sessions', { headers: a })).json.items;
  assert.equal(list.filter((i) => i.current).length, 1);
  const idOf = async (who) => (await ask('GET', '/app/browser-sessions', { headers: who })).json.items.find((i) => i.current).browser_session_id;
  assert.equal((await ask('DELETE', `/app/browser-sessions/${await idOf(b)}`, { headers: a })).status, 204);
  assertError(await ask('GET', '/app/me', { headers: b }), 401, 'authentication_error');
  const other = await signIn({ token: weir.token });
  assertError(await ask('DELETE', `/app/browser-sessions/${await idOf(other)}`, { headers: a }), 404, 'not_found');
  const next = 'eight blue radishes';
  assertError(await ask('PATCH', '/app/me', { body: { password: next, current_password: 'wrong' }, headers: a }), 401, 'authentication_error');
  assert.equal((await ask('PATCH', '/app/me', { body: { password: next, current_password: password }, headers: a })).status, 200);
  assert.equal((await ask('GET', '/app/me', { headers: a })).status, 200);
  assertError(await ask('GET', '/app/me', { headers: c }), 401, 'authentication_error');
  await signIn({ name: 'jan', password: next });
});

test('own tokens: made in the browser, narrowed, seen and revoked by nobody else', async () => {
  await weir.createUser('kim', { password });
  const kim = await signIn({ name: 'kim', password });
  const r = await ask('POST', '/app/tokens', { body: { name: 'script' }, headers: kim });
  assert.equal(r.status, 201, r.text);
  assert.deepEqual(r.json.scopes, ['chat', 'monitor']);
  assert.equal((await ask('POST', '/chat/complete', { body: { model, message: 'mine' }, headers: bearer(r.json.token) })).status, 200);
  assertError(await ask('GET', '/app/tokens', { headers: bearer(r.json.token) }), 403, 'permission_error');
  assertError(await ask('POST', '/app/tokens', { body: { name: 's', max_priority: 'High' }, headers: kim }), 403, 'permission_error', 'priority_not_allowed');
  assertError(await ask('POST', '/app/tokens', { body: { name: 's', scopes: ['usage'] }, headers: kim }), 400, 'invalid_request_error');
  assertError(await ask('POST', '/app/tokens', { body: { name: 's', user_id: 'usr_x' }, headers: kim }), 400, 'invalid_request_error', 'unknown_field');
  await weir.createUser('leo', { password });
  const leo = await signIn({ name: 'leo', password });
  assert.deepEqual((await ask('GET', '/app/tokens', { headers: leo })).json.items, []);
  assertError(await ask('DELETE', `/app/tokens/${r.json.token_id}`, { headers: leo }), 404, 'not_found');
  assert.equal((await ask('DELETE', `/app/tokens/${r.json.token_id}`, { headers: kim })).status, 204);
  assertError(await ask('GET', '/app/me', { headers: bearer(r.json.token) }), 401, 'authentication_error');
});

test('what a browser changes about roles, budgets and limits wants a sign-in of the last ten minutes', async () => {
  const admin = await signIn({ token: weir.token });
  const change = () => ask('POST', '/monitoring/reset-rate-limits', { body: {}, headers: admin });
  assert.equal((await change()).status, 200);
  await weir.program.stop();
  execFileSync('sqlite3', [path.join(weir.state, 'weir.db'), 'UPDATE web_sessions SET created_ms = created_ms - 601000']);
  await weir.start();
  assert.equal((await ask('GET', '/admin/users', { headers: admin })).status, 200);
  for (const [method, where, body] of [['POST', '/monitoring/reset-rate-limits', {}], ['POST', '/admin/users', { name: 'n', role: 'admin' }], ['POST', '/admin/budgets', {}]])
    assertError(await ask(method, where, { body, headers: admin }), 403, 'permission_error', 'reauthentication_required');
  assert.equal((await weir.post('/monitoring/reset-rate-limits', {})).status, 200);       // a token is its own proof
});
