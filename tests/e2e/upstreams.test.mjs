// A provider as an attacker: bytes that no provider sends, sent by a server of our own. Each ends in one refusal that
// says what was wrong, within its time and memory, without a byte of the key going elsewhere, and Weir lives on.
// What the stand-in can play is in faults.test.mjs and retry.test.mjs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { startWeir, test, waitFor } from './harness.mjs';
import { assertError, assertErrorObject, assertStream } from './shapes.mjs';

const model = 'gpt-4o-mini', timely = 'timely';         // of the same server: with time for a busy machine, and with little
const chunk = (text, more = {}) => `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta: { content: text }, ...more }] })}\n\n`;
const sse = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n';      // ends with the connection
const json = (body, more = '') => `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const good = JSON.stringify({ choices: [{ message: { role: 'assistant', content: 'fine' }, finish_reason: 'stop' }], usage: { prompt_tokens: 5, completion_tokens: 1 } });

// A second listener: who is sent there must not come.
const elsewhere = net.createServer((s) => { elsewhere.seen++; s.destroy(); }).listen(0, '127.0.0.1');
elsewhere.seen = 0;
await once(elsewhere, 'listening');
const there = `127.0.0.1:${elsewhere.address().port}`;

// Write the same bytes for as long as the peer takes them.
function flood(socket, bytes) {
  const more = () => { while (!socket.destroyed && socket.write(bytes)); };
  socket.on('drain', more);
  more();
}

function drip(socket, text, ms) {
  let at = 0;
  const timer = setInterval(() => (at < text.length && !socket.destroyed ? socket.write(text[at++]) : clearInterval(timer)), ms);
}

const reset = (s) => s.resetAndDestroy();

// name → what the server does once it has the request; the nth call of that name, from 1.
const plays = {
  good: (s) => s.end(json(good)),
  hang: () => {},
  'head-drip': (s) => drip(s, `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(1000)}`, 20),
  'drip': (s) => { s.write(sse); drip(s, chunk('slow ').repeat(100), 100); },
  'no-newline': (s) => { s.write(sse + 'data: '); flood(s, 'a'.repeat(65536)); },
  'events': (s) => { s.write(sse); flood(s, `data: ${JSON.stringify({ choices: [{ delta: { content: 'x'.repeat(60000) } }] })}\n\n`); },
  'empty-events': (s) => { s.write(sse); flood(s, ': nothing\n\n'.repeat(5000)); },
  'headers': (s) => { s.write('HTTP/1.1 200 OK\r\n'); flood(s, `X-Padding: ${'a'.repeat(4000)}\r\n`); },
  'header': (s) => { s.write('HTTP/1.1 200 OK\r\nX-Padding: '); flood(s, 'a'.repeat(65536)); },
  'body': (s) => { s.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"x":"'); flood(s, 'a'.repeat(65536)); },
  'refusal': (s) => { s.write('HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\n\r\n{"x":"'); flood(s, 'a'.repeat(65536)); },
  'interim': (s) => flood(s, 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)),
  'http09': (s) => s.end('fine'),
  'no-status': (s) => s.end('HTTP/1.1 OK\r\n\r\n'),
  'status-999': (s) => s.end('HTTP/1.1 999 Strange\r\nContent-Length: 0\r\n\r\n'),
  '204': (s) => s.end('HTTP/1.1 204 No Content\r\n\r\n'),
  '206': (s) => s.end(json(good).replace('200 OK', '206 Partial')),
  'list': (s) => s.end(json('[1,2]')),
  'null': (s) => s.end(json('null')),
  'no-choices': (s) => s.end(json('{"choices":[]}')),
  'text': (s) => s.end('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nfine'),
  'too-short': (s) => s.end(json(good).replace(/Content-Length: \d+/, 'Content-Length: 100000')),
  'lengths': (s) => s.end(json(good, 'Content-Length: 3\r\n')),
  'bad-chunk': (s) => s.end('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n'),
  'gzip': (s) => s.end(json('\x1f\x8b\x08\x00\x00', 'Content-Encoding: gzip\r\n')),
  'bad-event': (s) => s.end(sse + chunk('ok ') + 'data: {"choices":[\n\n'),
  'bad-utf8': (s) => s.end(Buffer.concat([Buffer.from(sse + 'data: {"choices":[{"delta":{"content":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}}]}\n\n')])),
  'in-utf8': (s) => s.end(Buffer.from(sse + chunk('ok ') + 'data: {"choices":[{"delta":{"content":"\u20ac').subarray(0, -1)),
  'nul': (s) => s.end(sse + 'data: {"choices":[{"delta":{"content":"a\0b"}}]}\n\n'),
  'error-object': (s) => s.end(json('{"error":{"message":"no such thing","code":"model_not_found"}}')),
  'reset-at-once': reset,
  'reset-in-status': (s) => s.write('HTTP/1.1 2', () => reset(s)),
  'reset-in-head': (s) => s.write('HTTP/1.1 200 OK\r\nContent-Type: text/ev', () => reset(s)),
  'reset-before-body': (s) => s.write(sse, () => reset(s)),
  'reset-idle': (s) => s.write(json(good), () => setTimeout(() => reset(s), 20)),
  'reset-reused': (s) => (s.answered ? reset(s) : (s.answered = true) && s.write(json(good))),
  'other-model': (s) => s.end(json(good.replace('{', '{"model":"gpt-4.1",'))),
};
for (const status of [301, 302, 303, 307, 308])
  plays[`redirect-${status}`] = (s) => s.end(`HTTP/1.1 ${status} Moved\r\nLocation: http://${there}/v1/chat/completions\r\nContent-Length: 0\r\n\r\n`);
