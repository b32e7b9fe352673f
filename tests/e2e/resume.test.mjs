// A stream that is read again: after the connection was cut, by several, after its end, and when nobody reads it.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const weir = await startWeir({ upstream: up, config: { resume: { unread: 0.3 } } });

const ask = (message, more = {}) => weir.stream({ model, message, on_disconnect: 'keep', ...more });
const again = (id, after, headers = {}) => weir.stream(undefined, { path: `/chat/stream/${id}`, method: 'GET', headers: { ...(after === undefined ? {} : { 'Last-Event-ID': String(after) }), ...headers } });
const line = (e) => JSON.stringify([Number(e.id), e.event, e.data]);
const text = (events) => events.filter((e) => e.event === 'delta').map((e) => e.data.text).join('');
async function whole(s) {
  await s.end();
  assert.equal(s.error, null);
  return s;
}

test('what is replayed is what was sent, from every event on', async () => {
  const s = await whole(await ask('#think-3-12 hello'));
  assert.equal(s.events.at(-1).event, 'done');
  assert.deepEqual(s.events.map((e) => Number(e.id)), s.events.map((_, i) => i + 1));
  const id = s.first('accepted').request_id;
  const lines = s.events.map(line);
  for (let after = 0; after <= s.events.length; after++) {
    const r = await whole(await again(id, after));
    assert.deepEqual(r.events.map(line), lines.slice(after), `after ${after}`);
    assert.equal(r.headers['content-type'], 'text/event-stream');
  }
  assert.deepEqual((await whole(await again(id))).events.map(line), lines, 'without Last-Event-ID from the start');
});

test('a connection cut at every event boundary loses and doubles nothing', async () => {
  const before = (await up.judge()).calls;
  const count = (await whole(await ask('#slow-5-3-20 count'))).events.length;
  for (let cut = 1; cut < count; cut++) {
    const s = await ask(`#slow-5-3-20 cut at ${cut}`);
    await waitFor(`event ${cut}`, () => s.events.length >= cut || s.ended);
    const seen = s.events.slice(0, cut);
    s.leave();
    const id = seen[0].data.request_id;
    const r = await whole(await again(id, Number(seen.at(-1).id)));
    const all = [...seen, ...r.events];
    assert.deepEqual(all.map((e) => Number(e.id)), all.map((_, i) => i + 1), `cut at ${cut}`);
    assert.equal(all.at(-1).event, 'done');
    assert.equal(all.at(-1).data.finish_reason, 'stop');
    assert.equal(text(all).trim().split(/\s+/).length, 20, text(all));
    const kept = (await weir.get(`/chat/sessions/${seen[0].data.session_id}/messages`)).json.items.at(-1);
    assert.equal(kept.content, text(all));
  }
  assert.equal((await up.judge()).calls - before, count, 'each was one call');
});

test('several read at once, from where each of them is', async () => {
  const s = await ask('#slow-20-10-40 many');
  await waitFor('some text', () => s.events.length > 8);
  const id = s.first('accepted').request_id;
  const others = await Promise.all(Array.from({ length: 8 }, (_, i) => again(id, i)));
  s.leave();
  for (const [i, r] of others.entries()) {
    await whole(r);
    assert.equal(Number(r.events[0].id), i + 1);
    assert.equal(r.events.at(-1).event, 'done');
    assert.deepEqual(r.events.map((e) => Number(e.id)), r.events.map((_, k) => i + 1 + k));
  }
  assert.deepEqual(others[0].events.slice(7).map(line), others[7].events.map(line));
});

test('with "cancel" the provider is stopped when the last reader leaves, with "keep" after a while without one', async () => {
  const s = await ask('#slow-0-20-500 cancel', { on_disconnect: 'cancel' });
  await s.next('delta', 1);
  const id = s.first('accepted').request_id;
  s.leave();
  await weir.settled(id);
  assert.equal(weir.record(id).status, 'cancelled');
  const r = await whole(await again(id));
  assert.deepEqual([r.events.at(-1).event, r.events.at(-1).data.finish_reason], ['done', 'cancelled']);

  const k = await ask('#slow-0-20-500 keep');
  await k.next('delta', 1);
  const kept = k.first('accepted').request_id;
  const begun = performance.now();
  k.leave();
  await weir.settled(kept);
  assert.ok(performance.now() - begun >= 300, 'it went on for resume.unread');
  assert.equal(weir.record(kept).status, 'cancelled');
  assert.ok(text((await whole(await again(kept))).events).length > 0, 'what was written is there');
});

test('a reader who comes back in time keeps it going, also while it waits in line', async () => {
  const one = await startWeir({ upstream: up, openai: { max_concurrent: 1 }, config: { resume: { unread: 30 } } });
  const first = await one.stream({ model, message: '#slow-0-20-500 first', on_disconnect: 'keep' });
  await first.next('delta', 1);
  const s = await one.stream({ model, message: '#lorem-5 second', on_disconnect: 'keep' });
  await s.next('queue', 1);
  const id = s.first('accepted').request_id;
  s.leave();
  const r = await one.stream(undefined, { path: `/chat/stream/${id}`, method: 'GET', headers: { 'Last-Event-ID': s.events.at(-1).id } });
  await r.next('queue', 1);
  await one.post('/chat/cancel', { request_id: first.first('accepted').request_id });
  await whole(r);
  assert.equal(r.events.at(-1).data.finish_reason, 'stop');
  await one.stop();
});

test('a reader who takes nothing is dropped, nobody waits for it, and it can come back', async () => {
  const s = await ask('#slow-300-0-250000 large', { model: 'echo', max_tokens: 400000 });
  await waitFor('the start', () => s.first('start'));
  const id = s.first('accepted').request_id;
  const r = await again(id);
  await waitFor('the first event', () => r.events.length > 0);
  r.pause();
  await s.end(60000);
  assert.equal(s.events.at(-1).event, 'done');
  r.resume();
  await r.end(60000);
  assert.notEqual(r.events.at(-1).event, 'done', 'it was dropped');
  const rest = await again(id, Number(r.events.at(-1).id));
  await rest.end(60000);
  assert.equal(text(r.events) + text(rest.events), text(s.events));
});

test('others\' streams, unknown ones and what is no number are refused; what is no longer kept is gone', async () => {
  const s = await whole(await ask('#lorem-3 mine'));
  const id = s.first('accepted').request_id;
  assertError(await weir.get(`/chat/stream/req_unknown`), 404, 'not_found', 'not_found');
  for (const bad of ['x', '-1', '1.5', '9'.repeat(30)])
    assert.equal(assertError(await weir.get(`/chat/stream/${id}`, { 'Last-Event-ID': bad }), 400, 'invalid_request_error', 'invalid_field').param, 'Last-Event-ID');
  const complete = (await weir.post('/chat/complete', { model, message: 'no stream' })).json.request_id;
  assertError(await weir.get(`/chat/stream/${complete}`), 404, 'not_found', 'not_found');
  await weir.restart();
  assertError(await weir.get(`/chat/stream/${id}`), 410, 'gone', 'gone');
  const short = await startWeir({ upstream: up, config: { resume: { keep: 0 } } });
  const t = await whole(await short.stream({ model, message: '#lorem-3 short' }));
  await waitFor('the stream to be forgotten', async () => (await short.get(`/chat/stream/${t.first('accepted').request_id}`)).status === 410);
  await short.stop();
});
