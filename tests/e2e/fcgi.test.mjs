// The FastCGI socket itself: peers that stall, lie or talk nonsense hold nobody up.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { request, startWeir, test, waitFor } from './harness.mjs';

const weir = await startWeir();
const socket = path.join(weir.state, 'weir.sock');

const record = (type, content, { version = 1, id = 1, length = content.length } = {}) =>
  Buffer.concat([Buffer.from([version, type, id >> 8, id & 255, length >> 8, length & 255, 0, 0]), Buffer.from(content)]);
const begin = (role = 1, flags = 0) => record(1, [0, role, flags, 0, 0, 0, 0, 0]);
const pair = (name, value) => Buffer.concat([Buffer.from([name.length, value.length]), Buffer.from(name + value)]);
const management = (type, content) => record(type, content, { id: 0 });
const params = (method, where, ...more) => Buffer.concat([record(4, Buffer.concat([pair('REQUEST_METHOD', method), pair('REQUEST_URI', where), ...more])), record(4, [])]);
const get = (where) => Buffer.concat([begin(), params('GET', where), record(5, [])]);

async function peer(bytes) {
  const s = net.connect(socket);
  s.text = '';
  s.on('data', (d) => { s.text += d.toString('latin1'); });
  s.on('error', () => {});
  s.on('close', () => { s.gone = true; });
  await once(s, 'connect');
  if (bytes.length) s.write(bytes);
  return s;
}

test('only its owner and nginx may connect', () => {
  assert.equal(fs.statSync(socket).mode & 0o007, 0);
});

test('a well-formed request is answered', async () => {
  const s = await peer(get('/healthz'));
  await waitFor('the answer', () => s.gone);
  assert.match(s.text, /Status: 200/);
});

test('as many silent or half-spoken peers as there are acceptors hold a good one up for seconds only', async () => {
  const whole = get('/healthz');
  const peers = await Promise.all(Array.from({ length: 8 }, (_, i) => peer(whole.subarray(0, i * 2))));
  const began = performance.now();
  assert.equal((await weir.get('/healthz')).status, 200);
  assert.ok(performance.now() - began < 6000, `${performance.now() - began} ms`);
  await waitFor('all of them to be dropped', () => peers.every((s) => s.gone), 30000);
});

test('uploads that dawdle leave half of the acceptors to everybody else', async () => {
  const form = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n';
  const head = params('POST', '/v1/files', pair('HTTP_CONTENT_TYPE', 'multipart/form-data; boundary=x'), pair('HTTP_AUTHORIZATION', `Bearer ${weir.token}`));
  const peers = await Promise.all(Array.from({ length: 4 }, () => peer(Buffer.concat([begin(), head, record(5, form), record(5, 'a'.repeat(65000)), record(5, 'a'.repeat(65000))]))));
  await waitFor('all of them to be read', () => weir.sql('SELECT count(*) AS n FROM files WHERE state = 0')[0].n === 4);
  const upload = () => request({ port: weir.port, method: 'POST', path: '/v1/files', headers: { ...weir.headers, 'Content-Type': 'multipart/form-data; boundary=x' },
    body: `--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n${form}{}\r\n--x--\r\n` });
  const no = await upload();
  assert.deepEqual([no.status, no.json.error.code, no.headers['retry-after']], [503, 'overloaded', '5'], no.text);
  assert.equal((await weir.get('/v1/files')).status, 200);
  for (const s of peers) s.destroy();
  const yes = await waitFor('an upload to be taken', async () => {
    const r = await upload();
    return r.status === 200 && r;
  });
  assert.equal(yes.json.bytes, 2);
});

for (const [name, bytes] of [
  ['another version', record(1, [0, 1, 0, 0, 0, 0, 0, 0], { version: 9 })],
  ['an unknown role', begin(9)],
  ['no begin', record(4, pair('A', 'B'))],
  ['a record cut short', Buffer.concat([begin(), record(4, [1], { length: 60000 })])],
  ['a name longer than its record', Buffer.concat([begin(), record(4, [200, 200, 65]), record(4, []), record(5, [])])],
  ['an abort', Buffer.concat([begin(), record(2, [])])],
  ['params that end in the middle', Buffer.concat([begin(), record(4, pair('REQUEST_METHOD', 'GET'))])],
  ['no method', Buffer.concat([begin(), record(4, []), record(5, [])])],
  ['a question about the library', management(9, pair('FCGI_MAX_CONNS', ''))],
  ['an unknown question', management(77, Buffer.alloc(8))],
  ['two requests at once', Buffer.concat([begin(), record(1, [0, 1, 0, 0, 0, 0, 0, 0], { id: 2 }), params('GET', '/healthz'), record(5, []), record(4, [], { id: 2 })])],
  ['the body before the parameters', Buffer.concat([begin(), record(5, 'x'), record(5, []), params('GET', '/healthz')])],
  ['20,000 parameters', Buffer.concat([begin(), ...Array.from({ length: 200 }, (_, i) => record(4, Buffer.concat(Array.from({ length: 100 }, (_, k) => pair(`P${i * 100 + k}`, 'x'))))), params('GET', '/healthz'), record(5, [])])],
  ['a parameter of 60,000 bytes', Buffer.concat([begin(), record(4, Buffer.concat([Buffer.from([1, 0x80, 0, 0xea, 0x60]), Buffer.from(`X${'a'.repeat(60000)}`)])), params('GET', '/healthz'), record(5, [])])],
  ['a name without a name', Buffer.concat([begin(), record(4, pair('', 'x')), params('GET', '/healthz'), record(5, [])])],
  ['an abort in the body', Buffer.concat([begin(), params('POST', '/chat/complete', pair('CONTENT_LENGTH', '100')), record(5, '{"a'), record(2, [])])],
  ['a length that is no number', Buffer.concat([begin(), params('POST', '/chat/complete', pair('CONTENT_LENGTH', '-1')), record(5, [])])],
  ['padding without end', Buffer.concat([begin(), Buffer.from([1, 4, 0, 1, 0, 0, 255, 0])])],
  ['random bytes', Buffer.from(Array.from({ length: 4000 }, (_, i) => (i * 7919 + (i >> 3)) & 255))],
])
  test(`a peer that sends ${name} is closed or answered, and Weir lives`, async () => {
    const s = await peer(bytes);
    s.end();
    await waitFor('the close', () => s.gone);
    assert.equal(weir.program.ended, undefined);
    assert.equal((await weir.get('/healthz')).status, 200);
  });

test('a body shorter than its length is a 400 that says so, and one that is too long a 413', async () => {
  const token = pair('HTTP_AUTHORIZATION', `Bearer ${weir.token}`), json = pair('HTTP_CONTENT_TYPE', 'application/json');
  for (const [length, body, status, code] of [['100', '{"message":"x"}', 400, 'body_incomplete'], ['3', '{"message":"x"}', 400, 'body_incomplete'], ['9999999', '{}', 413, 'body_too_large'],
    ['x', '{}', 400, 'invalid_field'], ['', 'x'.repeat(40000), 400, 'invalid_json']]) {
    const s = await peer(Buffer.concat([begin(), params('POST', '/chat/complete', pair('CONTENT_LENGTH', length), token, json), record(5, body), record(5, [])]));
    await waitFor('the answer', () => s.gone);
    assert.match(s.text, new RegExp(`Status: ${status} .*"code": ?"${code}"`, 's'), s.text);
  }
});