for (const [name, url] of [['file', 'file:///etc/passwd'], ['same', '/v1/other'], ['scheme', `//${there}/`], ['user', `http://a:b@${there}/`], ['gopher', `gopher://${there}/`]])
  plays[`redirect-${name}`] = (s) => s.end(`HTTP/1.1 307 Moved\r\nLocation: ${url}\r\nContent-Length: 0\r\n\r\n`);

const played = {}, heads = [], sockets = new Set();
let written = 0;                 // most that was sent on one connection
const rogue = net.createServer((s) => {
  let text = '';
  sockets.add(s);
  s.on('close', () => { sockets.delete(s); written = Math.max(written, s.bytesWritten); });
  s.on('error', () => {});
  s.on('data', (d) => {
    if (s.writableEnded) return;         // it is closing: no answer follows, and libcurl asks on another connection
    text += d.toString('latin1');
    const end = text.indexOf('\r\n\r\n'), length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
    if (end < 0 || text.length < end + 4 + length) return;
    const name = /"content":"play ([a-z0-9-]+)/.exec(text)?.[1];
    heads.push(text.slice(0, end));
    text = '';
    played[name] = (played[name] ?? 0) + 1;
    (plays[name] ?? plays.good)(s, played[name]);
  });
}).listen(0, '127.0.0.1');
await once(rogue, 'listening');
after(() => { for (const s of sockets) s.destroy(); rogue.close(); elsewhere.close(); });

