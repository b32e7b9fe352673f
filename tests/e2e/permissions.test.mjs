// Who may do what: every line of the table of routes × nobody, user A, user B, monitor, admin, and tokens that are revoked,
// expired or narrowed, through nginx. What is A's is 404 for everybody else, and no list has it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { build, request, startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const routes = JSON.parse(execFileSync(path.join(build, 'tests/routes/routes'), { encoding: 'utf8' }));
const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { responses: 'on' }, others: [{ name: 'search', protocol: 'operation' }], nginx: (conf) => conf.replaceAll(/^.*limit_req zone=.*$/gm, '') });
const model = 'gpt-4o-mini', secret = 'ZEBRA-7731';
const password = 'seven green tomatoes';
const ask = (method, where, { body, headers } = {}) => request({ port: weir.port, method, path: where, body, headers });

async function admin(method, where, body) {
  const r = await weir.request(method, where, body);
  assert.ok(r.status < 300, `${method} ${where}: ${r.text}`);
  return r.json;
}

async function person(name, role) {
  const u = await admin('POST', '/admin/users', { name, role, password });
  const t = await admin('POST', '/admin/tokens', { user_id: u.user_id, name: `${name}'s` });
  return { name, role, ...u, token_id: t.token_id, headers: { Authorization: `Bearer ${t.token}` } };
}

const a = await person('user-a', 'user');
const who = {
  nobody: { headers: {} },
  revoked: await person('revoked', 'admin'),
  expired: await person('expired', 'admin'),
  B: await person('user-b', 'user'),
  monitor: await person('mona', 'monitor'),
  admin: await person('boss', 'admin'),
  A: a,
};
await admin('DELETE', `/admin/tokens/${who.revoked.token_id}`);
await admin('PATCH', `/admin/tokens/${who.expired.token_id}`, { expires_at: new Date(Date.now() + 300).toISOString() });
await waitFor('the token to expire', async () => (await ask('GET', '/app/me', { headers: who.expired.headers })).status === 401);
for (const p of ['revoked', 'expired']) who[p].role = undefined;

// Things of A's, or of the operator's for /admin, made for one route and used up by it: gives what stands for each {id} or {session}.
async function thingsFor(pattern) {
  const chat = async () => (await ask('POST', '/chat/complete', { body: { model, message: `my secret is ${secret}` }, headers: a.headers })).json;
  if (/^\/(chat\/sessions|app\/c|monitoring\/session-usage)\//.test(pattern)) {
    const r = await chat();
    return [r.session_id, r.message_id];
  }
  if (pattern === '/monitoring/requests/{id}') return [(await chat()).request_id];
  if (pattern === '/chat/stream/{id}') {
    const s = await (await weir.stream({ model, message: `streamed ${secret}`, on_disconnect: 'keep' }, { headers: a.headers })).end();
    return [s.first('accepted').request_id];
  }
  if (pattern === '/app/tokens/{id}') return [(await ask('POST', '/app/tokens', { body: { name: 'own' }, headers: a.headers })).json.token_id];
  if (/^\/v1\/(files|batches)\/\{id\}/.test(pattern)) {
    const ms = pattern.endsWith('/cancel') ? 60000 : 900;       // what shall be cancelled must not have ended
    const line = JSON.stringify({ custom_id: 'a', url: '/v1/chat/completions', body: { model, messages: [{ role: 'user', content: `#slow-${ms}-1-3 ${secret}` }] } });
    const part = (name, more, text) => `--XX\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${text}\r\n`;
    const file = await ask('POST', '/v1/files', { body: `${part('purpose', '', 'batch')}${part('file', '; filename="f"', line)}--XX--`,
      headers: { ...a.headers, 'Content-Type': 'multipart/form-data; boundary=XX' } });
    if (pattern.startsWith('/v1/files/')) return [file.json.id];
    return [(await ask('POST', '/v1/batches', { body: { input_file_id: file.json.id, endpoint: '/v1/chat/completions', completion_window: '24h' }, headers: a.headers })).json.id];
  }
  if (pattern === '/app/browser-sessions/{id}') {
    const r = await ask('POST', '/app/login', { body: { name: 'user-a', password }, headers: { Origin: `http://127.0.0.1:${weir.port}` } });
    const cookie = [r.headers['set-cookie']].flat()[0].split(';')[0];
    return [(await ask('GET', '/app/browser-sessions', { headers: { Cookie: cookie } })).json.items.find((i) => i.current).browser_session_id];
  }
  if (pattern === '/operations/{id}/settle') return [(await ask('POST', '/operations/acquire', { body: bodies['POST /operations/acquire'], headers: a.headers })).json.lease_id];
  if (pattern.startsWith('/admin/users/')) return [(await person(`victim-${Math.random().toString(36).slice(2)}`, 'user')).user_id];
  if (pattern.startsWith('/admin/tokens/')) return [(await admin('POST', '/admin/tokens', { user_id: a.user_id, name: 'x' })).token_id];
  if (pattern.startsWith('/admin/prices/')) return [(await admin('POST', '/admin/prices', { provider: 'openai', model: `m-${Math.random()}`, input_per_million_usd: 1, output_per_million_usd: 1 })).price_id];
  if (pattern.startsWith('/admin/budgets/')) return [(await admin('POST', '/admin/budgets', { scope: 'user', key: a.user_id, window: 'day', limit_usd: 1000 })).budget_id];
  return ['none_0000000000000000000000', 'none_0000000000000000000000'];
}

