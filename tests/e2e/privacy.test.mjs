// What is kept and for how long, what is signed, and what is gone once it is erased.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, top } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const cli = (weir, ...args) => run(path.join(build, 'weir'), args, { env: weir.env, cwd: top });

// As somebody who has the database file.
const shell = (weir, sql) => execFileSync('sqlite3', [path.join(weir.state, 'weir.db'), sql], { encoding: 'utf8' });

test('the audit log names who did what, is whole, and a cut is found by the anchor', async () => {
  const weir = await startWeir({ upstream: up });
  const b = (await weir.post('/admin/budgets', { scope: 'all', window: 'month', limit_usd: 5 })).json;
  await weir.post('/admin/reload');
  assertError(await weir.get('/monitoring/live', { Authorization: 'Bearer weir_0000000000_x' }), 401, 'authentication_error', 'invalid_token');
  const list = (await weir.get('/admin/audit')).json;
  const made = list.items.find((a) => a.action === 'budget.create');
  assert.equal(made.object, b.budget_id);
  assert.equal(made.detail.limit_usd, 5);
  assert.match(made.actor, /^usr_/);
  assert.match(made.request_id, /^req_/);
  const page = (await weir.get('/admin/audit?limit=1')).json;
  assert.deepEqual(page.items, list.items.slice(0, 1));
  assert.deepEqual((await weir.get(`/admin/audit?limit=1&cursor=${page.next_cursor}`)).json.items, list.items.slice(1, 2));
  const live = await cli(weir, 'audit', 'verify', '--json');
  assert.equal(live.code, 0, live.output);
  const head = JSON.parse(live.output);
  assert.equal(head.rows, list.items.length);
  await weir.program.stop();
  const anchor = weir.logs().match(/audit: head (\d+:[0-9a-f]{64})/g).at(-1).split(' ').at(-1);
  assert.equal((await cli(weir, 'audit', 'verify', '--anchor', anchor)).code, 0);
  // the count of refused credentials was written at the stop
  assert.equal(Number(anchor.split(':')[0]), head.rows + 1);
  assert.equal(JSON.parse(weir.sql("SELECT detail FROM audit WHERE action = 'sign-in.refused'")[0].detail).count, 1);
  shell(weir, 'DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)');
  assert.equal((await cli(weir, 'audit', 'verify')).code, 0);
  const cut = await cli(weir, 'audit', 'verify', '--anchor', anchor, '--json');
  assert.equal(cut.code, 65);
  assert.equal(JSON.parse(cut.output).first_bad, head.rows + 1);
});