const config = { retry: { budget: 1, max_retries: 1, base_delay: 0.01, max_delay: 0.02 } };
const weir = await startWeir({
  upstream: { url: `http://127.0.0.1:${rogue.address().port}/v1` },
  openai: { models: [model], max_concurrent: 64, timeouts: { connect: 10, first_byte: 10, idle: 10, total: 30 } },
  others: [{ name: 'timely', base_url: `http://127.0.0.1:${rogue.address().port}/v1`, api_key: 'sk-e2e-canary', models: [timely], max_concurrent: 64,
    timeouts: { connect: 1, first_byte: 1, idle: 1, total: 4 } }],
  config,
});
const clear = () => weir.post('/monitoring/reset-rate-limits', {});
const of = (name) => (['hang', 'head-drip', 'drip'].includes(name) ? timely : model);
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${weir.program.pid}/status`, 'utf8'))[1]) * 1024;

// What each says in a stream and in JSON; one name: the same. Tried again or not is said by `calls`.
const expected = {
  hang: ['upstream_timeout', 2], 'head-drip': ['upstream_timeout', 2], interim: ['upstream_too_large', 1],
  'no-newline': ['upstream_too_large', 1], events: ['upstream_too_large', 1], 'empty-events': ['upstream_too_large', 1],
  headers: ['upstream_too_large', 1], header: ['upstream_too_large', 2], body: ['upstream_too_large', 1],
  http09: ['upstream_invalid', 1], 'no-status': ['upstream_invalid', 1], 'status-999': ['upstream_error', 1], 204: ['upstream_invalid', 1],
  206: ['upstream_invalid', 1], list: ['upstream_invalid', 1], null: ['upstream_invalid', 1], 'no-choices': ['upstream_invalid', 1],
  text: ['upstream_invalid', 1], 'too-short': ['upstream_truncated', 2], 'bad-chunk': ['upstream_truncated', 2],
  gzip: ['upstream_invalid', 1], 'bad-event': ['upstream_invalid', 1], 'bad-utf8': ['upstream_invalid', 1], 'in-utf8': ['upstream_truncated', 1],
  nul: ['upstream_invalid', 1], 'reset-at-once': ['upstream_connect', 2], 'reset-in-status': ['upstream_connect', 2],
  'reset-in-head': ['upstream_truncated', 2], 'reset-before-body': ['upstream_truncated', 2],
};
for (const name of Object.keys(plays).filter((n) => n.startsWith('redirect-'))) expected[name] = ['upstream_redirect', 1];

test('whatever bytes come, a stream ends once, with what was wrong, and so does JSON; all at a time', async () => {
  await clear();
  const streams = await Promise.all(Object.keys(expected).map(async (name) => [name, await weir.stream({ model: of(name), message: `play ${name} s` })]));
  const found = {};
  for (const [name, s] of streams) {
    await s.end();
    assertStream(s);
    found[name] = [s.first('error')?.code ?? s.terminals()[0].event, played[name]];
    if (s.terminals()[0].event === 'error') assertErrorObject(s.first('error'), null, null);
  }
  assert.deepEqual(found, Object.fromEntries(Object.entries(expected)));
  const answers = await Promise.all(Object.keys(expected).map(async (name) => [name, await weir.post('/chat/complete', { model: of(name), message: `play ${name} j` })]));
  for (const [name, r] of answers) {
    assert.ok(r.status === 502 || r.status === 504, `${name}: ${r.text}`);
    assertError(r, r.status, null, expected[name][0]);
  }
  assert.deepEqual(weir.records('e.state < 2'), []);
  // A second each, not the four of the whole: a byte of the head now and then is no first byte of an answer.
  for (const [name, s] of streams.filter(([n]) => of(n) === timely))
    for (const a of weir.attempts(s.first('accepted').request_id)) assert.ok(a.duration_us > 9e5 && a.duration_us < 3e6, `${name}: ${a.duration_us} us`);
});

test('what has no end is cut off at its cap, and its memory is given back', async () => {
  const endless = ['no-newline', 'headers', 'header', 'interim', 'refusal'];
  let before;
  for (let round = 0; round < 4; round++) {
    await clear();
    written = 0;
    for (const name of endless) await weir.post('/chat/complete', { model, message: `play ${name} ${round}` });
    await waitFor('the connections to end', () => sockets.size === 0);
    assert.ok(written < 8e6, `${written} bytes were taken from one`);       // a megabyte, and what lies in sockets' buffers
    before ??= rss();
  }
  const keeps = /lib[at]san/.test(fs.readFileSync(`/proc/${weir.program.pid}/maps`, 'utf8'));     // a sanitizer gives nothing back
  assert.ok(keeps || rss() - before < 8 << 20, `${rss() - before} bytes more`);
});

test('no redirect was followed, and the key went nowhere else', () => {
  assert.equal(elsewhere.seen, 0);
  assert.ok(heads.length > 60);
  for (const head of heads) assert.match(head, /^POST \/v1\/chat\/completions HTTP/);
});

test('ten that trickle end at their own limit and hold up nobody', async () => {
  await clear();
  const slow = await Promise.all(Array.from({ length: 10 }, (_, i) => weir.stream({ model: timely, message: `play drip ${i}` })));
  await Promise.all(slow.map((s) => s.next('start')));
  const waits = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const r = await weir.post('/chat/complete', { model, message: `play good ${i}` });
    assert.equal(r.status, 200, r.text);
    return r.json.metrics.duration_ms;
  }));
  assert.ok(Math.max(...waits) < 1000, waits.join(' '));
  assert.deepEqual(slow.map((s) => s.ended), Array(10).fill(false));
  for (const s of slow) {
    await s.end();
    assertStream(s);
    assert.equal(s.first('error').code, 'upstream_timeout');
  }
});

test('a kept connection that died is no failure', async () => {
  for (const play of ['reset-idle', 'reset-reused'])
    for (let i = 0; i < 3; i++) {
      const r = await weir.post('/chat/complete', { model, message: `play ${play} ${i}` });
      assert.equal(r.status, 200, r.text);
      assert.equal(r.json.metrics.attempts, 1, `${play} ${i}`);
    }
});

test('an answer that names another model is priced as the one that was asked for', async () => {
  const [a, b] = [await weir.post('/chat/complete', { model, message: 'play good' }), await weir.post('/chat/complete', { model, message: 'play other-model' })];
  assert.equal(b.json.model, model);
  assert.deepEqual(b.json.cost, a.json.cost);
});

test('names that lead nowhere are said so, and in time', async () => {
  const names = { long: `${'a'.repeat(64)}.example`, nothing: 'nothing.invalid' };
  const dns = await startWeir({ config: { ...config, upstreams: Object.entries(names).map(([name, host]) =>
    ({ name, base_url: `http://${host}/v1`, api_key: 'sk-e2e-canary', models: [name], timeouts: { connect: 2, first_byte: 2 } })) } });
  const began = performance.now();
  assertError(await dns.post('/chat/complete', { model: 'long', message: 'x' }), 502, 'upstream_error', 'upstream_dns');
  const r = await dns.post('/chat/complete', { model: 'nothing', message: 'x' });
  assert.ok(['upstream_dns', 'upstream_timeout'].includes(r.json.error.code), r.text);      // the second where no name server answers
  assert.ok(performance.now() - began < 10000);
  await dns.stop();
});

