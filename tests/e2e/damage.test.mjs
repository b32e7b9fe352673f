// What befalls the files under a running Weir, and what it finds at its start: it says so, promises nothing it cannot keep,
// and never makes a database anew.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError, assertStream } from './shapes.mjs';

const model = 'gpt-4o-mini';
const up = await startUpstream();
const command = (state, ...args) => run(path.join(build, 'weir'), args, { env: { PATH: process.env.PATH, HOME: state, WEIR_STATE: state, WEIR_CONFIG: path.join(state, 'weir.json') } });
const notReady = (weir) => waitFor('it to be noticed', async () => {
  await weir.post('/chat/complete', { model, message: 'is it broken?' });
  return (await weir.get('/readyz')).status === 503;
});
const refused = async (weir) => assertError(await weir.post('/chat/complete', { model, message: 'refused' }), 503, 'unavailable', 'storage_unavailable');

// What the provider was asked and answered whole is what the ledger has.
async function assertAgrees(weir) {
  const judge = await waitFor('the provider to see every end', async () => {
    const j = await up.judge();
    return j.in_flight === 0 && j;
  });
  const [sums] = weir.sql('SELECT count(*) AS calls, sum(prompt) AS prompt, sum(completion) AS completion FROM events WHERE state = 2 AND attempts > 0');
  assert.deepEqual([sums.calls, sums.prompt, sums.completion], [judge.calls, judge.prompt_tokens, judge.completion_tokens]);
}

test('a file system that is read-only: the start says so and changes nothing; once it can be written all is there', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-ro-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=0755', 'weir-test', dir], { stdio: 'pipe' });
  } catch (error) {
    fs.rmdirSync(dir);
    return t.skip(`no file system can be mounted here: ${String(error.stderr).trim()}`);
  }
  t.after(() => { execFileSync('umount', ['-l', dir]); fs.rmdirSync(dir); });
  const state = path.join(dir, 'state');
  fs.mkdirSync(state, { mode: 0o755 });
  await up.reset();
  const weir = await startWeir({ upstream: up, state, keep: true });
  assert.equal((await weir.post('/chat/complete', { model, message: 'plain words' })).status, 200);
  await weir.program.stop();
  await weir.nginx.stop('SIGQUIT');
  weir.nginx = null;
  execFileSync('mount', ['-o', 'remount,ro', dir]);        // not under a Weir that runs: the kernel refuses while files are open for writing
  const started = await command(state, 'serve');
  execFileSync('mount', ['-o', 'remount,rw', dir]);
  assert.ok([73, 78].includes(started.code), started.output);
  assert.match(started.output, /Read-only|read-only|may not be written/);
  await weir.start();
  assert.equal((await weir.post('/chat/complete', { model, message: 'plain words' })).status, 200);
  await weir.stop();
});

for (const which of ['weir.db-wal', 'weir.db'])
  test(`${which} is removed while Weir runs: nothing that was told as stored is lost`, async () => {
    await up.reset();
    const weir = await startWeir({ upstream: up });
    for (let i = 0; i < 30; i++) assert.equal((await weir.post('/chat/complete', { model, message: `before ${i}` })).status, 200);
    const running = await weir.stream({ model, message: '#slow-0-20-40 runs meanwhile' });
    await running.next('delta', 1);
    const file = path.join(weir.state, which), kept = path.join(weir.state, 'kept');
    if (which === 'weir.db') fs.linkSync(file, kept);
    fs.rmSync(file);
    await notReady(weir);
    await refused(weir);
    await running.end();
    assertStream(running);
    assert.equal(running.terminals()[0].event, 'done', running.text);
    await weir.kill('SIGKILL');
    assert.match(weir.program.output, /removed or replaced/);
    if (which === 'weir.db') fs.renameSync(kept, file);
    await weir.start();
    await assertAgrees(weir);
    assert.equal((await command(weir.state, 'verify')).code, 0);
    await weir.stop();
  });

test('another program holds the database for a second: calls wait, none fails', async () => {
  await up.reset();
  const weir = await startWeir({ upstream: up });
  const shell = spawn('sqlite3', [path.join(weir.state, 'weir.db')], { stdio: ['pipe', 'pipe', 'inherit'] });
  shell.stdin.write('.timeout 5000\nBEGIN IMMEDIATE;\nSELECT 1;\n');
  await once(shell.stdout, 'data');
  const calls = Promise.all(Array.from({ length: 40 }, (_, i) => weir.post('/chat/complete', { model, message: `waits ${i}` })));
  shell.stdin.end('.shell sleep 1\nCOMMIT;\n');
  assert.deepEqual([...new Set((await calls).map((r) => r.status))], [200]);
  assert.equal((await weir.get('/readyz')).status, 200);
  await assertAgrees(weir);
  await weir.stop();
});

