// /operations: leases for metered services that others call – acquire, settle, batch – with their limits, prices, budgets and
// records, over kill -9 and restart.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { addUser, build, request, startUpstream, startWeir, test, top, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({
  upstream: up,
  others: [
    { name: 'search', protocol: 'operation', price: { unit_usd: 0.001, input: 150000, output: 600001 } },
    { name: 'sheets', protocol: 'operation', limits: { requests_per_minute: 100 }, burst: 60 },
    { name: 'rows', protocol: 'operation', limits: { units_per_minute: 50 }, burst: 60, reserve: 0, price: { unit_usd: 3e-12 } },
    { name: 'push', protocol: 'operation', max_concurrent: 1 },
    { name: 'short', protocol: 'operation', lease: 0.3, price: { unit_usd: 0.5 } },
  ],
});
const acquire = (body, headers) => weir.post('/operations/acquire', { name: 'web/search', upstream: 'search', ...body }, headers);
const settle = (id, body, headers) => weir.post(`/operations/${id}/settle`, body, headers);
// What is shown of an upstream, as soon as it has these members: pictures of the engine are up to 100 ms old.
const limiter = (name, has) => waitFor(`${name} to have ${JSON.stringify(has)}`, async () => {
  const u = (await weir.get('/monitoring/rate-limits')).json.upstreams.find((x) => x.name === name);
  return Object.entries(has).every(([k, v]) => u[k] === v) && u;
});
const verify = () => assert.match(execFileSync(path.join(build, 'weir'), ['verify'], { env: weir.env, cwd: top, encoding: 'utf8' }), /holds|adds up/i);
const usd = (pico) => Number(pico) / 1e12;

// Acquire that must be granted; gives its id.
async function lease(body, headers) {
  const r = await acquire(body, headers);
  assert.equal(r.status, 200, r.text);
  return r.json.lease_id;
}

test('a lease is given, settled at the price of units and tokens to the picodollar, and is a record like any other', async () => {
  const before = Date.now();
  const r = await acquire({ input_tokens: 100, output_tokens: 10, units: 30, priority: 'High', wait_ms: 1000 });
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(Object.keys(r.json), ['lease_id', 'waited_ms', 'expires_at']);
  assert.ok(r.json.waited_ms >= 0 && r.json.waited_ms < 1000);
  const expires = Date.parse(r.json.expires_at);
  assert.ok(expires >= before + 300000 && expires <= Date.now() + 300000, r.json.expires_at);
  assert.equal(weir.record(r.json.lease_id).state, 'sent');
  await limiter('search', { running: 1 });

  const s = await settle(r.json.lease_id, { status: 'success', input_tokens: 7, output_tokens: 3, units: 25 });
  assert.equal(s.status, 200, s.text);
  const pico = 25n * 1000000000n + 7n * 150000n + 3n * 600001n;
  const { duration_ms: took, waited_ms: waited, ...said } = s.json;
  assert.deepEqual(said, { lease_id: r.json.lease_id, name: 'web/search', upstream: 'search', status: 'success', input_tokens: 7, output_tokens: 3, units: 25,
    estimated: false, cost_usd: usd(pico) });
  assert.ok(took >= 0 && waited === r.json.waited_ms);
  const row = weir.sql(`SELECT cost_in + cost_out AS cost, units, (SELECT count(*) FROM leases) AS leases FROM events WHERE request_id = '${r.json.lease_id}'`)[0];
  assert.deepEqual([BigInt(row.cost), row.units, row.leases], [pico, 25, 0]);
  await limiter('search', { running: 0 });

  const again = await settle(r.json.lease_id, { status: 'failed', units: 1, error: 'changed my mind' });
  assert.deepEqual([again.status, again.json], [200, s.json], 'a second settle repeats the first answer');

  const h = (await weir.get('/monitoring/history?upstream=search')).json.items[0];
  assert.deepEqual([h.request_id, h.model, h.upstream, h.api_endpoint, h.status, h.priority, h.usage.units, h.usage.prompt_tokens, h.cost.total_usd],
    [r.json.lease_id, 'web/search', 'search', '/operations/acquire', 'success', 'High', 25, 7, usd(pico)]);
  const c = (await weir.get('/monitoring/cost-breakdown')).json;
  assert.deepEqual([c.by_upstream[0].key, c.by_upstream[0].cost_usd, c.by_model[0].key, c.by_endpoint[0].key], ['search', usd(pico), 'web/search', '/operations/acquire']);
  const csv = (await weir.get('/monitoring/export?format=csv&upstream=search')).text.trim().split('\r\n').map((l) => l.split(','));
  assert.equal(csv[1][csv[0].indexOf('units')], '25');
  assert.equal((await weir.get(`/monitoring/requests/${r.json.lease_id}`)).json.usage.units, 25);
});

