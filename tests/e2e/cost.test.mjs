// What OpenRouter says it charges is the cost; of others it is the table's, for the service tier they say they gave.
import assert from 'node:assert/strict';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, top, unlimited } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({
  config: { upstreams: [
    { name: 'openrouter', base_url: up.url, api_key: 'sk-e2e', models: ['gpt-9-unheard-of'], limits: unlimited },
    { name: 'openai', base_url: up.url, api_key: 'sk-e2e', models: ['gpt-4o-mini'], limits: unlimited },
  ] },
});
const said = 1234567890;                       // picodollars: the stand-in's "cost"

test('the provider that names its cost is charged with it, to the picodollar', async () => {
  const { json: a, text } = await weir.post('/chat/complete', { model: 'gpt-9-unheard-of', message: '#usage-cost x' });
  assert.ok(a.cost, text);
  assert.equal(a.cost.priced, true);
  const r = await weir.settled(a.request_id), [attempt] = weir.attempts(a.request_id);
  assert.equal(r.cost_in + r.cost_out, said);
  assert.deepEqual([attempt.cost_in, attempt.cost_out], [r.cost_in, r.cost_out]);
});

test('another one’s figure changes nothing', async () => {
  const a = (await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: '#usage-cost x' })).json;
  const r = await weir.settled(a.request_id);
  assert.deepEqual([r.cost_in, r.cost_out], [r.prompt * 150000, r.completion * 600000]);
});

test('the service tier of the answer chooses the price, and is what is recorded', async () => {
  const weir = await startWeir({ upstream: up });
  const cost = {}, rate = {};
  for (const tier of ['standard', 'flex', 'priority']) {
    for (const stream of [false, true]) {
      const r = await weir.post('/v1/chat/completions', { model: 'gpt-4o-mini', stream, messages: [{ role: 'user', content: `#tier-${tier} the same words` }] });
      assert.equal(r.status, 200, r.text);
      assert.match(r.text, new RegExp(`"service_tier":"${tier}"`));
    }
    const rows = weir.sql(`SELECT e.prompt, e.completion, cost_in + cost_out AS cost, r.rate_in, r.rate_out FROM events e JOIN rates r ON r.id = e.rate ORDER BY e.id DESC LIMIT 2`);
    for (const row of rows) assert.equal(row.cost, row.prompt * row.rate_in + row.completion * row.rate_out);
    rate[tier] = rows[0].rate_out;
    cost[tier] = rows.map((row) => row.cost / (row.prompt * 150000 + row.completion * 600000));
  }
  assert.deepEqual(rate, { standard: 600000, flex: 300000, priority: 1200000 });
  assert.deepEqual(cost, { standard: [1, 1], flex: [0.5, 0.5], priority: [2, 2] });
  assert.equal((await run(path.join(build, 'weir'), ['verify'], { env: weir.env, cwd: top })).code, 0);
});