// What makes a request of this route whole, where {} is not enough.
const bodies = {
  'PATCH /chat/sessions/{session}': { title: 'mine' },
  'PATCH /admin/budgets/{id}': { limit_usd: 2000 },
  'POST /chat/complete': { model, message: 'hello' },
  'POST /chat/stream': { model, message: 'hello' },
  'POST /chat/estimate': { model, message: 'hello' },
  'POST /chat/cancel': { request_id: 'req_0' },
  'POST /operations/acquire': { name: 'find', upstream: 'search' },
  'POST /operations/batch': { operations: [{ name: 'find', upstream: 'search' }] },
  'POST /operations/{id}/settle': { status: 'success' },
  'POST /chat/retry': { request_id: 'req_0' },
};
const isOwned = (pattern) => /^\/(chat|app|monitoring|operations|v1)\/.*\{(id|session)\}/.test(pattern);
// Numbers of others are the monitor's and the administrator's to see; what others wrote is nobody's.
const mayLookAt = (pattern, p) => (pattern.startsWith('/monitoring/') && (p.role === 'monitor' || p.role === 'admin')) ||
  (pattern.endsWith('/handoff') && p.role === 'admin');
// Beyond the role: a password is changed in a browser, and who is no administrator records usage with a token narrowed to that.
const refuses = (route, p) => (route.pattern === '/app/me' && route.method === 'PATCH') || (route.pattern === '/usage/events' && p.role !== 'admin');

function pathOf(route, things) {
  let i = 0;
  return route.pattern.replaceAll(/\{(id|session)\}/g, () => things[i++]).replace('{rest}', model);
}

async function send(route, where, p) {
  const body = route.body === 'none' || route.body === 'page' ? undefined : bodies[`${route.method} ${route.pattern}`] ?? {};
  return ask(route.method, where, { body, headers: p.headers });
}

test('the table has what the walk needs', () => {
  assert.ok(routes.length > 60);
  assert.ok(routes.some((r) => r.open) && routes.some((r) => r.fresh));
});

test('each route answers each caller as it is declared', async () => {
  for (const route of routes) {
    const things = await thingsFor(route.pattern);
    const where = pathOf(route, things);
    for (const [name, p] of Object.entries(who)) {
      const line = `${route.method} ${where} by ${name}`;
      const r = await send(route, where, p);
      assert.ok(r.status < 500, `${line}: ${r.text}`);
      if (route.open) {
        assert.ok(r.status !== 403 && (r.status !== 401 || where === '/app/login'), `${line}: ${r.text}`);
      } else if (!p.role) {
        if (route.body === 'page') assert.deepEqual([r.status, r.headers.location.startsWith('/app/login')], [303, true], line);
        else assert.equal(r.status, 401, `${line}: ${r.text}`);
      } else if (!route.roles.includes(p.role) || refuses(route, p)) {
        assert.equal(r.status, 403, `${line}: ${r.text}`);
      } else if (isOwned(route.pattern) && name !== 'A' && !mayLookAt(route.pattern, p)) {
        // the monitor has no chat, and is sent to the dashboard
        if (p.role === 'monitor' && route.pattern.startsWith('/app/c/')) assert.equal(r.status, 303, line);
        else assert.equal(r.status, 404, `${line}: ${r.text}`);
      } else if (/\{(id|session)\}/.test(route.pattern) && things[0].startsWith('none_')) {
        assert.ok([400, 404].includes(r.status), `${line}: ${r.text}`);
      } else {
        assert.ok(r.status < 400 || (r.status === 400 && (route.body === 'json' || route.body === 'rows')) || (r.status === 415 && route.body === 'form'), `${line}: ${r.status} ${r.text}`);
      }
      if (name !== 'A') assert.ok(!r.text.includes(secret), `${line} shows what A wrote`);
    }
  }
});