test('what the settlement does not say is as it was estimated; a failure is recorded with its words', async () => {
  const id = await lease({ units: 4, input_tokens: 2 });
  const s = await settle(id, { status: 'failed', error: 'quota of the "day" is used up' });
  assert.deepEqual([s.json.status, s.json.units, s.json.input_tokens, s.json.estimated, s.json.cost_usd], ['failed', 4, 2, false, usd(4n * 1000000000n + 300000n)]);
  const row = weir.record(id);
  assert.deepEqual([row.status, row.error_code, JSON.parse(row.metadata)], ['error', 'operation_failed', { error: 'quota of the "day" is used up' }]);
});

test('bad input names the field', async () => {
  for (const [body, param, status, code] of [
    [{ name: undefined }, 'name', 400, 'missing_field'], [{ name: '' }, 'name', 400, 'out_of_range'], [{ name: 7 }, 'name', 400, 'invalid_field'],
    [{ name: 'a b' }, 'name', 400, 'invalid_field'], [{ name: 'x'.repeat(65) }, 'name', 400, 'out_of_range'],
    [{ upstream: undefined }, 'upstream', 400, 'missing_field'], [{ upstream: 'nobody' }, 'upstream', 404, 'not_found'], [{ upstream: 'openai' }, 'upstream', 400, 'invalid_field'],
    ...['input_tokens', 'output_tokens', 'units', 'wait_ms'].flatMap((f) => [[{ [f]: -1 }, f, 400, 'out_of_range'], [{ [f]: 1.5 }, f, 400, 'invalid_field'],
      [{ [f]: '3' }, f, 400, 'invalid_field'], [{ [f]: 1e12 }, f, 400, 'out_of_range']]),
    [{ priority: 'Urgent' }, 'priority', 400, 'invalid_field'], [{ session_id: 'ses_nobody' }, 'session_id', 404, 'not_found'], [{ unit: 3 }, 'unit', 400, 'unknown_field'],
  ]) {
    const r = await acquire(body);
    assert.deepEqual([r.status, r.json.error.param, r.json.error.code], [status, param, code], JSON.stringify(body));
    assertError(r, status);
  }
  const id = await lease({});
  for (const [body, param, code] of [[{}, 'status', 'missing_field'], [{ status: 'done' }, 'status', 'invalid_field'], [{ status: 'success', units: -1 }, 'units', 'out_of_range'],
    [{ status: 'success', input_tokens: 'x' }, 'input_tokens', 'invalid_field'], [{ status: 'success', output_tokens: 1e10 }, 'output_tokens', 'out_of_range'],
    [{ status: 'failed', error: 'x'.repeat(501) }, 'error', 'out_of_range'], [{ status: 'success', cost: 3 }, 'cost', 'unknown_field']]) {
    const r = await settle(id, body);
    assert.deepEqual([r.status, r.json.error.param, r.json.error.code], [400, param, code], JSON.stringify(body));
  }
  assert.equal((await settle(id, { status: 'success' })).status, 200);
  assert.equal((await weir.post('/operations/batch', { operations: [] })).json.error.param, 'operations');
  assert.equal((await weir.post('/operations/batch', { operations: [{ name: 'a', upstream: 'search' }, { name: 'b', upstream: 'search', units: -3 }] })).json.error.param, 'operations[1].units');
  assert.equal(weir.records('e.state < 2').length, 0);
});

