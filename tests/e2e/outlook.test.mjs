// Trend, anomalies and forecast over HTTP: of a Weir that has just begun, and of one with five weeks behind it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { startUpstream, startWeir, test } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_hour: 2, tokens_per_hour: 6000000 } } });
const get = async (where, headers) => {
  const r = await weir.get(`/monitoring/${where}`, headers);
  assert.equal(r.status, 200, r.text);
  return r.json;
};
const write = (sql) => execFileSync('sqlite3', [path.join(weir.state, 'weir.db')], { input: sql });
const HOUR = 3600000;

await weir.post('/chat/complete', { model, message: 'the first of all' });
const made = await weir.post('/admin/budgets', { scope: 'all', window: 'total', limit_usd: 1 });
assert.equal(made.status, 201, made.text);

test('a Weir that has just begun says that it has not enough history', async () => {
  const trend = await get('trend');
  for (const k of ['requests', 'tokens', 'cost_usd']) {
    assert.deepEqual(Object.keys(trend[k]).sort(), ['change', 'high', 'low', 'previous', 'slope_per_day', 'total'], k);
    assert.equal(trend[k].slope_per_day, null);
    assert.equal(trend[k].change, null);
  }
  assert.equal(trend.requests.total, 1);
  assert.equal(trend.confidence, 0.95);
  const forecast = await get('forecast');
  assert.equal(forecast.enough_history, false);
  assert.match(forecast.message, /Not enough history.*7 days/);
  assert.deepEqual(forecast.series, []);
  assert.deepEqual(forecast.budgets.map((b) => [b.id, b.reached_at]), [[made.json.budget_id, null]]);
  assert.deepEqual(forecast.limits.map((l) => [l.upstream, l.dimension, l.limit, l.reached_at, l.possible_at]),
    [['openai', 'requests_per_hour', 2, null, null], ['openai', 'tokens_per_hour', 6000000, null, null]]);
  const anomalies = await get('anomalies');
  assert.deepEqual([anomalies.enough_history, anomalies.found, anomalies.items], [false, 0, []]);
  const page = await weir.get('/app/dashboard/outlook');
  assert.equal(page.status, 200);
  assert.match(page.text, /Not enough history/);
});

test('a wrong parameter is named', async () => {
  assertError(await weir.get('/monitoring/forecast?horizon=7'), 400, 'invalid_request_error');
  assertError(await weir.get('/monitoring/forecast?metric=money'), 400, 'invalid_request_error');
  assertError(await weir.get('/monitoring/trend?granularity=day'), 400, 'invalid_request_error');
  assertError(await weir.get('/monitoring/anomalies?granularity=year'), 400, 'invalid_request_error');
});

