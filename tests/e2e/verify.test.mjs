// `weir verify` beside a Weir at work, after kill -9 and after damage; and what the running Weir itself says of its ledger.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, waitFor } from './harness.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';

async function verify(weir, ...args) {
  const { code, output } = await run(path.join(build, 'weir'), ['verify', ...args], { env: weir.env });
  return { code, output, json: args.includes('--json') ? JSON.parse(output.split('\n').find((line) => line.startsWith('{"holds"')) ?? 'null') : null };
}

function damage(weir, sql) {
  execFileSync('sqlite3', ['-cmd', '.timeout 5000', path.join(weir.state, 'weir.db'), sql]);
}

test('the ledger holds beside a Weir under load, and after it was killed', async () => {
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 32 } });
  let busy = true, calls = 0;
  const worker = async (i) => {
    for (let k = 0; busy; k++) {
      const message = `${['hello', '#fault-500-once x', '#think-3-9 x', '#fault-400 x'][k % 4]} ${i} ${k}`;
      busy = await weir.post('/chat/complete', { model, message }).then(() => busy, () => false);
      calls++;
    }
  };
  const workers = Array.from({ length: 8 }, (_, i) => worker(i));
  await waitFor('some calls', () => calls >= 20);
  for (let k = 0; k < 5; k++) {
    const { code, json, output } = await verify(weir, '--json');
    assert.equal(code, 0, output);
    assert.equal(json.holds, true);
    assert.ok(json.events >= 10);
  }
  const streams = await Promise.all(Array.from({ length: 8 }, (_, i) => weir.stream({ model, message: `#slow-0-50-100 cut ${i}` })));
  await Promise.all(streams.map((s) => s.next('delta', 1)));
  busy = false;
  await weir.kill('SIGKILL');
  await Promise.all([...workers, ...streams.map((s) => s.end(5000).catch(() => null))]);

  const dead = await verify(weir, '--json');
  assert.equal(dead.code, 65, dead.output);
  assert.deepEqual([...new Set(dead.json.findings.map((f) => f.check))], ['intents']);
  assert.ok(dead.json.findings.length >= 8);

  await weir.start();
  const after = await verify(weir, '--json');
  assert.equal(after.code, 0, after.output);
  assert.ok(after.json.orphan_count >= 8, 'every call that was cut off is listed');
  assert.ok(after.json.orphans.some((o) => o.text.includes('charged at its estimate')));
  assert.equal(after.json.events, weir.records().length);
  await weir.stop();
});

test('damage is found and named, by the command and by Weir itself', async () => {
  const weir = await startWeir({ upstream: up });
  const a = (await weir.post('/chat/complete', { model, message: 'hello' })).json;
  await weir.settled(a.request_id);
  const live = async () => (await weir.get('/monitoring/live')).json.ledger;
  const held = await waitFor('the check after the start', live, 20000);
  assert.equal(held.holds, true);
  assert.ok(held.held_at);
  await weir.program.stop();
  damage(weir, 'UPDATE events SET completion = completion + 1');
  const found = await verify(weir);
  assert.equal(found.code, 65, found.output);
  assert.match(found.output, /^seals: /m);
  assert.match(found.output, /^rollups: .*completion/m);
  assert.match(found.output, /does not add up/);

  await weir.start();
  const failed = await waitFor('the check to fail', async () => {
    const l = await live();
    return l && !l.holds && l;
  }, 20000);
  assert.equal(failed.held_at, held.held_at);
  const alert = await waitFor('the alert', async () => (await weir.get('/admin/alerts')).json.items.find((i) => i.kind === 'ledger_check'), 20000);
  assert.match(alert.text, /weir verify/);
  assert.match((await weir.get('/app/dashboard')).text, /Does not add up/);
  await weir.stop();
});

test('what is asked wrongly, and a folder without a database, have their own status', async () => {
  const weir = await startWeir({ upstream: up });
  assert.equal((await verify(weir, '--nonsense')).code, 64);
  assert.equal((await verify({ env: { ...weir.env, WEIR_STATE: path.join(weir.state, 'none') } })).code, 66);
  assert.match((await verify(weir, '--help')).output, /Status 0: all holds/);
  await weir.stop();
});