test('a lease is its owner’s alone', async () => {
  const other = await addUser(weir, 'other');
  const id = await lease({ units: 1 });
  for (const r of [await settle(id, { status: 'success' }, other), await settle('req_0000000000000000000000', { status: 'success' })]) {
    assertError(r, 404, 'not_found');
  }
  assert.equal((await settle(id, { status: 'success' })).status, 200);
  assert.equal((await settle(id, { status: 'success' }, other)).status, 404, 'nor is its end');
  assert.equal((await request({ port: weir.port, method: 'POST', path: '/operations/acquire', body: { name: 'a', upstream: 'search' } })).status, 401);
});

test('a budget holds the estimate, refuses what would pass it, and counts what was settled', async () => {
  const who = await addUser(weir, 'frugal'), { user_id } = (await weir.get('/app/me', who)).json;
  assert.equal((await weir.post('/admin/budgets', { scope: 'user', key: user_id, window: 'day', limit_usd: 0.01 })).status, 201);
  const id = await lease({ units: 6 }, who);
  const no = await acquire({ units: 5 }, who);
  assert.deepEqual([no.status, no.json.error.code, no.json.error.budget.reserved_usd], [402, 'budget_exceeded', 0.006]);
  assert.equal((await settle(id, { status: 'success', units: 5 }, who)).status, 200);
  assert.equal((await settle(await lease({ units: 5 }, who), { status: 'success' }, who)).status, 200);
  assert.equal((await acquire({ units: 1 }, who)).json.error.budget.spent_usd, 0.01);
});

test('a lease that is not settled expires at its estimate', async () => {
  const r = await acquire({ upstream: 'short', units: 2 });
  const row = await weir.settled(r.json.lease_id);
  assert.deepEqual([row.status, row.error_code, row.estimated, row.cost_in, row.units], ['timeout', 'expired', 1, 1e12, 2]);
  const late = await settle(r.json.lease_id, { status: 'success', units: 0 });
  assert.deepEqual([late.status, late.json.status, late.json.estimated, late.json.cost_usd], [200, 'expired', true, 1]);
});

test('limits: units are counted, the wait is foretold, and what was not used is given back', async () => {
  const id = await lease({ upstream: 'rows', units: 50 });
  const no = await acquire({ upstream: 'rows', units: 10, wait_ms: 500 });
  assert.deepEqual([no.status, no.json.error.code], [429, 'queue_timeout']);
  assert.ok(no.json.error.retry_after_ms > 500, no.text);
  assert.equal((await acquire({ upstream: 'rows', units: 51 })).json.error.code, 'request_too_large_for_limit');
  const waits = acquire({ upstream: 'rows', units: 10, wait_ms: 100000 });
  await limiter('rows', { waiting: 1 });
  const s = await settle(id, { status: 'success', units: 3 });
  assert.equal(s.json.cost_usd, 9e-12);
  const r = await waits;
  assert.equal(r.status, 200, r.text);
  assert.ok(r.json.waited_ms >= 0);
  const { dimensions, mean_wait_ms, waited_ms } = await limiter('rows', { calls: 2, waiting: 0 });
  assert.deepEqual([dimensions.tokens_per_minute.limit, dimensions.tokens_per_minute.used + dimensions.tokens_per_minute.reserved, dimensions.tokens_per_minute.remaining], [50, 13, 37]);
  assert.equal(dimensions.tokens_per_minute.bucket.capacity, 50);
  assert.ok(dimensions.tokens_per_minute.bucket.left >= 37 && mean_wait_ms * 2 >= waited_ms);
  await settle(r.json.lease_id, { status: 'success', units: 10 });
});

test('one saturated upstream does not delay another', async () => {
  const first = await lease({ upstream: 'push' });
  const waits = acquire({ upstream: 'push', wait_ms: 60000, name: 'git-push' });
  await limiter('push', { waiting: 1 });
  const elsewhere = await Promise.all([1, 2, 3].map(() => acquire({ upstream: 'sheets', name: 'sheet', wait_ms: 0 })));
  for (const r of elsewhere) assert.equal(r.status, 200, r.text);
  assert.equal((await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: 'hello' })).status, 200);
  await limiter('push', { waiting: 1 });
  assert.equal((await acquire({ upstream: 'push', wait_ms: 0 })).status, 429);
  await settle(first, { status: 'success' });
  const second = await waits;
  assert.equal(second.status, 200, second.text);
  assert.ok(second.json.waited_ms > 0);
  for (const r of [...elsewhere, second]) await settle(r.json.lease_id, { status: 'success' });
});

