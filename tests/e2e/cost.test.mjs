// What OpenRouter says it charges is the cost; of others it is the table's.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, unlimited } from './harness.mjs';

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
