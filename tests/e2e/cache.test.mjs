// The response cache: off unless asked for, the same words from the same person, at no cost; and one call for all who ask at once.
import assert from 'node:assert/strict';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, waitFor } from './harness.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const weir = await startWeir({ upstream: up, config: { cache: { models: ['gpt-4.1'] }, retry: { max_retries: 0 } } });
const ask = (message, more = {}) => weir.post('/chat/complete', { model, message, ...more });
const calls = async (tag) => (await up.calls(tag)).length;

test('without asking for it nothing is cached; with it the second costs nothing and says what it saved', async () => {
  await ask('#lorem-20 plain');
  await ask('#lorem-20 plain');
  assert.equal(await calls('#lorem-20 plain'), 2);
  const one = (await ask('#lorem-20 kept', { cache: true })).json;
  const two = (await ask('#lorem-20 kept', { cache: true })).json;
  assert.equal(await calls('#lorem-20 kept'), 1);
  assert.equal(two.message.content, one.message.content);
  assert.equal(two.metrics.from_cache, true);
  assert.equal(one.metrics.from_cache, undefined);
  assert.deepEqual([two.cost.total_usd, two.cost.priced, two.cost.saved_usd], [0, true, one.cost.total_usd]);
  assert.deepEqual([two.usage.prompt_tokens, two.usage.completion_tokens], [0, 0]);
  assert.notEqual(two.request_id, one.request_id);
  const item = (await weir.get(`/monitoring/history?session_id=${two.session_id}`)).json.items[0];
  assert.deepEqual([item.metrics.from_cache, item.cost.saved_usd, item.status], [true, one.cost.total_usd, 'success']);
  const usage = (await weir.get('/monitoring/token-usage')).json;
  assert.equal(usage.efficiency.chars_per_token, one.metrics.chars_per_token, 'words without tokens say nothing about either');
  const explained = (await weir.get(`/monitoring/requests/${two.request_id}`)).json;
  assert.equal(explained.attempts.length, 0);
  assert.match((await weir.get(`/app/c/${two.session_id}`)).text, /Cached <b>saved \$/);
});

test('a stream gets it as a stream, and what differs in a word is asked again', async () => {
  const one = (await ask('#lorem-20 stream', { cache: true })).json;
  const s = await (await weir.stream({ model, message: '#lorem-20 stream', cache: true })).end();
  assert.equal(s.deltas(), one.message.content);
  assert.deepEqual(s.terminals().map((e) => [e.event, e.data.finish_reason, e.data.metrics.from_cache]), [['done', 'stop', true]]);
  assert.deepEqual(s.names().filter((n) => n !== 'delta'), ['accepted', 'start', 'usage', 'done']);
  for (const other of [{ message: '#lorem-20 stream ' }, { temperature: 0.5 }, { max_tokens: 19 }, { system: 'Be brief.' }, { model: 'gpt-4o' }])
    assert.equal((await ask(other.message ?? '#lorem-20 stream', { cache: true, ...other })).json.metrics.from_cache, undefined, JSON.stringify(other));
  assert.equal(await calls('#lorem-20 stream'), 6);
});

test("a model's setting turns it on, the request turns it off, and others' answers stay others'", async () => {
  await ask('#lorem-5 setting', { model: 'gpt-4.1' });
  assert.equal((await ask('#lorem-5 setting', { model: 'gpt-4.1' })).json.metrics.from_cache, true);
  assert.equal((await ask('#lorem-5 setting', { model: 'gpt-4.1', cache: false })).json.metrics.from_cache, undefined);
  const user = (await weir.post('/admin/users', { name: 'cache-user', role: 'user' })).json;
  const token = (await weir.post('/admin/tokens', { user_id: user.user_id, name: 'test' })).json.token;
  const theirs = await weir.post('/chat/complete', { model: 'gpt-4.1', message: '#lorem-5 setting' }, { Authorization: `Bearer ${token}` });
  assert.equal(theirs.json.metrics.from_cache, undefined);
});

