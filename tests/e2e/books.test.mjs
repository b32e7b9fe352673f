// The books against the provider's: mixed traffic with faults, cancels and clients
// that leave, then every call the stand-in saw is looked up in Weir's ledger.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({
  upstream: up, openai: { max_concurrent: 24 },
  config: { queue: { max_size: 2000 }, retry: { budget: 1, max_retries: 2, base_delay: 0.01, max_delay: 0.05 } },
});
const model = 'gpt-4o-mini';
const kinds = ['hello there', '#lorem-30 x', '#slow-5-2-20 x', '#think-3-9 x', '#fault-408-once x', '#fault-409-once x', '#fault-400 x', '#fault-mid-error x',
  '#fault-json x', '#fault-200-error x', '#fault-end-900 x', '#fault-usage-twice x', '#tool x', '#fault-422 x'];

async function one(i) {
  const message = `${kinds[i % kinds.length]} ${i}`;
  if (i % 3 === 0) return (await weir.post('/chat/complete', { model, message })).status;
  const s = await weir.stream({ model, message: i % 7 === 0 ? `#slow-0-5-200 leaves ${i}` : message });
  if (i % 7 === 0) {
    await waitFor('a delta', () => s.all('delta').length >= 2 || s.ended);
    if (i % 2) s.leave();
    else await weir.post('/chat/cancel', { request_id: s.first('accepted').request_id });
  }
  if (i % 14 !== 7) await s.end();
  return s.terminals()[0]?.event;
}

const n = 210;
await Promise.all(Array.from({ length: n }, (_, i) => one(i)));
await waitFor('nothing to run', async () => (await up.judge()).in_flight === 0 && weir.records('e.state < 2').length === 0);
const judge = await up.judge();
const records = weir.records();
const rows = weir.sql('SELECT a.*, e.request_id FROM attempts a JOIN events e ON e.id = a.event');

test('all kinds of traffic were seen', () => {
  assert.equal(records.length, n);
  for (const status of ['success', 'error', 'cancelled']) assert.ok(records.some((r) => r.status === status), status);
  for (const end of ['done', 'refused', 'aborted', 'broken']) assert.ok(judge.log.some((c) => c.end === end), end);
});

test('every call has exactly one attempt in the ledger, and every attempt a call', () => {
  const bySeq = new Map();
  for (const row of rows.filter((r) => r.provider_request_id)) {
    assert.ok(!bySeq.has(row.provider_request_id), `${row.provider_request_id} is there twice`);
    bySeq.set(row.provider_request_id, row);
  }
  for (const call of judge.log) {
    const row = bySeq.get(`req_standin${call.seq}`);
    if (!row && call.status === 200 && call.end !== 'done') continue;      // the odd answers carry no id
    assert.ok(row, `call ${call.seq} (${call.tag}) is not in the ledger`);
    assert.equal(row.http_status, call.status);
  }
  assert.equal(rows.length, judge.calls);
});

test('what the provider finished is in the books to the token and the picodollar', () => {
  const attempt = new Map(rows.map((r) => [r.provider_request_id, r.request_id]));
  const record = new Map(records.map((r) => [r.request_id, r]));
  let exact = 0;
  for (const call of judge.log.filter((c) => c.end === 'done')) {
    const r = record.get(attempt.get(`req_standin${call.seq}`));
    if (r.estimated || r.status !== 'success') continue;
    assert.deepEqual([r.prompt, r.completion], [call.prompt_tokens, call.completion_tokens], call.tag);
    assert.deepEqual([r.cost_in, r.cost_out], [call.prompt_tokens * 150000, call.completion_tokens * 600000], call.tag);
    exact++;
  }
  assert.ok(exact >= 100, `${exact}`);
});

test('what broke off is charged as an estimate near what was billed, never as nothing', () => {
  const attempt = new Map(rows.map((r) => [r.provider_request_id, r.request_id]));
  const record = new Map(records.map((r) => [r.request_id, r]));
  for (const call of judge.log.filter((c) => c.end === 'aborted' && c.completion_tokens > 0)) {
    const r = record.get(attempt.get(`req_standin${call.seq}`));
    assert.equal(r.estimated, 1, call.tag);
    /* up to 40 were under way when it was cut: a fifth of a second */
    assert.ok(r.completion > 0 && r.completion <= call.completion_tokens + 4 && r.completion >= call.completion_tokens - 40, `${r.completion} for ${call.completion_tokens}`);
    assert.ok(r.prompt > 0 && Math.abs(r.prompt - call.prompt_tokens) <= 12, `${r.prompt} for ${call.prompt_tokens}`);
  }
});

test('the parts of every duration sum to the whole', async () => {
  const { items } = (await weir.get('/monitoring/history?limit=1000')).json;
  assert.equal(items.length, n);
  for (const { metrics: m } of items) assert.equal(m.queue_ms + m.retry_wait_ms + m.ttft_ms + m.writing_ms, m.duration_ms);
});

test('the sums shown are the sums of the ledger', async () => {
  const { total } = (await weir.get('/monitoring/cost-breakdown')).json;
  const sum = (k) => records.reduce((t, r) => t + r[k], 0);
  assert.equal(total.requests, n);
  assert.equal(total.prompt_tokens, sum('prompt'));
  assert.equal(total.completion_tokens, sum('completion'));
  assert.equal(Math.round(total.cost_usd * 1e12), sum('cost_in') + sum('cost_out'));
});
