// /metrics: after known traffic each series has the value that follows from it,
// and agrees with the ledger.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { once } from 'node:events';
import path from 'node:path';
import { startUpstream, startWeir, test, top, waitFor } from './harness.mjs';
import { pico } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const weir = await startWeir({
  upstream: up, openai: { limits: { requests_per_minute: 600, tokens_per_hour: 6000000 } },
  config: {
    metrics: { token_usage: true }, retry: { budget: 1, max_retries: 2, base_delay: 0.01, max_delay: 0.05 },
    budgets: [{ scope: 'model', key: 'gpt-4o', window: 'total', limit_usd: 0 }, { scope: 'user', key: 'usr_somebody', window: 'day', limit_usd: 1000 }],
  },
});

// {name: [{labels, value}]}, and the families.
async function read(of = weir) {
  const r = await of.get('/metrics');
  assert.equal(r.status, 200);
  assert.match(r.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const series = {}, families = [];
  for (const line of r.text.split('\n')) {
    const family = /^# TYPE (\S+) /.exec(line);
    if (family) families.push(family[1]);
    if (!line || line.startsWith('#')) continue;
    const [, name, text, value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    const labels = Object.fromEntries([...(text ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], m[2]]));
    (series[name] ??= []).push({ labels, value: Number(value), text: value });
  }
  return { series, families, text: r.text };
}
const matching = (m, name, labels) => (m.series[name] ?? []).filter((s) => Object.entries(labels).every(([k, v]) => s.labels[k] === v));
const sum = (m, name, labels = {}) => matching(m, name, labels).reduce((n, s) => n + s.value, 0);
const fresh = await read();

// The traffic.
for (const priority of ['High', 'Medium', 'Low']) {
  const r = await weir.post('/chat/complete', { model, message: `hello ${priority}`, priority });
  assert.equal(r.status, 200, r.text);
}
await (await weir.stream({ model, message: '#lorem-30 stream' })).end();
await weir.post('/chat/complete', { model, message: '#fault-503-once x' });
await weir.post('/chat/complete', { model, message: '#fault-400 x' });
await weir.post('/chat/complete', { model: 'echo', message: 'no price and not in the table' });
assert.equal((await weir.post('/chat/complete', { model: 'gpt-4o', message: 'not paid for' })).status, 402);
const s = await weir.stream({ model, message: '#slow-5-50-200 cancelled' });
await waitFor('a delta', () => s.all('delta').length >= 1);
await weir.post('/chat/cancel', { request_id: s.first('accepted').request_id });
await s.end();
const r429 = await weir.post('/chat/complete', { model, message: '#fault-429-once x' });
assert.equal(r429.status, 200, r429.text);
await waitFor('nothing to run', async () => (await up.judge()).in_flight === 0 && weir.records('e.state < 2').length === 0);
const m = await read();
const records = weir.records();
const billed = (key) => records.reduce((n, r) => n + r[key], 0);

test('requests are counted by how they ended', () => {
  const got = Object.fromEntries(m.series.weir_requests_total.map((x) => [Object.values(x.labels).join(' '), x.value]));
  assert.deepEqual(got, {
    [`/chat/complete openai ${model} ok High`]: 1,
    [`/chat/complete openai ${model} ok Medium`]: 3,
    [`/chat/complete openai ${model} ok Low`]: 1,
    [`/chat/complete openai ${model} client_error Medium`]: 1,
    [`/chat/stream openai ${model} ok Medium`]: 1,
    [`/chat/stream openai ${model} cancelled Medium`]: 1,
    '/chat/complete openai other ok Medium': 1,
    '/chat/complete none gpt-4o quota Medium': 1,
  });
});

test('tokens and cost are the sums of the ledger', () => {
  const counter = (kind) => sum(m, `gen_ai_client_inference_usage_${kind}_tokens_total`);
  assert.equal(counter('input'), billed('prompt'));
  assert.equal(counter('output'), billed('completion'));
  assert.equal(counter('cache_read_input'), billed('cached'));
  assert.equal(counter('cache_write_input'), billed('cache_write') + billed('cache_write_1h'));
  assert.equal(counter('reasoning_output'), billed('reasoning'));
  const [cost] = matching(m, 'weir_cost_usd_total', { provider: 'openai', model });
  assert.equal(pico(Number(cost.text)), billed('cost_in') + billed('cost_out'));
  assert.ok(pico(Number(cost.text)) > 0);
  assert.equal(sum(m, 'weir_cost_usd_total', { model: 'other' }), 0);
  assert.equal(sum(m, 'weir_unpriced_requests_total', { model: 'other' }), 1);
  assert.equal(sum(m, 'weir_unpriced_requests_total', { model }), 0);
});

test('times are counted once for each call that was sent, by its error', () => {
  const count = (labels) => sum(m, 'gen_ai_client_operation_duration_seconds_count', labels);
  assert.equal(count({}), 9, 'all but what was not paid for');
  assert.equal(matching(m, 'gen_ai_client_operation_duration_seconds_count', { gen_ai_request_model: model }).find((x) => !x.labels.error_type).value, 6);
  assert.equal(count({ error_type: 'cancelled' }), 1);
  assert.equal(count({ error_type: 'upstream_refused' }), 1);
  const took = records.reduce((n, r) => n + r.retry_us + r.ttft_us + r.writing_us, 0);
  const sent = records.filter((r) => r.attempts > 0).reduce((n, r) => n + r.retry_us + r.ttft_us + r.writing_us, 0);
  assert.equal(took, sent);
  assert.equal(Math.round(sum(m, 'gen_ai_client_operation_duration_seconds_sum') * 1e6), sent);
  assert.equal(sum(m, 'gen_ai_client_operation_time_to_first_chunk_seconds_count'), 2, 'two streams');
  for (const x of m.series.gen_ai_client_operation_duration_seconds_count) {
    assert.equal(x.labels.gen_ai_operation_name, 'chat');
    assert.equal(x.labels.gen_ai_provider_name, 'openai');
    assert.equal(x.labels.server_address, '127.0.0.1');
  }
  assert.equal(sum(m, 'gen_ai_client_token_usage_count', { gen_ai_token_type: 'input' }), 7, 'those that succeeded');
});

test('attempts are counted by their answers, and retries by their reasons', () => {
  const answers = Object.fromEntries(m.series.weir_upstream_responses_total.map((x) => [`${x.labels.code} ${x.labels.class}`, x.value]));
  assert.deepEqual(answers, { '200 ok': 7, '200 cancelled': 1, '400 upstream_refused': 1, '429 upstream_rate_limited': 1, '503 upstream_error': 1 });
  const retries = Object.fromEntries(m.series.weir_retries_total.map((x) => [x.labels.reason, x.value]));
  assert.deepEqual(retries, { upstream_error: 1, upstream_rate_limited: 1 });
  assert.equal(sum(m, 'weir_failovers_total'), 0);
  assert.equal(sum(m, 'weir_upstream_responses_total'), weir.sql('SELECT count(*) AS n FROM attempts')[0].n);
});

test('the line, limits and budgets are shown', () => {
  assert.equal(sum(m, 'weir_queue_wait_seconds_count'), 9, 'each request once, however often it was tried');
  assert.equal(sum(m, 'weir_queue_wait_seconds_count', { priority: 'High' }), 1);
  assert.equal(sum(m, 'weir_queue_depth'), 0);
  assert.equal(sum(m, 'weir_inflight'), 0);
  assert.deepEqual(matching(m, 'weir_ratelimit_limit', { source: 'config' }).map((x) => [x.labels.provider, x.labels.dim, x.value]),
    [['openai', 'rpm', 600], ['openai', 'tph', 6000000]]);
  assert.equal(sum(m, 'weir_stabilizing', { provider: 'openai' }), 1);
  assert.ok(sum(m, 'weir_stabilizing_until_timestamp_seconds', { provider: 'openai' }) > Date.now() / 1000);
  assert.equal(sum(m, 'weir_token_estimate_error_ratio_count', { model }), 6);
  assert.deepEqual(m.series.weir_budget_used_ratio.map((x) => [x.labels.scope, x.labels.window]).sort(), [['model', 'total'], ['user', 'day']]);
  assert.equal(sum(m, 'weir_usage_log_pending'), 0);
  assert.equal(sum(m, 'weir_usage_log_dropped_total'), 0);
});

test('nobody is named: no user, session, request, token or key', () => {
  assert.doesNotMatch(m.text, /\b(usr|ses|req|msg|tok)_|sk-e2e-canary/);
  assert.ok(!m.text.includes('echo'), 'a model that no table knows is "other"');
});

test('names that a provider makes up are no labels', async () => {
  const names = ['gpt-4o-mini-2024-07-18', 'ft:gpt-4o-mini:acme::x1', 'private-7', 'configured-elsewhere'];
  const server = http.createServer((req, res) => {
    req.resume();
    res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(req.method === 'GET'
      ? { object: 'list', data: names.map((id) => ({ id, object: 'model' })) }
      : { id: 'x', object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: 'yes' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 8, completion_tokens: 1, total_tokens: 9 } }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const other = await startWeir({ upstream: { url: `http://127.0.0.1:${server.address().port}/v1` }, config: { auto: [names[2], 'builtin/eliza'] } });
  for (const name of [...names, 'auto', 'builtin/eliza']) {
    const r = await other.post('/chat/complete', { model: name, message: 'a' });
    assert.equal(r.status, 200, r.text);
  }
  const seen = await read(other), known = ['gpt-4o-mini', 'ft:gpt-4o-mini', 'builtin/eliza', 'other'];      // of the table and of Weir
  for (const [name, list] of Object.entries(seen.series))
    for (const { labels } of list)
      for (const label of ['model', 'gen_ai_request_model'])
        assert.ok(labels[label] === undefined || known.includes(labels[label]), `${name} ${labels[label]}`);
  assert.equal(sum(seen, 'weir_requests_total'), 6);
  for (const model of known) assert.ok(sum(seen, 'weir_requests_total', { model }) > 0, model);
  server.close();
  server.closeAllConnections();
});

test('counters begin at nothing', () => {
  for (const name of ['weir_requests_total', 'weir_cost_usd_total', 'weir_upstream_responses_total', 'gen_ai_client_operation_duration_seconds_count'])
    assert.equal(fresh.series[name], undefined, name);
  assert.equal(sum(fresh, 'weir_queue_wait_seconds_count'), 0);
  assert.deepEqual(m.families, fresh.families, 'the same families from the first moment');
});

test('the dashboard asks only for what is shown, and each panel says what it is', () => {
  const board = JSON.parse(fs.readFileSync(path.join(top, 'docs/grafana/weir.json'), 'utf8'));
  const known = new Set(m.families.flatMap((f) => [f, `${f}_bucket`, `${f}_sum`, `${f}_count`]).filter((f) => m.families.includes(f) || f in m.series));
  const panels = board.panels.filter((p) => p.type !== 'row');
  const queries = board.templating.list.filter((v) => v.type === 'query').map((v) => v.query.query ?? v.query);
  assert.ok(panels.length >= 12);
  for (const p of panels) {
    assert.ok(p.title, JSON.stringify(p));
    assert.ok(p.description?.length > 20, p.title);
    assert.ok(p.fieldConfig.defaults.unit, p.title);
    assert.ok(p.targets.length, p.title);
    queries.push(...p.targets.map((t) => t.expr));
  }
  assert.equal(new Set(board.panels.map((p) => p.id)).size, board.panels.length);
  for (const q of queries) {
    const names = q.match(/\b(weir|gen_ai)_\w+(?=[{[)\s,]|$)/g)?.filter((n) => !/^gen_ai_(operation_name|provider_name|request_model|token_type)$/.test(n)) ?? [];
    assert.ok(names.length, q);
    for (const n of names) assert.ok(known.has(n), `${n} in ${q}`);
  }
});
