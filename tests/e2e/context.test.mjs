// A session that outgrows its model's window: the oldest turns are left out, and everybody who looks is told how many.
import assert from 'node:assert/strict';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { models: ['gpt-4'] } });
const model = 'gpt-4';                                     // a window of 8,192 tokens
const say = (n, more = {}) => weir.post('/chat/complete', { model, message: `#lorem-3 ${n} ${'word '.repeat(1500)}`, ...more });

test('the oldest turns are left out in pairs, the system text stays, and the count is told', async () => {
  let session_id, plain_id, system_tokens;
  const left = [];
  for (let n = 1; n <= 9; n++) {
    const r = await say(n, session_id ? { session_id } : { system: 'Answer in one word.' });
    const plain = await say(n, plain_id ? { session_id: plain_id } : {});
    assert.equal(r.status, 200, r.text);
    ({ session_id } = r.json);
    plain_id = plain.json.session_id;
    system_tokens ??= r.json.usage.prompt_tokens - plain.json.usage.prompt_tokens;
    assert.ok(system_tokens > 4);
    assert.equal(r.json.usage.prompt_tokens - plain.json.usage.prompt_tokens, system_tokens, 'the provider still sees the system text');
    assert.ok(r.json.usage.prompt_tokens < 8192 - 2048, `${n}: ${r.json.usage.prompt_tokens} leave room for an answer`);
    left.push(r.json.metrics.omitted_messages ?? 0);
  }
  assert.deepEqual(left.slice(0, 3), [0, 0, 0]);
  assert.ok(left[8] >= 8, String(left));
  assert.ok(left.every((n, i) => n % 2 === 0 && n >= (left[i - 1] ?? 0)), `a cut never moves back and takes whole turns: ${left}`);
  const items = (await weir.get(`/chat/sessions/${session_id}/messages?limit=1000`)).json.items;
  const answers = items.filter((m) => m.role === 'assistant');
  assert.deepEqual(answers.map((m) => m.metrics.omitted_messages ?? 0), left, 'the record has it');
  assert.equal(items.length, 9 * 2, 'nothing is deleted');
  const history = (await weir.get(`/monitoring/history?session_id=${session_id}`)).json.items;
  assert.equal(history[0].metrics.omitted_messages, left[8]);
  const estimate = (await weir.post('/chat/estimate', { model, session_id, message: 'short' })).json;
  assert.ok(estimate.fits && estimate.omitted_messages >= 2, JSON.stringify(estimate));
  assert.equal((await run(path.join(build, 'weir'), ['verify'], { env: weir.env })).code, 0);
  const page = await weir.get(`/app/c/${session_id}`);
  assert.match(page.text, /Left out <b>\d+ messages/);
});

test("a caller's own history is the caller's: too long is refused", async () => {
  const messages = Array.from({ length: 9 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: 'word '.repeat(1500) }));
  assertError(await weir.post('/chat/complete', { model, messages }), 400, 'invalid_request_error', 'context_length_exceeded');
});

test('a message that is larger than the window is refused, whatever is left out', async () => {
  const first = await weir.post('/chat/complete', { model, message: '#lorem-3 hello' });
  const r = await weir.post('/chat/complete', { model, session_id: first.json.session_id, message: 'word '.repeat(9000) });
  assertError(r, 400, 'invalid_request_error', 'context_length_exceeded');
});