test('somebody who reads an export a little at a time holds no log back', async () => {
  const weir = await startWeir({ upstream: up });
  for (let n = 0; n < 8; n++)
    await weir.post('/usage/events', { events: Array.from({ length: 1000 }, (_, i) => ({ request_id: `import-${n}-${i}`, model, prompt_tokens: 10, completion_tokens: 5, at: new Date().toISOString() })) });
  const res = await new Promise((resolve, reject) => http.get({ port: weir.port, path: '/monitoring/export?format=ndjson', headers: weir.headers, agent: false }, resolve).on('error', reject));
  assert.equal(res.statusCode, 200);
  res.pause();
  for (let n = 0; n < 20; n++) await Promise.all(Array.from({ length: 100 }, (_, i) => weir.post('/chat/complete', { model, message: `${'beside it '.repeat(100)}${n} ${i}` })));
  assert.ok(fs.statSync(path.join(weir.state, 'weir.db-wal')).size <= (16 << 20) + (4 << 20), 'the log stays small');
  res.destroy();
  await weir.stop();
});

test('nobody reads what Weir says, or can: it works on, and stops as told', async () => {
  const weir = await startWeir({ upstream: up });
  await weir.program.stop();
  const pipe = path.join(weir.state, 'said');
  execFileSync('mkfifo', [pipe]);
  const full = fs.openSync(pipe, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  try {
    for (;;) fs.writeSync(full, Buffer.alloc(4096));
  } catch (error) {
    assert.equal(error.code, 'EAGAIN');
  }
  const blocking = fs.openSync(pipe, 'w');
  for (const stderr of [blocking, 'closed']) {
    const serve = [path.join(build, 'weir'), 'serve'];
    const child = stderr === 'closed' ? spawn('sh', ['-c', 'exec "$@" 2>&-', 'sh', ...serve], { env: weir.env, stdio: 'ignore' })
      : spawn(serve[0], serve.slice(1), { env: weir.env, stdio: ['ignore', 'ignore', stderr] });
    const ended = once(child, 'exit');
    try {
      await waitFor('/readyz', async () => (await weir.get('/readyz')).status === 200, 5000);
      assert.equal((await weir.post('/chat/complete', { model, message: 'unheard' })).status, 200);
      child.kill('SIGTERM');
      assert.deepEqual(await ended, [0, null]);
    } finally {
      child.kill('SIGKILL');
    }
    assert.equal(execFileSync('sqlite3', [path.join(weir.state, 'weir.db'), 'PRAGMA integrity_check'], { encoding: 'utf8' }).trim(), 'ok');
    for (const f of fs.readdirSync(weir.state)) {
      if (f.startsWith('weir.') && fs.statSync(path.join(weir.state, f)).isFile())
        assert.ok(!fs.readFileSync(path.join(weir.state, f)).includes('"level":"info"'), `${f} has what was meant for stderr`);
    }
  }
  fs.closeSync(full);
  fs.closeSync(blocking);
  await weir.stop();
});

test('backups made one after another while Weir writes can be used, and each adds up', async () => {
  await up.reset();
  const weir = await startWeir({ upstream: up });
  let wanted = true, made = 0;
  const work = Promise.all(Array.from({ length: 8 }, async (_, c) => {
    for (let i = 0; wanted; i++) assert.equal((await weir.post('/chat/complete', { model, message: `work ${c} ${i}` })).status, 200);
  }));
  const seen = [];
  for (let n = 0; n < 5; n++) {
    const before = weir.sql('SELECT count(*) AS n FROM events WHERE state = 2')[0].n;
    const state = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-restored-'));
    const { code, output } = await run(path.join(build, 'weir'), ['backup', path.join(state, 'weir.db')], { env: weir.env });
    assert.equal(code, 0, output);
    fs.copyFileSync(path.join(weir.state, 'weir.json'), path.join(state, 'weir.json'));
    const rows = JSON.parse(execFileSync('sqlite3', ['-readonly', '-json', path.join(state, 'weir.db'), 'SELECT request_id, prompt, completion, cost_in FROM events WHERE state = 2 ORDER BY request_id'], { encoding: 'utf8', maxBuffer: 1 << 28 }) || '[]');
    assert.ok(rows.length >= before, `${rows.length} in the copy, ${before} were stored before it was begun`);
    const verified = await command(state, 'verify');
    assert.ok([0, 65].includes(verified.code), verified.output);
    assert.ok(!/^(seals|parts|attempts|rollups|session_rollups|span_rollups|hour_rollups|sessions|settled):/m.test(verified.output), verified.output);
    seen.push(rows);
    fs.rmSync(state, { recursive: true });
    made++;
  }
  wanted = false;
  await work;
  const now = new Map(weir.sql('SELECT request_id, prompt, completion, cost_in FROM events').map((r) => [r.request_id, r]));
  for (const rows of seen) for (const r of rows) assert.deepEqual(r, now.get(r.request_id));
  assert.equal(made, 5);
  await assertAgrees(weir);
  await weir.stop();
});

test('240 ways to spoil a database: each start says why not, or what verify finds, and changes nothing that it refuses', async () => {
  const weir = await startWeir({ upstream: up });
  for (let i = 0; i < 40; i++) await weir.post('/chat/complete', { model, message: `content ${i}` });
  await weir.program.stop();
  const good = fs.readFileSync(path.join(weir.state, 'weir.db'));
  const state = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-spoilt-'));
  const file = path.join(state, 'weir.db');
  fs.copyFileSync(path.join(weir.state, 'weir.json'), path.join(state, 'weir.json'));
  const ways = {
    header: (b, i) => { b[i % 16] ^= 0x41; return b; },
    empty: () => Buffer.alloc(0),
    text: (b, i) => Buffer.from(`not a database, number ${i}\n`.repeat(400)),
    truncated: (b, i) => b.subarray(0, Math.floor((b.length / 4096) * (i + 1) / 42) * 4096 + (i % 2) * 1000),
    zeroed: (b, i) => { const at = (Math.floor((i / 40) * (b.length / 4096))) * 4096; b.fill(0, at, at + 4096); return b; },
    other: (b, i) => { b.writeUInt32BE(0x1234 + i, 68); return b; },
  };
  let refusedAtOnce = 0, found = 0;
  const passed = [];
  for (const [name, spoil] of Object.entries(ways)) {
    for (let i = 0; i < 40; i++) {
      const bad = spoil(Buffer.from(good), i);
      for (const f of fs.readdirSync(state)) if (f !== 'weir.json') fs.rmSync(path.join(state, f));
      fs.writeFileSync(file, bad);
      const { code, output } = await command(state, 'verify');
      if (code !== 0) (/holds|adds up|does not add up/.test(output) ? found++ : refusedAtOnce++);
      else passed.push(`${name} ${i}`);
      assert.ok([0, 65, 66, 74].includes(code), `${name} ${i}: ${code} ${output}`);
      assert.ok(fs.readFileSync(file).equals(bad), `${name} ${i}: it was changed`);
    }
  }
  for (const name of ['header', 'empty', 'text', 'other']) {                   // what a start must not take for a database
    const bad = ways[name](Buffer.from(good), 3);
    for (const f of fs.readdirSync(state)) if (f !== 'weir.json') fs.rmSync(path.join(state, f));
    fs.writeFileSync(file, bad);
    const { code, output } = await command(state, 'serve');
    assert.equal(code, 78, `${name}: ${output}`);
    assert.ok(fs.readFileSync(file).equals(bad), `${name}: it was changed`);
  }
  assert.deepEqual(passed.filter((p) => !p.startsWith('zeroed')), [], `${refusedAtOnce} refused, ${found} found`);
  // A page that the ledger is not in is no matter of verify; the start after a crash looks for it.
  const broken = passed.map((p) => Number(p.split(' ')[1])).filter((i) => {
    fs.writeFileSync(file, ways.zeroed(Buffer.from(good), i));
    return execFileSync('sqlite3', ['-readonly', file, 'PRAGMA quick_check(1)'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim() !== 'ok';
  });
  for (const i of broken.slice(0, 5)) {
    for (const f of fs.readdirSync(state)) if (f !== 'weir.json') fs.rmSync(path.join(state, f));
    const bad = ways.zeroed(Buffer.from(good), i);
    fs.writeFileSync(file, bad);
    fs.writeFileSync(`${file}-wal`, Buffer.alloc(32));
    const { code, output } = await command(state, 'serve');
    assert.equal(code, 78, `zeroed ${i}: ${output}`);
    assert.match(output, /damaged/);
    assert.ok(fs.readFileSync(file).equals(bad), `zeroed ${i}: it was changed`);
  }
  fs.rmSync(state, { recursive: true });
  await weir.stop();
});
