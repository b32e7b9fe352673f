// A provider that misbehaves: every stream still has one terminal event, every
// refusal is JSON, nothing is called done that was not, and Weir lives on.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from './harness.mjs';
import { assertError, assertErrorObject, assertStream, assertUsage } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({
  upstream: up,
  openai: { max_concurrent: 64, timeouts: { connect: 1, first_byte: 0.5, idle: 0.5, total: 10 } },
  config: { retry: { budget: 1, max_retries: 1, base_delay: 0.01, max_delay: 0.05 } },
});
const model = 'gpt-4o-mini';
const reset = () => weir.post('/monitoring/reset-rate-limits', {});

// name, code of the error in a stream, code of the JSON answer (null: it succeeds)
const faults = [
  ['hang', 'upstream_timeout', 'upstream_timeout'],
  ['hang-3', 'upstream_timeout', 'upstream_timeout'],
  ['cut-0', 'upstream_truncated', null], ['cut-400', 'upstream_truncated', 'upstream_truncated'], ['cut-1300', 'upstream_truncated', null],
  ['reset-400', 'upstream_truncated', 'upstream_truncated'], ['reset-1300', 'upstream_truncated', null],
  ['end-400', 'upstream_truncated', null], ['end-1300', 'upstream_truncated', null],
  ['json', 'upstream_invalid', 'upstream_invalid'],
  ['html', 'upstream_invalid', 'upstream_invalid'],
  ['empty', 'upstream_invalid', 'upstream_invalid'],
  ['200-error', null, null],
  ['mid-error', null, null],
  ['redirect', 'upstream_redirect', 'upstream_redirect'],
  ['huge-line', 'upstream_too_large', null],
  ['huge-header', 'upstream_too_large', 'upstream_too_large'],
  ['500', null, null], ['502', null, null], ['503', null, null], ['429', null, null],
];

for (const [name, streamCode, jsonCode] of faults) {
  test(`fault-${name}: one error event ends the stream, and the record says error`, async () => {
    await reset();
    const s = await (await weir.stream({ model, message: `#fault-${name} stream` })).end();
    assertStream(s);
    assert.equal(s.terminals()[0].event, 'error', s.text);
    const e = s.first('error');
    assertErrorObject(e, null, streamCode);
    if (s.all('delta').length) {
      assert.equal(e.partial, true);
      assertUsage(e.usage);
      assert.equal(e.usage.estimated, true);
    }
    const row = await weir.settled(s.first('accepted').request_id);
    assert.ok(['error', 'timeout'].includes(row.status), row.status);
    if (streamCode) assert.equal(row.error_code, streamCode);
  });
  if (['cut-1300', 'reset-1300', 'end-400', 'end-1300', 'cut-0', 'huge-line', 'mid-error', 'hang-3'].includes(name)) continue;
  test(`fault-${name}: /chat/complete answers an error in JSON`, async () => {
    await reset();
    const r = await weir.post('/chat/complete', { model, message: `#fault-${name} complete` });
    assert.ok(r.status >= 429, r.text);
    assertError(r, r.status, null, jsonCode ?? undefined);
  });
}

test('a redirect is not followed', async () => {
  assert.equal((await up.judge()).other_requests, 0);
});

test('cut at any byte, a stream is never called done before its finish_reason', async () => {
  await reset();
  const whole = await (await weir.stream({ model, message: '#lorem-4 whole' })).end();
  assert.equal(whole.terminals()[0].event, 'done');
  const cuts = Array.from({ length: 40 }, (_, i) => 20 + i * 28);
  const streams = await Promise.all(cuts.map((n) => weir.stream({ model, message: `#fault-cut-${n} bytes` })));
  for (const [i, s] of streams.entries()) {
    await s.end();
    assertStream(s);
    assert.equal(s.terminals()[0].event, 'error', `cut at ${cuts[i]}: ${s.text}`);
  }
});

for (const name of ['missing', 'null', 'string', 'negative', 'huge', 'fraction'])
  test(`usage that is ${name} is replaced by Weir's own count and marked`, async () => {
    await reset();
    const s = await (await weir.stream({ model, message: `#fault-usage-${name} x` })).end();
    assertStream(s);
    assert.equal(s.first('done')?.finish_reason, 'stop', s.text);
    const { usage } = s.first('usage');
    assertUsage(usage);
    assert.equal(usage.estimated, true);
    assert.ok(usage.completion_tokens >= 11 && usage.completion_tokens <= 14, JSON.stringify(usage));
    assert.ok(usage.prompt_tokens > 4 && usage.prompt_tokens < 40, JSON.stringify(usage));
  });

test('usage that comes twice is counted once', async () => {
  const s = await (await weir.stream({ model, message: '#fault-usage-twice x' })).end();
  assert.equal(s.first('usage').usage.completion_tokens, 12);
});

test('usage far below what passed is not believed', async () => {
  const s = await (await weir.stream({ model, message: '#fault-usage-less x' })).end();
  assert.ok(s.first('usage').usage.completion_tokens >= 11, JSON.stringify(s.first('usage')));
  const row = await weir.settled(s.first('accepted').request_id);
  assert.equal(row.suspect, 1);
});

test('a provider that is not there is a 502 that says so, and Weir is ready again after it', async () => {
  const dead = await startWeir({ upstream: { url: 'http://127.0.0.1:1/v1' },
    openai: { models: [model] }, config: { retry: { budget: 1, max_retries: 1, base_delay: 0.01, max_delay: 0.05 } } });
  assertError(await dead.post('/chat/complete', { model, message: 'x' }), 502, 'upstream_error', 'upstream_connect');
  const s = await (await dead.stream({ model, message: 'x' })).end();
  assertStream(s);
  assertErrorObject(s.first('error'), 'upstream_error', 'upstream_connect');
  await dead.stop();
});

test('after all of it Weir answers as before, with nothing held', async () => {
  await reset();
  const r = await weir.post('/chat/complete', { model, message: 'still here' });
  assert.equal(r.json.message.content, 'still here');
  const { now } = (await weir.get('/monitoring/queue-status')).json;
  assert.deepEqual([now.running, now.entries.length], [0, 0]);
  assert.deepEqual(weir.records('e.state < 2'), []);
  assert.doesNotMatch(weir.logs(), /sk-e2e-canary/);
});
