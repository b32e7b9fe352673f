// The provider's word: what its headers, its refusals and its error events say changes what Weir does next.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError, assertErrorObject, assertStream } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const limits = { requests_per_minute: 600, tokens_per_minute: 60000 };
const weir = await startWeir({ upstream: up, openai: { limits, reserve_output: 'max' }, config: { retry: { budget: 1, max_retries: 2, base_delay: 0.02, max_delay: 5 } } });
const reset = () => weir.post('/monitoring/reset-rate-limits', {});
const upstream = async () => (await weir.get('/monitoring/rate-limits')).json.upstreams.find((u) => u.name === 'openai');
const shown = (what, probe) => waitFor(what, async () => {     // what is shown may be 100 ms old
  const u = await upstream();
  return probe(u) && u;
});

for (const headers of ['openai', 'project', 'azure', 'anthropic'])
  test(`what others send with the same key shows as drift and is left to them (headers as ${headers})`, async () => {
    await reset();
    await up.limits({ ...limits, window: 'sliding', headers });
    const mine = await weir.post('/chat/complete', { model, message: 'alone', max_tokens: 50 });
    assert.equal(mine.status, 200, mine.text);
    const alone = (await shown('its word', (u) => u.provider_reported?.tokens_per_minute)).provider_reported;
    assert.equal(alone.requests_per_minute.limit, 600);
    assert.equal(alone.requests_per_minute.drift, 0);
    assert.ok(Math.abs(Date.parse(alone.tokens_per_minute.at) - Date.now()) < 60000, alone.tokens_per_minute.at);
    const before = alone.tokens_per_minute;
    assert.ok(before.drift >= 0 && before.drift < 10, `${before.drift}`);     // it may count a prompt a little higher
    await up.foreign({ requests: 100, tokens: 30000 });
    await weir.post('/chat/complete', { model, message: 'no longer alone', max_tokens: 50 });
    const u = await shown('drift', (x) => x.provider_reported.requests_per_minute.drift > 0);
    assert.equal(u.provider_reported.requests_per_minute.drift, 100);
    assert.equal(u.provider_reported.tokens_per_minute.drift, 30000 + before.drift);
    assert.ok(u.dimensions.requests_per_minute.used >= 102, JSON.stringify(u.dimensions.requests_per_minute));
    assert.ok(u.dimensions.requests_per_minute.remaining <= 498);
    await up.limits({});
  });

for (const [kind, message] of [['stream', '#lorem-3 word'], ['400', '#fault-400 word'], ['500', '#fault-500 word'], ['429', '#fault-429-ms word']])
  test(`the word of every answer is heard: ${kind}`, async () => {
    await reset();
    await up.limits({ ...limits, window: 'sliding' });
    await up.foreign({ requests: 200 });
    const s = await weir.stream({ model, message, max_tokens: 50 });
    const u = await shown('its word', (x) => x.provider_reported?.requests_per_minute);
    assert.ok(u.provider_reported.requests_per_minute.remaining < 400, JSON.stringify(u.provider_reported));
    assert.equal(u.provider_reported.requests_per_minute.drift, 200);
    s.leave();
    await up.limits({});
  });

test('what a provider says at the begin of a long answer is heard then, and not at its end', async () => {
  await reset();
  await up.limits({ ...limits, window: 'sliding' });
  const s = await weir.stream({ model, message: '#slow-0-50-1000 long', max_tokens: 1000 });
  await s.next('delta');
  await shown('its word', (u) => u.provider_reported?.requests_per_minute.remaining === 599);
  await weir.post('/chat/complete', { model, message: 'meanwhile', max_tokens: 50 });
  s.leave();
  await weir.settled(s.first('accepted').request_id);
  const u = await shown('the later word', (x) => x.provider_reported.requests_per_minute.remaining === 598);
  assert.equal(u.provider_reported.requests_per_minute.drift, 0);
  await up.limits({});
});

