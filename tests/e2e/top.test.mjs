// weir top: the figures of /monitoring/live on a terminal, in a pipe and as JSON.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, top, waitFor } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 60 } } });
const file = path.join(build, 'weir');
const words = (...args) => run(file, ['top', ...args], { env: weir.env, cwd: top });

test('printed once where it is no terminal: limits, queue, spend, budgets', async () => {
  await weir.post('/admin/budgets', { scope: 'all', window: 'day', limit_usd: 1 });
  assert.equal((await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: 'hello' })).status, 200);
  const r = await words();
  assert.equal(r.code, 0, r.output);
  for (const part of [/^Weir {2}Every provider answers/m, /^running 0 of \d+ {3}waiting High 0, Medium 0, Low 0/m, /^today 1 requests, 9 tokens, \$0\.0000, 0 errors/m,
    /^openai {2}healthy {3}running 0 of 32, waiting 0 {3}1 calls, each waited 0\.\d{3} s/m, /^ {2}requests per minute +[█░]{20} +\d+ % {2}59 of 60 left/m, /^Budgets\n {2}all, day +[█░]{20} +\d+ % {2}\$0\.00 of \$1\.00 spent/m]) assert.match(r.output, part);
  assert.doesNotMatch(r.output, /\x1b/);
  assert.deepEqual(Object.keys(JSON.parse((await words('--json')).output)), Object.keys((await weir.get('/monitoring/live')).json));
  assert.equal((await words('--wrong')).code, 64);
});

test('on a terminal it is drawn again and again, with colours unless NO_COLOR, until Ctrl+C', async () => {
  for (const NO_COLOR of [undefined, '1']) {
    const child = spawn('script', ['-qec', `exec ${file} top`, '/dev/null'], { env: { ...weir.env, ...(NO_COLOR ? { NO_COLOR } : {}) }, cwd: top, stdio: ['pipe', 'pipe', 'ignore'] });
    const gone = new Promise((done) => child.on('close', (code) => done(code)));
    let said = '';
    child.stdout.on('data', (d) => { said += d; });
    await waitFor('a second picture', () => said.split('\x1b[H').length > 2);
    child.stdin.write('\x03');
    assert.equal(await gone, 0);
    assert.equal(/\x1b\[32m/.test(said), !NO_COLOR);
  }
});

test('without a Weir it says so', async () => {
  const r = await run(file, ['top'], { env: { ...weir.env, WEIR_STATE: path.join(weir.state, 'nowhere') }, cwd: top });
  assert.equal(r.code, 69, r.output);
  assert.match(r.output, /no Weir runs/);
});
