// While the database cannot be written: new billed calls are refused, running ones finish, pages stay readable, and it
// recovers by itself with every figure right.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError, assertStream } from './shapes.mjs';

const model = 'gpt-4o-mini';
const plain = 'tell me what a weir does to a river and how much water goes over it in one hour';
const up = await startUpstream();

// A file system of a few MiB of its own for the state folder; null and a reason where none may be mounted.
function smallDisk(mib) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=0755`, 'weir-test', dir], { stdio: 'pipe' });
  } catch (error) {
    fs.rmdirSync(dir);
    return { reason: `no file system can be mounted here: ${String(error.stderr).trim()}` };
  }
  const filler = path.join(dir, 'filler');
  const undo = () => {
    try { execFileSync('umount', ['-l', dir]); fs.rmdirSync(dir); } catch { /* it is gone */ }
  };
  process.on('exit', undo);
  return {
    state: path.join(dir, 'state'),
    fill() {
      const fd = fs.openSync(filler, 'a');
      for (const size of [1 << 16, 1 << 12]) {
        try {
          for (;;) fs.writeSync(fd, Buffer.alloc(size));
        } catch (error) {
          assert.equal(error.code, 'ENOSPC');
        }
      }
      fs.closeSync(fd);
    },
    free: () => fs.rmSync(filler, { force: true }),
    undo() { process.off('exit', undo); undo(); },
  };
}

// Streams that run and have said something.
async function running(weir, n, pieces) {
  const all = await Promise.all(Array.from({ length: n }, (_, i) =>
    weir.stream({ model, message: `#slow-0-${20 + i}-${pieces} run ${i} ${plain}` })));
  await Promise.all(all.map((s) => s.next('delta', 1)));
  return all;
}

// What the client was told is what the ledger has, and the sums agree.
async function assertBooked(weir, streams) {
  for (const s of streams) {
    const done = s.first('done');
    const r = await weir.settled(s.first('accepted').request_id);
    assert.deepEqual([r.status, r.estimated, r.prompt, r.completion],
      ['success', 0, done.usage.prompt_tokens, done.usage.completion_tokens]);
    const { json } = await weir.get(`/chat/sessions/${s.first('accepted').session_id}/messages`);
    assert.equal(json.items.at(-1).content ?? json.items.at(-1).text, s.deltas());
  }
  const [sums] = weir.sql(`SELECT (SELECT count(*) FROM events) AS events, (SELECT sum(requests) FROM rollups) AS rollups,
    (SELECT sum(completion) FROM events) AS tokens, (SELECT sum(completion) FROM rollups) AS rolled`);
  assert.deepEqual([sums.events, sums.tokens], [sums.rollups, sums.rolled]);
}

// It is broken while streams run, and is mended again.
async function outage(weir, { hurt, heal }) {
  await up.reset();
  const streams = await running(weir, 8, 40);
  await hurt();
  for (const s of streams) {
    await s.end();
    assertStream(s);
    assert.equal(s.terminals()[0].event, 'done', s.text);
  }
  await waitFor('it to be noticed', async () => {
    await weir.post('/chat/complete', { model, message: 'is it broken?' });
    return (await weir.get('/readyz')).status === 503;
  });
  const { calls } = await up.judge();
  const refused = await weir.post('/chat/complete', { model, message: 'refused' });
  assertError(refused, 503, 'unavailable', 'storage_unavailable');
  assert.equal(refused.headers['retry-after'], '10');
  for (const where of ['/app/dashboard', '/app/', '/monitoring/live', '/monitoring/token-usage', '/chat/sessions', '/healthz'])
    assert.equal((await weir.get(where)).status, 200, where);
  assert.equal((await up.judge()).calls, calls, 'nothing was sent');
  await heal();
  await waitFor('it to be written again', async () => (await weir.get('/readyz')).status === 200, 10000);
  await assertBooked(weir, streams);
  assert.equal(fs.statSync(path.join(weir.state, 'spill.ndjson')).size, 0);
  assert.equal((await weir.post('/chat/complete', { model, message: `and on ${plain}` })).status, 200);
}

// Also of what was over before anybody looked.
async function assertAlerted(weir) {
  await waitFor('the alert', async () => (await weir.get('/admin/alerts')).json.items.some((a) => a.kind === 'storage'), 30000);
}

