// Bad input: each gets its status, type, code and param, in JSON, from Weir or from nginx.
import assert from 'node:assert/strict';
import { raw, startUpstream, startWeir, test } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const model = 'gpt-4o-mini';
const bad = (body, headers) => weir.post('/chat/complete', body, headers);
const head = (extra = '') => `Host: 127.0.0.1:${weir.port}\r\nAuthorization: Bearer ${weir.token}\r\n${extra}`;

for (const [name, body, code] of [
  ['empty', '', 'invalid_json'], ['blank', '  ', 'invalid_json'], ['not JSON', '{message:', 'invalid_json'],
  ['an array', '[]', 'invalid_json'], ['a string', '"x"', 'invalid_json'], ['trailing bytes', '{"message":"x"}}', 'invalid_json'],
  ['a BOM', '\ufeff{"message":"x"}', 'invalid_json'], ['NaN', '{"message":"x","top_p":NaN}', 'invalid_json'],
  ['a duplicate key', '{"message":"x","message":"y"}', 'duplicate_key'],
  ['deep nesting', `{"metadata":${'['.repeat(40)}${']'.repeat(40)}}`, 'json_too_deep'],
  ['too many values', `{"stop":[${'1,'.repeat(20000)}1]}`, 'too_many_items'],
  ['a NUL', '{"message":"a\\u0000b"}', 'invalid_json'],
])
  test(`a body that is ${name} is 400 ${code}`, async () => {
    assertError(await bad(body), 400, 'invalid_request_error', code);
  });

test('invalid UTF-8 is 400 invalid_utf8', async () => {
  assertError(await bad(Buffer.from('{"message":"\xff\xfe"}', 'latin1')), 400, 'invalid_request_error', 'invalid_utf8');
});

for (const [name, body, code, param] of [
  ['neither message nor messages', {}, 'missing_field', 'message'],
  ['both message and messages', { message: 'x', messages: [{ role: 'user', content: 'x' }] }, 'invalid_field', null],
  ['a blank message', { message: ' \n\t ' }, 'invalid_field', 'message'],
  ['a number as message', { message: 7 }, 'invalid_field', 'message'],
  ['no messages', { messages: [] }, 'invalid_field', 'messages'],
  ['a message without role', { messages: [{ content: 'x' }] }, null, 'messages[0].role'],
  ['an unknown role', { messages: [{ role: 'wizard', content: 'x' }] }, 'invalid_field', 'messages[0].role'],
  ['content of a wrong type', { messages: [{ role: 'user', content: 'x' }, { role: 'user', content: 5 }] }, 'invalid_field', 'messages[1].content'],
  ['an unknown field', { message: 'x', api_base: 'http://evil' }, 'unknown_field', 'api_base'],
  ['an unknown priority', { message: 'x', priority: 'Urgent' }, 'invalid_field', 'priority'],
  ['temperature too high', { message: 'x', temperature: 99 }, 'out_of_range', 'temperature'],
  ['temperature as text', { message: 'x', temperature: '1' }, 'invalid_field', 'temperature'],
  ['top_p below 0', { message: 'x', top_p: -0.1 }, 'out_of_range', 'top_p'],
  ['max_tokens 0', { message: 'x', max_tokens: 0 }, 'out_of_range', 'max_tokens'],
  ['half a token', { message: 'x', max_tokens: 0.5 }, 'invalid_field', 'max_tokens'],
  ['a model that is no text', { message: 'x', model: ['gpt'] }, 'invalid_field', 'model'],
  ['metadata that is nested', { message: 'x', metadata: { a: { b: 1 } } }, 'invalid_field', 'metadata.a'],
  ['too much metadata', { message: 'x', metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'v'])) }, null, 'metadata'],
  ['on_disconnect of its own', { message: 'x', on_disconnect: 'maybe' }, 'invalid_field', 'on_disconnect'],
])
  test(`a body with ${name} is a 400 that names the field`, async () => {
    const e = assertError(await bad({ model, ...body }), 400, 'invalid_request_error', code ?? undefined);
    if (param !== null) assert.equal(e.param, param, JSON.stringify(e));
    const s = await weir.stream({ model, ...body });
    await s.end();
    assert.equal(s.status, 400, 'a stream is refused by status too');
    assert.equal(s.json.error.param, e.param);
  });