test('a limit said to be unknown blocks nothing', async () => {
  await reset();
  await up.limits({ ...limits, headers: 'unknown' });
  for (let i = 0; i < 3; i++) assert.equal((await weir.post('/chat/complete', { model, message: 'unknown', max_tokens: 50 })).status, 200);
  const u = await upstream();
  assert.ok(u.dimensions.tokens_per_minute.remaining > 50000, JSON.stringify(u));
  assert.equal(u.provider_reported, null);
  await up.limits({});
});

test('the text of a refusal names the limit and the wait where no header does', async () => {
  await reset();
  await up.limits({ requests_per_minute: 600, tokens_per_minute: 3000, window: 'sliding', headers: 'none' });
  await up.foreign({ tokens: 2990 });
  const s = await weir.stream({ model, message: 'refused by its text', max_tokens: 100 });
  const retry = await s.next('retry');
  assert.equal(retry.status, 429);
  assert.ok(retry.delay_ms > 1000, JSON.stringify(retry));
  const u = await shown('the cut', (x) => x.stabilization.active);
  assert.equal(u.provider_reported, null);
  assert.ok(u.dimensions.tokens_per_minute.remaining <= 30000, 'tokens were cut');
  assert.ok(u.dimensions.requests_per_minute.remaining > 590, 'requests were not');
  s.leave();
  await up.limits({});
});

test('a request larger than the whole limit is refused for good, and nobody else waits for it', async () => {
  await reset();
  await up.limits({ tokens_per_minute: 200, headers: 'none' });
  await up.reset();
  assertError(await weir.post('/chat/complete', { model, message: 'large', max_tokens: 500 }), 429, 'rate_limited', 'request_too_large_for_limit');
  assert.equal((await up.judge()).calls, 1);
  assert.equal((await upstream()).cooldown, null);
  assert.equal((await weir.post('/chat/complete', { model, message: 'small', max_tokens: 50 })).status, 200);
  await up.limits({});
});

// An error inside a stream, before and after text has reached the client.
const eventOf = {
  429: { code: 'upstream_rate_limited', check: (u) => u.stabilization.active && u.provider_429s_24h > 0 && u.cooldown },
  401: { code: 'upstream_auth', check: (u) => u.status === 'error' && !u.stabilization.active },
  402: { code: 'upstream_quota', check: (u) => u.status === 'error' && !u.stabilization.active },
  503: { code: null, check: (u) => u.cooldown && !u.stabilization.active },
};

for (const [status, { code, check }] of Object.entries(eventOf))
  test(`a ${status} in mid-answer is not tried again, but the next ones keep to it`, async () => {
    await reset();
    const message = `#fault-event-${status}-3 mid-answer`;
    const s = await (await weir.stream({ model, message, max_tokens: 100 })).end();
    assertStream(s);
    const e = s.first('error');
    if (code) assert.equal(e.code, code, JSON.stringify(e));
    assert.equal(e.partial, true);
    assert.equal((await up.calls(message)).length, 1);
    await shown('the consequence', check);
    if (status === '401' || status === '402') {
      assertError(await weir.post('/chat/complete', { model, message: 'after it' }), 503, 'unavailable', 'no_upstream');
      assert.equal((await up.calls('after it')).length, 0);
    }
  });

for (const status of [429, 503])
  test(`a ${status} inside a stream that has said nothing yet is tried again`, async () => {
    await reset();
    const message = `#fault-event-${status}-0-once before`;
    const s = await (await weir.stream({ model, message, max_tokens: 100 })).end();
    assertStream(s);
    assert.equal(s.terminals()[0].event, 'done', s.text);
    assert.equal(s.all('retry').length, 1);
    assert.equal((await up.calls(message)).length, 2);
  });

test('after an answer without an error nothing of all that stays', async () => {
  await reset();
  assert.equal((await weir.post('/chat/complete', { model, message: 'well again', max_tokens: 50 })).status, 200);
  assert.equal((await shown('health', (u) => u.status === 'healthy')).cooldown, null);
  await weir.stop();
});