test('a full disk: no new call, what runs is settled, pages are there, all by itself', async (t) => {
  const disk = smallDisk(24);
  if (disk.reason) return t.skip(disk.reason);
  fs.mkdirSync(disk.state, { mode: 0o755 });
  const weir = await startWeir({ upstream: up, state: disk.state, keep: true });
  await outage(weir, { hurt: () => disk.fill(), heal: () => disk.free() });
  await assertAlerted(weir);
  const before = weir.sql('SELECT count(*) AS n FROM events WHERE state = 2 AND attempts > 0')[0].n;
  await up.reset();
  disk.fill();
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => weir.post('/chat/complete', { model, message: `while it is full ${i} ${plain}` })));
  disk.free();
  await waitFor('it to be written again', async () => (await weir.get('/readyz')).status === 200, 10000);
  assert.deepEqual(answers.filter((a) => a.status !== 200 && a.status !== 503).map((a) => a.text), []);
  const judge = await up.judge(), now = weir.sql('SELECT count(*) AS n FROM events WHERE state = 2 AND attempts > 0')[0].n;
  assert.equal(now - before, judge.calls, 'each call that reached the provider, and no other, is in the books');
  assert.equal(answers.filter((a) => a.status === 200).length <= judge.calls, true);
  await weir.stop();
  disk.undo();
});

test('a full disk and then kill -9: the next start takes the settlements up', async (t) => {
  const disk = smallDisk(24);
  if (disk.reason) return t.skip(disk.reason);
  fs.mkdirSync(disk.state, { mode: 0o755 });
  const weir = await startWeir({ upstream: up, state: disk.state, keep: true });
  const streams = await running(weir, 8, 40);
  disk.fill();
  for (const s of streams) await s.end();
  await weir.kill('SIGKILL');
  assert.ok(fs.statSync(path.join(weir.state, 'spill.ndjson')).size > 0, 'some settlements wait');
  disk.free();
  await weir.start();
  await assertBooked(weir, streams);
  await weir.stop();
  disk.undo();
});

for (const strategy of ['REALTIME', 'BATCH', 'ASYNC']) {
  test(`another program holds the database (${strategy}): as with a full disk`, async () => {
    const weir = await startWeir({ upstream: up, config: { durability: { strategy, batch_size: 3, batch_seconds: 1 } } });
    let shell;
    await outage(weir, {
      hurt: async () => {
        shell = spawn('sqlite3', [path.join(weir.state, 'weir.db')], { stdio: ['pipe', 'pipe', 'inherit'] });
        shell.stdin.write('.timeout 5000\nBEGIN IMMEDIATE;\nSELECT 1;\n');
        await once(shell.stdout, 'data');
      },
      heal: async () => {
        shell.stdin.end();
        await once(shell, 'exit');
      },
    });
    await weir.stop();
  });
}

test('what not even the spill file takes is on stderr, and can be taken up by hand', async (t) => {
  const weir = await startWeir({ upstream: up });
  const limit = (bytes) => execFileSync('prlimit', ['--pid', String(weir.program.pid), `--fsize=${bytes}:unlimited`]);
  try {
    limit('unlimited');
  } catch {
    await weir.stop();
    return t.skip('prlimit is not there');
  }
  const streams = await running(weir, 3, 20);
  limit(0);
  for (const s of streams) {
    await s.end();
    assert.equal(s.terminals()[0].event, 'done', s.text);
  }
  const lines = await waitFor('their lines', () => {
    const found = weir.program.output.split('\n').filter((l) => l.includes('a settlement could not be stored')).map((l) => JSON.parse(l).msg);
    return found.length === streams.length && found.map((m) => m.slice(m.indexOf('{')));
  });
  for (const s of streams) assert.ok(!lines.join().includes(s.deltas()), 'no content in the log');
  limit('unlimited');
  await weir.program.stop();
  fs.appendFileSync(path.join(weir.state, 'spill.ndjson'), lines.map((l) => `${l}\n`).join(''));
  await weir.start();
  for (const s of streams) {
    const r = weir.record(s.first('accepted').request_id), { usage } = s.first('done');
    assert.deepEqual([r.state, r.status, r.estimated, r.prompt, r.completion],
      ['settled', 'success', 0, usage.prompt_tokens, usage.completion_tokens]);
  }
  await weir.stop();
});
