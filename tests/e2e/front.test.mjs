// nginx in front of Weir: the headers of every route and refusal, TLS, a place among other sites, and that it stays
// in nobody's way when it is loaded anew.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { build, freePort, Program, raw, request, run, startUpstream, startWeir, test, top } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const model = 'gpt-4o-mini';

const always = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};
const pagePolicy = ["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
  "connect-src 'self'", "manifest-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
  "require-trusted-types-for 'script'", "trusted-types 'none'"].join('; ');

function assertHeaders(headers, what, { tlsOn = false } = {}) {
  for (const [name, value] of Object.entries(always)) assert.equal(headers[name], value, `${what}: ${name}`);
  assert.match(headers['permissions-policy'] ?? '', /camera=\(\).*microphone=\(\)/, what);
  assert.ok(headers['x-request-id'], `${what}: X-Request-Id`);
  assert.ok(headers['cache-control'], `${what}: Cache-Control`);
  const page = /^text\/html/.test(headers['content-type'] ?? '');
  assert.equal(headers['content-security-policy'], page ? pagePolicy : "default-src 'none'; frame-ancestors 'none'", `${what}: policy`);
  assert.equal(headers['strict-transport-security'], tlsOn ? 'max-age=31536000' : undefined, `${what}: HSTS`);
  assert.doesNotMatch(headers.server ?? '', /\d/, `${what}: the server says no version`);
  assert.equal(headers['access-control-allow-origin'], undefined, `${what}: no other origin may read`);
}

// The lines of the route table itself.
const routes = [...fs.readFileSync(path.join(top, 'cgi/web/route.h'), 'utf8').matchAll(/^ {4}X\((\w+), "([^"]+)", (\w+), (\w+),/gm)]
  .map(([, method, pattern, perm, body]) => ({ method, pattern, perm, body, where: pattern.replaceAll(/\{(id|session)\}/g, 'ses_00000000000000000000000000') }));

test('every route has the headers, with a credential and without', async () => {
  assert.ok(routes.length > 60, `${routes.length} routes were read`);
  let pages = 0;
  for (const { method, where, pattern, perm } of routes) {
    for (const headers of [weir.headers, {}]) {
      if (pattern === '/app/logout' || pattern === '/admin/reload') continue;
      const r = await request({ port: weir.port, method, path: where, headers, body: method === 'GET' || method === 'DELETE' ? undefined : {} });
      const what = `${method} ${where} (${r.status})`;
      assertHeaders(r.headers, what);
      assert.ok(r.status < 500, `${what}: ${r.text}`);
      if (headers !== weir.headers && perm !== 'OPEN') assert.ok([401, 303].includes(r.status), what);
      pages += /^text\/html/.test(r.headers['content-type'] ?? '');
      if (!/^\/static/.test(where) && !/etag/.test(Object.keys(r.headers).join())) assert.match(r.headers['cache-control'], /no-store/, what);
    }
  }
  assert.ok(pages >= 9, `${pages} pages among them`);
});

test('a stream, a static file and each refusal of nginx have them too', async () => {
  const s = await (await weir.stream({ model, message: 'headers' })).end();
  assertHeaders(s.headers, 'a stream');
  for (const where of ['/static/css/base.css', '/static/vendor/VENDOR.json', '/static/manifest.webmanifest', '/static/nothing.css', '/static/'])
    assertHeaders((await request({ port: weir.port, path: where })).headers, where);
  const host = `Host: 127.0.0.1:${weir.port}\r\nConnection: close\r\n`;
  for (const [name, status, bytes] of [
    ['control bytes in the path', 400, `GET /healthz%0d%0aX:%20y HTTP/1.1\r\n${host}\r\n`],
    ['two lengths', 400, `POST /chat/complete HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx`],
    ['a static file that is not there', 404, `GET /static/no HTTP/1.1\r\n${host}\r\n`],
    ['an unknown method', 405, `FOO /healthz HTTP/1.1\r\n${host}\r\n`],
    ['a method a file does not take', 405, `POST /static/css/base.css HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`],
    ['a large body', 413, `POST /chat/complete HTTP/1.1\r\n${host}Content-Length: 1048577\r\n\r\n`],
    ['a body above that of /v1', 413, `POST /v1/chat/completions HTTP/1.1\r\n${host}Content-Length: 33554433\r\n\r\n`],
    ['another host', 421, 'GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n'],
    ['large headers', 431, `GET /healthz HTTP/1.1\r\n${host}X: ${'a'.repeat(9000)}\r\n\r\n`],
    ['many large headers', 431, `GET /healthz HTTP/1.1\r\n${host}${`X: ${'a'.repeat(6000)}\r\n`.repeat(7)}\r\n`],
    ['an unknown transfer encoding', 400, `POST /chat/complete HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\n`],
  ]) {
    const text = await raw(weir.port, bytes, { until: /\}\}\s*(0\s*)?$/ });
    const [top, ...lines] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');
    const headers = Object.fromEntries(lines.map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 2)]));
    assert.match(top, new RegExp(` ${status} `), `${name}: ${top}`);
    assertHeaders(headers, name);
    const { error } = JSON.parse(/\{.*\}/s.exec(text.slice(text.indexOf('\r\n\r\n')))[0]);
    assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'request_id', 'retry_after_ms', 'type'], name);
    assert.equal(error.request_id, headers['x-request-id'], name);
    if (status === 405) assert.match(headers.allow ?? '', /^GET, HEAD/, name);
  }
});

