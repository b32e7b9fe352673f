// Failed attempts: which are tried again, what the client is told, what is recorded.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError, assertErrorObject, assertMetrics, assertStream, keys } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 6000, tokens_per_minute: 1000000 } }, config: { stabilization_minutes: 1, retry: { budget: 1, max_retries: 5, base_delay: 0.02, max_delay: 5 } } });
const reset = () => weir.post('/monitoring/reset-rate-limits', {});
const upstream = async () => (await weir.get('/monitoring/rate-limits')).json.upstreams.find((u) => u.name === 'openai');
const isShown = (status) => waitFor(`status ${status}`, async () => {     // what is shown may be 100 ms old
  const u = await upstream();
  return u.status === status && u;
});

test('two 503 are followed by success, each told and each recorded', async () => {
  const s = await (await weir.stream({ model, message: '#fault-503-twice please' })).end();
  assertStream(s);
  assert.equal(s.terminals()[0].event, 'done', s.text);
  const retries = s.all('retry').map((e) => e.data);
  assert.equal(retries.length, 2);
  for (const [i, r] of retries.entries()) {
    assert.deepEqual(keys(r), ['attempt', 'delay_ms', 'max', 'model', 'reason', 'status', 'upstream']);
    assert.equal(r.attempt, i + 1);
    assert.equal(r.max, 5);
    assert.equal(r.status, 503);
  }
  const { metrics } = s.first('usage');
  assertMetrics(metrics);
  assert.equal(metrics.retries, 2);
  assert.equal(metrics.attempts, 3);
  const told = retries.reduce((sum, r) => sum + r.delay_ms, 0);        // each cut to whole ms; together less than 1 now and then
  assert.ok(metrics.retry_wait_ms >= told, `${JSON.stringify(metrics)} after ${told} ms were told`);
  const rows = weir.attempts(s.first('accepted').request_id);
  assert.deepEqual(rows.map((r) => r.http_status), [503, 503, 200]);
  assert.equal(s.all('start').at(-1).data.attempt, 3);
  assert.equal((await up.calls('#fault-503-twice please')).length, 3);
});

for (const status of [408, 409, 500, 502, 504, 529])
  test(`a ${status} is tried again`, async () => {
    const r = await weir.post('/chat/complete', { model, message: `#fault-${status}-once x` });
    assert.equal(r.status, 200, r.text);
    assert.equal(r.json.metrics.retries, 1);
  });

for (const [status, type] of [[400, 'invalid_request_error'], [404, null], [413, null], [422, null]])
  test(`a ${status} is the caller's and passed on with its message`, async () => {
    const r = await weir.post('/chat/complete', { model, message: `#fault-${status} x` });
    assertError(r, status, type);
    assert.equal((await up.calls(`#fault-${status} x`)).length, 1, 'never tried again');
  });

test('a 429 waits as long as it says and slows the provider down visibly', async () => {
  await reset();
  const s = await (await weir.stream({ model, message: '#fault-429-once please' })).end();
  assertStream(s);
  assert.equal(s.terminals()[0].event, 'done', s.text);
  const [first, second] = await up.calls('#fault-429-once please');
  assert.ok(second.at_us - first.at_us >= 1000000, `${second.at_us - first.at_us} us for Retry-After: 1`);
  assert.equal(s.first('retry').status, 429);
  assert.ok(s.first('retry').delay_ms >= 1000);
  const u = await isShown('warning');
  assert.equal(u.stabilization.active, true);
  assert.ok(u.stabilization.rate_factor > 0 && u.stabilization.rate_factor < 1, JSON.stringify(u.stabilization));
  assert.ok(Date.parse(u.stabilization.until) > Date.now());
  assert.ok(u.provider_429s_24h >= 1);
});

