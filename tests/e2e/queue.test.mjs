// Waiting: positions, order, cancelling, deadlines and clients that leave.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError, assertErrorObject, assertMetrics, assertStream, keys } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1 }, config: { queue: { max_size: 4, max_wait: 600 } } });
const model = 'gpt-4o-mini';
const reasons = ['concurrency', 'requests_per_minute', 'requests_per_hour', 'tokens_per_minute', 'tokens_per_hour',
  'input_tokens_per_minute', 'output_tokens_per_minute', 'budget', 'pacing', 'stabilizing', 'backoff'];

const opened = [];      // every stream of this file, so that a test begins with none

const open = async (body) => {
  const s = await weir.stream(body);
  opened.push(s);
  return s;
};

// A call that holds the only place until the test lets it go.
async function hold(tag) {
  const s = await open({ model, message: `#slow-0-50-1000 ${tag}` });
  await s.next('delta');
  return { stream: s, id: s.first('accepted').request_id, end: () => cancel({ request_id: s.first('accepted').request_id }) };
}
const cancel = async (what) => {
  const r = await weir.post('/chat/cancel', what);
  assert.equal(r.status, 200, r.text);
  return r.json.cancelled;
};
const queuedAt = async (at) => (await at.get('/monitoring/queue-status')).json;
const queued = () => queuedAt(weir);
const wait = (message, extra) => open({ model, message, ...extra });
const waiting = (n) => waitFor(`${n} to wait`, async () => {       // what is shown may be 100 ms old
  const q = await queued();
  return q.now.entries.length === n && q.now;
});
const empty = () => {
  for (const s of opened.splice(0)) s.leave();
  return waitFor('an empty queue', async () => {
    const { now } = await queued();
    return now.running === 0 && now.entries.length === 0;
  });
};

test('who waits is told position, expected start and reason, and then starts', async () => {
  const held = await hold('first');
  const a = await wait('#slow-0-100-6 waits a');
  const q = await a.next('queue');
  assert.deepEqual(keys(q), ['ahead', 'eta_error_ms', 'eta_ms', 'position', 'reason', 'spread', 'upstream']);
  assert.deepEqual([q.position, q.ahead, q.reason, q.upstream], [1, 0, 'concurrency', 'openai']);
  const b = await wait('waits b');
  const second = await b.next('queue');
  assert.deepEqual([second.position, second.ahead], [2, 1]);
  const now = await waiting(2);
  assert.deepEqual(now.entries.map((e) => e.position), [1, 2]);
  assert.equal(now.running, 1);
  await held.end();
  for (const s of [a, b]) {
    await s.end();
    assertStream(s);
    assert.equal(s.terminals()[0].event, 'done', s.text);
    assert.ok(s.first('start').queue_ms > 0);
    const m = s.first('usage').metrics;
    assertMetrics(m);
    assert.equal(m.queue_ms, s.first('start').queue_ms);
  }
  assert.ok(b.all('queue').some((e) => e.data.position === 1), 'b moved up: ' + b.text);
  for (const e of [...a.all('queue'), ...b.all('queue')]) assert.ok(reasons.includes(e.data.reason), e.data.reason);
});

test('High goes before Medium before Low, whatever came first', async () => {
  await empty();
  const held = await hold('order');
  const streams = [];
  for (const priority of ['Low', 'Medium', 'High']) {
    streams.push(await wait(`order ${priority}`, { priority }));
    await streams.at(-1).next('queue');
  }
  await waitFor('positions by priority', async () =>
    (await queued()).now.entries.map((e) => e.priority).join() === 'High,Medium,Low');
  await held.end();
  for (const s of streams) assertStream(await s.end());
  const order = (await up.calls('order ')).map((c) => c.tag);
  assert.deepEqual(order, ['order High', 'order Medium', 'order Low']);
});

test('messages of one session run in the order they were sent', async () => {
  await empty();
  const { session_id } = (await weir.post('/chat/complete', { model, message: 'one session' })).json;
  const held = await hold('session order');
  const one = await wait('same session 1', { session_id, priority: 'Low' });
  await one.next('queue');
  const two = await wait('same session 2', { session_id, priority: 'High' });
  await two.next('queue');
  await held.end();
  assertStream(await one.end());
  assertStream(await two.end());
  assert.deepEqual((await up.calls('same session')).map((c) => c.tag), ['same session 1', 'same session 2']);
});