test('an address below /app/ that is none is a page to who reads it, and JSON to a program', async () => {
  const read = await request({ port: weir.port, path: '/app/tokenz', headers: { accept: 'text/html' } });
  assert.equal(read.status, 404);
  assert.match(read.headers['content-type'], /^text\/html/);
  assertHeaders(read.headers, 'a page that is none');
  const program = await request({ port: weir.port, path: '/app/tokenz', headers: { authorization: 'Bearer nothing' } });
  assert.equal(program.status, 404);
  assert.equal(JSON.parse(program.text).error.code, 'not_found');
  const method = await request({ port: weir.port, path: '/app/logout' });
  assert.equal(method.status, 405);
  assert.equal(JSON.parse(method.text).error.code, 'method_not_allowed');
  assert.equal(method.headers.allow, 'POST');
});

test('sign-in is limited by address, and the refusal says when to come again', async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, () =>
    request({ port: weir.port, method: 'POST', path: '/app/login', body: { token: 'nonsense' } })));
  const refused = answers.filter((r) => r.status === 429);
  assert.ok(refused.length >= 10, `${refused.length} of 40`);
  assert.ok(answers.some((r) => r.status === 401));
  for (const r of refused) {
    assertHeaders(r.headers, 'sign-in');
    assert.equal(r.json.error.type, 'rate_limited');
    assert.equal(r.headers['retry-after'], '2');
    assert.equal(r.json.error.retry_after_ms, 2000);
  }
  assert.equal((await request({ port: weir.port, path: '/app/login' })).status, 200, 'the page itself is not limited');
});

// --- TLS -------------------------------------------------------------------------

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-tls-'));
const pem = (name) => path.join(dir, `${name}.pem`);
execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
  '-subj', '/CN=weir.test', '-addext', 'subjectAltName=DNS:weir.test', '-keyout', pem('key'), '-out', pem('cert')], { stdio: 'ignore' });
const ca = fs.readFileSync(pem('cert'));
process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));

