// Prices an administrator sets: over the table, at once, for new calls only, and each change kept.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const model = 'gpt-4o-mini';
const spend = async () => {
  const r = (await weir.post('/chat/complete', { model, message: 'what does it cost' })).json;
  return { ...r, perToken: r.cost.input_usd / r.usage.prompt_tokens };
};

test('an own price counts from the next call on, its change too, and without it the table again', async () => {
  const table = (await weir.get('/admin/prices')).json;
  assert.match(table.version, /^\d{4}-\d\d-\d\d$/);
  assert.ok(table.models > 10);
  const whole = async () => (await weir.get('/admin/price-table')).json;
  const of = async () => (await whole()).items.find((i) => i.provider === 'openai' && i.model === model);
  assert.deepEqual([(await whole()).version, (await whole()).items.length, (await whole()).items.some((i) => i.source !== 'table')], [table.version, table.models, false]);
  assert.deepEqual(await of(), { provider: 'openai', model, input_per_million_usd: 0.15, output_per_million_usd: 0.6, cached_per_million_usd: 0.075, cache_write_per_million_usd: null, tiers: 1, source: 'table' });
  const before = await spend();
  let r = await weir.post('/admin/prices', { provider: 'openai', model, input_per_million_usd: 7, output_per_million_usd: 11 });
  assert.equal(r.status, 201, r.text);
  const { price_id } = r.json;
  assert.deepEqual([r.json.version, r.json.input_per_million_usd, r.json.cached_per_million_usd], [1, 7, null]);
  assert.deepEqual([(await of()).input_per_million_usd, (await of()).source], [7, 'own']);
  const dear = await spend();
  assert.ok(Math.abs(dear.perToken - 7e-6) < 1e-15, String(dear.perToken));
  r = await weir.request('PATCH', `/admin/prices/${price_id}`, { input_per_million_usd: 0.000001 });
  assert.deepEqual([r.status, r.json.version, r.json.output_per_million_usd], [200, 2, 11], r.text);
  assert.ok(Math.abs((await spend()).perToken - 1e-12) < 1e-18);
  const list = (await weir.get('/admin/prices')).json;
  assert.match(list.version, /^\d{4}-\d\d-\d\d\+[0-9a-f]{8}$/);
  assert.deepEqual(list.items.map((i) => [i.price_id, i.version, i.ended_at]), [[price_id, 2, null]]);
  const all = (await weir.get('/admin/prices?state=all')).json.items;
  assert.deepEqual(all.map((i) => [i.version, i.ended_at !== null]), [[1, true], [2, false]]);
  await weir.restart();
  assert.equal((await weir.get('/admin/prices')).json.version, list.version);
  assert.equal((await weir.request('DELETE', `/admin/prices/${price_id}`)).status, 204);
  assert.equal((await spend()).perToken, before.perToken);
  assert.equal((await weir.get('/admin/prices')).json.version, table.version);
  // What was recorded keeps its price, and says which it was.
  const kept = (await weir.get(`/monitoring/requests/${dear.request_id}`)).json;
  assert.equal(kept.cost.input_usd, dear.cost.input_usd);
  assert.match(kept.price.version, /\+[0-9a-f]{8}$/);
  const actions = (await weir.get('/admin/audit')).json.items.filter((i) => i.object === price_id).map((i) => i.action);
  assert.deepEqual(actions, ['price.remove', 'price.change', 'price.create']);
});

test('a model nobody knows gets a price, and a budget may then count it', async () => {
  const unknown = 'lorem-20';
  assert.equal((await weir.post('/chat/complete', { model: unknown, message: 'x' })).json.cost.priced, false);
  assert.equal((await weir.post('/admin/prices', { provider: 'openai', model: unknown, input_per_million_usd: 1, output_per_million_usd: 2 })).status, 201);
  const r = (await weir.post('/chat/complete', { model: unknown, message: 'x' })).json;
  assert.equal(r.cost.priced, true);
  assert.equal(Math.round(r.cost.output_usd * 1e12), r.usage.completion_tokens * 2e6);
});

test('what is wrong is refused and names its field', async () => {
  const good = { provider: 'openai', model: 'x-1', input_per_million_usd: 1, output_per_million_usd: 2 };
  for (const [more, param] of [[{ input_per_million_usd: -1 }, 'input_per_million_usd'], [{ input_per_million_usd: 1001 }, 'input_per_million_usd'],
    [{ output_per_million_usd: 'a' }, 'output_per_million_usd'], [{ model: undefined }, 'model'], [{ currency: 'EUR' }, 'currency']]) {
    const r = await weir.post('/admin/prices', { ...good, ...more });
    assertError(r, 400, 'invalid_request_error');
    assert.equal(r.json.error.param, param);
  }
  assert.equal((await weir.post('/admin/prices', good)).status, 201);
  assertError(await weir.post('/admin/prices', good), 409, 'conflict');
  assertError(await weir.request('PATCH', '/admin/prices/prc_none', { input_per_million_usd: 1 }), 404, 'not_found');
  assertError(await weir.request('DELETE', '/admin/prices/prc_none'), 404, 'not_found');
});
