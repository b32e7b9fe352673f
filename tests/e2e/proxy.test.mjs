// Signing in because a proxy in front, or nginx's auth_request, says who it is; and that nobody else can say so.
import assert from 'node:assert/strict';
import { request, run, startWeir, test, build, top } from './harness.mjs';
import { assertError } from './shapes.mjs';
import path from 'node:path';

const config = (sign_in) => ({ config: { sign_in } });
const off = await startWeir();
const byHeader = await startWeir(config({ proxy_user: 'X-Forwarded-User' }));
const elsewhere = await startWeir(config({ proxy_user: 'X-Forwarded-User', proxy_addresses: ['192.0.2.1', '2001:db8::/32'] }));
// As `auth_request_set $weir_user $upstream_http_x_auth_request_user;` would.
const byVariable = await startWeir({ ...config({ proxy_user: '$weir_user', proxy_role: 'monitor' }),
  nginx: (conf) => conf.replace('# Who a proxy in front', 'map $http_host $weir_user { default otto; }\n# Who a proxy in front') });

const page = (weir, headers, where = '/app/dashboard') => request({ port: weir.port, path: where, headers });
const cookieOf = (r) => [r.headers['set-cookie']].flat()[0].split(';')[0];
const users = async (weir) => (await weir.get('/admin/users')).json.items.map((u) => [u.name, u.role]);
const forged = { 'X-Forwarded-User': 'mallory', 'WEIR-PROXY-USER': 'mallory', WEIR_PROXY_USER: 'mallory', HTTP_WEIR_PROXY_USER: 'mallory', REMOTE_USER: 'mallory' };

test('off, and from another address than the proxy\'s, a header says nothing', async () => {
  for (const weir of [off, elsewhere]) {
    const r = await page(weir, forged);
    assert.deepEqual([r.status, r.headers['set-cookie']], [303, undefined]);
    assert.match(r.headers.location, /^\/app\/login/);
    assert.deepEqual(await users(weir), [['admin', 'admin']]);
  }
});

test('whom the proxy names is signed in, made at the first time, and only for as long as it names them', async () => {
  const from = { 'X-Forwarded-User': 'petra@example.org' };
  const r = await page(byHeader, from);
  assert.deepEqual([r.status, r.headers.location], [303, '/app/dashboard']);
  const cookie = { Cookie: cookieOf(r) };
  assert.equal((await page(byHeader, { ...from, ...cookie })).status, 200);
  const me = (await page(byHeader, { ...from, ...cookie }, '/app/me')).json;
  assert.deepEqual([me.name, me.role, me.max_priority], ['petra@example.org', 'user', 'Medium']);
  for (const headers of [cookie, { ...cookie, 'X-Forwarded-User': 'paul' }]) assertError(await page(byHeader, headers, '/app/me'), 401, 'authentication_error');
  await page(byHeader, { 'X-Forwarded-User': 'Petra@example.org' });
  assert.deepEqual(await users(byHeader), [['admin', 'admin'], ['petra@example.org', 'user']]);
  await byHeader.request('PATCH', `/admin/users/${me.user_id}`, { disabled: true });
  assert.match((await page(byHeader, from)).headers.location, /^\/app\/login/);
  assert.match((await page(byHeader, { 'X-Forwarded-User': '\u00ffx' })).headers.location ?? '/app/login', /^\/app\/login/);
  const actions = (await byHeader.get('/admin/audit')).json.items.map((i) => `${i.action} ${JSON.stringify(i.detail)}`);
  assert.ok(actions.includes('user.create {"with":"proxy"}') && actions.includes('sign-in {"with":"proxy"}'), actions.join('\n'));
});

test('a change with that cookie needs Origin and the CSRF token as any other', async () => {
  const from = { 'X-Forwarded-User': 'quinn' };
  const both = { ...from, Cookie: cookieOf(await page(byHeader, from)) };
  const post = (headers) => request({ port: byHeader.port, method: 'POST', path: '/chat/sessions', body: {}, headers });
  assertError(await post(from), 401, 'authentication_error');
  assertError(await post(both), 403, 'permission_error', 'csrf_failed');
  const { csrf_token } = (await page(byHeader, both, '/app/me')).json;
  assert.equal((await post({ ...both, Origin: `http://127.0.0.1:${byHeader.port}`, 'X-CSRF-Token': csrf_token })).status, 201);
});

test('a variable of nginx says it, whatever the client sends', async () => {
  const r = await page(byVariable, forged);
  assert.equal(r.status, 303);
  const me = (await page(byVariable, { ...forged, Cookie: cookieOf(r) }, '/app/me')).json;
  assert.deepEqual([me.name, me.role], ['otto', 'monitor']);
  assert.deepEqual(await users(byVariable), [['admin', 'admin'], ['otto', 'monitor']]);
});

test('what is no header and no variable stops the start', async () => {
  for (const bad of ['a b', '$', 'x;', '$a}', 'X-User"']) {
    const r = await run(path.join(build, 'weir'), ['config', 'check'], { env: { ...off.env, WEIR_SIGN_IN_PROXY_USER: bad }, cwd: top });
    assert.equal(r.code, 78, `${bad}: ${r.output}`);
  }
});