test('what rests after a failure is tried again at once for whoever sent it, and for nobody else', async () => {
  const resting = await startWeir({ upstream: up, config: { retry: { budget: 1, max_retries: 2, base_delay: 600, max_delay: 600 }, queue: { max_wait: 1200 } } });
  const { user_id } = await resting.createUser('other');
  const { token } = (await resting.post('/admin/tokens', { user_id, name: 'other' })).json;
  let s, tag, delay_ms, times = 0;
  do {          // somewhere in ten minutes: in its first seconds it would be tried again without anybody's asking
    s?.leave();
    s = await resting.stream({ model, message: tag = `#fault-503-once at once ${++times}` });
    ({ delay_ms } = await s.next('retry'));
  } while (delay_ms < 20000);
  const { request_id } = s.first('accepted');
  const ask = (body, headers) => resting.post('/chat/retry', body, headers);
  assert.deepEqual((await ask({ request_id }, { Authorization: `Bearer ${token}` })).json, { retried: false });
  assert.equal((await up.calls(tag)).length, 1);
  assert.deepEqual((await ask({ request_id })).json, { retried: true });
  await s.end();
  assert.equal(s.terminals()[0].event, 'done', s.text);
  const { metrics } = s.first('usage');
  assert.deepEqual([metrics.retries, metrics.retry_wait_ms < delay_ms], [1, true], JSON.stringify(metrics));
  assert.deepEqual((await ask({ request_id })).json, { retried: false }, 'it has ended');
  for (const body of [{}, { request_id: 7 }]) assertError(await ask(body), 400, 'invalid_request_error');
  await resting.stop();
});

test('nothing at all is sent during a cooldown', async () => {
  await reset();
  const s = await weir.stream({ model, message: '#fault-429-once alone' });
  await s.next('retry');
  const others = await Promise.all([1, 2, 3].map((i) => weir.stream({ model, message: `in the cooldown ${i}` })));
  await isShown('error');
  await Promise.all([s, ...others].map((x) => x.end()));
  const [refused] = await up.calls('#fault-429-once alone');
  for (const c of await up.calls('in the cooldown'))
    assert.ok(c.at_us - refused.end_us >= 990000, `${c.at_us - refused.end_us} us after the refusal`);
});

