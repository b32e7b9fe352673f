// Limits as a provider would see them: pace, the gate that is named, priorities, pauses.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError, assertStream } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';

test('beyond the burst, calls are paced to the limit and the wait is explained', async () => {
  const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 120 } } });
  await up.limits({ requests_per_minute: 120, window: 'sliding' });
  const streams = await Promise.all(Array.from({ length: 23 }, (_, i) => weir.stream({ model, message: `paced ${i}` })));
  await Promise.all(streams.map((s) => s.end()));
  for (const s of streams) {
    assertStream(s);
    assert.equal(s.terminals()[0].event, 'done', s.text);
  }
  const waited = streams.filter((s) => s.all('queue').length);
  assert.ok(waited.length >= 1 && waited.length <= 4, `${waited.length} waited; the burst is 20`);
  for (const s of waited) {
    assert.equal(s.first('queue').reason, 'requests_per_minute');
    assert.deepEqual(s.first('queue').spread, { limit: 120, capacity: 20 }, 'which is far from used up');
    const { gates } = (await weir.get(`/monitoring/requests/${s.first('accepted').request_id}`)).json;
    const held = gates.find((g) => g.gate === 'requests_per_minute');
    assert.ok(held.spread_ms > 0 && held.spread_ms === held.held_ms, JSON.stringify(gates));
    assert.match(held.text, /spreads the requests of a minute/);
  }
  const at = (await up.calls('paced')).map((c) => c.at_us);
  for (let i = 0; i < at.length; i++)
    for (let j = i; j < at.length; j++)
      assert.ok(j - i + 1 <= 20 + Math.ceil((at[j] - at[i]) / 500000 + 0.1), `${j - i + 1} calls in ${at[j] - at[i]} us`);
  assert.equal((await up.judge()).by_status[429], undefined);
  await up.limits({});
  await weir.stop();
});

test('tokens are set aside before and corrected after', async () => {
  const weir = await startWeir({ upstream: up, openai: { limits: { tokens_per_hour: 100000 } } });
  const s = await weir.stream({ model, message: '#slow-0-40-20 tokens', max_tokens: 400 });
  await s.next('delta');
  const of = async () => (await weir.get('/monitoring/rate-limits')).json.upstreams[0].dimensions.tokens_per_hour;
  await waitFor('something to be reserved while it runs', async () => (await of()).reserved > 0);
  await s.end();
  const { usage } = s.first('usage');
  const after = await waitFor('nothing to be reserved after', async () => {
    const d = await of();
    return d.reserved === 0 && d;
  });
  assert.equal(after.used, usage.total_tokens);
  assert.equal(after.remaining, 100000 - usage.total_tokens);
  await weir.stop();
});

test('the first calls under a small output limit do not wait for each other\'s whole cap', async () => {
  const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 50, input_tokens_per_minute: 40000, output_tokens_per_minute: 8000 } } });
  for (let i = 0; i < 4; i++) {
    const r = await weir.post('/chat/complete', { model, message: `small limit ${i}` });
    assert.ok(r.json.metrics.queue_ms < 2000, r.text);
  }
  await weir.stop();
});

test('what alone is larger than the whole limit is refused at once', async () => {
  const weir = await startWeir({ upstream: up, openai: { limits: { tokens_per_minute: 50 } } });
  const before = (await up.judge()).calls;
  assertError(await weir.post('/chat/complete', { model, message: 'word '.repeat(500) }), 429, 'rate_limited', 'request_too_large_for_limit');
  assert.equal((await up.judge()).calls, before);
  await weir.stop();
});

test('a wait that would pass the deadline is refused at once with the honest time', async () => {
  const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 6 }, burst: 10 }, config: { queue: { max_wait: 2 } } });
  const first = await weir.post('/chat/complete', { model, message: 'within the burst' });
  assert.equal(first.status, 200, first.text);
  const r = await weir.post('/chat/complete', { model, message: 'beyond it' });
  const e = assertError(r, 429, 'rate_limited', 'queue_timeout');
  assert.ok(e.retry_after_ms > 2000 && e.retry_after_ms <= 11000, `${r.text} ${JSON.stringify(first.json.metrics)}`);
  assert.equal(Number(r.headers['retry-after']), Math.ceil(e.retry_after_ms / 1000));
  await weir.stop();
});

