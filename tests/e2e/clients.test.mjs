// What befalls Weir from its surroundings while clients wait, read or leave: too few descriptors, threads that cannot be
// made, a calendar that is set, an nginx that reloads, restarts or dies, a stop under load, more than can be served, and
// clients that are slow on purpose. The stand-in and the sqlite3 shell are the judges.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { Control, preload } from './fail.mjs';
import { build, raw, request, run, startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError, assertErrorObject, assertStream } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const now = async (weir) => (await weir.get('/monitoring/queue-status')).json.now;
const idle = (weir) => waitFor('nothing to run or wait', async () => {
  const q = await now(weir);
  return q.running === 0 && q.entries.length === 0 && (await up.judge()).in_flight === 0;
});
const many = (n, one) => Promise.all(Array.from({ length: n }, (_, i) => one(i)));
const verified = async (weir) => {
  const r = await run(path.join(build, 'weir'), ['verify'], { env: { ...weir.env, LD_PRELOAD: '' } });
  assert.equal(r.code, 0, r.output);
};
const cpuMs = (pid) => {
  const f = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ');
  return (Number(f[11]) + Number(f[12])) * 10;
};

test('too few descriptors: each of 300 is answered or refused, nothing spins, and all is well after', async () => {
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 300 }, config: { retry: { max_retries: 0 } } });
  execFileSync('prlimit', ['--pid', String(weir.program.pid), '--nofile=64:']);
  const streams = await many(300, (i) => weir.stream({ model, message: `#slow-100-10-10 few ${i}` }).catch(() => null));
  const before = cpuMs(weir.program.pid), from = performance.now();
  await Promise.all(streams.map((s) => s?.end(20000)));
  const share = (cpuMs(weir.program.pid) - before) / (performance.now() - from);
  const by = {};
  for (const s of streams) by[s ? s.terminals()[0]?.event ?? s.status : 'closed'] = (by[s ? s.terminals()[0]?.event ?? s.status : 'closed'] ?? 0) + 1;
  assert.ok(by.done >= 10, JSON.stringify(by));
  for (const k of Object.keys(by)) assert.ok(['done', 'error', '429', '503'].includes(k), JSON.stringify(by));
  assert.ok(share < 0.5, `${share} of a processor`);
  execFileSync('prlimit', ['--pid', String(weir.program.pid), '--nofile=4096:']);
  await idle(weir);
  for (const r of await many(50, (i) => weir.post('/chat/complete', { model, message: `enough ${i}` }))) assert.equal(r.status, 200, r.text);
  assert.deepEqual(weir.records('e.state < 2'), []);
  await weir.stop();
});

test('a thread that cannot be made stops the start with 71 and a sentence, and later costs one call at most', async (t) => {
  if (!fs.existsSync(preload)) return t.skip('not in a build with a sanitizer');
  const control = new Control();
  const weir = await startWeir({ upstream: up, env: control.env, config: { retry: { base_delay: 0.01 } } });
  const threads = await waitFor('writer, engine, courier, keeper and eight acceptors', () => control.count('thread') >= 12 && control.count('thread'));
  // libcurl looks names up in a thread of its own.
  control.arm('thread', 1, true);
  await waitFor('the call', async () => (await weir.post('/chat/complete', { model, message: 'no thread is to be had' })).status === 200);
  control.disarm();
  await weir.program.stop();
  for (let n = 1; n <= threads; n++) {
    control.arm('thread', n, false);
    const r = await run(path.join(build, 'weir'), ['serve'], { env: weir.env });
    assert.equal(r.code, 71, `thread ${n}: ${JSON.stringify(r)}`);
    assert.match(r.output, /cannot (start|be started)|thread/, `thread ${n}`);
  }
  control.disarm();
  await weir.start();
  await weir.stop();
});