test('a 429 moves the start that the others are told at once, it comes true, and a retry goes before who came after it', async () => {
  const slow = await startWeir({
    upstream: up, openai: { limits: { requests_per_minute: 60 }, burst: 1, reserve: 0 },
    config: { stabilization_minutes: 15, retry: { budget: 1, max_retries: 5, base_delay: 0.02, max_delay: 5 } },
  });
  const ask = (message) => slow.stream({ model, message });
  await up.reset();
  await (await ask('cut: uses up what may go at once')).end();
  const refused = await ask('#fault-429-once cut: refused'), told = [];
  const others = [];
  for (const n of [1, 2]) {
    others.push(await ask(`cut: waits ${n}`));
    told.push(await others.at(-1).next('queue'));
  }
  await refused.next('retry');
  const said = others.map((s) => s.all('queue').length), at = performance.now();
  others.push(await ask('cut: came while it rested'));
  const anew = [];
  for (const [i, s] of others.slice(0, 2).entries())
    anew.push(await waitFor('another start to be told', () => s.all('queue').slice(said[i] - 1).map((e) => e.data).find((q) => q.eta_ms > told[i].eta_ms)));
  const took = performance.now() - at;
  assert.ok(took < 1000, `they were told after ${took} ms`);
  for (const [i, s] of others.slice(0, 2).entries()) {
    const start = await s.next('start');
    const waited = performance.now() - at, off = Math.abs(waited - anew[i].eta_ms);
    assert.ok(off < Math.max(2000, anew[i].eta_ms / 5), `told ${JSON.stringify(anew[i])}, started after ${waited} ms`);
    assert.ok(start.queue_ms > told[i].eta_ms + 1000, 'what it was told first did not come true');
  }
  for (const s of [refused, ...others]) assertStream(await s.end());
  const order = (await up.judge()).log.sort((a, b) => a.at_us - b.at_us).map((c) => c.tag.replace(/^#\S+ /, '').slice(5));
  assert.deepEqual(order, ['uses up what may go at once', 'refused', 'refused', 'waits 1', 'waits 2', 'came while it rested']);
  await slow.stop();
});

test('the limit that a 429 names is told, and none where there is none', async () => {
  await reset();
  const bare = await weir.stream({ model, message: '#fault-503-once unnamed' });
  assert.equal('limit' in await bare.next('retry'), false);
  bare.leave();
  for (const [limit, used] of [['requests_per_minute', { requests: 100 }], ['tokens_per_minute', { tokens: 20000 }]]) {
    await up.limits({ requests_per_minute: 100, tokens_per_minute: 20000, window: 'sliding' });
    await up.foreign(used);
    await reset();
    const s = await weir.stream({ model, message: `named ${limit}` });
    assert.equal((await s.next('retry')).limit, limit);
    s.leave();
  }
  await up.reset();
  await up.limits({});
});

for (const [name, least] of [['429-ms', 300], ['429-date', 500]])
  test(`Retry-After is understood as ${name}`, async () => {
    await reset();
    const s = await weir.stream({ model, message: `#fault-${name} x` });
    const retry = await s.next('retry');
    assert.ok(retry.delay_ms >= least && retry.delay_ms < 4000, JSON.stringify(retry));
    s.leave();
  });

test('an absurd Retry-After ends the attempts instead of parking the caller', async () => {
  await reset();
  const r = await weir.post('/chat/complete', { model, message: '#fault-429-absurd x' });
  assertError(r, 429, 'rate_limited');
  assert.ok(Number(r.headers['retry-after']) >= 1);
});

test('a negative one is as good as none', async () => {
  await reset();
  const s = await weir.stream({ model, message: '#fault-429-negative x' });
  const retry = await s.next('retry');
  assert.ok(retry.delay_ms >= 0 && retry.delay_ms < 2000, JSON.stringify(retry));
  s.leave();
});

test('after all retries the refusal is ours: upstream_rate_limited', async () => {
  await reset();
  const other = await startWeir({ upstream: up, config: { retry: { budget: 1, max_retries: 2, base_delay: 0.01, max_delay: 0.02 } } });
  const r = await other.post('/chat/complete', { model, message: '#fault-429-bare x' });
  const e = assertError(r, 429, 'rate_limited', 'upstream_rate_limited');
  assert.ok(e.retry_after_ms > 0, JSON.stringify(e));
  assert.equal(Number(r.headers['retry-after']), Math.ceil(e.retry_after_ms / 1000));
  assert.equal((await up.calls('#fault-429-bare x')).length, 3);
  const failed = await (await other.stream({ model, message: '#fault-500 x' })).end();
  assertStream(failed);
  assertErrorObject(failed.first('error'), 'upstream_error');
  await other.stop();
});

test('resetting clears cooldown and stabilization and tells before and after', async () => {
  const s = await weir.stream({ model, message: '#fault-429 again' });
  await s.next('retry');
  s.leave();
  const r = await weir.post('/monitoring/reset-rate-limits', { upstream: 'openai' });
  assert.equal(r.status, 200, r.text);
  const of = (x) => (x.upstreams ?? x).find((u) => u.name === 'openai');
  assert.equal(of(r.json.before).stabilization.active, true, r.text);
  assert.equal(of(r.json.after).stabilization.active, false);
  assert.equal(of(r.json.after).cooldown?.active ?? false, false);
  assertError(await weir.post('/monitoring/reset-rate-limits', { upstream: 'nobody' }), 404, 'not_found');
  assertError(await weir.post('/monitoring/reset-rate-limits', { upstraem: 'openai' }), 400, 'invalid_request_error', 'unknown_field');
});

test('quota, key and country refusals are not tried again and take the provider out', async () => {
  for (const [fault, status, type, code] of [['quota', 503, 'unavailable', 'upstream_quota'], ['401', 502, 'upstream_error', 'upstream_auth'], ['403', 502, 'upstream_error', 'upstream_auth']]) {
    await reset();
    const r = await weir.post('/chat/complete', { model, message: `#fault-${fault} out` });
    const e = assertError(r, status, type, code);
    assert.doesNotMatch(e.message, /sk-/);
    assert.equal((await up.calls(`#fault-${fault} out`)).length, 1, fault);
    await isShown('error');
    assertError(await weir.post('/chat/complete', { model, message: `after ${fault}` }), 503, 'unavailable', 'no_upstream');
    assert.deepEqual(await up.calls(`after ${fault}`), []);
  }
  await reset();
  const r = await weir.post('/chat/complete', { model, message: 'back again' });
  assert.equal(r.status, 200, r.text);
});

test('the provider\'s own numbers are shown', async () => {
  await up.limits({ requests_per_minute: 500, tokens_per_minute: 90000 });
  await weir.post('/chat/complete', { model, message: 'with headers' });
  await up.limits({});
  await waitFor('its numbers', async () => {
    const said = JSON.stringify((await upstream()).provider_reported);
    return /500/.test(said) && /90000/.test(said);
  });
});

test('no retry after text has reached the client', async () => {
  const s = await (await weir.stream({ model, message: '#fault-reset-900 x' })).end();
  assertStream(s);
  const e = s.first('error');
  assertErrorObject(e, 'upstream_error');
  assert.equal(e.partial, true);
  assert.ok(e.usage && e.cost);
  assert.equal((await up.calls('#fault-reset-900 x')).length, 1);
  assert.equal((await weir.settled(s.first('accepted').request_id)).status, 'error');
});