test('after five weeks of three requests an hour there are a forecast, an anomaly, and the time a budget is used up', async () => {
  await weir.program.stop();
  // Five weeks, each hour three times what the first request was, and one of them fifty times.
  write(`CREATE TEMP TABLE one AS SELECT r.*, r.id >> 24 AS quarter, r.id & 16777215 AS c FROM rollups r LIMIT 1;
    CREATE TEMP TABLE hours AS WITH RECURSIVE n(h) AS (VALUES (1) UNION ALL SELECT h + 1 FROM n WHERE h < 35 * 24) SELECT h, CASE h WHEN 50 THEN 50 ELSE 3 END AS x FROM n;
    INSERT INTO rollups SELECT ((quarter / 4 - h) * 4) << 24 | c, x, x * prompt, cached, cache_write, x * completion, reasoning, chars, x * cost_in, x * cost_out,
      0, 0, 0, 0, queue_us, retry_us, ttft_us, writing_us, hist FROM one, hours;`);
  await weir.start();
  const now = Date.now();
  const forecast = await get('forecast?metric=requests&horizon=3d');
  assert.equal(forecast.enough_history, true);
  assert.equal(forecast.message, null);
  assert.equal(forecast.bucket, 'hour');
  assert.ok(Math.abs(forecast.series.length - 72.5) <= 1, forecast.series.length);
  for (const b of forecast.series) {
    assert.deepEqual(Object.keys(b), ['at', 'expected', 'low', 'high']);
    assert.equal(b.expected, 3);
    assert.ok(b.low <= b.expected && b.expected <= b.high);
  }
  assert.equal(forecast.limits[0].reached_at, forecast.series[0].at);
  assert.equal(forecast.limits[1].reached_at, null);
  const left = (await get('cost-breakdown')).budgets[0].left_usd, hourly = 3 * (await get('token-usage?from=-30d')).totals.cost_usd / (await get('token-usage?from=-30d')).totals.requests;
  const inHours = left / hourly;
  const reached = forecast.budgets[0].reached_at;
  if (inHours > 62 * 24) assert.equal(reached, null);
  else assert.ok(Math.abs(Date.parse(reached) - (now + inHours * HOUR)) < 2 * HOUR);
  const small = await weir.post('/admin/budgets', { scope: 'model', key: model, window: 'total', limit_usd: 1 - left + 100 * hourly });
  assert.equal(small.status, 201, small.text);
  const b = (await get('forecast')).budgets.find((x) => x.id === small.json.budget_id);
  assert.ok(Math.abs(Date.parse(b.reached_at) - (now + 100 * HOUR)) < 3 * HOUR, b.reached_at);
  const anomalies = await get('anomalies?from=-7d&granularity=hour');
  assert.equal(anomalies.found, 3, 'requests, tokens and cost of one hour');
  for (const a of anomalies.items) {
    assert.deepEqual(Object.keys(a), ['at', 'bucket', 'metric', 'value', 'expected', 'low', 'high', 'score']);
    assert.ok(a.value > a.high && a.expected <= a.high);
    assert.ok(Math.abs(now - Date.parse(a.at) - 50 * HOUR) < 2 * HOUR);
  }
  const trend = await get('trend?from=-14d');
  assert.equal(trend.requests.slope_per_day, 0);
  assert.equal(trend.days, 13);
  assert.ok(Math.abs(trend.requests.change - 47 / (14 * 72)) < 0.02, trend.requests.change);
  const page = await weir.get('/app/dashboard/outlook');
  assert.match(page.text, /<th scope="col" class="num">Expected/);
  assert.doesNotMatch(page.text, /class="none whole"/, 'there is enough history for a forecast');
  assert.match(page.text, /<caption class="sr">Anomalies of the last 28 days/);
});

test('weeks, months and the cost of one are there and add up', async () => {
  const c = await get('cost-breakdown?from=-30d');
  for (const part of ['by_day', 'by_week', 'by_month'])
    assert.equal(c[part].reduce((n, x) => n + x.requests, 0), c.total.requests, part);
  for (const w of c.by_week) assert.equal(new Date(w.key).getUTCDay(), 1, w.key);
  assert.match(c.by_month[0].key, /^\d{4}-\d\d$/);
  assert.ok(Math.abs(c.cost_per.request_usd - c.total.cost_usd / c.total.requests) < 1e-12);
  assert.ok(Math.abs(c.cost_per.thousand_tokens_usd - c.total.cost_usd * 1000 / c.total.total_tokens) < 1e-12);
  for (const granularity of ['week', 'month']) {
    const u = await get(`token-usage?from=-30d&granularity=${granularity}`);
    assert.equal(u.series.reduce((n, x) => n + x.requests, 0), u.totals.requests, granularity);
  }
  assert.equal((await get('cost-breakdown?from=-100d')).by_hour, null);
});

test('a user gets a forecast of their own, without limits and budgets of others', async () => {
  await weir.program.stop();
  write('UPDATE users SET role = 0;');
  await weir.start();
  const f = await get('forecast');
  assert.deepEqual([f.budgets, f.limits], [[], []]);
  assert.equal(f.enough_history, true, 'the past is theirs');
  await weir.program.stop();
  write('UPDATE combos SET user = 999; DELETE FROM hour_rollups; DELETE FROM span_rollups; UPDATE ledger SET folded = 0;');
  await weir.start();
  assert.equal((await get('forecast')).enough_history, false);
  assert.equal((await get('trend')).requests.total, 0);
});
