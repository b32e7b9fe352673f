// Budgets through the whole of Weir, judged by what the provider stand-in has billed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Control, preload } from './fail.mjs';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertCost, assertError, assertErrorObject, assertStream } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const RATE_IN = 150000;              // picodollars per token, as data/prices.json has them
const RATE_OUT = 600000;
const pico = (usd) => Math.round(usd * 1e12);
const usd = (p) => p / 1e12;

const billed = async () => {
  const j = await up.judge();
  return j.prompt_tokens * RATE_IN + j.completion_tokens * RATE_OUT;
};

const budget = async (weir, body) => {
  const r = await weir.post('/admin/budgets', { scope: 'all', window: 'total', ...body });
  assert.equal(r.status, 201, r.text);
  return r.json;
};

const look = async (weir, id) => (await weir.get(`/admin/budgets/${id}`)).json;

// The most a call may cost, by Weir's own estimate.
const worst = async (weir, ask) => {
  const e = await weir.post('/chat/estimate', ask);
  assert.equal(e.status, 200, e.text);
  return pico(e.json.cost_high_usd);
};

test('an account whose own default is the dearer service tier passes no budget either', async () => {
  await up.reset();
  const weir = await startWeir({ upstream: up, openai: { priority_tier: true }, config: { queue: { max_size: 500 } } });
  const ask = { model, message: `#tier-priority ${'twenty of these fit '.repeat(30)}`, max_tokens: 60 };      // all of it is used
  const limit = 20 * await worst(weir, ask);
  await budget(weir, { limit_usd: usd(limit) });
  const all = await Promise.all(Array.from({ length: 200 }, () => weir.post('/chat/complete', ask)));
  assert.ok(all.filter((r) => r.status === 200).length >= 20);
  assert.ok(all.filter((r) => r.status === 402).length > 0);
  const [{ c }] = weir.sql('SELECT SUM(cost_in + cost_out) AS c FROM events');
  assert.equal(c, 2 * await billed(), 'the provider charges the dearer tier');
  assert.ok(c <= limit, `${c} of ${limit}`);
  await weir.stop();
});

test('a budget is set, listed, changed and removed', async () => {
  const weir = await startWeir({ upstream: up });
  const me = (await weir.get('/app/me')).json.user_id;
  const b = await budget(weir, { scope: 'user', key: me, window: 'month', tz: 'Europe/Berlin', limit_usd: 5.25, warn: [0.5, 0.955] });
  assert.match(b.budget_id, /^bud_/);
  assert.deepEqual([b.scope, b.key, b.each, b.window, b.tz, b.limit_usd], ['user', me, false, 'month', 'Europe/Berlin', 5.25]);
  assert.deepEqual(b.warn, [0.5, 0.955]);
  assert.deepEqual([b.spent_usd, b.reserved_usd], [0, 0]);
  assert.ok(new Date(b.resets_at) > new Date());
  const each = await budget(weir, { scope: 'session', each: true, window: 'day', limit_usd: 0.000000000001 });
  assert.deepEqual(each.warn, [0.5, 0.8, 0.95]);
  assert.equal(each.limit_usd, 1e-12);
  const list = (await weir.get('/admin/budgets')).json;
  assert.deepEqual(list.items.map((i) => i.budget_id), [b.budget_id, each.budget_id]);
  assert.equal(list.next_cursor, null);
  const patched = await weir.request('PATCH', `/admin/budgets/${b.budget_id}`, { limit_usd: 7 });
  assert.equal(patched.status, 200, patched.text);
  assert.deepEqual([patched.json.limit_usd, patched.json.warn], [7, [0.5, 0.955]]);
  assert.equal((await weir.request('DELETE', `/admin/budgets/${each.budget_id}`)).status, 204);
  assertError(await weir.get(`/admin/budgets/${each.budget_id}`), 404, 'not_found', 'not_found');
  assertError(await weir.request('DELETE', `/admin/budgets/${each.budget_id}`), 404, 'not_found', 'not_found');
  const live = (await weir.get('/monitoring/live')).json.budgets;
  assert.deepEqual(live.map((x) => [x.id, x.limit_usd, x.name]), [[b.budget_id, 7, (await weir.get('/app/me')).json.name]]);
  assert.deepEqual((await weir.get('/monitoring/cost-breakdown')).json.budgets.map((x) => x.id), [b.budget_id]);
  assert.deepEqual(weir.sql("SELECT action FROM audit WHERE action LIKE 'budget.%' ORDER BY seq").map((r) => r.action),
    ['budget.create', 'budget.create', 'budget.change', 'budget.remove']);
  await weir.stop();
});