test('before a call has ended nobody is refused for how long calls might take', async () => {
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1 }, config: { queue: { max_wait: 20 } } });
  const r = await Promise.all(Array.from({ length: 30 }, (_, i) => weir.post('/chat/complete', { model, message: `#slow-60-1-1 cold ${i}` })));
  assert.deepEqual(r.filter((x) => x.status !== 200).map((x) => x.text), []);
  await weir.stop();
});

test('a pause between calls is kept', async () => {
  const weir = await startWeir({ upstream: up, openai: { pause: 0.3 } });
  const streams = await Promise.all([1, 2, 3].map((i) => weir.stream({ model, message: `pausing ${i}` })));
  await Promise.all(streams.map((s) => s.end()));
  assert.equal((await up.calls('pausing')).length, 3);
  for (const s of streams) await weir.settled(s.first('accepted').request_id);
  // When Weir sent them: on a busy machine one may be under way for longer than the next.
  const at = weir.sql('SELECT e.id / 1048576 + a.after_ms AS ms FROM attempts a JOIN events e ON e.id = a.event ORDER BY ms').map((a) => a.ms);
  for (let i = 1; i < 3; i++) assert.ok(at[i] - at[i - 1] >= 290, `${at[i] - at[i - 1]} ms apart`);
  assert.ok(streams.some((s) => s.first('queue')?.reason === 'pacing'));
  await weir.stop();
});

// Ninety requests at once for what two keys may have: a limit that both share, or one each. The provider counts all that it gets.
for (const [what, group, most] of [['keys of one quota group never pass their one limit together', 'org', 30], ['keys of quota groups of their own are used up both', null, 60]])
  test(what, async () => {
    const limits = { requests_per_minute: 30, tokens_per_minute: 3000000 }, of = (name, key) => ({ name, api_key: `sk-e2e-canary-${key}`, models: [model], reserve: 0, burst: 60, max_concurrent: 15,
      ...(group ? { quota_group: group } : {}) });
    const weir = await startWeir({ upstream: up, openai: { ...of('openai', 'one'), limits }, others: [{ ...of('second', 'two'), base_url: up.url, limits }],
      config: { queue: { max_wait: 1 } } });
    await up.limits({ requests_per_minute: most, window: 'sliding', headers: 'none' });
    await up.reset();
    const answers = await Promise.all(Array.from({ length: 90 }, (_, i) => weir.post('/chat/complete', { model, message: `shared ${i}` })));
    const judge = await up.judge(), keys = Object.groupBy(judge.log, (c) => c.auth.slice(-3));
    assert.deepEqual(judge.by_status, { 200: most }, 'the provider refuses nothing, and all that it allows is used');
    assert.equal(answers.filter((r) => r.status === 200).length, most);
    for (const r of answers) if (r.status !== 200) assertError(r, 429, 'rate_limited', 'queue_timeout');
    for (const key of ['one', 'two']) assert.ok(keys[key]?.length >= 10 && (group || keys[key].length === 30), `${key}: ${keys[key]?.length} of ${judge.log.length}`);
    const pictures = await waitFor('all to have ended', async () => {
      const now = (await weir.get('/monitoring/rate-limits')).json.upstreams.slice(0, 2);
      return now.every((u) => u.running === 0) && now;
    });
    for (const u of pictures) assert.deepEqual([u.dimensions.requests_per_minute.used, u.dimensions.requests_per_minute.remaining], [30, 0], u.name);
    await up.limits({});
    await weir.stop();
  });

test('after kill -9 at full use the line goes on within two seconds, and the provider refuses nothing', async () => {
  const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 60 }, reserve: 0 } });
  await up.limits({ requests_per_minute: 60, window: 'bucket', headers: 'none' });
  await up.reset();
  const many = (n) => Promise.all(Array.from({ length: n }, (_, i) => weir.post('/chat/complete', { model, message: `killed ${i}` })));
  await many(18);                       // the burst, and eight at the limit's pace: longer than state is unsaved
  await weir.kill();
  await weir.start();
  const told = await weir.post('/chat/estimate', { model, message: 'killed' });
  const s = await weir.stream({ model, message: 'killed, and on' });
  await s.end();
  assertStream(s);
  const waited = s.first('usage').metrics.queue_ms;
  assert.ok(waited <= 2100, `${waited} ms`);
  assert.ok(Math.abs(told.json.starts_in_ms - waited) < 300, `told ${told.json.starts_in_ms}, waited ${waited}`);
  if (waited > 300) assert.equal(s.first('queue').reason, 'requests_per_minute');
  assert.deepEqual((await up.judge()).by_status, { 200: 19 });
  await up.limits({});
  await weir.stop();
});