test('who leaves while waiting loses the place, not a lease', async () => {
  const first = await lease({ upstream: 'push' });
  await assert.rejects(request({ port: weir.port, method: 'POST', path: '/operations/acquire', headers: weir.headers, timeout: 200,
    body: { name: 'left', upstream: 'push' } }));
  const row = await waitFor('its record', () => weir.records("m.text = 'left'")[0]?.state === 'settled' && weir.records("m.text = 'left'")[0]);
  assert.deepEqual([row.status, row.cost_in], ['cancelled', 0]);
  await settle(first, { status: 'success' });
});

test('a batch acquires in turn and tells of each', async () => {
  const r = await weir.post('/operations/batch', { operations: [{ name: 'a', upstream: 'search', units: 1 }, { name: 'b', upstream: 'push' },
    { name: 'c', upstream: 'push', wait_ms: 0 }, { name: 'd', upstream: 'sheets' }] });
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.json.operations.map((o) => o.error?.code ?? 'granted'), ['granted', 'granted', 'queue_timeout', 'granted']);
  const given = r.json.operations.filter((o) => o.lease_id);
  assert.equal(new Set(given.map((o) => o.lease_id)).size, 3);
  for (const o of given) assert.equal((await settle(o.lease_id, { status: 'success' })).status, 200);
  const refused = await weir.post('/operations/batch', { operations: [{ name: 'z', upstream: 'rows', units: 50, wait_ms: 0 }] });
  assert.equal(refused.json.operations[0].error.code, 'queue_timeout', 'the last of them is refused');

  const first = await lease({ upstream: 'push' });
  await assert.rejects(request({ port: weir.port, method: 'POST', path: '/operations/batch', headers: weir.headers, timeout: 300,
    body: { operations: [{ name: 'e', upstream: 'search', units: 9 }, { name: 'f', upstream: 'push' }] } }));
  const row = await waitFor('what was granted to be given back', () => weir.records("m.text = 'e'")[0]?.state === 'settled' && weir.records("m.text = 'e'")[0]);
  assert.deepEqual([row.status, row.cost_in, row.units], ['cancelled', 0, 0]);
  await settle(first, { status: 'success' });
});

test('leases outlive kill -9 and a restart: money and place are held again, each is settled or expires once', async () => {
  const who = await addUser(weir, 'steady'), { user_id } = (await weir.get('/app/me', who)).json;
  await weir.post('/admin/budgets', { scope: 'user', key: user_id, window: 'day', limit_usd: 1 });
  const held = await lease({ units: 700 }, who);
  const place = await lease({ upstream: 'push', session_id: (await weir.post('/chat/sessions', {})).json.session_id });
  const short = await lease({ upstream: 'short', units: 1, name: 'dies' });
  await weir.kill();
  verify();
  await weir.start();
  assert.equal((await acquire({ units: 400 }, who)).json.error.budget.reserved_usd, 0.7);
  await limiter('push', { running: 1 });
  assert.equal((await acquire({ upstream: 'push', wait_ms: 0 })).status, 429);
  assert.equal((await weir.settled(short)).error_code, 'expired');
  const began = performance.now();
  await weir.restart();
  assert.ok(performance.now() - began < 15000, 'a lease does not hold up the stop');
  await limiter('push', { running: 1 });
  const s = await settle(held, { status: 'success', units: 650 }, who);
  assert.deepEqual([s.status, s.json.cost_usd, s.json.estimated], [200, 0.65, false]);
  assert.ok(s.json.duration_ms > 0);
  assert.equal((await settle(place, { status: 'success' })).status, 200);
  await limiter('push', { running: 0 });
  const busy = await lease({ upstream: 'push' }), waits = acquire({ upstream: 'push', name: 'waits' });
  await waitFor('it to be recorded', () => weir.records("m.text = 'waits'").length === 1);
  await weir.kill();
  assert.ok((await waits).status >= 500);
  await weir.start();
  assert.deepEqual(weir.records("m.text = 'waits'").map((r) => [r.state, r.status, r.units, r.cost_in]), [['settled', 'cancelled', 0, 0]], 'what only waited is closed');
  assert.equal((await settle(busy, { status: 'success' })).status, 200);
  assert.deepEqual((await settle(held, { status: 'failed' }, who)).json, s.json);
  assert.equal((await acquire({ units: 351 }, who)).json.error.budget.spent_usd, 0.65);
  assert.equal(weir.records(`e.request_id IN ('${held}', '${place}', '${short}')`).filter((r) => r.state === 'settled').length, 3);
});

