// shapes.mjs - what every answer has, as assertions several tests share.
import assert from 'node:assert/strict';

const keys = (o) => Object.keys(o).sort();
const pico = (usd) => Math.round(usd * 1e12);

export function assertUsage(usage) {
  assert.deepEqual(keys(usage), ['cached_tokens', 'completion_tokens', 'estimated', 'prompt_tokens', 'reasoning_tokens', 'total_tokens']);
  for (const [k, v] of Object.entries(usage))
    if (k !== 'estimated') assert.ok(Number.isSafeInteger(v) && v >= 0, `${k} is ${v}`);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
}

export function assertCost(cost) {
  assert.deepEqual(keys(cost), ['input_usd', 'output_usd', 'priced', 'total_usd']);
  if (!cost.priced) assert.deepEqual([cost.input_usd, cost.output_usd, cost.total_usd], [null, null, null]);
  else assert.equal(pico(cost.total_usd), pico(cost.input_usd) + pico(cost.output_usd));
}

export function assertMetrics(m) {
  assert.deepEqual(keys(m), ['attempts', 'chars_per_token', 'duration_ms', 'priority', 'queue_ms', 'retries', 'retry_wait_ms',
    'tokens_per_second', 'ttft_ms', 'writing_ms']);
  for (const k of ['queue_ms', 'retry_wait_ms', 'ttft_ms', 'writing_ms', 'duration_ms', 'retries', 'attempts'])
    assert.ok(Number.isSafeInteger(m[k]) && m[k] >= 0, `${k} is ${m[k]}`);
  assert.equal(m.queue_ms + m.retry_wait_ms + m.ttft_ms + m.writing_ms, m.duration_ms, JSON.stringify(m));
}

// A refusal as every path but Anthropic's has it; gives the error object.
export function assertError(answer, status, type, code) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
  assert.ok(answer.json, `not JSON: ${answer.text}`);
  assert.deepEqual(keys(answer.json), ['error']);
  assertErrorObject(answer.json.error, type, code);
  assert.ok(answer.headers['x-request-id'], 'X-Request-Id is on every response');
  assert.equal(answer.json.error.request_id, answer.headers['x-request-id']);
  return answer.json.error;
}

export function assertErrorObject(e, type, code) {
  for (const k of ['type', 'code', 'message', 'param', 'request_id', 'retry_after_ms'])
    assert.ok(k in e, `the error has no ${k}: ${JSON.stringify(e)}`);
  if (type) assert.equal(e.type, type, JSON.stringify(e));
  if (code) assert.equal(e.code, code, JSON.stringify(e));
  assert.ok(e.message.length > 10 && !/sk-e2e|select |\.c:\d/i.test(e.message), e.message);
}

// Exactly one done or error, and it is the last event; ids count up from 1.
export function assertStream(s) {
  assert.equal(s.status, 200, s.text);
  assert.match(s.headers['content-type'], /^text\/event-stream/);
  assert.ok(s.headers['x-request-id']);
  assert.equal(s.terminals().length, 1, `one terminal event: ${s.names().join(' ')}`);
  assert.equal(s.events.at(-1), s.terminals()[0], `the last event: ${s.names().join(' ')}`);
  s.events.forEach((e, i) => assert.equal(e.id, String(i + 1)));
}

export { keys, pico };
