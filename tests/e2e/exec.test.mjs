// weir exec: a command under a lease – its turn, its streams, its status, signals, retries, and what is recorded of it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build, startWeir, test, top, waitFor } from './harness.mjs';

const weir = await startWeir({
  config: {
    upstreams: [
      { name: 'search', protocol: 'operation', price: { unit_usd: 0.001, input: 1000000 } },
      { name: 'push', protocol: 'operation', max_concurrent: 1 },
      { name: 'short', protocol: 'operation', lease: 0.2 },
    ],
  },
});
const file = path.join(build, 'weir');
const exec = (words, { input = '', env = {} } = {}) => spawnSync(file, ['exec', ...words], { env: { ...weir.env, ...env }, cwd: top, input, encoding: 'utf8', timeout: 20000 });
const of = (name) => weir.records(`m.text = '${name}'`);

// A command that is still running; gives {child, out, gone}.
function begin(words) {
  const child = spawn(file, ['exec', ...words], { env: weir.env, cwd: top, stdio: ['ignore', 'pipe', 'inherit'] });
  const p = { child, out: '', gone: new Promise((done) => child.on('close', (code, signal) => done(signal ?? code))) };
  child.stdout.on('data', (d) => { p.out += d; });
  return p;
}

test('input, output, errors and status are the command’s own, and what it cost is recorded under its name', () => {
  const r = exec(['--upstream', 'search', '--units', '30', '--input-tokens', '5', '--', '/bin/sh', '-c', 'cat; echo bad >&2; exit 0'], { input: 'through' });
  assert.deepEqual([r.status, r.stdout, r.stderr], [0, 'through', 'bad\n']);
  const [row] = of('sh');
  assert.deepEqual([row.status, row.units, row.prompt, row.cost_in, row.estimated, row.upstream], ['success', 30, 5, 30e9 + 5e6, 0, 'search']);
});

test('the command has the descriptors it would have without Weir, and no connection of Weir’s', () => {
  const list = ['sh', '-c', 'cd /proc/self/fd && for f in *; do readlink $f; done | sed "s/:.*//" | sort'];
  const behind = (words) => spawnSync('sh', ['-c', 'exec 7</etc/passwd; exec "$@"', 'sh', ...words], { env: weir.env, cwd: top, encoding: 'utf8' }).stdout;
  const without = behind(['env', ...list]);
  assert.match(without, /passwd/);
  assert.equal(behind([file, 'exec', '--upstream', 'search', '--', ...list]), without);
});

test('a command that fails is recorded so, with its status; retried where asked, each time under a lease of its own', () => {
  const no = exec(['--upstream', 'search', '--name', 'fails', '--', 'sh', '-c', 'exit 3']);
  assert.equal(no.status, 3, no.stderr);
  assert.deepEqual(of('fails').map((r) => [r.status, r.error_code, r.metadata]), [['error', 'operation_failed', '{"error":"exit status 3"}']]);
  const count = path.join(weir.state, 'count');
  const r = exec(['--upstream', 'search', '--name', 'again', '--retries', '2', '--units', '2', '--', 'sh', '-c', `echo x >> ${count}; test $(wc -l < ${count}) -ge 2`]);
  assert.equal(r.status, 0, r.stderr);
  assert.deepEqual(of('again').map((x) => [x.status, x.cost_in]), [['error', 2e9], ['success', 2e9]]);
});

test('what cannot be run has the shell’s status and costs nothing', () => {
  const r = exec(['--upstream', 'search', '--units', '9', '--name', 'absent', '--', './no-such-file']);
  assert.deepEqual([r.status, r.stderr], [127, 'weir: ./no-such-file: No such file or directory\n']);
  assert.equal(exec(['--upstream', 'search', '--retries', '3', '--units', '9', '--name', 'absent', '--', top]).status, 126);
  assert.deepEqual(of('absent').map((x) => [x.status, x.cost_in]), [['error', 0], ['error', 0]]);
});