test('a budget that makes no sense is refused with the field that is wrong', async () => {
  const weir = await startWeir({ upstream: up });
  const base = { scope: 'all', window: 'day', limit_usd: 1 };
  const wrong = [
    [{ scope: 'team' }, 'scope'], [{ window: 'hour' }, 'window'], [{ limit_usd: -1 }, 'limit_usd'], [{ limit_usd: 1e9 }, 'limit_usd'],
    [{ limit_usd: '1' }, 'limit_usd'], [{ limit_usd: undefined }, 'limit_usd'], [{ tz: 'Mars/Base' }, 'tz'], [{ tz: '../etc/passwd' }, 'tz'],
    [{ warn: [0.8, 0.5] }, 'warn'], [{ warn: [1.5] }, 'warn'], [{ warn: [0] }, 'warn'], [{ warn: ['half'] }, 'warn'], [{ key: 'x' }, 'key'],
    [{ each: true }, 'each'], [{ scope: 'user' }, 'key'], [{ scope: 'user', key: 'usr_nobody' }, 'key'],
    [{ scope: 'user', key: 'usr_nobody', each: true }, 'key'], [{ scope: 'session', key: 'ses_none' }, 'key'], [{ color: 'red' }, 'color'],
  ];
  for (const [change, param] of wrong) {
    const e = assertError(await weir.post('/admin/budgets', { ...base, ...change }), 400, 'invalid_request_error');
    assert.equal(e.param, param, JSON.stringify(change));
  }
  assert.deepEqual((await weir.get('/admin/budgets')).json.items, []);
  await weir.stop();
});

test('1,000 parallel requests against a budget for 100: not a picodollar beyond it', async () => {
  const weir = await startWeir({ upstream: up, config: { queue: { max_size: 2000 } }, openai: { max_concurrent: 50 } });
  await up.reset();
  const ask = { model, message: '#lorem-20 parallel', max_tokens: 20 };
  const limit = 100 * await worst(weir, ask);
  const b = await budget(weir, { window: 'day', limit_usd: usd(limit) });
  const answers = await Promise.all(Array.from({ length: 1000 }, () => weir.post('/chat/complete', ask)));
  const ok = answers.filter((r) => r.status === 200), no = answers.filter((r) => r.status !== 200);
  assert.ok(ok.length >= 100, `${ok.length} were answered`);
  for (const r of no) {
    const e = assertError(r, 402, 'budget_exceeded', 'budget_exceeded');
    assert.equal(e.budget.id, b.budget_id);
    assert.ok(pico(e.budget.spent_usd) + pico(e.budget.reserved_usd) <= limit);
  }
  const spent = await billed();
  assert.ok(spent <= limit, `billed ${spent} of ${limit}`);
  assert.equal(ok.reduce((n, r) => n + pico(r.json.cost.total_usd), 0), spent);
  const after = await look(weir, b.budget_id);
  assert.deepEqual([pico(after.spent_usd), after.reserved_usd], [spent, 0]);
  await weir.stop();
});

test('a refusal says which budget, and what is spent, reserved and left', async () => {
  const weir = await startWeir({ upstream: up });
  const roomy = await budget(weir, { limit_usd: 100 });
  const b = await budget(weir, { scope: 'model', key: model, window: 'week', limit_usd: 0.0000001 });
  await up.reset();
  const r = await weir.post('/chat/complete', { model, message: 'too dear' });
  const e = assertError(r, 402, 'budget_exceeded', 'budget_exceeded');
  assert.deepEqual(Object.keys(e.budget), ['id', 'scope', 'window', 'limit_usd', 'spent_usd', 'reserved_usd', 'resets_at']);
  assert.deepEqual([e.budget.id, e.budget.scope, e.budget.window, e.budget.limit_usd, e.budget.spent_usd, e.budget.reserved_usd],
    [b.budget_id, 'model', 'week', 1e-7, 0, 0]);
  assert.equal(new Date(e.budget.resets_at).getUTCDay(), 1);
  const s = await weir.stream({ model, message: 'too dear' });
  assert.equal(s.status, 402);
  assert.equal((await up.judge()).calls, 0);
  assert.equal((await look(weir, roomy.budget_id)).reserved_usd, 0);
  assert.equal((await weir.post('/chat/complete', { message: 'hello', model: 'builtin/eliza' })).status, 200);
  await weir.stop();
});