test('the ledger adds up after all this', async () => {
  verify();
  const sums = weir.sql('SELECT (SELECT sum(cost_in + cost_out) FROM events) AS events, (SELECT sum(cost_in + cost_out) FROM rollups) AS rollups, (SELECT count(*) FROM leases) AS leases')[0];
  assert.deepEqual([sums.events, sums.leases], [sums.rollups, 0]);
});

// A Weir of its own, and what asks it.
async function ownWeir() {
  const own = await startWeir({ upstream: up, others: [{ name: 'sheets', protocol: 'operation' }, { name: 'push', protocol: 'operation', max_concurrent: 1 },
    { name: 'dear', protocol: 'operation', price: { unit_usd: 1 } }] });
  const ask = (where, body, headers, more) => request({ port: own.port, method: 'POST', path: `/operations/${where}`, body, headers: { ...own.headers, ...headers }, ...more });
  return { own, ask, acquire: (body, headers, more) => ask('acquire', { name: 'web/search', ...body }, headers, more),
    batch: (operations, headers, more) => ask('batch', { operations }, headers, more), settle: (id, body = { status: 'success' }) => ask(`${id}/settle`, body),
    leases: () => own.sql('SELECT count(*) AS n FROM events WHERE units IS NOT NULL OR state = 1')[0].n };
}
const key = (k) => ({ 'Idempotency-Key': k });
const granted = (what, ask) => waitFor(what, async () => {
  const r = await ask();
  return r.status === 200 && r;
});

test('an acquisition that is sent again with its Idempotency-Key is the same lease, while it runs, after its end and over kill -9', async () => {
  const { own, acquire, settle, leases } = await ownWeir(), ask = { units: 3, upstream: 'sheets' };
  const before = leases();
  const all = await Promise.all(Array.from({ length: 8 }, () => acquire(ask, key('once'))));
  const given = all.filter((r) => r.status === 200);
  for (const r of all) if (r.status !== 200) assertError(r, 409, null, 'idempotency_in_progress');
  assert.equal(new Set(given.map((r) => r.json.lease_id)).size, 1, all.map((r) => r.text).join());
  assert.equal(leases(), before + 1);
  const { lease_id } = given[0].json;
  const again = await acquire(ask, key('once'));
  assert.deepEqual([again.json, again.headers['idempotent-replayed']], [given[0].json, 'true']);
  assertError(await acquire({ ...ask, units: 4 }, key('once')), 422, null, 'idempotency_mismatch');
  await own.kill();
  await own.start();
  assert.deepEqual((await acquire(ask, key('once'))).json, given[0].json, 'it outlives a kill, as the lease does');
  assert.equal((await settle(lease_id, { status: 'success', units: 2 })).status, 200);
  assert.equal((await acquire(ask, key('once'))).json.lease_id, lease_id);
  assert.equal(leases(), before + 1);
  // What was never granted may be asked for anew.
  const taken = (await acquire({ upstream: 'push' })).json.lease_id;
  assertError(await acquire({ upstream: 'push', wait_ms: 1 }, key('waits')), 429, null, 'queue_timeout');
  await assert.rejects(acquire({ upstream: 'push' }, key('leaves'), { timeout: 200 }));
  await settle(taken);
  for (const [k, more] of [['waits', { wait_ms: 1 }], ['leaves', {}]]) {
    const late = await granted('the key to be free', () => acquire({ upstream: 'push', ...more }, key(k)));
    await settle(late.json.lease_id);
  }
  // A lease and what is said of it are one transaction: where one cannot be stored, there is neither.
  const database = path.join(own.state, 'weir.db'), run = (sql) => execFileSync('sqlite3', ['-cmd', '.timeout 5000', database, sql]);
  const given_before = leases();
  run("CREATE TRIGGER unkept BEFORE UPDATE ON idempotency BEGIN SELECT RAISE(ABORT, 'it cannot be kept'); END");
  assertError(await acquire(ask, key('neither')), 409, 'conflict');
  assert.equal(leases(), given_before);
  run('DROP TRIGGER unkept');
  await settle((await granted('the key to be free', () => acquire(ask, key('neither')))).json.lease_id);
  await own.stop();
});

