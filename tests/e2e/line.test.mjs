// The queue tells the truth: positions are those in which the provider is called, a refusal's time is when it would
// have started, and High is served while Low floods. Real streams through nginx.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError, assertStream } from './shapes.mjs';

const model = 'gpt-4o-mini';
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

test('each position a waiting stream is told is what the provider\'s order of arrival shows', async () => {
  const up = await startUpstream();
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1 }, config: { queue: { max_wait: 600 } } });
  const leave = async (s) => {
    s.leave();
    await waitFor('its end at the provider', async () => (await up.judge()).aborted > gone);
    gone += 1;
  };
  let gone = 0;                       // of those that held the only place
  const told = [];                    // {tag, position, gone}: how many had gone when it was heard
  const held = await weir.stream({ model, message: '#slow-0-50-1000 holds' });
  await held.next('delta');
  const line = new Map();
  for (const [i, words] of [3, 400, 40, 1, 900, 12, 200, 5].entries()) {          // sizes must not matter where only places are few
    const tag = `#slow-0-50-1000 waits ${i}`;
    line.set(tag, await weir.stream({ model, message: `${tag} ${'water '.repeat(words)}`, priority: 'Medium' }));
    await line.get(tag).next('queue');
  }
  const heard = new Map();
  const listen = () => {
    for (const [tag, s] of line) {
      for (const e of s.all('queue').slice(heard.get(tag) ?? 0)) told.push({ tag, position: e.data.position, ahead: e.data.ahead, gone });
      heard.set(tag, s.all('queue').length);
    }
  };
  listen();
  const before = told.length;
  assert.ok(before >= line.size);
  for (let running = held; line.size; ) {
    await leave(running);
    const next = (await waitFor('the next to arrive', async () => {
      const { log } = await up.judge();
      return log.length === gone + 1 && log;
    })).at(-1).tag;
    running = [...line].find(([tag]) => next.startsWith(tag))[1];
    await waitFor('those behind it to be told', () =>        // that they have moved up, before the next one goes
      [...line.values()].every((s) => s === running || s.all('queue').at(-1).data.position <= line.size - 1) &&
      [...line.values()].filter((s) => s !== running && s.all('queue').at(-1).data.position === 1).length === Math.min(1, line.size - 1));
    listen();
    line.delete([...line].find(([, s]) => s === running)[0]);
    if (!line.size) running.leave();
  }
  const arrived = (await up.judge()).log.slice(1).map((c) => c.tag);
  for (const t of told) {
    const place = arrived.findIndex((tag) => tag.startsWith(t.tag)) + 1;
    const now = place - t.gone;       // those before it are gone, or the last of them is just going
    assert.ok(t.position === now || (t.gone > 0 && t.position === now + 1), `${JSON.stringify(t)}, arrived as number ${place}`);
    assert.equal(t.ahead, t.position - 1);
  }
  assert.ok(told.length > before + 8, `${told.length} were told`);
  await weir.stop();
  await up.stop();
});

test('a refusal for its deadline says when it would have started', async () => {
  const up = await startUpstream();
  const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 20 }, burst: 3 }, config: { queue: { max_wait: 1 } } });
  await weir.post('/chat/complete', { model, message: 'takes what there is' });
  const asked = performance.now();
  const e = assertError(await weir.post('/chat/complete', { model, message: 'too late' }), 429, 'rate_limited', 'queue_timeout');
  assert.ok(performance.now() - asked < 1000, 'at once');
  assert.ok(e.retry_after_ms > 1000, JSON.stringify(e));
  assert.equal((await up.calls('too late')).length, 0);
  let sent, r;
  do {
    await new Promise((go) => setTimeout(go, 50));
    sent = performance.now();
    r = await weir.post('/chat/complete', { model, message: 'in time' });
  } while (r.status === 429 && sent - asked < 20000);
  assert.equal(r.status, 200, r.text);
  const began = sent + r.json.metrics.queue_ms - asked;
  assert.ok(Math.abs(began - e.retry_after_ms) < 500, `it said ${e.retry_after_ms} ms, and it was ${began} ms`);
  await weir.stop();
  await up.stop();
});

test('High begins within twice its time alone while Low floods', async () => {
  const up = await startUpstream();
  const limits = { requests_per_minute: 600 };
  const weir = await startWeir({ upstream: up, openai: { limits }, config: { queue: { max_size: 200, max_wait: 600 } } });
  await up.limits({ ...limits, window: 'sliding' });
  const first = async () => {
    const asked = performance.now();
    const s = await weir.stream({ model, message: '#slow-300-1-2 high', priority: 'High' });
    await s.next('delta');
    const took = performance.now() - asked;
    assertStream(await s.end());
    return took;
  };
  const alone = [];
  for (let i = 0; i < 9; i++) alone.push(await first());
  let flooding = true;
  const waits = [];
  const low = Array.from({ length: 60 }, async () => {
    while (flooding) {
      const s = await weir.stream({ model, message: '#lorem-5 low', priority: 'Low' });
      await s.end(60000);
      if (s.first('start')) waits.push(s.first('start').queue_ms);
    }
  });
  await waitFor('the flood to wait', async () => (await weir.get('/monitoring/queue-status')).json.now.entries.length >= 40, 30000);
  const flooded = [];
  for (let i = 0; i < 9; i++) flooded.push(await first());
  const { depth } = (await weir.get('/monitoring/queue-status')).json.now;
  flooding = false;
  assert.ok(depth.Low >= 40, JSON.stringify(depth));
  assert.ok(median(flooded) <= 2 * median(alone), `alone ${alone.map(Math.round)}, in the flood ${flooded.map(Math.round)} ms`);
  assert.equal((await up.judge()).by_status[429], undefined);
  await waitFor('the flood to end', async () => {
    for (const e of (await weir.get('/monitoring/queue-status')).json.now.entries) await weir.post('/chat/cancel', { request_id: e.request_id });
    return Promise.race([Promise.all(low).then(() => true), new Promise((go) => setTimeout(go, 100))]);
  }, 30000);
  assert.ok(Math.max(...waits) > 1000, `Low waited ${Math.max(...waits)} ms`);
  await weir.stop();
  await up.stop();
});