test('a body above 1 MiB is 413, declared or chunked', async () => {
  assertError(await bad({ model, message: 'x'.repeat((1 << 20) + 10) }), 413, 'request_too_large', 'body_too_large');
  const chunk = 'x'.repeat(65536);
  const text = await raw(weir.port, `POST /chat/complete HTTP/1.1\r\n${head('Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n')}\r\n` +
    `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(17) + '0\r\n\r\n');
  assert.match(text, /^HTTP\/1\.1 413 /);
  assert.match(text, /"type": ?"request_too_large"/);
});

test('a body that is not application/json is 415', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', ''])
    assertError(await bad('{"message":"x"}', { 'Content-Type': type }), 415, 'unsupported_media_type');
  const r = await bad({ model, message: 'x' }, { 'Content-Type': 'application/json; charset=utf-8' });
  assert.equal(r.status, 200, r.text);
});

test('an unknown path is 404, also by case, slash, percent or query', async () => {
  for (const where of ['/chat', '/Chat/complete', '/chat/complete/', '/chat%2fcomplete', '/chat/complet%65', '/monitoring', '/v1/responses', '/nothing?/healthz', '/chat//complete'])
    assertError(await weir.request('POST', where, { message: 'x' }), 404, 'not_found', 'not_found');
});

test('a wrong method is 405 and Allow says what is right', async () => {
  for (const [method, where, allow] of [['GET', '/chat/complete', 'POST'], ['DELETE', '/monitoring/live', 'GET'], ['PUT', '/chat/sessions', 'POST']]) {
    const r = await weir.request(method, where);
    assertError(r, 405, 'method_not_allowed', 'method_not_allowed');
    assert.match(r.headers.allow ?? '', new RegExp(allow));
  }
});

test('checks come in the order 404, 405, 401, 415, 413, 400', async () => {
  const none = { Authorization: '', 'Content-Type': 'text/plain' };
  assert.equal((await weir.request('POST', '/nowhere', 'x', none)).status, 404);
  assert.equal((await weir.request('GET', '/chat/complete', undefined, none)).status, 405);
  assert.equal((await weir.request('POST', '/chat/complete', 'x', none)).status, 401);
  assert.equal((await weir.request('POST', '/chat/complete', 'x', { 'Content-Type': 'text/plain' })).status, 415);
  assert.equal((await weir.request('POST', '/chat/complete', 'x')).status, 400);
});

test('requests that nginx refuses are JSON with a request id', async () => {
  for (const [name, bytes, status] of [
    ['two lengths', `POST /chat/complete HTTP/1.1\r\n${head('Content-Length: 1\r\nContent-Length: 2\r\n')}\r\nx`, 400],
    ['a header without end', `GET /healthz HTTP/1.1\r\n${head(`X-Long: ${'a'.repeat(40000)}\r\n`)}\r\n`, null],
    ['TRACE', `TRACE /healthz HTTP/1.1\r\n${head('Connection: close\r\n')}\r\n`, 405],
    ['another host', `GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`, 421],
    ['no host', `GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n`, 400],
  ]) {
    const text = await raw(weir.port, bytes);
    assert.match(text, status ? new RegExp(`^HTTP/1\\.1 ${status} `) : /^HTTP\/1\.1 (400|414|431) /, `${name}: ${text.slice(0, 200)}`);
    assert.match(text, /\r\nX-Request-Id: \S+/i, name);
    assert.match(text, /\r\nContent-Type: application\/json/i, name);
    const body = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4).replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, ''));
    assert.ok(body.error.type && body.error.message, name);
  }
});

test('a body shorter than it says is refused, and no worker is lost to half requests', async () => {
  await Promise.all(Array.from({ length: 20 }, () =>
    raw(weir.port, `POST /chat/complete HTTP/1.1\r\n${head('Content-Type: application/json\r\nContent-Length: 100\r\n')}\r\n{"a"`, { end: true, ms: 12000 })));
  assert.equal((await weir.get('/healthz')).status, 200);
});

test('queries out of range are 400 with the parameter', async () => {
  for (const [query, param] of [['limit=0', 'limit'], ['limit=1000000', 'limit'], ['limit=x', 'limit']])
    assert.equal(assertError(await weir.get(`/chat/sessions?${query}`), 400, 'invalid_request_error').param, param);
  for (const [query, param] of [['from=yesterday', 'from'], ['from=-1h&to=-2h', null], ['tz=Mars/Olympus', 'tz'], ['frm=-1h', 'frm']]) {
    const e = assertError(await weir.get(`/monitoring/cost-breakdown?${query}`), 400, 'invalid_request_error');
    if (param) assert.equal(e.param, param);
  }
});

test('every response carries X-Request-Id', async () => {
  for (const where of ['/healthz', '/readyz', '/chat/models', '/monitoring/live', '/app/', '/nowhere', '/static/nothing.css'])
    assert.ok((await weir.get(where)).headers['x-request-id'], where);
});

test('none of it reached the provider', async () => {
  const { calls } = await up.judge();
  assert.equal(calls, 1, 'only the one with a charset');
});
