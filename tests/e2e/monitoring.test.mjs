// Monitoring: the fields of each answer, and one truth in every sum: what the stand-in
// billed = the events = the roll-ups = what each endpoint shows.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from './harness.mjs';
import { assertCost, assertMetrics, assertUsage, keys, pico } from './shapes.mjs';

const up = await startUpstream();
const limits = { requests_per_minute: 600, requests_per_hour: 6000, tokens_per_minute: 600000, tokens_per_hour: 6000000 };
const weir = await startWeir({ upstream: up, openai: { limits }, config: { retry: { budget: 1, max_retries: 2, base_delay: 0.01, max_delay: 0.05 } } });
const get = async (where) => {
  const r = await weir.get(`/monitoring/${where}`);
  assert.equal(r.status, 200, r.text);
  return r.json;
};
const sum = (list, key) => list.reduce((n, x) => n + x[key], 0);
const amount = ['completion_tokens', 'cost_usd', 'prompt_tokens', 'requests', 'total_tokens'];

// Traffic that every test below looks at: two sessions, two models, three priorities, failures among them.
const sessions = [];
for (const [i, model] of ['gpt-4o-mini', 'gpt-4o'].entries()) {
  let session_id;
  for (let n = 0; n < 4; n++) {
    const r = await weir.post('/chat/complete', { model, message: `traffic ${i} ${n}`, priority: ['Low', 'Medium', 'High', 'Medium'][n], ...(session_id && { session_id }) });
    assert.equal(r.status, 200, r.text);
    session_id = r.json.session_id;
  }
  sessions.push(session_id);
}
await (await weir.stream({ model: 'gpt-4o-mini', message: '#lorem-30 stream', session_id: sessions[0] })).end();
await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: '#fault-503-once x', session_id: sessions[1] });
await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: '#fault-400 x', session_id: sessions[1] });
await weir.post('/chat/complete', { model: 'echo', message: 'no price', session_id: sessions[1] });
const billed = await up.judge();

test('totals are what the provider billed, in every endpoint', async () => {
  const cost = await get('cost-breakdown'), usage = await get('token-usage');
  for (const t of [cost.total, usage.totals]) {
    assert.deepEqual(keys(t), amount);
    assert.equal(t.prompt_tokens, billed.prompt_tokens);
    assert.equal(t.completion_tokens, billed.completion_tokens);
    assert.equal(t.total_tokens, t.prompt_tokens + t.completion_tokens);
  }
  assert.deepEqual(usage.totals, cost.total);
  const each = await Promise.all(sessions.map((id) => get(`session-usage/${id}`)));
  for (const k of amount.filter((x) => x !== 'cost_usd')) assert.equal(sum(each.map((s) => s.totals), k), cost.total[k], k);
  assert.equal(pico(sum(each.map((s) => s.totals), 'cost_usd')), pico(cost.total.cost_usd));
});

test('cost is tokens times price, to the picodollar', async () => {
  const { by_model, total } = await get('cost-breakdown');
  const rates = { 'gpt-4o-mini': [150000, 600000], 'gpt-4o': [2500000, 10000000], echo: [0, 0] };
  let all = 0;
  for (const m of by_model) {
    const [input, output] = rates[m.key];
    const want = m.prompt_tokens * input + m.completion_tokens * output;
    if (m.key !== 'echo') assert.equal(pico(m.cost_usd), want, m.key);
    all += want;
  }
  assert.equal(pico(total.cost_usd), all);
});