test('a model whose answers are kept is kept on the compatible path as well', async () => {
  const v1 = (stream, more = {}) => weir.post('/v1/chat/completions', { model: 'gpt-4.1', messages: [{ role: 'user', content: '#lorem-6 v1' }], stream, ...more });
  const one = (await v1(false)).json;
  const two = await v1(false);
  assert.equal(two.headers['x-weir-cache'], 'hit');
  assert.equal(two.json.choices[0].message.content, one.choices[0].message.content);
  assert.equal(two.headers['x-weir-cost-usd'], '0');
  const stream = await v1(true);
  assert.equal(stream.headers['x-weir-cache'], 'hit', 'whether it is streamed makes no difference');
  assert.equal(await calls('#lorem-6 v1'), 1);
  assert.match(stream.text, /"finish_reason":"stop"[^]*data: \[DONE\]\n\n$/);
  assert.equal((await v1(false, { logprobs: true })).headers['x-weir-cache'], undefined);
});

test('on the compatible paths a header asks for it or against it, and those who ask at once share one call, streamed or not', async () => {
  const bodies = { '/v1/chat/completions': {}, '/v1/messages': { max_tokens: 50 } };
  for (const [path, more] of Object.entries(bodies)) {
    const v1 = (text, said, rest = {}) => weir.post(path, { model, messages: [{ role: 'user', content: `${text} ${path}` }], ...more, ...rest }, said ? { 'X-Weir-Cache': said } : {});
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => v1('#slow-200-1-20 header', 'on', { stream: i % 2 === 1 })));
    assert.ok(all.every((r) => r.status === 200 && r.text.includes('until')));
    assert.equal(all.filter((r) => r.headers['x-weir-cache'] === 'hit').length, 19);
    assert.equal(await calls(`#slow-200-1-20 header ${path}`), 1);
    assert.equal((await v1('#slow-200-1-20 header', undefined)).headers['x-weir-cache'], undefined, 'it is off by default');
    const listed = { model: 'gpt-4.1' };
    await v1('#lorem-7 listed', undefined, listed);
    assert.equal((await v1('#lorem-7 listed', 'off', listed)).headers['x-weir-cache'], undefined);
    assert.equal((await v1('#lorem-7 listed', undefined, listed)).headers['x-weir-cache'], 'hit');
    assert.equal((await v1('x', 'perhaps')).status, 400);
  }
});

test('only whole answers in words are kept', async () => {
  for (const message of ['#fault-500 x', '#filter x', '#lorem-50 cut']) {
    await ask(message, { cache: true, max_tokens: 10 });
    assert.equal((await ask(message, { cache: true, max_tokens: 10 })).json.metrics?.from_cache, undefined, message);
    assert.equal(await calls(message), 2, message);
  }
});

test('those who ask the same at once share one call', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => ask('#slow-200-1-20 shared', { cache: true })));
  assert.equal(await calls('#slow-200-1-20 shared'), 1);
  assert.equal(new Set(all.map((r) => r.json.message.content)).size, 1);
  assert.equal(all.filter((r) => r.json.metrics.from_cache).length, 19);
  const paid = all.map((r) => r.json.cost.total_usd).filter((usd) => usd > 0);
  assert.equal(paid.length, 1);
});

test('where the first fails or leaves, those who waited go on by themselves', async () => {
  const failed = await Promise.all(Array.from({ length: 5 }, () => ask('#fault-500-once again', { cache: true })));
  assert.equal(failed.filter((r) => r.status === 200).length, 4);
  const went = await calls('#fault-500-once again');      // who asks when one of them has been answered has that answer
  assert.ok(went >= 2 && went <= 5, `${went} calls`);
  const first = await weir.stream({ model, message: '#slow-0-20-300 leaves', cache: true });
  await first.next('delta', 1);
  const second = await weir.stream({ model, message: '#slow-0-20-300 leaves', cache: true });
  await second.next('accepted', 1);
  const third = await weir.stream({ model, message: '#slow-0-20-300 leaves', cache: true });
  await third.next('accepted', 1);
  third.leave();
  first.leave();
  await second.next('delta', 1);
  second.leave();
  await waitFor('all to be settled', () => weir.records("e.state < 2").length === 0);
  const { code, output } = await run(path.join(build, 'weir'), ['verify'], { env: weir.env });
  assert.equal(code, 0, output);
});
