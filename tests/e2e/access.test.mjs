// Who may call: tokens, the one-time sign-in link, the cookie, CSRF, and what is open.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { request, startUpstream, startWeir, test } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const model = 'gpt-4o-mini';
const ask = (method, where, { body, headers } = {}) => request({ port: weir.port, method, path: where, body, headers });
const [, code] = await weir.program.says(/\/app\/login#(\S+)/);
const origin = `http://127.0.0.1:${weir.port}`;

const guarded = [
  ['POST', '/chat/complete'], ['POST', '/chat/stream'], ['POST', '/chat/cancel'], ['GET', '/chat/models'], ['POST', '/chat/estimate'],
  ['GET', '/chat/sessions'], ['POST', '/chat/sessions'], ['GET', '/chat/sessions/ses_0000000000000000000000'],
  ['GET', '/chat/sessions/ses_0000000000000000000000/messages'],
  ...['token-usage', 'session-usage/ses_0000000000000000000000', 'queue-status', 'rate-limits', 'performance', 'cost-breakdown', 'live']
    .map((p) => ['GET', `/monitoring/${p}`]),
  ['POST', '/monitoring/reset-rate-limits'], ['POST', '/admin/reload'], ['GET', '/app/me'],
];

test('without a credential nothing but health, sign-in and static files answers', async () => {
  for (const [method, where] of guarded) {
    const r = await ask(method, where, method === 'POST' ? { body: { message: 'x' } } : {});
    if (r.status === 404 || r.status === 405) continue;      // a path this version does not have
    assertError(r, 401, 'authentication_error');
    assert.match(r.headers['www-authenticate'] ?? '', /^Bearer/);
  }
  for (const where of ['/healthz', '/readyz', '/app/login']) assert.equal((await ask('GET', where)).status, 200, where);
  for (const where of ['/app/', '/app/dashboard']) {
    const r = await ask('GET', where);
    assert.equal(r.status, 303, where);
    assert.match(r.headers.location, /\/app\/login/);
  }
  assert.equal((await up.judge()).calls, 0);
});

test('a wrong, cut, longer or doubled credential is 401', async () => {
  for (const headers of [
    { Authorization: 'Bearer nonsense' }, { Authorization: `Bearer ${weir.token.slice(0, -1)}` }, { Authorization: `Bearer ${weir.token}x` },
    { Authorization: `Basic ${weir.token}` }, { Authorization: weir.token }, { Authorization: 'Bearer ' }, { 'x-api-key': 'nonsense' },
    { Authorization: `Bearer ${weir.token}`, 'x-api-key': 'another' }, { Cookie: 'weir_session=nonsense' },
    { Authorization: `Bearer ' OR 1=1 --` },
  ])
    assertError(await ask('GET', '/monitoring/live', { headers }), 401, 'authentication_error');
});

test('the token of the state folder opens everything, also as x-api-key, and only its owner reads it', async () => {
  assert.equal(fs.statSync(path.join(weir.state, 'admin-token')).mode & 0o777, 0o600);
  assert.equal((await ask('GET', '/monitoring/live', { headers: { 'x-api-key': weir.token } })).status, 200);
  assert.equal((await weir.get('/app/me')).json.role, 'admin');
});

// One walk: the link is used up, so the tests that need the cookie follow it in order.
let cookie, csrf;
test('the code of the sign-in link works once and becomes an HttpOnly cookie', async () => {
  assertError(await ask('POST', '/app/login', { body: { code }, headers: { Origin: 'http://evil.example' } }), 403, 'permission_error', 'csrf_failed');
  const r = await ask('POST', '/app/login', { body: { code }, headers: { Origin: origin } });
  assert.equal(r.status, 200, r.text);
  const set = [r.headers['set-cookie']].flat()[0];
  assert.match(set, /; HttpOnly/);
  assert.match(set, /; SameSite=(Lax|Strict)/);
  assert.match(set, /; Path=\//);
  cookie = set.split(';')[0];
  const me = await ask('GET', '/app/me', { headers: { Cookie: cookie } });
  assert.equal(me.status, 200, me.text);
  for (const k of ['csrf_token', 'name', 'role', 'user_id']) assert.ok(me.json[k], k);
  csrf = me.json.csrf_token;
  assert.ok(csrf.length >= 22);
  const again = await ask('POST', '/app/login', { body: { code }, headers: { Origin: origin } });
  assertError(again, 401, 'authentication_error');
  assert.equal(again.headers['set-cookie'], undefined);
});

test('the token signs a browser in too, a wrong one does not', async () => {
  const r = await ask('POST', '/app/login', { body: { token: weir.token } });
  assert.equal(r.status, 200, r.text);
  assert.ok(r.headers['set-cookie']);
  for (const body of [{ token: 'nonsense' }, { code: 'nonsense' }])
    assertError(await ask('POST', '/app/login', { body }), 401, 'authentication_error');
  assertError(await ask('POST', '/app/login', { body: {} }), 400, 'invalid_request_error', 'missing_field');
  assertError(await ask('POST', '/app/login', { body: { token: weir.token, code } }), 400, 'invalid_request_error', 'invalid_field');
});

test('with the cookie a change needs Origin and the CSRF token, reading does not', async () => {
  const body = { model, message: 'by cookie' };
  const good = { Cookie: cookie, Origin: origin, 'X-CSRF-Token': csrf };
  assert.equal((await ask('GET', '/monitoring/live', { headers: { Cookie: cookie } })).status, 200);
  for (const headers of [
    { Cookie: cookie }, { ...good, Origin: 'http://evil.example' }, { ...good, Origin: 'null' }, { ...good, 'X-CSRF-Token': 'wrong' },
    { Cookie: cookie, Origin: origin }, { ...good, Origin: `${origin}.evil.example` },
  ])
    assertError(await ask('POST', '/chat/complete', { body, headers }), 403, 'permission_error', 'csrf_failed');
  assert.deepEqual(await up.calls('by cookie'), []);
  const r = await ask('POST', '/chat/complete', { body, headers: good });
  assert.equal(r.status, 200, r.text);
});

test('signing out ends the cookie', async () => {
  const r = await ask('POST', '/app/logout', { body: {}, headers: { Cookie: cookie, Origin: origin, 'X-CSRF-Token': csrf } });
  assert.ok(r.status < 400, r.text);
  assertError(await ask('GET', '/app/me', { headers: { Cookie: cookie } }), 401, 'authentication_error');
});

test('pages carry a strict content security policy and no way to be framed', async () => {
  const r = await ask('GET', '/app/login');
  const csp = r.headers['content-security-policy'];
  assert.match(csp, /default-src 'none'|default-src 'self'/);
  assert.match(csp, /frame-ancestors 'none'/);
  assert.doesNotMatch(csp, /unsafe-(inline|eval)/);
  assert.equal(r.headers['x-content-type-options'], 'nosniff');
  assert.match(r.headers['referrer-policy'] ?? '', /no-referrer|same-origin/);
});

test('no secret is in the logs, the database or an answer', async () => {
  await weir.post('/chat/complete', { model, message: '#fault-401 leak?' });
  assert.doesNotMatch(weir.logs().replaceAll(code, ''), new RegExp(`sk-e2e-canary|${weir.token}`));
  for (const f of fs.readdirSync(weir.state, { recursive: true }).filter((x) => /\.db|\.log|wal/.test(x))) {
    const file = path.join(weir.state, f);
    if (fs.statSync(file).isFile()) assert.ok(!fs.readFileSync(file).includes('sk-e2e-canary') && !fs.readFileSync(file).includes(weir.token), f);
  }
});