test('max_tokens is lowered to what the budget pays for, and finish_reason says so', async () => {
  const weir = await startWeir({ upstream: up });
  await up.reset();
  const ask = { model, message: '#lorem-500 clamp' };
  const limit = await worst(weir, { ...ask, max_tokens: 40 });
  const b = await budget(weir, { limit_usd: usd(limit) });
  const s = await weir.stream(ask);
  await s.end();
  assertStream(s);
  const done = s.first('done');
  assert.equal(done.finish_reason, 'budget');
  assert.equal(done.usage.completion_tokens, 40);
  assertCost(done.cost);
  assert.ok(await billed() <= limit);
  const after = await look(weir, b.budget_id);
  assert.equal(pico(after.spent_usd), await billed());
  assert.equal(after.ledgers[0].warned, 0.95);
  const r = await weir.post('/chat/complete', ask);
  assert.ok(r.status === 402 || r.json.finish_reason === 'budget', r.text);
  assert.ok(await billed() <= limit);
  await weir.stop();
});

test('a stream whose provider does not keep to max_tokens is ended at the edge of its budget, cleanly', async () => {
  const weir = await startWeir({ upstream: up });
  await up.reset();
  const ask = { model, message: '#deaf-5-1000 edge' };
  const limit = await worst(weir, { ...ask, max_tokens: 40 });
  const b = await budget(weir, { limit_usd: usd(limit) });
  const s = await (await weir.stream(ask)).end();
  assertStream(s);
  const done = s.first('done'), rest = await waitFor('the provider to be hung up on', async () => {
    const j = await up.judge();
    return j.in_flight === 0 && j;
  });
  assert.deepEqual([s.terminals().length, done.finish_reason], [1, 'budget']);
  assert.ok(rest.completion_tokens > 40 && rest.completion_tokens < 200, `${rest.completion_tokens} of 1,000 were written`);
  const after = await look(weir, b.budget_id);
  assert.deepEqual([after.spent_usd, after.reserved_usd], [s.first('usage').cost.total_usd, 0]);
  assertError(await weir.post('/chat/complete', ask), 402, 'budget_exceeded');
  await weir.stop();
});

test('an estimate says what the budgets still pay for', async () => {
  const weir = await startWeir({ upstream: up });
  const ask = { model, message: 'how much?', max_tokens: 1000 };
  assert.equal((await weir.post('/chat/estimate', ask)).json.budget, null);
  await budget(weir, { limit_usd: 100 });
  const b = await budget(weir, { scope: 'model', each: true, window: 'day', limit_usd: usd(await worst(weir, { ...ask, max_tokens: 50 })) });
  const e = (await weir.post('/chat/estimate', ask)).json;
  assert.deepEqual([e.max_completion_tokens, e.fits, e.budget.id, e.budget.scope], [50, true, b.budget_id, 'model']);
  assert.equal(e.cost_high_usd, b.limit_usd);
  await weir.request('PATCH', `/admin/budgets/${b.budget_id}`, { limit_usd: 0 });
  assert.equal((await weir.post('/chat/estimate', ask)).json.fits, false);
  assert.equal((await weir.post('/chat/estimate', { ...ask, model: 'builtin/eliza' })).json.budget, null);
  await weir.stop();
});

test('an answer that ends by itself under a budget ends as usual', async () => {
  const weir = await startWeir({ upstream: up });
  await budget(weir, { limit_usd: 1 });
  const r = await weir.post('/chat/complete', { model, message: '#lorem-500 usual', max_tokens: 30 });
  assert.equal(r.json.finish_reason, 'length');
  const t = await weir.post('/chat/complete', { model, message: '#lorem-5 usual' });
  assert.equal(t.json.finish_reason, 'stop');
  await weir.stop();
});