test('cost-breakdown has all its parts and each adds up to the total', async () => {
  const c = await get('cost-breakdown');
  assert.equal(c.currency, 'USD');
  for (const part of ['by_model', 'by_upstream', 'by_user', 'by_session', 'by_endpoint', 'by_priority', 'by_day', 'by_hour']) {
    assert.ok(Array.isArray(c[part]) && c[part].length, part);
    for (const entry of c[part]) assert.deepEqual(keys(entry), [...amount, 'key'].sort(), part);
    for (const k of amount.filter((x) => x !== 'cost_usd')) assert.equal(sum(c[part], k), c.total[k], `${part} ${k}`);
    assert.equal(pico(sum(c[part], 'cost_usd')), pico(c.total.cost_usd), part);
    if (!['by_day', 'by_hour'].includes(part))
      assert.deepEqual(c[part].map((e) => e.cost_usd), c[part].map((e) => e.cost_usd).sort((a, b) => b - a), `${part} by cost`);
  }
  assert.deepEqual(c.by_priority.map((p) => p.key).sort(), ['High', 'Low', 'Medium']);
  assert.deepEqual(keys(c.unpriced), ['models', 'requests', 'tokens']);
  assert.deepEqual(c.unpriced.models, ['echo']);
  assert.equal(c.unpriced.requests, 1);
  assert.ok(Array.isArray(c.budgets));
});

test('filters narrow totals as they narrow lists', async () => {
  const all = await get('cost-breakdown');
  const one = await get('cost-breakdown?model=gpt-4o');
  assert.equal(one.total.requests, 4);
  assert.deepEqual(one.by_model.map((m) => m.key), ['gpt-4o']);
  assert.deepEqual(one.by_model[0], all.by_model.find((m) => m.key === 'gpt-4o'));
  assert.equal((await get(`cost-breakdown?session_id=${sessions[0]}`)).total.requests, 5);
  assert.equal((await get('cost-breakdown?priority=High')).total.requests, 2);
  assert.equal((await get('cost-breakdown?status=error')).total.requests, 1);
  const past = await get('cost-breakdown?from=-48h&to=-24h');
  assert.deepEqual(past.total, { cost_usd: 0, requests: 0, prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 });
});

test('token-usage has a gapless series that adds up, for each granularity', async () => {
  for (const [granularity, query, buckets] of [['hour', 'from=-24h', [24, 25]], ['day', 'from=-7d', [7, 8]], ['minute', 'from=-1h', [60, 61]]]) {
    const u = await get(`token-usage?granularity=${granularity}&${query}`);
    assert.ok(buckets.includes(u.series.length), `${granularity}: ${u.series.length}`);
    for (const k of amount.filter((x) => x !== 'cost_usd')) assert.equal(sum(u.series, k), u.totals[k], `${granularity} ${k}`);
    const at = u.series.map((b) => Date.parse(b.at));
    const step = { hour: 3600000, day: 86400000, minute: 60000 }[granularity];
    for (let i = 1; i < at.length; i++) assert.equal(at[i] - at[i - 1], step);
  }
  const u = await get('token-usage');
  assert.equal(sum(u.by_model, 'total_tokens'), u.totals.total_tokens);
  const chars = u.efficiency?.chars_per_token ?? u.efficiency;
  assert.ok(chars > 1 && chars < 12, JSON.stringify(u.efficiency));
});

test('session-usage lists the messages of one session with usage, cost and metrics', async () => {
  const s = await get(`session-usage/${sessions[0]}`);
  assert.equal(s.session_id, sessions[0]);
  const answers = s.messages.filter((m) => m.usage);
  assert.equal(answers.length, 5);
  for (const m of answers) {
    assertUsage(m.usage);
    assertCost(m.cost);
    assertMetrics(m.metrics);
  }
  assert.equal(sum(answers.map((m) => m.usage), 'total_tokens'), s.totals.total_tokens);
  assert.equal((await weir.get('/monitoring/session-usage/ses_0000000000000000000000')).status, 404);
});

test('queue-status has now, lifetime and wait percentiles', async () => {
  const q = await get('queue-status');
  assert.deepEqual(q.now.entries, []);
  assert.equal(q.now.running, 0);
  assert.equal(q.now.max_concurrent, 64, 'the provider and the built-in model, 32 each');
  for (const p of ['High', 'Medium', 'Low']) assert.equal((q.now.depth.by_priority ?? q.now.depth)[p], 0, JSON.stringify(q.now));
  for (const k of ['enqueued', 'admitted', 'cancelled', 'timed_out', 'rejected']) assert.ok(Number.isInteger(q.lifetime[k]), k);
  assert.equal(q.lifetime.cancelled + q.lifetime.timed_out + q.lifetime.rejected, 0);
  assert.ok(q.lifetime.admitted >= 12);
});

