// script/server: one command brings both programs up, one signal takes both down, and nothing is left behind.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build, freePort, Program, request, test, top, waitFor } from './harness.mjs';

const folders = [];

async function start(env = {}) {
  const state = env.WEIR_STATE ?? fs.mkdtempSync(path.join(os.tmpdir(), 'weir-e2e-'));
  const port = Number(env.WEIR_HTTP_PORT ?? await freePort());
  folders.push(state);
  const program = new Program('script/server', path.join(top, 'script/server'), [], {
    cwd: state,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, WEIR_BUILD: build, WEIR_CONFIG: path.join(state, 'weir.json'),
      WEIR_STATE: state, WEIR_HTTP_PORT: String(port), ...env },
  });
  return { program, state, port };
}

// A server that is ready; the configuration is empty.
async function started() {
  const state = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-e2e-'));
  fs.writeFileSync(path.join(state, 'weir.json'), '{}');
  const server = await start({ WEIR_STATE: state });
  const [, url] = await server.program.says(/Weir is ready: (\S+)/);
  await server.program.says(/Sign in once: \S+#\S+/);
  assert.equal(url, `http://127.0.0.1:${server.port}/app/`);
  server.pids = ['weir.lock', 'nginx.pid'].map((f) => Number(fs.readFileSync(path.join(state, f), 'utf8')));
  return server;
}

const lives = (pid) => { try { process.kill(pid, 0); return true; } catch { return false; } };
const gone = (pids) => waitFor('both programs to be gone', () => !pids.some(lives));
const forget = () => { for (const f of folders.splice(0)) fs.rmSync(f, { recursive: true, force: true }); };

test('one command brings Weir and nginx up, and SIGTERM takes both down', async () => {
  const server = await started();
  assert.equal((await request({ port: server.port, path: '/readyz' })).status, 200);
  assert.equal((await request({ port: server.port, path: '/static/css/base.css' })).status, 200);
  assert.equal((await request({ port: server.port, path: '/static/vendor/VENDOR.json' })).status, 200);
  assert.ok(server.pids.every(lives));
  assert.equal((await server.program.stop('SIGTERM')).code, 0, server.program.output);
  await gone(server.pids);
  forget();
});

test('SIGINT takes both down as well', async () => {
  const server = await started();
  assert.equal((await server.program.stop('SIGINT')).code, 0, server.program.output);
  await gone(server.pids);
  forget();
});

test('SIGHUP makes Weir read its configuration again, each time, and ends nothing', async () => {
  const server = await started();
  const token = fs.readFileSync(path.join(server.state, 'admin-token'), 'utf8').trim();
  const limit = async () => (await request({ port: server.port, path: '/monitoring/rate-limits', headers: { Authorization: `Bearer ${token}` } }))
    .json.upstreams[0].dimensions.requests_per_minute?.limit;
  for (const rpm of [11, 12]) {
    fs.writeFileSync(path.join(server.state, 'weir.json'), JSON.stringify({ limits: { requests_per_minute: rpm } }));
    server.program.child.kill('SIGHUP');
    await waitFor('the new limit', async () => await limit() === rpm);
  }
  assert.ok(server.pids.every(lives));
  assert.equal((await server.program.stop('SIGTERM')).code, 0, server.program.output);
  await gone(server.pids);
  forget();
});

test('a wrong value is shown and its exit status passed on', async () => {
  const { program } = await start({ WEIR_CONFIG: '', WEIR_QUEUE_MAX_SIZE: 'many' });
  assert.equal((await program.exit).code, 78, program.output);
  assert.match(program.output, /WEIR_QUEUE_MAX_SIZE .*"many".* whole number/);
  forget();
});

test('a second one in the same state folder or at the same port is refused, and the first goes on', async () => {
  const first = await started();
  const here = await start({ WEIR_STATE: first.state });
  assert.notEqual((await here.program.exit).code, 0);
  assert.match(here.program.output, /Another Weir uses the state folder/);
  const there = await start({ WEIR_CONFIG: '', WEIR_HTTP_PORT: String(first.port) });
  assert.notEqual((await there.program.exit).code, 0);
  assert.match(there.program.output, /Something else listens on 127\.0\.0\.1 port/);
  assert.equal((await request({ port: first.port, path: '/readyz' })).status, 200);
  await first.program.stop();
  await gone(first.pids);
  forget();
});

test('when Weir dies nginx goes too, and what it left does not hinder the next start', async () => {
  const server = await started();
  process.kill(server.pids[0], 'SIGKILL');
  assert.equal((await server.program.exit).code, 137, server.program.output);
  await gone(server.pids);
  assert.ok(fs.existsSync(path.join(server.state, 'weir.sock')), 'the stale socket this test is about');
  const next = await start({ WEIR_STATE: server.state, WEIR_HTTP_PORT: String(server.port) });
  await next.program.says(/Weir is ready/);
  assert.equal((await next.program.stop()).code, 0);
  forget();
});
