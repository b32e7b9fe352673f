// No secret leaves. Every test's Weir is searched for its secrets when it stops (canary.mjs); here all kinds of them are
// planted at once, and used in every way that might spill them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { Canaries } from './canary.mjs';
import { build, request, run, startUpstream, startWeir, test } from './harness.mjs';

const key = (kind) => `sk-canary-${kind}-0123456789abcdefghij`;
const password = 'canary of nine green herons';
const up = await startUpstream();

// A provider that repeats the key it was given wherever it can.
const echo = http.createServer((req, res) => {
  const given = req.headers.authorization ?? '', error = { message: `Incorrect API key provided: ${given}`, type: given.slice(7), code: given.slice(7), param: given };
  req.resume().on('end', () => {
    res.writeHead(req.headers['content-length'] % 2 ? 400 : 401, { 'Content-Type': 'application/json', 'X-Request-Id': given.slice(7), 'X-Echo': given });
    res.end(JSON.stringify({ error }));
  });
}).listen(0, '127.0.0.1');
await once(echo, 'listening');
after(() => echo.close());

async function planted() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-keys-'));
  const file = path.join(dir, 'provider-key');
  fs.writeFileSync(file, `${key('file')}\n`, { mode: 0o600 });
  const upstream = (name, more) => ({ name, base_url: up.url, models: ['gpt-4o-mini', 'gpt-4o'], ...more });
  const weir = await startWeir({
    env: { OPENAI_API_KEY: key('env'), OPENAI_BASE_URL: up.url, MY_KEY: key('named') },
    config: {
      log: { level: 'debug' }, retry: { max_retries: 0 }, webhooks: { allowed_addresses: ['127.0.0.1'] },
      content: { key_file: path.join(dir, 'content.key') },
      upstreams: [upstream('json', { api_key: key('json') }), upstream('file', { key_file: file }), upstream('env', { key_env: 'MY_KEY' }),
        { name: 'echo', base_url: `http://127.0.0.1:${echo.address().port}`, api_key: key('echo'), models: ['parrot'] }],
    },
  });
  return { weir, dir };
}

test('keys, passwords, tokens, sessions and webhook secrets are nowhere they do not belong, also after a crash', async () => {
  const { weir, dir } = await planted();
  const { port } = weir;
  const hook = (await weir.post('/admin/webhooks', { url: 'http://127.0.0.1:9/hook' })).json;
  assert.match(hook.secret, /^whsec_/);
  await weir.post(`/admin/webhooks/${hook.webhook_id}/test`, {});
  const user = (await weir.post('/admin/users', { name: 'heron', role: 'admin', password })).json;
  const login = (body) => request({ port, method: 'POST', path: '/app/login', body, headers: { Origin: `http://127.0.0.1:${port}` } });
  const signIn = await login({ name: 'heron', password });
  assert.equal(signIn.status, 200, signIn.text);
  const token = (await weir.post('/admin/tokens', { user_id: user.user_id, name: 'nest' })).json.token;
  assert.equal((await weir.get('/app/me', { Authorization: `Bearer ${token}` })).status, 200);
  // Refusals that repeat the key, as some providers' do; wrong credentials; every page and report an administrator has.
  for (const fault of ['401', '403', '400', '500', 'html', 'redirect', 'cut-400']) {
    await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: `#fault-${fault} x` });
    await (await weir.stream({ model: 'gpt-4o', message: `#fault-${fault} x` })).end();
    await weir.post('/monitoring/reset-rate-limits', {});
    const parrot = await weir.post('/chat/complete', { model: 'parrot', message: `hello${'o'.repeat(fault.length)}` });
    assert.ok(parrot.status >= 400, parrot.text);
    await weir.post('/v1/chat/completions', { model: 'parrot', messages: [{ role: 'user', content: `hello${'o'.repeat(fault.length)}` }] });
  }
  await weir.get('/app/me', { Authorization: `Bearer ${token.slice(0, -1)}x` });
  await login({ name: 'heron', password: `${password}!` });
  await login({ token: weir.token });
  for (const where of ['/metrics', '/healthz', '/readyz', '/app/', '/app/settings', '/app/dashboard', '/admin/audit', '/admin/users', '/admin/tokens',
    '/admin/webhooks', `/admin/webhooks/${hook.webhook_id}`, `/admin/webhooks/${hook.webhook_id}/deliveries`, '/monitoring/rate-limits',
    '/monitoring/live', '/monitoring/history', '/monitoring/export?format=csv', '/app/export', '/chat/models'])
    for (const headers of [weir.headers, { Cookie: signIn.headers['set-cookie'][0].split(';')[0] }])
      assert.equal((await request({ port, path: where, headers })).status, 200, where);
  await weir.post('/admin/reload', {});
  for (const args of [['config', 'show'], ['config', 'check'], ['verify'], ['report', 'cost']]) {
    const { output } = await run(path.join(build, 'weir'), args, { env: weir.env });
    weir.canaries.said(`weir ${args.join(' ')}`, output);
  }
  const environment = fs.readFileSync(`/proc/${weir.program.pid}/environ`, 'latin1');
  assert.doesNotMatch(environment, /sk-canary-(env|named)/);
  assert.ok(weir.canaries.count() >= 7, `${weir.canaries.count()} secrets were planted`);
  await weir.kill('SIGABRT');
  await weir.start();
  await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: 'after the crash' });
  await weir.stop();                     // searches, and throws
  fs.rmSync(dir, { recursive: true });
});

test('a crash leaves no core file, whatever the limit is', async () => {
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-core-'));
  const weir = await startWeir({ prefix: process.getuid() === 0 ? ['prlimit', '--core=unlimited'] : [], cwd });
  assert.equal((await weir.kill('SIGABRT')).signal, 'SIGABRT');
  assert.deepEqual(fs.readdirSync(cwd), []);
  await weir.stop();
  fs.rmSync(cwd, { recursive: true });
});

test('the search finds what it is to find', () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-canary-'));
  const c = new Canaries();
  c.learnConfig({ upstreams: [{ api_key: key('json') }] });
  c.sent({ Authorization: 'Bearer weir_0123456789_secret' }, { password });
  c.got({ 'set-cookie': ['weir=cookie-of-a-browser; Path=/'] }, '');
  fs.mkdirSync(path.join(dir, 'sub'));
  fs.writeFileSync(path.join(dir, 'weir.json'), key('json'));
  c.searchFolder(dir);
  assert.deepEqual(c.leaks, []);
  fs.writeFileSync(path.join(dir, 'sub', 'weir.db-wal'), `\0\0${key('json')}${password}weir_0123456789_secret\0cookie-of-a-browser`);
  c.searchFolder(dir);
  assert.equal(c.leaks.length, 4);
  c.got({}, `oh ${key('json')}`);
  c.said('weir', `oh ${password}`);
  assert.equal(c.leaks.length, 6);
  fs.rmSync(dir, { recursive: true });
});