test('no list, total, export or page of others has anything of A\'s', async () => {
  const r = await ask('POST', '/chat/complete', { body: { model, message: `again ${secret}`, metadata: { tag: secret } }, headers: a.headers });
  const own = { ...r.json, user_id: a.user_id, token_id: a.token_id };
  const ids = ['session_id', 'message_id', 'request_id', 'user_id', 'token_id'].map((k) => own[k]);
  const lists = routes.filter((x) => x.method === 'GET' && !x.open && !/\{(id|session)\}/.test(x.pattern));
  const queries = (pattern) => (pattern.startsWith('/monitoring/') && !/live|queue-status|rate-limits|stream-test/.test(pattern)
    ? ['', `?user_id=${a.user_id}`, `?session_id=${own.session_id}`] : ['']);
  let seen = 0;
  for (const route of lists) {
    for (const query of queries(route.pattern)) {
      for (const name of ['B', 'monitor', 'admin']) {
        const p = who[name];
        if (!route.roles.includes(p.role)) continue;
        const answer = await ask('GET', pathOf(route, []) + query, { headers: p.headers });
        const line = `${route.pattern}${query} by ${name}`;
        assert.ok(!answer.text.includes(secret), `${line} shows what A wrote`);
        if (name !== 'B') continue;
        assert.ok(answer.status < 400, `${line}: ${answer.status} ${answer.text}`);
        for (const id of query ? ids.filter((i) => !query.includes(i)) : ids) assert.ok(!answer.text.includes(id), `${line} shows ${id}`);
        const items = answer.json?.items;
        if (query && items) assert.deepEqual(items, [], line);
        seen++;
      }
    }
  }
  assert.ok(seen > 20, String(seen));
  const mine = await ask('GET', '/monitoring/history', { headers: a.headers });
  assert.ok(mine.json.items.some((i) => i.request_id === own.request_id));
});

test('with A\'s ids in a body others reach nothing either', async () => {
  const s = await weir.stream({ model, message: '#slow-0-20-1000 still mine' }, { headers: a.headers });
  const { request_id, session_id } = await s.next('accepted');
  for (const body of [{ request_id }, { session_id }]) {
    const r = await ask('POST', '/chat/cancel', { body, headers: who.B.headers });
    assert.deepEqual([r.status, r.json.cancelled], [200, []]);
  }
  for (const p of [who.B, who.admin])
    for (const where of ['/chat/complete', '/chat/stream', '/chat/estimate'])
      assertError(await ask('POST', where, { body: { model, message: 'go on', session_id }, headers: p.headers }), 404, 'not_found');
  assert.equal((await ask('POST', '/chat/cancel', { body: { request_id }, headers: a.headers })).json.cancelled.length, 1);
  await s.next('done');
});

test('a narrowed token opens what its scope says and nothing else', async () => {
  const opens = { chat: /^\/(chat|v1|operations)\//, monitor: /^\/(monitoring\/|metrics$)/, usage: /^\/usage\// };
  for (const [scope, pattern] of Object.entries(opens)) {
    const { token } = await admin('POST', '/admin/tokens', { user_id: who.admin.user_id, name: scope, scopes: [scope] });
    for (const route of routes.filter((x) => !x.open && x.roles.includes('admin'))) {
      const r = await send(route, pathOf(route, ['none_0', 'none_0']), { headers: { Authorization: `Bearer ${token}` } });
      const may = pattern.test(route.pattern) || (route.pattern === '/app/me' && route.method === 'GET' && scope !== 'usage');
      assert.equal(r.status === 403, !may, `${scope}: ${route.method} ${route.pattern}: ${r.status} ${r.text.slice(0, 200)}`);
    }
  }
});

test('a method that a path does not have is 405 before anybody is asked who they are', async () => {
  for (const pattern of new Set(routes.map((r) => r.pattern))) {
    const has = routes.filter((r) => r.pattern === pattern).map((r) => r.method);
    const [not] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((m) => !has.includes(m));
    assert.equal((await ask(not, pattern.replaceAll(/\{(id|session)\}/g, 'x'), {})).status, 405, `${not} ${pattern}`);
  }
});