test('cancelling ends what waits without a call and what runs with what there is', async () => {
  await empty();
  const held = await hold('to be cancelled');
  const a = await wait('cancelled waiting');
  await a.next('queue');
  const complete = weir.post('/chat/complete', { model, message: 'cancelled complete' });
  await waiting(2);
  const id = a.first('accepted').request_id;
  assert.deepEqual(await cancel({ request_id: id }), [id]);
  assertStream(await a.end());
  const terminal = a.terminals()[0];
  if (terminal.event === 'done') assert.equal(terminal.data.finish_reason, 'cancelled');
  else assertErrorObject(terminal.data, 'conflict', 'cancelled');
  const other = (await waiting(1)).entries[0];
  assert.deepEqual(await cancel({ session_id: other.session_id }), [other.request_id]);
  assertError(await complete, 409, 'conflict', 'cancelled');
  assert.deepEqual(await held.end(), [held.id]);
  await held.stream.end();
  assertStream(held.stream);
  assert.equal(held.stream.first('done').finish_reason, 'cancelled');
  assert.deepEqual(await up.calls('cancelled '), []);
  for (const x of [id, held.id]) assert.equal((await weir.settled(x)).status, 'cancelled');
  assert.deepEqual(await cancel({ request_id: held.id }), [], 'a second time there is nothing to cancel');
});

test('a full queue refuses with 429, Retry-After and nothing stored as sent', async () => {
  await empty();
  const held = await hold('full');
  const streams = [];
  for (let i = 0; i < 4; i++) streams.push(await wait(`full ${i}`));
  await waiting(4);
  const r = await weir.post('/chat/complete', { model, message: 'one too many' });
  const e = assertError(r, 429, 'rate_limited', 'queue_full');
  assert.ok(Number(r.headers['retry-after']) >= 1, r.headers['retry-after']);
  assert.ok(e.retry_after_ms === null || e.retry_after_ms > 0);
  assert.deepEqual(await up.calls('one too many'), []);
  for (const s of streams) s.leave();
  await held.end();
  await empty();
});

test('a client that leaves the queue is out of it at once and nothing is sent for it', async () => {
  await empty();
  const held = await hold('leaving');
  const stays = await wait('stays');
  await stays.next('queue');
  const leaves = await wait('leaves', { priority: 'High' });
  await leaves.next('queue');
  const id = leaves.first('accepted').request_id;
  await waitFor('the leaver to be first', async () => (await queued()).now.entries[0].request_id === id);
  const left = performance.now();
  leaves.leave();
  await waitFor('the queue to forget it', async () => (await queued()).now.entries.length === 1, 2000);
  assert.ok(performance.now() - left < 500, `${performance.now() - left} ms`);
  assert.equal((await weir.settled(id)).status, 'cancelled');
  await held.end();
  assertStream(await stays.end());
  assert.deepEqual((await up.calls('leaves')), []);
});

test('the lifetime counters of the queue add up', async () => {
  await empty();
  const { lifetime } = await queued();
  assert.equal(lifetime.enqueued, lifetime.admitted + lifetime.cancelled + lifetime.timed_out, JSON.stringify(lifetime));
  assert.ok(lifetime.rejected >= 1);
});

test('the promises that are counted are those that were told, and their error is the median of what they were off by', async () => {
  await empty();
  const own = await startWeir({ upstream: up, openai: { max_concurrent: 1 } });
  for (let i = 0; i < 4; i++) await own.post('/chat/complete', { model, message: `#slow-0-50-15 learned ${i}` });
  const streams = [];
  for (const tokens of [5, 10, 80, 5, 20, 5, 20]) streams.push(await own.stream({ model, message: `#slow-0-50-${tokens} promised` }));
  await Promise.all(streams.map((s) => s.end()));
  const told = [];
  for (const s of streams) {
    assertStream(s);
    const { promise } = (await own.get(`/monitoring/requests/${s.first('accepted').request_id}`)).json;
    if (promise) told.push(promise);
  }
  assert.ok(told.length >= 5, `${told.length} were told a start`);
  for (const p of told) assert.ok(p.starts_in_ms < 12000, `four answers of 0.8 s were seen: ${JSON.stringify(told)}`);
  const off = told.map((p) => Math.abs(p.error_ms)).sort((a, b) => a - b);
  const kept = told.filter((p) => Math.abs(p.error_ms) <= Math.max(2000, p.starts_in_ms / 5)).length;
  const { promises } = await queuedAt(own);
  assert.deepEqual([promises.made, promises.kept], [told.length, kept], JSON.stringify(told));
  const middle = [off[Math.ceil(off.length / 2) - 1], off[Math.floor(off.length / 2)]];
  assert.ok(promises.error_ms >= middle[0] - 50 && promises.error_ms <= middle[1] + 50, `${promises.error_ms} of ${off}`);
  await own.stop();
});
