// What the next quarter of an hour is expected to bring, out of the records of a Weir that ran before.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';

test('the outlook is null at first, and after a restart made of the records, with its past error', async () => {
  const weir = await startWeir({ upstream: up, openai: { spread_low: true, limits: { requests_per_minute: 1000 } } });
  const of = async () => (await weir.get('/monitoring/rate-limits')).json.upstreams.find((u) => u.name === 'openai').outlook;
  assert.equal(await of(), null);
  for (const priority of ['Low', 'Medium', 'High'])
    assert.equal((await weir.post('/chat/complete', { model, message: `#lorem-20 ${priority}`, max_tokens: 20, priority })).status, 200);
  const [minute] = weir.sql('SELECT sum(requests) AS n, sum(prompt + completion) AS tokens FROM minute_rollups');
  assert.equal(minute.n, 3);
  await weir.program.stop();
  // The same three calls in each of the last 90 minutes.
  execFileSync('sqlite3', [path.join(weir.state, 'weir.db'), `CREATE TEMP TABLE seen AS SELECT * FROM minute_rollups;
    DELETE FROM minute_rollups;
    WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 90)
    INSERT INTO minute_rollups (id, requests, prompt, completion, reasoning, chars, cost, unpriced)
      SELECT (strftime('%s', 'now') / 60 - n.value) * 16777216 + s.id % 16777216, requests, prompt, completion, reasoning, chars, cost, unpriced
      FROM seen s, n;`]);
  await weir.start();
  const o = await waitFor('the outlook', of);
  assert.equal(o.horizon_ms, 900000);
  assert.ok(Math.abs(o.requests.expected - 45) <= 6, JSON.stringify(o));
  assert.ok(Math.abs(o.low.requests - 15) <= 2, JSON.stringify(o));
  assert.ok(Math.abs(o.tokens.expected / (15 * minute.tokens) - 1) < 0.15, JSON.stringify(o));
  assert.ok(o.requests.error >= 0 && o.requests.error < 0.05, `the past was as even as that: ${JSON.stringify(o)}`);
  assert.deepEqual([o.spread_low, o.low_held], [true, false]);
  const page = (await weir.get('/app/dashboard')).text;
  assert.match(page, /Next 15 min: about \d+ requests, [\d.,]+ ?\S* tokens; such figures were off by/);
  await weir.stop();
});