test('a batch of acquisitions that is sent again with its Idempotency-Key is the same leases', async () => {
  const { own, acquire, batch, settle, leases } = await ownWeir();
  const list = [{ name: 'a', upstream: 'sheets', units: 2 }, { name: 'b', upstream: 'push' }, { name: 'c', upstream: 'push', wait_ms: 0 }, { name: 'd', upstream: 'sheets' }];
  const before = leases();
  const all = await Promise.all(Array.from({ length: 8 }, () => batch(list, key('many'))));
  const given = all.filter((r) => r.status === 200);
  for (const r of all) if (r.status !== 200) assertError(r, 409, null, 'idempotency_in_progress');
  assert.equal(new Set(given.map((r) => r.text)).size, 1, all.map((r) => r.text).join());
  assert.deepEqual(given[0].json.operations.map((o) => o.error?.code ?? 'granted'), ['granted', 'granted', 'queue_timeout', 'granted']);
  assert.equal(leases(), before + 3);
  const again = await granted('the answer to be kept', () => batch(list, key('many')));
  assert.deepEqual([again.json, again.headers['idempotent-replayed']], [given[0].json, 'true']);
  assertError(await batch(list.slice(1), key('many')), 422, null, 'idempotency_mismatch');
  assertError(await batch(list, key('no spaces')), 400, null, 'invalid_field');
  await own.kill();
  await own.start();
  assert.deepEqual((await batch(list, key('many'))).json, given[0].json, 'it outlives a kill, as the leases do');
  const ids = given[0].json.operations.filter((o) => o.lease_id).map((o) => o.lease_id);
  for (const id of ids) assert.equal((await settle(id)).status, 200);
  assert.deepEqual((await batch(list, key('many'))).json, given[0].json);
  assert.equal(leases(), before + 3);

  // The first comes to nothing before it is even accepted: the key goes with the second.
  const { user_id } = (await own.get('/app/me')).json;
  await own.post('/admin/budgets', { scope: 'user', key: user_id, window: 'day', limit_usd: 0.5 });
  const dear = [{ name: 'none', upstream: 'dear', units: 1 }, { name: 'one', upstream: 'sheets' }], part = await batch(dear, key('part'));
  assert.deepEqual(part.json.operations.map((o) => o.error?.code ?? 'granted'), ['budget_exceeded', 'granted'], part.text);
  assert.deepEqual((await granted('the answer to be kept', () => batch(dear, key('part')))).json, part.json);
  await own.kill();
  await own.start();
  assert.deepEqual((await batch(dear, key('part'))).json, part.json);
  assert.equal((await settle(part.json.operations[1].lease_id)).status, 200);

  // Nobody has heard of what was granted to one who left: it is given back, and the key is free, as where nothing was granted.
  const taken = (await acquire({ upstream: 'push' })).json.lease_id;
  const two = [{ name: 'e', upstream: 'sheets' }, { name: 'f', upstream: 'push' }], none = [{ name: 'g', upstream: 'push', wait_ms: 1 }];
  await assert.rejects(batch(two, key('left'), { timeout: 300 }));
  assert.equal((await batch(none, key('none'))).json.operations[0].error.code, 'queue_timeout');
  await waitFor('what was granted to be given back', () => own.records("m.text = 'e'")[0]?.state === 'settled');
  await settle(taken);
  for (const [operations, k] of [[two, 'left'], [none, 'none']]) {
    const late = await granted('the key to be free', () => batch(operations, key(k)));
    assert.equal(late.headers['idempotent-replayed'], undefined);
    for (const o of late.json.operations) assert.equal((await settle(o.lease_id)).status, 200, late.text);
  }
  assert.match(execFileSync(path.join(build, 'weir'), ['verify'], { env: own.env, cwd: top, encoding: 'utf8' }), /holds|adds up/i);
  await own.stop();
});