// A certificate for 127.0.0.1 as said, by itself or by `ca`; gives what node:tls wants.
function certificate(dir, name, { days = 1, san = 'IP:127.0.0.1', ca } = {}) {
  const at = (file) => path.join(dir, file);
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
  fs.writeFileSync(at('ext'), `subjectAltName=${san}\nbasicConstraints=critical,CA:${ca ? 'FALSE' : 'TRUE'}\n`);
  openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at(`${name}.key`), '-out', at('csr'), '-subj', `/CN=${name}`);
  openssl('x509', '-req', '-in', at('csr'), '-out', at(`${name}.pem`), '-days', String(days), '-extfile', at('ext'),
    ...(ca ? ['-CA', at(`${ca}.pem`), '-CAkey', at(`${ca}.key`)] : ['-signkey', at(`${name}.key`)]));
  return { key: fs.readFileSync(at(`${name}.key`)), cert: fs.readFileSync(at(`${name}.pem`)) };
}

test('only a certificate that is right gets a request', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-tls-'));
  certificate(dir, 'ca');
  certificate(dir, 'stranger');
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' };
  const kinds = {
    right: certificate(dir, 'right', { ca: 'ca' }),
    expired: certificate(dir, 'expired', { ca: 'ca', days: -1 }),
    'wrong-name': certificate(dir, 'wrong-name', { ca: 'ca', san: 'DNS:elsewhere.example' }),
    'self-signed': certificate(dir, 'self-signed'),
    untrusted: certificate(dir, 'untrusted', { ca: 'stranger' }),
    'tls-1.1': { ...certificate(dir, 'tls-11', { ca: 'ca' }), ...old },
  };
  const asked = {}, servers = [], upstreams = [];
  const listen = async (name, server) => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server.unref());       // a test that fails ends all the same
    upstreams.push({ name, base_url: `https://127.0.0.1:${server.address().port}/v1`, api_key: 'sk-e2e-canary', models: [name], timeouts: { connect: 2, first_byte: 2 } });
  };
  for (const [name, options] of Object.entries(kinds))
    await listen(name, https.createServer(options, (req, res) => { asked[name] = true; res.setHeader('Content-Type', 'application/json'); res.end(good); }));
  let hellos = 0;
  await listen('cut', net.createServer((s) => { hellos++; s.on('error', () => {}); s.once('data', () => s.end(Buffer.from([22, 3, 3, 0]))); }));
  const tls = await startWeir({ config: { ...config, ca_file: path.join(dir, 'ca.pem'), upstreams } });
  assert.equal((await tls.post('/chat/complete', { model: 'right', message: 'x' })).status, 200);
  for (const { name } of upstreams.slice(1))
    assertError(await tls.post('/chat/complete', { model: name, message: 'x' }), 502, 'upstream_error', 'upstream_tls');
  assert.deepEqual(asked, { right: true });
  assert.ok(hellos <= 2, `${hellos} attempts`);
  await tls.stop();
  for (const s of servers) s.close();
  fs.rmSync(dir, { recursive: true });
});

test('after all of it Weir answers as before, and what it said holds no key', async () => {
  await clear();
  const r = await weir.post('/chat/complete', { model, message: 'play good' });
  assert.equal(r.json.message.content, 'fine');
  assert.doesNotMatch(weir.logs(), /sk-e2e-canary|fine/);
});