test('200 wait and every second leaves: out at once, nothing sent for them, the others move up', async () => {
  await up.reset();
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1 }, config: { queue: { max_size: 400, max_wait: 600 } } });
  const held = await weir.stream({ model, message: '#slow-0-50-1000 holds' });
  await held.next('delta');
  const streams = [];
  for (let i = 0; i < 200; i++) streams.push(await weir.stream({ model, message: `#lorem-1 waits ${i}` }));
  await Promise.all(streams.map((s) => s.next('queue')));
  await waitFor('all to wait', async () => (await now(weir)).entries.length === 200);
  const leave = streams.filter((_, i) => i % 2 === 0), stay = streams.filter((_, i) => i % 2);
  const from = performance.now();
  for (const s of leave) s.leave();
  await waitFor('half to be gone', async () => (await now(weir)).entries.length === 100, 3000);
  const took = performance.now() - from;
  assert.ok(took < 500, `${took} ms`);           // what is shown may be 100 ms old
  const places = stay.map((_, i) => i + 1).join();
  await waitFor('the places to be told anew', async () => (await now(weir)).entries.map((e) => e.position).join() === places, 3000);
  await waitFor('each that stays to be told its new place', () => stay.every((s, i) => s.all('queue').at(-1).data.position === i + 1), 5000);
  held.leave();
  await Promise.all(stay.map((s) => s.end(20000)));
  for (const s of stay) assertStream(s);
  await idle(weir);
  const { log } = await up.judge();
  assert.equal(log.length, 101, 'the one that held, and those who stayed');
  assert.equal(weir.records("e.status = 2 AND e.attempts = 0").length, 100);
  assert.deepEqual(weir.records('e.state < 2'), []);
  await verified(weir);
  await weir.stop();
});

test('200 leave in the middle of their answers: each call ends at the provider, each is recorded with what passed', async () => {
  await up.reset();
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 200 } });
  const left = await many(200, async (i) => {
    const s = await weir.stream({ model, message: `#slow-${i % 40}-3-2000 goes ${i}` });
    await s.next('delta', 1 + (i * 7) % 60, 20000);
    s.leave();
    return s.first('accepted').request_id;
  });
  await idle(weir);
  await waitFor('no record to be open', () => weir.records('e.state < 2').length === 0);
  const judge = await up.judge();
  assert.deepEqual(judge.log.map((c) => c.end).filter((e) => e !== 'aborted'), []);
  assert.equal(judge.log.length, 200);
  const rows = new Map(weir.records().map((r) => [r.request_id, r]));
  assert.equal(rows.size, 200);
  let recorded = 0;
  for (const id of left) {
    const r = rows.get(id);
    assert.deepEqual([r.status, r.estimated, r.attempts], ['cancelled', 1, 1]);
    recorded += r.completion;
  }
  assert.ok(Math.abs(recorded / judge.completion_tokens - 1) < 0.1, `${recorded} recorded, ${judge.completion_tokens} billed`);
  await verified(weir);
  await weir.stop();
});

test('a calendar that is set an hour or a day forward or back moves no limit and gives no budget twice', async (t) => {
  if (!fs.existsSync(preload)) return t.skip('not in a build with a sanitizer');
  await up.reset();
  const control = new Control(), limits = { requests_per_minute: 60 };
  const weir = await startWeir({ upstream: up, openai: { limits, burst: 10, reserve: 0 }, env: control.env, config: { queue: { max_wait: 600 } } });
  const price = (await weir.post('/chat/complete', { model, message: 'what one costs' })).json.cost.total_usd;
  const b = (await weir.post('/admin/budgets', { scope: 'all', window: 'day', tz: 'UTC', limit_usd: 1 })).json;
  const spent = async () => (await weir.get(`/admin/budgets/${b.budget_id}`)).json.spent_usd;
  for (let i = 1; i < 10; i++) assert.equal((await weir.post('/chat/complete', { model, message: 'what one costs' })).status, 200);
  const today = await spent();
  assert.ok(Math.abs(today - 10 * price) < 1e-11, `${today} for ${price}`);
  // The burst is used up: whoever comes now waits, whatever the calendar says meanwhile.
  const streams = await many(6, (i) => weir.stream({ model, message: `#lorem-1 clock ${i}` }));
  const day = new Date().toISOString().slice(0, 10);
  const said = (...by) => waitFor(`the audit log to say ${by}`, () => {
    const rows = weir.sql("SELECT detail FROM audit WHERE action = 'clock.step' ORDER BY seq").map((r) => JSON.parse(r.detail).by_ms);
    return rows.length === by.length && rows.every((ms, i) => Math.abs(ms - by[i] * 1000) < 1000);
  }, 20000);
  control.calendar(86400);
  await said(86400);
  assert.ok(await spent() < today, 'another day has its own');
  for (const s of [3600, -3600, -86400, 30 * 86400]) {
    control.calendar(s);
    assert.equal((await weir.get('/monitoring/live')).status, 200);
    assert.equal((await weir.post('/chat/estimate', { model, message: 'another day' })).status, 200);
  }
  control.calendar(0);
  await said(86400, -86400);
  await Promise.all(streams.map((s) => s.end(30000)));
  for (const s of streams) assertStream(s);
  const { log } = await up.judge();
  const at = log.map((c) => c.at_us).sort((x, y) => x - y);
  assert.equal(at.length, 16);
  const from = at[10] - at[0];
  for (let i = 10; i < at.length; i++) assert.ok(at[i] - at[0] >= (i - 9) * 1e6 - 50000, `call ${i} after ${(at[i] - at[0]) / 1000} ms`);
  assert.ok(at[15] - at[0] < 30e6, `and none was parked for an hour: ${from}`);
  if (new Date().toISOString().slice(0, 10) === day) assert.ok(await spent() >= today - 1e-12, 'the day that is again today has spent what it had');
  for (const s of streams) assert.ok(s.first('usage').metrics.queue_ms >= 0 && s.first('usage').metrics.duration_ms < 30000);
  assert.equal((await weir.get('/app/me')).status, 200);
  await verified(weir);
  await weir.stop();
});