test('what is reserved comes back when an answer is cancelled, refused or fails', async () => {
  const weir = await startWeir({ upstream: up, config: { retry: { max_retries: 0 } } });
  const b = await budget(weir, { scope: 'user', each: true, limit_usd: 1 });
  const s = await weir.stream({ model, message: '#slow-0-50-1000 cancelled' });
  await s.next('delta', 2);
  assert.ok((await look(weir, b.budget_id)).reserved_usd > 0);
  s.leave();
  await weir.settled(s.first('accepted').request_id);
  assert.equal((await weir.post('/chat/complete', { model, message: '#fault-500 fails' })).status, 502);
  assert.equal((await weir.post('/chat/complete', { model, message: '#fault-400 refused' })).status, 400);
  const after = await waitFor('nothing to be reserved', async () => {
    const x = await look(weir, b.budget_id);
    return x.reserved_usd === 0 && x;
  });
  const recorded = weir.sql('SELECT sum(cost_in + cost_out) AS cost FROM events')[0].cost;
  assert.equal(pico(after.spent_usd), recorded);
  await weir.stop();
});

test('a budget that is set while answers are running counts them, and one that is removed binds no more', async () => {
  const weir = await startWeir({ upstream: up });
  const first = await weir.post('/chat/complete', { model, message: '#lorem-10 before' });
  const s = await weir.stream({ model, message: '#slow-0-20-60 during', max_tokens: 60 });
  await s.next('delta', 2);
  const b = await budget(weir, { limit_usd: 0.00000001 });
  assert.equal(pico(b.spent_usd), pico(first.json.cost.total_usd));
  assert.ok(b.reserved_usd > 0);
  assertError(await weir.post('/chat/complete', { model, message: 'after' }), 402, 'budget_exceeded');
  await s.end();
  assert.equal(s.first('done').finish_reason, 'stop');
  const after = await look(weir, b.budget_id);
  assert.equal(pico(after.spent_usd), pico(first.json.cost.total_usd) + pico(s.first('done').cost.total_usd));
  assert.equal(after.reserved_usd, 0);
  assert.equal((await weir.request('DELETE', `/admin/budgets/${b.budget_id}`)).status, 204);
  assert.equal((await weir.post('/chat/complete', { model, message: 'free again' })).status, 200);
  await weir.stop();
});

test('every scope refuses what it counts and nothing else', async () => {
  const weir = await startWeir({ upstream: up });
  const ask = { model, message: '#lorem-5 scopes', max_tokens: 10 };
  const first = await weir.post('/chat/complete', ask);
  const me = (await weir.get('/app/me')).json.user_id;
  const token = weir.sql('SELECT token_id FROM tokens')[0].token_id;
  const session = first.json.session_id;
  const wide = [];
  for (const s of [{ scope: 'all' }, { scope: 'user', key: me }, { scope: 'model', each: true }, { scope: 'session', each: true }])
    wide.push(await budget(weir, { ...s, limit_usd: 1 }));     // several at once, each with room
  const scopes = [['all', undefined, ask, null], ['user', me, ask, null], ['session', session, { ...ask, session_id: session }, ask],
    ['model', model, ask, { ...ask, model: 'gpt-4o' }], ['token', token, ask, null]];
  for (const [scope, key, bound, free] of scopes) {
    const b = await budget(weir, { scope, key, limit_usd: 0 });
    const e = assertError(await weir.post('/chat/complete', bound), 402, 'budget_exceeded', 'budget_exceeded');
    assert.deepEqual([e.budget.id, e.budget.scope], [b.budget_id, scope]);
    if (free) assert.equal((await weir.post('/chat/complete', free)).status, 200, scope);
    assert.equal((await weir.request('DELETE', `/admin/budgets/${b.budget_id}`)).status, 204);
    assert.equal((await weir.post('/chat/complete', bound)).status, 200, scope);
  }
  const recorded = weir.sql('SELECT sum(cost_in + cost_out) AS cost FROM events')[0].cost;
  for (const b of wide) {
    const x = await look(weir, b.budget_id);
    assert.deepEqual([pico(x.spent_usd), x.reserved_usd], [b.scope === 'session' ? pico(x.spent_usd) : recorded, 0], b.scope);
    assert.equal(x.ledgers.reduce((n, l) => n + pico(l.spent_usd), 0), recorded, b.scope);
  }
  await weir.stop();
});