test('with a certificate nginx speaks TLS 1.2 and later, and a chat streams through it', async () => {
  // Beside the Weir that runs: the same socket behind a second nginx.
  const port = await freePort(), state = path.join(dir, 'nginx');
  const env = { ...weir.env, WEIR_STATE: state, WEIR_SOCKET: path.join(weir.state, 'weir.sock'), WEIR_HTTP_PORT: String(port),
    WEIR_HTTP_HOSTS: 'weir.test', WEIR_HTTP_TLS_CERTIFICATE: pem('cert'), WEIR_HTTP_TLS_KEY: pem('key') };
  fs.mkdirSync(state);
  const conf = path.join(state, 'nginx.conf');
  fs.writeFileSync(conf, execFileSync(path.join(build, 'weir'), ['config', 'nginx'], { env, cwd: top }));
  const checked = await run('nginx', ['-t', '-e', path.join(state, 'e'), '-c', conf]);
  assert.equal(checked.code, 0, checked.output);
  assert.doesNotMatch(checked.output, /\[warn\]/);
  const nginx = new Program('nginx', 'nginx', ['-e', path.join(state, 'e'), '-c', conf, '-g', 'daemon off;']);
  const options = { host: '127.0.0.1', port, servername: 'weir.test', ca, agent: false };
  const ask = (more, body) => new Promise((resolve, reject) => {
    const r = https.request({ ...options, ...more, headers: { Host: `weir.test:${port}`, ...weir.headers, ...more.headers } }, (res) => {
      const pieces = [];
      res.on('data', (d) => pieces.push(d.toString()));
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, pieces, text: pieces.join('') }));
    }).on('error', reject);
    r.end(body);
  });
  let r;
  for (const end = Date.now() + 10000; !r;) {
    try { r = await ask({ path: '/readyz' }); } catch (error) { if (Date.now() > end) throw error; }
  }
  assert.equal(r.status, 200, r.text);
  assertHeaders(r.headers, 'TLS', { tlsOn: true });
  const body = JSON.stringify({ model, message: '#slow-0-20-20 over TLS' });
  r = await ask({ method: 'POST', path: '/chat/stream', headers: { 'Content-Type': 'application/json', 'Content-Length': body.length } }, body);
  assert.equal(r.status, 200, r.text);
  assertHeaders(r.headers, 'a stream over TLS', { tlsOn: true });
  assert.match(r.text, /event: done\n/);
  assert.ok(r.pieces.length >= 10, `it came in ${r.pieces.length} pieces`);
  for (const [version, ok] of [['TLSv1.1', false], ['TLSv1.2', true], ['TLSv1.3', true]]) {
    const spoken = await new Promise((resolve) => {
      const s = tls.connect({ ...options, minVersion: version, maxVersion: version, ciphers: 'DEFAULT:@SECLEVEL=0' }, () => resolve(s.getProtocol()));
      s.on('error', () => resolve(null));
      s.on('secureConnect', () => s.destroy());
    });
    assert.equal(spoken, ok ? version : null, version);
  }
  const h2 = await new Promise((resolve, reject) => {
    const s = tls.connect({ ...options, ALPNProtocols: ['h2', 'http/1.1'] }, () => { resolve(s.alpnProtocol); s.destroy(); }).on('error', reject);
  });
  assert.equal(h2, 'h2', 'a browser needs one connection for all its streams');
  const plain = await raw(port, `GET /readyz HTTP/1.1\r\nHost: weir.test:${port}\r\nConnection: close\r\n\r\n`);
  assert.match(plain, /^HTTP\/1\.1 400 /);
  assert.match(plain, /"code":"bad_request"/);
  await nginx.stop('SIGQUIT');
});

test('a certificate without its key is refused by name', async () => {
  const { code, output } = await run(path.join(build, 'weir'), ['config', 'check'], { env: { ...weir.env, WEIR_HTTP_TLS_CERTIFICATE: pem('cert') }, cwd: top });
  assert.equal(code, 78);
  assert.match(output, /http\.tls_key is not set/);
});

test('the site fits into an nginx that has others, as Debian configures it', async () => {
  const state = fs.mkdtempSync(path.join(dir, 'debian-'));
  fs.mkdirSync(path.join(state, 'sites'));
  const [mine, other] = [await freePort(), await freePort()];
  fs.writeFileSync(path.join(state, 'sites/weir'), execFileSync(path.join(build, 'weir'), ['config', 'site'],
    { env: { ...weir.env, WEIR_SOCKET: path.join(weir.state, 'weir.sock'), WEIR_HTTP_PORT: String(mine) }, cwd: top }));
  fs.writeFileSync(path.join(state, 'sites/other'), `server { listen 127.0.0.1:${other} default_server; location / { return 200 "another site"; } }`);
  const temp = ['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi'].map((n) => `${n}_temp_path ${state}/${n};`).join('\n');
  const conf = path.join(state, 'nginx.conf');
  fs.writeFileSync(conf, `${process.getuid() === 0 ? "user root;" : ""} pid ${state}/pid; error_log ${state}/e; events { worker_connections 768; }
    http { ${temp} sendfile on; tcp_nopush on; types_hash_max_size 2048; include /etc/nginx/mime.types; default_type application/octet-stream;
      ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; access_log ${state}/access; gzip on; include ${state}/sites/*; }`);
  const checked = await run('nginx', ['-t', '-e', path.join(state, 'e'), '-c', conf]);
  assert.equal(checked.code, 0, checked.output);
  const nginx = new Program('nginx', 'nginx', ['-e', path.join(state, 'e'), '-c', conf, '-g', 'daemon off;']);
  let r;
  for (const end = Date.now() + 10000; !r;) {
    try { r = await request({ port: mine, path: '/app/login' }); } catch (error) { if (Date.now() > end) throw error; }
  }
  assert.equal(r.status, 200);
  assertHeaders(r.headers, 'the site');
  r = await request({ port: other, path: '/' });
  assert.equal(r.text, 'another site');
  assert.equal(r.headers['content-security-policy'], undefined, 'what is Weir\'s stays with Weir');
  await nginx.stop('SIGQUIT');
});