// Every member of it that is a time or a number of something; none may be below zero but a debt of what may go at once.
function neverBelowZero(json, what) {
  const look = (value, at) => {
    if (typeof value === 'number' && !at.endsWith('.bucket.left') && !/drift/.test(at)) assert.ok(value >= 0, `${what}: ${at} is ${value}`);
    else if (value && typeof value === 'object') for (const [k, v] of Object.entries(value)) look(v, `${at}.${k}`);
  };
  look(json, '');
}

test('two hours forward, two hours back and a machine that slept: limits stay right, and no time is below zero anywhere', async (t) => {
  if (!fs.existsSync(preload)) return t.skip('not in a build with a sanitizer');
  await up.reset();
  const control = new Control();
  const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 60 }, burst: 10, reserve: 0 }, env: control.env, config: { queue: { max_wait: 3600 } } });
  const shown = async (when) => {
    for (const path of ['live', 'rate-limits', 'queue-status', 'token-usage', 'cost-breakdown', 'performance', 'history?limit=50', 'forecast', 'trend'])
      neverBelowZero((await weir.get(`/monitoring/${path}`)).json, `${when}, ${path}`);
  };
  const some = (n, tag) => many(n, (i) => weir.stream({ model, message: `#lorem-1 ${tag} ${i}` }));
  const times = async (tag) => (await up.calls(`#lorem-1 ${tag}`)).map((c) => c.at_us).sort((a, b) => a - b);
  const all = await some(13, 'as usual');                            // ten at once, and three that wait
  for (const [seconds, tag] of [[7200, 'forward'], [-7200, 'back'], [0, 'as it was']]) {
    control.calendar(seconds);
    all.push(...await some(1, tag));                                 // goes on when its second has come, not two hours off
    await shown(tag);
  }
  await Promise.all(all.map((s) => s.end(30000)));
  const order = (await up.judge()).log.map((c) => c.at_us).sort((a, b) => a - b);
  for (let i = 10; i < order.length; i++) assert.ok(order[i] - order[0] >= (i - 9) * 1e6 - 300000, `call ${i} after ${order[i] - order[0]} us`);
  assert.ok(order.at(-1) - order[0] < 15e6, `${order.at(-1) - order[0]}`);

  const long = await weir.stream({ model, message: '#slow-0-50-400 while it sleeps' });
  await long.next('delta');
  control.sleep(1800);
  await shown('asleep');
  const rested = await some(13, 'after sleep');                      // half an hour has passed: ten may go at once again, and no more
  await Promise.all(rested.map((s) => s.end(30000)));
  const after = await times('after sleep');
  assert.equal(after.length, 13);
  assert.ok(after[9] - after[0] < 2e6, `the burst was whole again: ${after.map((x) => x - after[0])}`);
  for (let i = 10; i < 13; i++) assert.ok(after[i] - after[0] >= (i - 9) * 1e6 - 300000, `call ${i} after ${after[i] - after[0]} us`);
  for (const s of [...all, ...rested]) {
    assertStream(s);
    for (const e of s.events) if (e.data) neverBelowZero(e.data, e.event);
  }
  long.leave();
  await weir.settled(long.first('accepted').request_id);
  const listed = (await weir.get('/monitoring/history?limit=50')).json.items;
  assert.deepEqual(listed.map((r) => r.request_id), weir.records().map((r) => r.request_id).reverse(), 'newest first, by when each was accepted');
  assert.deepEqual(listed.map((r) => r.at), listed.map((r) => r.at).sort().reverse());
  const below = weir.sql('SELECT count(*) AS n FROM events WHERE min(queue_us, retry_us, ttft_us, writing_us) < 0');
  assert.equal(below[0].n, 0);
  await shown('at the end');
  await verified(weir);
  await weir.stop();
});