test('windows begin and end at midnight of their own time zone', async () => {
  const weir = await startWeir({ upstream: up });
  for (const tz of ['America/New_York', 'Asia/Kathmandu', 'Pacific/Auckland'])
    for (const window of ['day', 'week', 'month']) {
      const b = await budget(weir, { window, tz, limit_usd: 1 });
      const at = Object.fromEntries(new Intl.DateTimeFormat('en-GB', { timeZone: tz, weekday: 'short', day: 'numeric', hour: '2-digit',
        minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).formatToParts(new Date(b.resets_at)).map((p) => [p.type, p.value]));
      assert.deepEqual([at.hour, at.minute, at.second], ['00', '00', '00'], `${tz} ${window} ${b.resets_at}`);
      if (window === 'week') assert.equal(at.weekday, 'Mon');
      if (window === 'month') assert.equal(at.day, '1');
    }
  await weir.stop();
});

test('a warn level that is reached is seen in the list, in the live figures and on the dashboard', async () => {
  const weir = await startWeir({ upstream: up });
  const ask = { model, message: '#lorem-20 warned', max_tokens: 20 };
  const b = await budget(weir, { window: 'month', tz: 'UTC', limit_usd: usd(5 * await worst(weir, ask)), warn: [0.1, 0.3, 0.9] });
  const seen = async () => [
    (await look(weir, b.budget_id)).ledgers[0]?.warned ?? null,
    (await weir.get('/monitoring/live')).json.budgets.find((x) => x.id === b.budget_id).warned,
    /Month of everything[^]*?data-part="foot"[^>]*>(?:(\d+) % reached)?/.exec((await weir.get('/app/dashboard')).text)[1] ?? null,
  ];
  const reached = async (level, percent) => waitFor(`level ${level}`, async () => {
    const [list, live, page] = await seen();
    return list === level && live === level && page === percent;
  });
  await reached(null, null);
  await weir.post('/chat/complete', ask);
  await reached(0.1, '10');
  for (let i = 0; i < 2; i++) await weir.post('/chat/complete', ask);
  await reached(0.3, '30');
  await weir.stop();
});

test('a provider that claims more than was asked for is charged as claimed, flagged, and the budget it passed says so', async () => {
  const weir = await startWeir({ upstream: up });
  const ask = { model, message: '#fault-usage-more claims', max_tokens: 20 };
  const limit = 2 * await worst(weir, ask);
  const b = await budget(weir, { limit_usd: usd(limit) });
  const s = await (await weir.stream(ask)).end();
  const row = await weir.settled(s.first('accepted').request_id);
  assert.deepEqual([row.completion, row.suspect], [1000, 1]);
  const after = await look(weir, b.budget_id);
  assert.equal(pico(after.spent_usd), row.cost_in + row.cost_out);
  assert.ok(pico(after.spent_usd) > limit, 'nobody is told that it was kept');
  assertError(await weir.post('/chat/complete', ask), 402, 'budget_exceeded', 'budget_exceeded');
  await weir.stop();
});

test('1,000 parallel requests with kill -9 in between: not a picodollar beyond a budget for 100, and what may have been spent unseen is reserved', async () => {
  const weir = await startWeir({ upstream: up, config: { queue: { max_size: 2000 } }, openai: { max_concurrent: 50 } });
  await up.reset();
  const ask = { model, message: '#slow-0-5-40 killed', max_tokens: 40 };
  const limit = 100 * await worst(weir, ask);
  const b = await budget(weir, { window: 'month', limit_usd: usd(limit) });
  const slow = { ...ask, message: '#slow-0-500-40 killed' };         // worth as much, and under way however late the end comes
  const gone = Array.from({ length: 500 }, (_, i) => weir.post('/chat/complete', i % 5 ? ask : slow).catch(() => null));
  await waitFor('some to be answered and others to run', async () => (await up.judge()).by_status[200] >= 60);
  await weir.kill('SIGKILL');
  await Promise.all(gone);
  await weir.start();
  const back = await look(weir, b.budget_id);
  const recorded = weir.sql('SELECT sum(cost_in + cost_out) AS cost FROM events')[0].cost;
  assert.equal(pico(back.spent_usd), recorded);
  assert.ok(pico(back.spent_usd) + pico(back.reserved_usd) >= await billed(), 'what was billed is spent or reserved');
  const [cut] = weir.sql("SELECT count(*) AS n, sum(max_tokens - completion) AS most FROM events WHERE error = (SELECT id FROM words WHERE text = 'interrupted') AND estimated = 1");
  assert.ok(cut.n > 0, 'some ran');
  assert.equal(pico(back.reserved_usd), cut.most * RATE_OUT, 'each that ran may have had the whole rest of its answer');
  assert.equal(back.interrupted_usd, back.reserved_usd);
  assert.ok(pico(back.spent_usd) + pico(back.reserved_usd) <= limit, 'what waited when it was killed is not');
  await Promise.all(Array.from({ length: 500 }, () => weir.post('/chat/complete', ask)));
  assert.ok(await billed() <= limit, `billed ${await billed()} of ${limit}`);
  const before = await look(weir, b.budget_id);
  await weir.restart();
  const after = await look(weir, b.budget_id);
  assert.deepEqual([after.spent_usd, after.reserved_usd], [before.spent_usd, before.reserved_usd]);
  await weir.stop();
});

test('after kill -9 a call is spent as its record says; what it may have cost beyond is reserved for an hour, also in a budget without an end', async (t) => {
  if (!fs.existsSync(preload)) return t.skip('not in a build with a sanitizer');
  await up.reset();
  const control = new Control(), weir = await startWeir({ upstream: up, env: control.env });
  const ask = { model, message: '#slow-0-20-400 killed in mid-answer', max_tokens: 400 }, most = await worst(weir, ask);
  const b = await budget(weir, { limit_usd: usd(most + 1000 * RATE_OUT) });
  const s = await weir.stream(ask);
  const marked = () => weir.sql('SELECT completion FROM events')[0].completion > 0;
  await waitFor('a mark of the running answer', marked);
  await weir.kill('SIGKILL');
  await weir.start();
  const [r] = weir.sql('SELECT id >> 20 AS at_ms, counted, completion, cost_in, cost_out, estimated FROM events');
  const back = await look(weir, b.budget_id);
  assert.deepEqual([r.cost_in, r.cost_out, r.estimated], [r.counted * RATE_IN, r.completion * RATE_OUT, 1]);
  assert.ok(r.completion > 0 && r.completion < 400, `${r.completion}`);
  assert.equal(pico(back.spent_usd), r.cost_in + r.cost_out);
  assert.equal(pico(back.spent_usd) + pico(back.reserved_usd), most, 'never more than was set aside');
  assert.equal(back.interrupted_usd, back.reserved_usd);
  const until = Date.parse(back.interrupted_until);
  assert.ok(Math.abs(until - r.at_ms - 3600e3) < 1000, back.interrupted_until);
  assert.ok(await billed() <= most, 'what was billed is spent or reserved');
  const room = async () => (await weir.post('/chat/estimate', { ...ask, max_tokens: 2000 })).json.max_completion_tokens;
  const bound = await room();

  control.calendar(3600);
  const free = await waitFor('the hour to be over', async () => {
    const x = await look(weir, b.budget_id);
    return x.reserved_usd === 0 && x;
  });
  assert.deepEqual([pico(free.spent_usd), free.interrupted_usd, free.interrupted_until], [r.cost_in + r.cost_out, 0, null]);
  assert.equal(await room(), bound + 400 - r.completion, 'it may be spent again');
  await weir.restart();
  const again = await look(weir, b.budget_id);
  assert.deepEqual([again.spent_usd, again.reserved_usd], [free.spent_usd, 0]);
  s.leave();
  await weir.stop();
});

test('a model without a price is refused where a budget applies, unless a fallback price is set', async () => {
  const unknown = 'lorem-20';
  const weir = await startWeir({ upstream: up });
  assert.equal((await weir.post('/chat/complete', { model: unknown, message: 'no budget' })).json.cost.priced, false);
  const b = await budget(weir, { scope: 'model', each: true, window: 'day', limit_usd: 1 });
  const r = await weir.post('/chat/complete', { model: unknown, message: 'budget' });
  assertError(r, 402, 'unpriced_model', 'unpriced_model');
  const s = await weir.stream({ model: unknown, message: 'budget' });
  assert.equal(s.status, 402);
  assertErrorObject(s.json.error, 'unpriced_model', 'unpriced_model');
  await weir.request('DELETE', `/admin/budgets/${b.budget_id}`);
  await weir.stop();

  const other = await startWeir({ upstream: up, config: { fallback_price: { input: 1000000, output: 2000000 } } });
  const c = await budget(other, { limit_usd: 1 });
  const t = await other.post('/chat/complete', { model: unknown, message: 'fallback' });
  assert.equal(t.status, 200, t.text);
  const cost = t.json.usage.prompt_tokens * 1000000 + t.json.usage.completion_tokens * 2000000;
  assert.equal(pico(t.json.cost.total_usd), cost);
  assert.equal(pico((await look(other, c.budget_id)).spent_usd), cost);
  await other.stop();
});