test('rate-limits shows all six dimensions of the provider with sums that hold', async () => {
  const { upstreams } = await get('rate-limits');
  const u = upstreams.find((x) => x.name === 'openai');
  for (const k of ['name', 'status', 'dimensions', 'stabilization', 'cooldown', 'provider_reported', 'provider_429s_24h']) assert.ok(k in u, k);
  assert.deepEqual(keys(u.dimensions), ['input_tokens_per_minute', 'output_tokens_per_minute', 'requests_per_hour', 'requests_per_minute', 'tokens_per_hour', 'tokens_per_minute']);
  assert.equal(u.dimensions.input_tokens_per_minute, null);
  for (const [name, limit] of Object.entries(limits)) {
    const d = u.dimensions[name];
    assert.deepEqual(keys(d), ['bucket', 'limit', 'remaining', 'reserved', 'resets_in_ms', 'used', 'utilization']);
    assert.ok(d.bucket.left <= d.bucket.capacity && d.bucket.capacity > 0, JSON.stringify(d));
    assert.equal(d.limit, limit);
    assert.equal(d.reserved, 0, name);
    assert.ok(Math.abs(d.utilization - (d.used + d.reserved) / d.limit) < 1e-6, JSON.stringify(d));
  }
  assert.deepEqual([u.calls, u.running, u.waiting], [billed.calls, 0, 0]);
  assert.ok(u.waited_ms >= 0 && Math.abs(u.mean_wait_ms - u.waited_ms / u.calls) <= 1);
  assert.equal(u.dimensions.requests_per_hour.used, billed.calls);
  assert.equal(u.dimensions.tokens_per_hour.used, billed.prompt_tokens + billed.completion_tokens);
});

test('performance has percentiles, success rate, score and suggestions', async () => {
  const p = await get('performance');
  const text = JSON.stringify(p);
  for (const k of ['p50', 'p90', 'p95', 'p99', 'tokens_per_second', 'success', 'retries', 'score', 'suggestions']) assert.match(text, new RegExp(`"[a-z_]*${k}`), k);
  assert.ok(p.score === null || (p.score.value ?? p.score) <= 100);
  assert.ok(Array.isArray(p.suggestions));
});

test('live is one small snapshot, and a 304 while nothing changed', async () => {
  const first = await weir.get('/monitoring/live');
  assert.equal(first.status, 200);
  assert.ok(first.text.length < 8192, `${first.text.length} bytes`);
  assert.ok(first.headers.etag);
  const again = await weir.get('/monitoring/live', { 'If-None-Match': first.headers.etag });
  assert.equal(again.status, 304);
  assert.equal(again.text, '');
  await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: 'a change' });
  const after = await weir.get('/monitoring/live', { 'If-None-Match': first.headers.etag });
  assert.equal(after.status, 200);
});

test('events, roll-ups and session totals agree in the database', async () => {
  const [events] = weir.sql('SELECT count(*) n, sum(prompt) p, sum(completion) c, sum(cost_in + cost_out) cost FROM events WHERE state = 2');
  for (const [table, cost] of [['rollups', 'cost_in + cost_out'], ['minute_rollups', 'cost'], ['session_rollups', 'cost'], ['sessions', 'cost']])
    assert.deepEqual(weir.sql(`SELECT sum(requests) n, sum(prompt) p, sum(completion) c, sum(${cost}) cost FROM ${table}`)[0], events, table);
});

test('health and readiness', async () => {
  assert.equal((await weir.get('/healthz')).status, 200);
  assert.equal((await weir.get('/readyz')).status, 200);
});