test('nginx reloads and no stream notices; it restarts, and what it cut off is cancelled and billed', async () => {
  await up.reset();
  const weir = await startWeir({ upstream: up });
  const begin = async (tag, n) => {
    const s = await weir.stream({ model, message: `#slow-0-20-${n} ${tag}` });
    await s.next('delta', 2);
    return s;
  };
  const through = await many(5, (i) => begin(`reload ${i}`, 60));
  const workers = () => fs.readFileSync(`/proc/${weir.nginx.pid}/task/${weir.nginx.pid}/children`, 'utf8').trim().split(' ');
  const before = workers();
  weir.nginx.child.kill('SIGHUP');
  await waitFor('new workers', () => workers().some((pid) => !before.includes(pid)));
  for (const s of through) {
    assertStream(await s.end());
    assert.equal(s.terminals()[0].event, 'done');
  }
  const cut = await many(5, (i) => begin(`restart ${i}`, 1000));
  await weir.nginx.stop('SIGTERM');
  await Promise.all(cut.map((s) => s.end(5000)));
  for (const s of cut) assert.deepEqual(s.terminals(), [], 'interrupted, and seen to be');
  await waitFor('the provider to be let go', async () => (await up.judge()).in_flight === 0, 5000);
  weir.nginx = null;
  await weir.program.stop();                     // start() is of both
  await weir.start();
  for (const s of cut) {
    const r = await weir.settled(s.first('accepted').request_id);
    assert.deepEqual([r.status, r.estimated], ['cancelled', 1]);
    assert.ok(r.completion > 0);
  }
  assert.equal((await weir.post('/chat/complete', { model, message: 'after it' })).status, 200);
  await verified(weir);
  await weir.stop();
});

test('SIGTERM under load: nobody new, who waits is told to come again, who runs may finish; a second one ends it', async () => {
  await up.reset();
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 20 }, config: { drain: 20 } });
  const short = await many(10, (i) => weir.stream({ model, message: `#slow-0-20-40 ends ${i}` }));
  const long = await many(10, (i) => weir.stream({ model, message: `#slow-0-20-100000 does not ${i}`, max_tokens: 100000 }));
  await Promise.all([...short, ...long].map((s) => s.next('delta')));
  const waits = await many(5, (i) => weir.stream({ model, message: `#lorem-3 waits ${i}` }));
  await Promise.all(waits.map((s) => s.next('queue')));
  weir.program.child.kill('SIGTERM');
  await Promise.all(waits.map((s) => s.end(5000)));
  for (const s of waits) assertErrorObject(s.first('error'), 'unavailable', 'draining');
  const ready = await request({ port: weir.port, path: '/readyz' });
  assert.equal(ready.status, 503, ready.text);
  const late = await weir.post('/chat/complete', { model, message: 'too late' });
  assertError(late, 503, 'unavailable', 'draining');
  assert.ok(Number(late.headers['retry-after']) >= 1);
  await Promise.all(short.map((s) => s.end(10000)));
  for (const s of short) assert.equal(s.terminals()[0].event, 'done');
  assert.ok(!weir.program.ended);
  const second = performance.now();
  weir.program.child.kill('SIGTERM');
  await Promise.all(long.map((s) => s.end(5000)));
  for (const s of long) {
    assertStream(s);
    assertErrorObject(s.first('error'), 'unavailable', 'draining');
  }
  assert.deepEqual(await weir.program.exit, { code: 0, signal: null });
  assert.ok(performance.now() - second < 2500, `${performance.now() - second} ms`);
  assert.ok(!fs.existsSync(path.join(weir.state, 'weir.db-wal')), 'the log was put into the database');
  assert.deepEqual(weir.records('e.state < 2'), []);
  const { log } = await up.judge();
  assert.deepEqual(log.filter((c) => /waits|too late/.test(c.tag)), []);
  assert.equal(weir.records("e.status = 1 AND e.attempts = 1 AND e.completion > 0 AND e.estimated = 1").length, 10);
  await weir.start();
  await verified(weir);
  await weir.stop();
});

