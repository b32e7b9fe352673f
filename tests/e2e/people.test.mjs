// Several people: users, their tokens and passwords, what each may use, and how access ends.
import assert from 'node:assert/strict';
import { request, startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const model = 'gpt-4o-mini';
const password = 'seven green tomatoes';
const ask = (method, where, { body, headers } = {}) => request({ port: weir.port, method, path: where, body, headers });
const bearer = (token) => ({ Authorization: `Bearer ${token}` });

async function addToken(user_id, more = {}) {
  const r = await weir.post('/admin/tokens', { user_id, name: 'laptop', ...more });
  assert.equal(r.status, 201, r.text);
  return { ...r.json, headers: bearer(r.json.token) };
}

test('a user is made, listed, changed and removed, each with its line in the audit log and no secret in it', async () => {
  const u = await weir.createUser('anna', { password });
  assert.deepEqual([u.role, u.max_priority, u.has_password, u.filters], ['user', 'Medium', true, null]);
  assert.deepEqual(u.limits, { requests_per_minute: null, tokens_per_minute: null });
  assert.equal(u.weight, 1);
  assert.equal((await weir.request('PATCH', `/admin/users/${u.user_id}`, { weight: 0.25 })).json.weight, 0.25);
  assertError(await weir.post('/admin/users', { name: 'Anna', role: 'user' }), 409, 'conflict');
  for (const [body, param] of [[{ role: 'user' }, 'name'], [{ name: 'x' }, 'role'], [{ name: 'x', role: 'root' }, 'role'], [{ name: ' x', role: 'user' }, 'name'],
    [{ name: 'x', role: 'user', password: 'short' }, 'password'], [{ name: 'x', role: 'user', password: 'password1234' }, 'password'],
    [{ name: 'x', role: 'user', max_priority: 'Highest' }, 'max_priority'], [{ name: 'x', role: 'user', is_admin: true }, 'is_admin'],
    [{ name: 'x', role: 'user', limits: { requests_per_minute: -1 } }, 'limits.requests_per_minute'], [{ name: 'x', role: 'user', weight: 0 }, 'weight'],
    [{ name: 'x', role: 'user', weight: 101 }, 'weight'], [{ name: 'x', role: 'user', weight: '3' }, 'weight']]) {
    const r = await weir.post('/admin/users', body);
    assertError(r, 400, 'invalid_request_error');
    assert.equal(r.json.error.param, param, r.text);
  }
  const patched = await weir.request('PATCH', `/admin/users/${u.user_id}`, { name: 'Anne', max_priority: 'High', limits: { tokens_per_minute: 5000 } });
  assert.deepEqual([patched.json.name, patched.json.max_priority, patched.json.limits.tokens_per_minute], ['Anne', 'High', 5000]);
  assert.ok((await weir.get('/admin/users')).json.items.some((i) => i.user_id === u.user_id && i.name === 'Anne'));
  assert.equal((await weir.request('DELETE', `/admin/users/${u.user_id}`)).status, 204);
  assertError(await weir.get(`/admin/users/${u.user_id}`), 404, 'not_found');
  assertError(await weir.request('DELETE', `/admin/users/${u.user_id}`), 404, 'not_found');
  await weir.createUser('Anne');                                          // the name is free again
  const audit = await weir.get('/admin/audit');
  for (const action of ['user.create', 'user.change', 'user.remove'])
    assert.ok(audit.json.items.some((i) => i.action === action && i.object === u.user_id), action);
  assert.doesNotMatch(audit.text, /tomatoes|anna/i);
});

test('the last administrator stays', async () => {
  const me = (await weir.get('/app/me')).json.user_id;
  for (const change of [['PATCH', { role: 'user' }], ['PATCH', { disabled: true }], ['DELETE']])
    assertError(await weir.request(change[0], `/admin/users/${me}`, change[1]), 409, 'conflict');
  assert.equal((await weir.get('/app/me')).json.role, 'admin');
});

test('a token is shown once, works, knows its day, is narrowed, and is revoked', async () => {
  const u = await weir.createUser('bert');
  const t = await addToken(u.user_id);
  assert.match(t.token, /^weir_[0-9A-Za-z]{10}_[\w-]{49}$/);
  const days = (Date.parse(t.expires_at) - Date.now()) / 86400e3;
  assert.ok(days > 89.9 && days <= 90, t.expires_at);
  const r = await ask('POST', '/chat/complete', { body: { model, message: 'by token' }, headers: t.headers });
  assert.equal(r.status, 200, r.text);
  const list = await weir.get('/admin/tokens');
  assert.doesNotMatch(list.text, new RegExp(t.token));
  await waitFor('the day of its last use', async () => (await weir.get(`/admin/tokens/${t.token_id}`)).json.last_used_at?.startsWith(new Date().toISOString().slice(0, 10)));
  const narrow = await addToken(u.user_id, { scopes: ['monitor'] });
  assert.equal((await ask('GET', '/monitoring/live', { headers: narrow.headers })).status, 200);
  assertError(await ask('POST', '/chat/complete', { body: { model, message: 'x' }, headers: narrow.headers }), 403, 'permission_error');
  assertError(await ask('POST', '/app/tokens', { body: { name: 'more' }, headers: narrow.headers }), 403, 'permission_error');
  assertError(await ask('POST', '/app/login', { body: { token: narrow.token } }), 403, 'permission_error');
  assert.equal((await weir.request('DELETE', `/admin/tokens/${t.token_id}`)).status, 204);
  assertError(await ask('GET', '/app/me', { headers: t.headers }), 401, 'authentication_error', 'invalid_token');
  assertError(await weir.request('DELETE', `/admin/tokens/${t.token_id}`), 404, 'not_found');
  const all = (await weir.get('/admin/tokens?state=all')).json.items.find((i) => i.token_id === t.token_id);
  assert.ok(all.revoked_at);
  assert.ok(!(await weir.get('/admin/tokens')).json.items.some((i) => i.token_id === t.token_id));
});

test('scopes are cut to what the owner may at each use', async () => {
  const a = await weir.createUser('carla', { role: 'admin' });
  const t = await addToken(a.user_id);
  assert.equal((await ask('GET', '/admin/users', { headers: t.headers })).status, 200);
  await weir.request('PATCH', `/admin/users/${a.user_id}`, { role: 'monitor' });
  assertError(await ask('GET', '/admin/users', { headers: t.headers }), 403, 'permission_error', 'forbidden');
  assertError(await ask('POST', '/chat/complete', { body: { model, message: 'x' }, headers: t.headers }), 403, 'permission_error', 'forbidden');
});

test('High is given, not taken', async () => {
  const u = await weir.createUser('dora');
  const t = await addToken(u.user_id);
  const body = { model, message: 'soon', priority: 'High' };
  assertError(await ask('POST', '/chat/complete', { body, headers: t.headers }), 403, 'permission_error', 'priority_not_allowed');
  const dear = { 'chat/completions': { service_tier: 'priority' }, messages: { speed: 'fast', max_tokens: 9 } };
  const buy = (where, more) => ask('POST', `/v1/${where}`, { body: { model, messages: [{ role: 'user', content: 'first' }], ...more }, headers: t.headers });
  for (const [where, more] of Object.entries(dear)) {
    const r = await buy(where, more);
    assert.deepEqual([r.status, r.json.error.message.includes('High')], [403, true], r.text);
  }
  assert.equal((await buy('chat/completions', { service_tier: 'flex' })).status, 200);
  await weir.request('PATCH', `/admin/users/${u.user_id}`, { max_priority: 'High' });
  assert.equal((await ask('POST', '/chat/complete', { body, headers: t.headers })).status, 200);
  assert.equal((await buy('chat/completions', dear['chat/completions'])).status, 200);
  await weir.request('PATCH', `/admin/tokens/${t.token_id}`, { max_priority: 'Low' });
  assert.equal((await buy('chat/completions', dear['chat/completions'])).status, 403);
  assertError(await ask('POST', '/chat/complete', { body: { ...body, priority: 'Medium' }, headers: t.headers }), 403, 'permission_error', 'priority_not_allowed');
});

test('limits of their own: the user\'s over all tokens, the token\'s besides', async () => {
  const u = await weir.createUser('emil', { limits: { requests_per_minute: 3 } });
  const [t1, t2] = [await addToken(u.user_id, { limits: { requests_per_minute: 2 } }), await addToken(u.user_id)];
  const send = (t) => ask('POST', '/chat/complete', { body: { model, message: 'limited' }, headers: t.headers });
  for (const t of [t1, t1]) assert.equal((await send(t)).status, 200);
  let r = await send(t1);
  assertError(r, 429, 'rate_limited', 'rate_limited');
  assert.deepEqual(r.json.error.limit, { scope: 'token', name: 'requests_per_minute', limit: 2 });
  assert.ok(Number(r.headers['retry-after']) > 0 && Number(r.headers['retry-after']) <= 61, r.headers['retry-after']);
  assert.equal((await send(t2)).status, 200);
  r = await send(t2);
  assertError(r, 429, 'rate_limited', 'rate_limited');
  assert.equal(r.json.error.limit.scope, 'user');
  await weir.request('PATCH', `/admin/users/${u.user_id}`, { limits: { requests_per_minute: 0, tokens_per_minute: 20 } });
  r = await ask('POST', '/chat/complete', { body: { model, message: 'many words '.repeat(100) }, headers: t2.headers });
  assertError(r, 429, 'rate_limited', 'request_too_large_for_limit');
  assert.equal(r.json.error.limit.name, 'tokens_per_minute');
});

test('tokens are shared by weight: a token with one is a client of its own, without one it has a part in its user\'s', async () => {
  // the first calls of a Weir may be slow, and those behind them are told so: nobody is to be refused for that
  const one = await startWeir({ upstream: up, openai: { max_concurrent: 1 }, config: { queue: { max_wait: 600 } } });
  const u = await one.createUser('gus');
  const add = async (more) => (await one.post('/admin/tokens', { user_id: u.user_id, name: 'program', ...more })).json;
  const heavy = await add({ weight: 3 }), light = await add({});
  const tokens = async (id) => (await one.get(`/admin/tokens/${id}`)).json.weight;
  assert.deepEqual([await tokens(heavy.token_id), await tokens(light.token_id)], [3, null]);
  assertError(await one.request('PATCH', `/admin/tokens/${heavy.token_id}`, { weight: 0.001 }), 400, 'invalid_request_error');
  assertError(await request({ port: one.port, method: 'POST', path: '/app/tokens', body: { name: 'mine', weight: 50 }, headers: bearer(light.token) }), 400,
    'invalid_request_error', 'unknown_field');                             // nobody gives themselves more
  await up.reset();
  let over = false;
  const loop = async (tag, token) => {
    while (!over) {
      const r = await request({ port: one.port, method: 'POST', path: '/chat/complete', headers: bearer(token), body: { model, message: `#slow-3-1-2 ${tag}`, max_tokens: 20 } });
      assert.equal(r.status, 200, r.text);
    }
  };
  const loops = [];
  for (let i = 0; i < 12; i++) loops.push(loop('heavy', heavy.token), loop('light', light.token));
  await waitFor('480 calls', async () => (await up.judge()).log.length >= 480, 60000);
  over = true;
  await Promise.all(loops);
  const calls = (await up.judge()).log.slice(240, 480);        // promises may cost sixteen asks of the share, once
  const part = calls.filter((c) => c.tag.includes('heavy')).length / calls.length;
  assert.ok(part > 0.65 && part < 0.85, `${part} of the calls`);
  assert.equal((await one.request('PATCH', `/admin/tokens/${heavy.token_id}`, { weight: 0 })).json.weight, null);
  await one.stop();
});

test('filters: models, length, patterns refused by name and patterns a provider does not see', async () => {
  const u = await weir.createUser('fay', { filters: { models: ['gpt-4o*'], max_prompt_tokens: 200,
    patterns: [{ name: 'card number', pattern: '\\b\\d{4}(?: \\d{4}){3}\\b' }, { name: 'e-mail', pattern: '[\\w.]+@[\\w.]+\\w', action: 'redact' }] } });
  const t = await addToken(u.user_id, { filters: { patterns: [{ name: 'project', pattern: '(?i)bluebird', action: 'refuse' }] } });
  const send = (body) => ask('POST', '/chat/complete', { body: { model, ...body }, headers: t.headers });
  assertError(await send({ model: 'gpt-4.1', message: 'x' }), 403, 'permission_error', 'model_not_allowed');
  assertError(await send({ model: 'no-such-model', message: 'x' }), 404, 'not_found', 'model_not_found');
  const models = (await ask('GET', '/chat/models', { headers: t.headers })).json.items;
  assert.ok(models.length > 0 && models.every((m) => m.id.startsWith('gpt-4o')) && models.some((m) => m.default), JSON.stringify(models));
  assert.equal((await ask('POST', '/chat/complete', { body: { message: 'whichever' }, headers: t.headers })).status, 200);
  let r = await send({ message: 'many words '.repeat(200) });
  assertError(r, 400, 'invalid_request_error', 'out_of_range');
  for (const [body, rule] of [[{ message: 'pay 4111 1111 1111 1111 now' }, 'card number'], [{ message: 'about BlueBird' }, 'project'],
    [{ messages: [{ role: 'assistant', content: '4111 1111 1111 1111' }, { role: 'user', content: 'and?' }] }, 'card number'],
    [{ message: 'x', system: 'bluebird' }, 'project'], [{ message: 'x', stop: ['bluebird'] }, 'project']]) {
    r = await send(body);
    assertError(r, 400, 'invalid_request_error', 'filtered');
    assert.equal(r.json.error.rule, rule, r.text);
    assert.ok(r.json.error.message.includes(rule));
  }
  assert.equal((await up.calls('pay')).length + (await up.calls('about')).length, 0);
  r = await send({ message: 'write to eve@example.org please' });
  assert.equal(r.status, 200, r.text);
  assert.equal((await up.calls('write to [e-mail] please')).length, 1);
  const kept = await ask('GET', `/chat/sessions/${r.json.session_id}/messages`, { headers: t.headers });
  assert.equal(kept.json.items[0].content, 'write to eve@example.org please');
});

test('a pattern is refused when it is set if it is none, and never runs away when it is used', async () => {
  const u = await weir.createUser('gus');
  const t = await addToken(u.user_id);
  const set = (pattern) => weir.request('PATCH', `/admin/users/${u.user_id}`, { filters: { patterns: [{ name: 'r', pattern }] } });
  for (const bad of ['(', '[a', '*', 'a*', '\\C', '(?<n', `a${'b'.repeat(500)}`]) assertError(await set(bad), 400, 'invalid_request_error');
  for (const evil of ['(a+)+$', '^(a|a)*b', '(x+x+)+y', '\\d+q']) {
    assert.equal((await set(evil)).status, 200, evil);
    const began = performance.now();
    const r = await ask('POST', '/chat/complete', { body: { model, message: `${'a'.repeat(3000)}!${'x'.repeat(3000)}${'1'.repeat(300000)}` }, headers: t.headers });
    assert.ok(r.status === 400 || r.status === 200, r.text);
    assert.ok(performance.now() - began < 20000, `${evil}: ${performance.now() - began} ms`);
  }
});

test('a role change, a disabling, a removal and a revocation end what runs within a second, and say so', async () => {
  const u = await weir.createUser('max', { max_priority: 'High' });
  const end = {
    role: () => weir.request('PATCH', `/admin/users/${u.user_id}`, { role: 'monitor' }).then(() => weir.request('PATCH', `/admin/users/${u.user_id}`, { role: 'user' })),
    token: (t) => weir.request('DELETE', `/admin/tokens/${t.token_id}`),
    removal: () => weir.request('DELETE', `/admin/users/${u.user_id}`),
  };
  for (const [how, act] of Object.entries(end)) {
    const t = await addToken(u.user_id);
    const s = await weir.stream({ model, message: `#slow-0-20-1000 ${how}` }, { headers: t.headers });
    await s.next('delta');
    const began = performance.now();
    await act(t);
    const e = await s.next('error');
    assert.ok(performance.now() - began < 1000, how);
    assert.equal(e.code, 'access_ended', how);
    assert.equal(e.partial, true);
    assert.equal((await weir.settled(e.request_id)).status, 'cancelled');
  }
});