test('a signal is passed on; the command’s own end of it counts, and is not tried again', async () => {
  const traps = begin(['--upstream', 'search', '--name', 'traps', '--retries', '5', '--', 'sh', '-c', 'trap "echo got; exit 7" TERM; echo ready; while :; do sleep 0.02; done']);
  await waitFor('it to run', () => traps.out.includes('ready'));
  traps.child.kill('SIGTERM');
  assert.equal(await traps.gone, 7);
  assert.match(traps.out, /got/);
  const dies = begin(['--upstream', 'search', '--name', 'dies', '--', 'sh', '-c', 'echo ready; exec sleep 30']);
  await waitFor('it to run', () => dies.out.includes('ready'));
  dies.child.kill('SIGHUP');
  assert.equal(await dies.gone, 129);
  assert.deepEqual([...of('traps'), ...of('dies')].map((x) => [x.status, x.metadata]), [['error', '{"error":"exit status 7"}'], ['error', '{"error":"signal 1"}']]);
});

test('it waits its turn, gives it up at a signal, and is refused with a status of its own', async () => {
  const stop = path.join(weir.state, 'stop');
  const first = begin(['--upstream', 'push', '--name', 'first', '--', 'sh', '-c', `echo ready; while [ ! -e ${stop} ]; do sleep 0.02; done`]);
  await waitFor('the first to run', () => first.out.includes('ready'));
  const none = exec(['--upstream', 'push', '--wait', '0', '--', 'true']);
  assert.equal(none.status, 75, none.stderr);
  assert.match(none.stderr, /^weir: The request would wait/);
  const second = begin(['--upstream', 'push', '--name', 'second', '--', 'echo', 'second']);
  const third = begin(['--upstream', 'push', '--name', 'third', '--', 'echo', 'third']);
  await waitFor('both to wait', async () => (await weir.get('/monitoring/queue-status')).json.now.depth.Medium === 2);
  third.child.kill('SIGINT');
  assert.equal(await third.gone, 130);
  assert.equal(second.out + third.out, '');
  fs.writeFileSync(stop, '');
  assert.deepEqual([await first.gone, await second.gone, second.out], [0, 0, 'second\n']);
  await waitFor('its record', () => of('third')[0]?.state === 'settled');
  assert.deepEqual(of('third').map((x) => [x.status, x.cost_in]), [['cancelled', 0]]);
});

test('wrong words, an unknown upstream, a wrong token, and no Weir', () => {
  for (const words of [[], ['--upstream', 'search'], ['--upstream', 'search', '--'], ['--', 'true'], ['--upstream', 'search', '--units', '-1', '--', 'true'],
    ['--upstream', 'search', '--units', 'many', '--', 'true'], ['--upstream', 'search', '--unit', '1', '--', 'true'], ['--upstream', 'nobody', '--', 'true'],
    ['--upstream', 'search', '--priority', 'Urgent', '--', 'true']]) assert.equal(exec(words).status, 64, words.join(' '));
  const token = exec(['--upstream', 'search', '--', 'true'], { env: { WEIR_TOKEN: 'weir_wrong' } });
  assert.equal(token.status, 77, token.stderr);
  const nowhere = exec(['--upstream', 'search', '--', 'true'], { env: { WEIR_URL: 'http://127.0.0.1:1' } });
  assert.deepEqual([nowhere.status, nowhere.stderr], [69, 'weir: Weir cannot be reached at http://127.0.0.1:1\n']);
});

test('a command that outlives its lease is told of it, and keeps its status', async () => {
  const slow = exec(['--upstream', 'short', '--name', 'slow', '--', 'sh', '-c', 'sleep 0.8; exit 4']);
  assert.equal(slow.status, 4);
  assert.match(slow.stderr, /ran longer than its lease/);
  assert.deepEqual(of('slow').map((x) => x.error_code), ['expired']);
  assert.equal(weir.sql('SELECT count(*) AS n FROM leases')[0].n, 0);
});