test('ten times what can be served: as much gets through as at its peak, the rest is refused at once with a time', async () => {
  await up.reset();
  const places = 8, ms = 100;                    // 80 a second
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: places }, config: { queue: { max_size: 16, max_wait: 5 } } });
  const load = async (clients, forMs) => {
    const end = performance.now() + forMs, answers = [];
    await many(clients, async (i) => {
      for (let n = 0; performance.now() < end; n++) {
        const from = performance.now();
        const r = await weir.post('/chat/complete', { model, message: `#slow-${ms}-0-1 load ${i} ${n}` });
        answers.push({ status: r.status, took: performance.now() - from, json: r.json, headers: r.headers });
      }
    });
    return answers;
  };
  const served = (answers) => answers.filter((a) => a.status === 200).length;
  await load(places, 300);
  const peak = served(await load(places, 2000));
  const over = await load(places * 10, 2000);
  const refused = over.filter((a) => a.status !== 200);
  assert.ok(served(over) >= 0.9 * peak, `${served(over)} of ${peak}`);
  assert.ok(refused.length > over.length / 4, `${refused.length} of ${over.length} refused`);
  for (const a of refused) {
    assert.equal(a.status, 429);
    assert.ok(a.json.error.code === 'queue_full' && Number(a.headers['retry-after']) >= 1, JSON.stringify(a.json));
  }
  const times = refused.map((a) => a.took).sort((x, y) => x - y);
  assert.ok(times[times.length >> 1] < 250, `half of the refusals take ${times[times.length >> 1]} ms`);
  assert.equal((await up.judge()).log.filter((c) => c.end !== 'done').length, 0);
  await idle(weir);
  await weir.stop();
});

test('200 that send a byte at a time, and 100 that read nothing, keep nobody from being served', async () => {
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 200 }, nginx: (text) =>
    text.replace('client_header_timeout 10s', 'client_header_timeout 2s').replace('client_body_timeout 10s', 'client_body_timeout 1s') });
  const open = async (text) => {
    const s = net.connect(weir.port, '127.0.0.1');
    s.answer = '';
    s.on('data', (d) => { s.answer += d; });
    s.on('error', () => {});
    await once(s, 'connect');
    s.write(text);
    return s;
  };
  const head = `Host: 127.0.0.1\r\nAuthorization: Bearer ${weir.token}\r\nContent-Type: application/json\r\n`;
  const slow = [
    ...await many(100, () => open('GET /healthz HTTP/1.1\r\nHost: 127.')),
    ...await many(100, () => open(`POST /chat/complete HTTP/1.1\r\n${head}Content-Length: 100\r\n\r\n{"mess`)),
  ];
  const deaf = await many(100, (i) => weir.stream({ model, message: `#lorem-2000 deaf ${i}` }));
  for (const s of deaf) s.pause();
  const drip = setInterval(() => { for (const s of slow) if (!s.destroyed) s.write('a'); }, 200);
  const took = [];
  for (let i = 0; i < 30; i++) {
    const from = performance.now();
    assert.equal((await weir.post('/chat/complete', { model, message: `quick ${i}` })).status, 200);
    took.push(performance.now() - from);
  }
  took.sort((x, y) => x - y);
  assert.ok(took[15] < 250, `half of the good ones take ${took[15]} ms`);
  await waitFor('slow heads to be closed though they still write', () => slow.slice(0, 100).every((s) => s.closed || s.readableEnded), 8000);
  clearInterval(drip);                           // a body may crawl as long as it moves; one that stands still is closed
  await waitFor('bodies that stand still to be closed', () => slow.slice(100).every((s) => s.closed || s.readableEnded), 8000);
  for (const s of deaf) s.resume();
  await Promise.all(deaf.map((s) => s.end()));
  for (const s of deaf) assertStream(s);
  for (const s of slow) s.destroy();
  assert.deepEqual(weir.records('e.state < 2'), []);
  assert.match(await raw(weir.port, 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 200/);
  await weir.stop();
});
