// POST /usage/events: usage made elsewhere is in the ledger, its roll-ups and budgets, once.
import assert from 'node:assert/strict';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const model = 'gpt-4o-mini';
const at = new Date(Date.now() - 3600000).toISOString();
const event = (id, more = {}) => ({
  request_id: id, at, model, session_id: 'elsewhere-1', api_endpoint: '/other/tool', priority: 'Low',
  usage: { prompt_tokens: 1000, cached_tokens: 400, completion_tokens: 50, reasoning_tokens: 20, total_tokens: 1050 }, ...more,
});
const cost = 600 * 150000 + 400 * 75000 + 50 * 600000;

test('what is imported twice is counted once, priced and in the budgets', async () => {
  const budget = (await weir.post('/admin/budgets', { scope: 'all', window: 'month', limit_usd: 10 })).json;
  const one = await weir.post('/usage/events', event('3f2b8c1e-0d5a-4b6e-9c7d-1a2b3c4d5e6f'));
  assert.equal(one.status, 200, one.text);
  assert.deepEqual(one.json, { accepted: 1, duplicates: 0, items: [{ request_id: '3f2b8c1e-0d5a-4b6e-9c7d-1a2b3c4d5e6f', status: 'accepted' }] });
  const many = await weir.post('/usage/events', { events: [event('3f2b8c1e-0d5a-4b6e-9c7d-1a2b3c4d5e6f'), event('a-2'), event('a-2'), event('a-3', { model: 'nobody-knows-it' })] });
  assert.equal(many.status, 200, many.text);
  assert.deepEqual(many.json.items.map((i) => i.status), ['duplicate', 'accepted', 'duplicate', 'accepted']);
  const rows = weir.records();
  assert.equal(rows.length, 3);
  assert.deepEqual([rows[0].upstream, rows[0].cached, rows[0].reasoning, rows[0].status], ['imported', 400, 20, 'success']);
  assert.deepEqual(rows.map((r) => r.cost_in + r.cost_out).sort((a, b) => a - b), [0, cost, cost]);
  const total = (await weir.get('/monitoring/cost-breakdown')).json.total;
  assert.deepEqual([total.requests, total.prompt_tokens, total.completion_tokens], [3, 3000, 150]);
  const spent = (await weir.get(`/admin/budgets/${budget.budget_id}`)).json.spent_usd;
  assert.equal(Math.round(spent * 1e12), 2 * cost);
  assert.equal((await weir.get('/monitoring/session-usage/elsewhere-1')).json.totals.requests, 3);
  assert.equal((await run(path.join(build, 'weir'), ['verify'], { env: weir.env })).code, 0);
});

test('what is wrong is refused by its name, and nothing of the request is recorded', async () => {
  const before = weir.records().length;
  const cases = [
    [event('b-1', { at: 'yesterday' }), 'events[1].at'], [event('b-1', { at: '2999-01-01T00:00:00Z' }), 'events[1].at'],
    [event('b 1'), 'events[1].request_id'], [event('b-1', { user_id: 'usr_nobody' }), 'events[1].user_id'],
    [event('b-1', { priority: 'Urgent' }), 'events[1].priority'], [event('b-1', { more: 1 }), 'events[1].more'],
    [event('b-1', { usage: { prompt_tokens: 5 } }), 'events[1].usage.completion_tokens'],
    [event('b-1', { usage: { prompt_tokens: 5, completion_tokens: 5, total_tokens: 11 } }), 'events[1].usage.total_tokens'],
    [event('b-1', { usage: { prompt_tokens: 5, completion_tokens: 5, cached_tokens: 6 } }), 'events[1].usage.cached_tokens'],
    [event('b-1', { usage: { prompt_tokens: 5, completion_tokens: 5, reasoning_tokens: 6 } }), 'events[1].usage.reasoning_tokens'],
    [event('b-1', { usage: { prompt_tokens: -5, completion_tokens: 5 } }), 'events[1].usage.prompt_tokens'],
  ];
  for (const [bad, param] of cases) {
    const r = await weir.post('/usage/events', { events: [event('b-0'), bad] });
    assert.equal(r.status, 400, r.text);
    assert.equal(r.json.error.param, param, r.text);
  }
  assert.equal((await weir.post('/usage/events', { events: [] })).json.error.param, 'events');
  const many = Array.from({ length: 1001 }, (_, i) => event(`c-${i}`));
  assert.equal((await weir.post('/usage/events', { events: many })).json.error.param, 'events');
  assert.equal(weir.records().length, before);
});

test('a thousand at a time', async () => {
  const r = await weir.post('/usage/events', { events: Array.from({ length: 1000 }, (_, i) => event(`d-${i}`)) });
  assert.equal(r.json?.accepted, 1000, r.text);
  assert.equal((await run(path.join(build, 'weir'), ['verify'], { env: weir.env })).code, 0);
});

test('usage made elsewhere counts, but says nothing of how fast or how well Weir serves', async () => {
  const weir = await startWeir({ upstream: up });
  const me = (await weir.get('/admin/users')).json.items[0].user_id;
  await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: '#slow-60-1-20 slowly' });
  const performance = async (query = '') => { const { suggestions, ...rest } = (await weir.get(`/monitoring/performance${query}`)).json; return rest; };
  const usage = async () => (await weir.get('/monitoring/token-usage')).json;
  const before = [await performance('?from=-24h'), await performance('?from=-40d')], used = await usage();
  assert.ok(before[0].latency_ms.p50 >= 60 && used.efficiency.chars_per_token > 0);
  const events = [];
  for (let i = 0; i < 300; i++)
    events.push({ request_id: `else-${i}`, at: new Date(Date.now() - 3600000 * (1 + i % 200)).toISOString(), user_id: me, model: 'gpt-4o-mini', usage: { prompt_tokens: 50, completion_tokens: 50 }, api_endpoint: '/x' });
  assert.equal((await weir.post('/usage/events', { events })).json.accepted, 300);
  assert.deepEqual([(await performance('?from=-24h')).latency_ms, (await performance('?from=-24h')).requests], [before[0].latency_ms, 1]);
  const wide = await performance('?from=-40d');
  assert.deepEqual({ ...wide, series: wide.series.filter((b) => b.requests) }, { ...before[1], series: before[1].series.filter((b) => b.requests) });
  const now = await usage();
  assert.equal(now.efficiency.chars_per_token, used.efficiency.chars_per_token);
  assert.ok(now.totals.requests > used.totals.requests);
  await weir.stop();
});

test('a batch made elsewhere costs what a batch does', async () => {
  const weir = await startWeir({ upstream: up });
  const me = (await weir.get('/admin/users')).json.items[0].user_id, of = (tier) => ({ request_id: `tier-${tier}`, at: new Date().toISOString(), user_id: me,
    model: 'gpt-4o-mini', usage: { prompt_tokens: 1000, completion_tokens: 50 }, service_tier: tier });
  const r = await weir.post('/usage/events', { events: ['standard', 'default', 'batch', 'flex', 'priority'].map(of) });
  assert.equal(r.json.accepted, 5, r.text);
  const full = 1000 * 150000 + 50 * 600000;
  assert.deepEqual(Object.fromEntries(weir.records().map((e) => [e.request_id.slice(5), (e.cost_in + e.cost_out) / full])), { standard: 1, default: 1, batch: 0.5, flex: 0.5, priority: 2 });
  assert.equal((await weir.post('/usage/events', of('economy'))).json.error.param, 'service_tier');
  await weir.stop();
});
