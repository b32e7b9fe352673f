// Reading the configuration again: what is right takes effect without dropping anything, what is wrong changes nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { build, freePort, run, startUpstream, startWeir, test, unlimited, waitFor } from './harness.mjs';
import { assertError, assertStream } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const pico = (usd) => Math.round(usd * 1e12);
const entry = (more = {}) => ({ name: 'openai', base_url: up.url, api_key: 'sk-e2e-canary', models: [model], ...more,
  limits: { ...unlimited, ...more.limits } });
const started = (config) => startWeir({ config: { upstreams: [entry()], ...config } });

const reload = (weir, config) => {
  if (config !== undefined) weir.writeConfig(config);
  return weir.post('/admin/reload');
};
const applied = async (weir, config) => {
  const r = await reload(weir, config);
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(Object.keys(r.json), ['config', 'changed', 'needs_restart', 'prices']);
  return r.json;
};
const change = (list, key) => list.find((c) => c.key === key);
const metric = async (weir, name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await weir.get('/metrics')).text)[1]);
const hash = async (weir) => /weir_config_info\{hash="([0-9a-f]{16})"/.exec((await weir.get('/metrics')).text)[1];
const limits = async (weir, name = 'openai') => (await weir.get('/monitoring/rate-limits')).json.upstreams.find((u) => u.name === name);
const now = async (weir) => (await weir.get('/monitoring/queue-status')).json.now;

test('a reload says what it changed, what needs a restart, and shows no key', async () => {
  const weir = await started({});
  const first = await applied(weir);
  assert.deepEqual([first.changed, first.needs_restart, first.config.version], [[], [], 1]);
  const r = await applied(weir, {
    queue: { max_size: 7 }, http: { acceptors: 3 }, log: { level: 'debug' },
    upstreams: [entry({ api_key: 'sk-e2e-other', max_concurrent: 5, limits: { requests_per_minute: 77 } })],
  });
  assert.deepEqual(change(r.changed, 'queue.max_size'), { key: 'queue.max_size', old: 1000, new: 7 });
  assert.deepEqual(change(r.changed, 'upstreams.openai.max_concurrent'), { key: 'upstreams.openai.max_concurrent', old: 32, new: 5 });
  assert.deepEqual(change(r.changed, 'upstreams.openai.api_key'), { key: 'upstreams.openai.api_key', old: '(not shown)', new: '(not shown)' });
  assert.deepEqual(r.needs_restart, [{ key: 'http.acceptors', old: 8, new: 3 }]);
  assert.equal(r.config.version, 2);
  assert.notEqual(r.config.hash, first.config.hash);
  assert.equal(await hash(weir), r.config.hash);
  assert.equal((await limits(weir)).dimensions.requests_per_minute.limit, 77);
  assert.deepEqual((await applied(weir)).needs_restart, r.needs_restart, 'named until the restart');
  assert.equal(await metric(weir, 'weir_config_reloads_total'), 3);
  assert.ok(await metric(weir, 'weir_config_last_reload_success_timestamp_seconds') > Date.now() / 1000 - 60);
  const rows = weir.sql("SELECT * FROM audit WHERE action = 'config.reload' ORDER BY 1");
  assert.equal(rows.length, 3);
  assert.match(JSON.stringify(rows), /queue\.max_size/);
  for (const text of [JSON.stringify(r), JSON.stringify(rows), weir.program.output]) assert.doesNotMatch(text, /sk-e2e/);
  assertError(await weir.post('/admin/reload', { now: true }), 400, 'invalid_request_error', 'unknown_field');
  await weir.stop();
});

test('SIGHUP does the same', async () => {
  const weir = await started({});
  weir.writeConfig({ upstreams: [entry({ limits: { requests_per_minute: 55 } })] });
  weir.program.child.kill('SIGHUP');
  await waitFor('the new limit', async () => (await limits(weir)).dimensions.requests_per_minute?.limit === 55);
  weir.writeConfig({ upstreams: [entry({ limits: { requests_per_minute: -5 } })] });
  weir.program.child.kill('SIGHUP');
  await waitFor('the failure to be counted', async () => await metric(weir, 'weir_config_reload_failed_total') === 1);
  assert.match(weir.program.output, /"level":"error","msg":"config: .*weir\.json: upstreams\[0\]\.limits\.requests_per_minute is .*-5/);
  assert.equal((await limits(weir)).dimensions.requests_per_minute.limit, 55);
  await waitFor('the audit log', () => weir.sql("SELECT actor FROM audit WHERE action = 'config.reload'").length === 1);
  assert.equal((await weir.post('/chat/complete', { model, message: 'after SIGHUP' })).status, 200);
  await weir.stop();
});

// Every way in which one value of a configuration can be wrong, over the leaves of `good`; the refusal names its key, or the line.
const good = {
  http: { address: '127.0.0.1', max_body_bytes: 1048576, acceptors: 8, hosts: ['127.0.0.1', 'localhost'] },
  queue: { max_size: 100, max_wait: 60 }, retry: { budget: 0.1, max_retries: 5, base_delay: 1, max_delay: 300 },
  drain: 30, fallback_price: { input: 1, output: 1 }, builtin: { words_per_second: 25 }, log: { level: 'info' },
  max_concurrent: 32, burst: 10, reserve: 0.15, safety_margin: 0, pause: 0, stabilization_minutes: 15, reserve_output: 'expected',
  timeouts: { connect: 10, first_byte: 120, idle: 60, total: 600 }, default_model: model,
  upstreams: [
    { name: 'openai', enabled: true, protocol: 'openai', base_url: up.url, models: [model], quota_group: 'org', max_concurrent: 8,
      limits: { requests_per_minute: 0, requests_per_hour: 0, tokens_per_minute: 0, tokens_per_hour: 0 } },
    { name: 'second', base_url: up.url, models: ['echo'] },
  ],
  budgets: [{ scope: 'all', window: 'day', tz: 'Europe/Berlin', limit_usd: 100, warn: [0.5, 0.9] },
    { scope: 'user', each: true, window: 'month', limit_usd: 5.5 }],
};

function* leaves(value, at = []) {
  if (value !== null && typeof value === 'object' && !(Array.isArray(value) && typeof value[0] !== 'object'))
    for (const [k, v] of Object.entries(value)) yield* leaves(v, [...at, k]);
  else yield [at, value];
}

const mutated = (at, value) => {
  const copy = structuredClone(good);
  let o = copy;
  for (const k of at.slice(0, -1)) o = o[k];
  o[at.at(-1)] = value;
  return copy;
};

const misspelt = (at) => {
  const copy = structuredClone(good);
  let o = copy;
  for (const k of at.slice(0, -1)) o = o[k];
  o[`${at.at(-1)}x`] = o[at.at(-1)];
  delete o[at.at(-1)];
  return copy;
};

const wrongs = [];
for (const [at, value] of leaves(good)) {
  const key = at.join('.');
  const named = new RegExp(`\\b${at.at(-1)}`);
  wrongs.push([`${key} = {}`, mutated(at, {}), named], [`${key} = []`, mutated(at, []), named], [`${key} misspelt`, misspelt(at), named]);
  if (typeof value === 'number') wrongs.push([`${key} = -1`, mutated(at, -1), named], [`${key} = 1e300`, mutated(at, 1e300), named], [`${key} = "many"`, mutated(at, 'many'), named]);
  else wrongs.push([`${key} = 17`, mutated(at, 17), named], [`${key} = ""`, mutated(at, ''), named]);
}
const text = JSON.stringify(good);
for (let i = 1; i < text.length - 1; i += Math.floor(text.length / 60)) wrongs.push([`cut at ${i}`, text.slice(0, i), /line 1, column \d+/]);
wrongs.push(
  ['two keys', text.replace('"drain":30', '"drain":30,"drain":31')], ['a list', '[]'], ['nothing', ''], ['a word', 'queue'],
  ['two of one name', mutated(['upstreams', 1, 'name'], 'openai')], ['no URL', mutated(['upstreams', 1], { name: 'second' })],
  ['two keys of a provider', mutated(['upstreams', 1], { name: 's', base_url: up.url, api_key: 'sk-e2e-a', key_env: 'PATH' })],
  ['a key variable that is not set', mutated(['upstreams', 1], { name: 's', base_url: up.url, key_env: 'NOT_SET' })],
  ['a key file that is not there', mutated(['upstreams', 1], { name: 's', base_url: up.url, key_file: '/nonexistent' })],
  ['no upstream left', mutated(['upstreams'], [{ name: 'builtin', enabled: false }])],
  ['a preset that is none', mutated(['upstreams', 1, 'preset'], 'fast')],
  ['delays the wrong way round', mutated(['retry', 'base_delay'], 301)],
  ['a zone that is none', mutated(['budgets', 0, 'tz'], 'Europe/Atlantis')],
  ['no limit', mutated(['budgets', 0], { scope: 'all', window: 'day' })],
  ['no window', mutated(['budgets', 0], { scope: 'all', limit_usd: 1 })],
  ['everything with a key', mutated(['budgets', 0], { scope: 'all', key: 'x', window: 'day', limit_usd: 1 })],
  ['nobody’s', mutated(['budgets', 0], { scope: 'user', window: 'day', limit_usd: 1 })],
  ['somebody’s and each', mutated(['budgets', 0], { scope: 'user', key: 'x', each: true, window: 'day', limit_usd: 1 })],
  ['the same twice', mutated(['budgets', 1], { scope: 'all', window: 'day', limit_usd: 1 })],
  ['warnings that fall', mutated(['budgets', 0, 'warn'], [0.9, 0.5])], ['a warning above all', mutated(['budgets', 0, 'warn'], [1.5])],
);

test(`${wrongs.length} wrong configurations are refused one by one, and the one before stays in force`, async () => {
  const weir = await startWeir({ config: good });
  const before = await hash(weir);
  const file = path.join(weir.state, 'weir.json');
  const stream = await weir.stream({ model, message: '#slow-0-20-2000 runs all the while' });
  await stream.next('delta');
  let refused = 0;
  assert.ok(wrongs.length >= 300, `${wrongs.length}`);
  for (const [name, config, says = /weir\.json/] of wrongs) {
    fs.writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
    const r = await reload(weir);
    // Some are right by accident (an empty list of warnings); what matters is that `weir config check` agrees.
    if (r.status === 200) {
      assert.equal((await run(path.join(build, 'weir'), ['config', 'check'], { env: weir.env, cwd: weir.state })).code, 0, name);
      fs.writeFileSync(file, JSON.stringify(good));
      assert.equal((await applied(weir)).config.hash, before, name);
      continue;
    }
    assert.equal(r.status, 400, `${name}: ${r.text}`);
    assert.equal(r.json.error.code, 'invalid_config', name);
    assert.match(r.json.error.message, /weir\.json/, name);
    assert.match(r.json.error.message, says, name);
    assert.equal(r.json.error.config.hash, before, name);
    assert.doesNotMatch(r.text, /sk-e2e/);
    refused++;
    if (refused % 40 === 0)
      assert.equal((await run(path.join(build, 'weir'), ['config', 'check'], { env: weir.env, cwd: weir.state })).code, 78, name);
  }
  assert.ok(refused >= 300, `${refused} of ${wrongs.length}`);
  assert.equal(await hash(weir), before);
  assert.equal(await metric(weir, 'weir_config_reload_failed_total'), refused);
  assert.equal(stream.ended, false);
  await weir.post('/chat/cancel', { request_id: stream.first('accepted').request_id });
  await stream.end();
  assertStream(stream);
  fs.rmSync(file);
  assertError(await reload(weir), 400, 'invalid_request_error', 'invalid_config');
  assert.equal(await hash(weir), before, 'a file that is gone is a mistake');
  await weir.stop();
});

test('reloads under load drop nothing, and no budget or limit is passed by them', async () => {
  const other = await startUpstream();
  const second = (more) => ({ name: 'second', base_url: other.url, models: [model, 'echo'], limits: unlimited, ...more });
  const budget = { scope: 'all', window: 'total', limit_usd: 50 };
  const weir = await startWeir({ config: { queue: { max_size: 5000 }, upstreams: [entry({ max_concurrent: 6 })], budgets: [budget] } });
  await up.reset();
  let stop = false;
  const statuses = {};
  const clients = Array.from({ length: 24 }, async (_, c) => {
    for (let i = 0; !stop; i++) {
      const s = await weir.stream({ model, message: `#slow-5-${5 + c % 7}-12 load ${c} ${i}` });
      assert.equal(s.status, 200, s.text);
      await s.end(60000);
      assertStream(s);
      const last = s.terminals()[0];
      statuses[last.event === 'done' ? 'done' : last.data.code] = (statuses[last.event === 'done' ? 'done' : last.data.code] ?? 0) + 1;
    }
  });
  for (let i = 0; i < 40; i++) {
    const config = {
      queue: { max_size: 5000 + i }, builtin: { words_per_second: 10 + i },
      upstreams: [
        entry({ max_concurrent: 2 + i % 5, api_key: `sk-e2e-${i}`, limits: { requests_per_minute: i % 3 ? 100000 : 0, tokens_per_minute: i % 2 ? 10000000 : 0 } }),
        ...(i % 4 < 2 ? [second({ max_concurrent: 1 + i % 3, timeouts: { idle: 30 + i } })] : []),
      ],
      budgets: i % 2 ? [{ ...budget, limit_usd: 50 + i }] : [budget, { scope: 'model', each: true, window: 'day', limit_usd: 40 }],
    };
    if (i % 4 === 3) {
      weir.writeConfig(config);
      weir.program.child.kill('SIGHUP');
      await waitFor('the signal to be heeded', async () => await metric(weir, 'weir_config_reloads_total') === i + 1);
    } else {
      const r = await reload(weir, config);
      assert.equal(r.status, 200, r.text);
      assert.equal(r.json.config.version, i + 2);
    }
    if (i % 5 === 0) assert.equal((await reload(weir, '{')).status, 400);
    await new Promise((go) => setTimeout(go, 20));
  }
  stop = true;
  await Promise.all(clients);
  assert.deepEqual(Object.keys(statuses), ['done'], JSON.stringify(statuses));
  const [a, b] = [await up.judge(), await other.judge()];
  assert.equal(a.aborted + b.aborted + a.refused + b.refused, 0);
  const records = weir.records();
  assert.equal(records.length, statuses.done);
  assert.ok(records.every((r) => r.state === 'settled' && r.status === 'success'));
  assert.equal(a.calls + b.calls, statuses.done, 'the stand-ins have seen each once');
  assert.ok(b.calls > 0, 'the second upstream served');
  const billed = (a.prompt_tokens + b.prompt_tokens) * 150000 + (a.completion_tokens + b.completion_tokens) * 600000;
  const all = (await weir.get('/admin/budgets')).json.items.find((x) => x.scope === 'all');
  assert.deepEqual([pico(all.spent_usd), all.reserved_usd], [billed, 0]);
  await weir.stop();
  await other.stop();
});

test('a budget holds while reloads change it, also for what runs', async () => {
  const weir = await started({ budgets: [{ scope: 'all', window: 'total', limit_usd: 1 }] });
  const s = await weir.stream({ model, message: '#slow-0-30-40 holds', max_tokens: 1000 });
  await s.next('delta');
  const look = async () => (await weir.get('/admin/budgets')).json.items[0];
  const held = pico((await look()).reserved_usd);
  assert.ok(held >= 1000 * 600000, `${held}`);
  await applied(weir, { upstreams: [entry()], budgets: [{ scope: 'all', window: 'total', limit_usd: held / 1e12 }] });
  assert.equal(pico((await look()).reserved_usd), held);
  assertError2(await weir.post('/chat/complete', { model, message: 'no room', max_tokens: 1 }), 402);
  await applied(weir, { upstreams: [entry()] });
  assert.deepEqual((await weir.get('/admin/budgets')).json.items, []);
  assert.equal((await weir.post('/chat/complete', { model, message: 'unbound', max_tokens: 5 })).status, 200);
  await applied(weir, { upstreams: [entry()], budgets: [{ scope: 'all', window: 'total', limit_usd: 2 }] });
  assert.equal(pico((await look()).reserved_usd), held, 'and held anew');
  await s.end();
  assertStream(s);
  assert.equal(s.terminals()[0].event, 'done');
  const after = await look();
  assert.equal(after.reserved_usd, 0);
  assert.equal(pico(after.spent_usd), weir.records().reduce((n, r) => n + r.cost_in + r.cost_out, 0));
  await weir.stop();
});

const assertError2 = (r, status) => assert.equal(r.status, status, r.text);

test('a budget of the file is shown as such, keeps its id, and is changed there alone', async () => {
  const config = { upstreams: [entry()], budgets: [{ scope: 'model', key: model, window: 'month', tz: 'Europe/Berlin', limit_usd: 0.0000001, warn: [0.5] }] };
  const weir = await startWeir({ config });
  const own = (await weir.post('/admin/budgets', { scope: 'all', window: 'day', limit_usd: 9 })).json;
  assert.equal(own.from_file, false);
  const { items } = (await weir.get('/admin/budgets')).json;
  assert.deepEqual(items.map((b) => b.from_file), [false, true]);
  const b = items[1];
  assert.match(b.budget_id, /^bud_[0-9a-f]{22}$/);
  assert.deepEqual([b.scope, b.key, b.window, b.tz, b.limit_usd, b.warn, b.created_at], ['model', model, 'month', 'Europe/Berlin', 1e-7, [0.5], null]);
  assert.deepEqual((await weir.get(`/admin/budgets/${b.budget_id}`)).json, b);
  for (const r of [await weir.request('PATCH', `/admin/budgets/${b.budget_id}`, { limit_usd: 5 }), await weir.request('DELETE', `/admin/budgets/${b.budget_id}`)]) {
    const e = assertError(r, 409, 'conflict', 'conflict');
    assert.match(e.message, /weir\.json/);
  }
  const no = await weir.post('/chat/complete', { model, message: 'too dear' });
  assert.equal(no.status, 402);
  assert.equal(no.json.error.budget.id, b.budget_id);
  config.budgets[0].limit_usd = 3;
  const r = await applied(weir, config);
  assert.deepEqual(r.changed, [{ key: `budgets.model.${model}.month.limit_usd`, old: 1e-7, new: 3 }]);
  assert.equal((await weir.post('/chat/complete', { model, message: 'now it goes' })).status, 200);
  await weir.restart();
  const again = (await weir.get(`/admin/budgets/${b.budget_id}`)).json;
  assert.equal(again.limit_usd, 3);
  assert.ok(again.spent_usd > 0);
  assert.equal((await weir.request('DELETE', `/admin/budgets/${own.budget_id}`)).status, 204);
  assert.equal((await applied(weir, { upstreams: [entry()] })).changed.length, 1);
  assert.equal((await weir.get(`/admin/budgets/${b.budget_id}`)).status, 404);
  await weir.stop();
});

test('a lowered limit lets nothing more start, and a raised one lets it start at once', async () => {
  const weir = await started({ queue: { max_wait: 600 } });
  for (let i = 0; i < 5; i++) assert.equal((await weir.post('/chat/complete', { model, message: `before ${i}` })).status, 200);
  await applied(weir, { queue: { max_wait: 600 }, upstreams: [entry({ limits: { requests_per_minute: 5 } })] });
  assert.equal((await limits(weir)).dimensions.requests_per_minute.used, 5, 'what was used before there was a limit counts');
  const s = await weir.stream({ model, message: 'has to wait' });
  const q = await s.next('queue');
  assert.equal(q.reason, 'requests_per_minute');
  assert.ok(q.eta_ms > 20000, `${q.eta_ms}`);
  await applied(weir, { queue: { max_wait: 600 }, upstreams: [entry({ limits: { requests_per_minute: 600 } })] });
  await s.end();
  assert.equal(s.terminals()[0].event, 'done');
  await weir.stop();
});

test('an upstream that is added serves; one that is gone finishes what runs and tells what waits; its name returns', async () => {
  const other = await startUpstream();
  const second = { name: 'second', base_url: other.url, models: ['echo'], max_concurrent: 1, limits: unlimited };
  const weir = await started({});
  assert.equal((await weir.post('/chat/complete', { model: 'echo', message: 'not yet' })).status, 404);
  const r = await applied(weir, { upstreams: [entry(), second] });
  assert.deepEqual(change(r.changed, 'upstreams'), { key: 'upstreams', old: ['openai', 'builtin'], new: ['openai', 'second', 'builtin'] });
  const runs = await weir.stream({ model: 'echo', message: '#slow-0-30-30 runs there' });
  await runs.next('delta');
  const waits = await weir.stream({ model: 'echo', message: 'waits there' });
  await waits.next('queue');
  const complete = weir.post('/chat/complete', { model: 'echo', message: 'waits as well' });
  await waitFor('two to wait', async () => (await now(weir)).entries.length === 2);
  await applied(weir, { upstreams: [entry()] });
  await waits.end();
  assert.equal(waits.terminals()[0].event, 'error');
  assert.equal(waits.terminals()[0].data.code, 'no_upstream');
  assert.match(waits.terminals()[0].data.message, /taken out of the configuration/);
  assertError(await complete, 503, 'unavailable', 'no_upstream');
  assert.equal((await limits(weir, 'second')).status, 'error', 'shown while something runs there');
  assert.equal((await weir.post('/chat/complete', { model: 'echo', message: 'no more' })).status, 404);
  await runs.end();
  assertStream(runs);
  assert.equal(runs.terminals()[0].event, 'done');
  await waitFor('it to be gone', async () => !(await limits(weir, 'second')));
  assert.equal((await weir.get('/monitoring/live')).json.health.status, 'healthy');
  await applied(weir, { upstreams: [second, entry()] });
  assert.equal((await weir.post('/chat/complete', { model: 'echo', message: 'back again' })).status, 200);
  assert.equal((await weir.post('/chat/complete', { message: 'to the first' })).json.model, 'echo', 'the file’s order decides');
  const { in_flight: left } = await other.judge();
  assert.equal(left, 0);
  await weir.stop();
  await other.stop();
});

test('another address and key hold for new calls, and a new key brings a refused upstream back', async () => {
  const other = await startUpstream();
  const weir = await started({});
  const s = await weir.stream({ model, message: '#slow-0-20-40 at the old address' });
  await s.next('delta');
  await applied(weir, { upstreams: [entry({ base_url: other.url, api_key: 'sk-e2e-new' })] });
  assert.equal((await weir.post('/chat/complete', { model, message: 'at the new one' })).status, 200);
  assert.match((await other.calls('at the new one'))[0].auth, /sk-e2e-new$/);
  await s.end();
  assertStream(s);
  assert.equal(s.terminals()[0].event, 'done');
  assert.equal((await weir.post('/chat/complete', { model, message: '#fault-401 refused' })).status, 502);
  await waitFor('it to be taken out', async () => (await limits(weir)).status === 'error');
  await applied(weir, { queue: { max_size: 3 }, upstreams: [entry({ base_url: other.url, api_key: 'sk-e2e-new' })] });
  assert.equal((await weir.post('/chat/complete', { model, message: 'still out' })).status, 503);
  await applied(weir, { upstreams: [entry({ base_url: other.url, api_key: 'sk-e2e-newest' })] });
  assert.equal((await weir.post('/chat/complete', { model, message: 'in again' })).status, 200);
  await weir.stop();
  await other.stop();
});

test('models that are not configured are asked of a new upstream', async () => {
  const weir = await startWeir({ config: { builtin: { words_per_second: 0 } } });
  assert.equal((await weir.post('/chat/complete', { message: 'hello' })).json.model, 'builtin/eliza');
  await applied(weir, { upstreams: [{ name: 'openai', base_url: up.url, limits: unlimited }] });
  await waitFor('its models', async () => (await weir.get('/chat/models')).text.includes('gpt-4o-mini'));
  assert.notEqual((await weir.post('/chat/complete', { message: 'hello' })).json.model, 'builtin/eliza', 'it comes before the built-in one');
  await weir.stop();
});

test('keys of the environment are found again, and key files are read again', async () => {
  const config = (file) => ({ upstreams: [{ name: 'filed', base_url: up.url, models: ['echo'], key_file: file, limits: unlimited }] });
  const weir = await startWeir({ port: await freePort(), config: {}, env: { OPENAI_BASE_URL: up.url, OPENAI_API_KEY: 'sk-e2e-env' } });
  const file = path.join(weir.state, 'key');
  fs.writeFileSync(file, 'sk-e2e-one\n', { mode: 0o600 });
  await applied(weir, config(file));
  assert.equal((await weir.post('/chat/complete', { model, message: 'key of the environment' })).status, 200);
  assert.match((await up.calls('key of the environment'))[0].auth, /sk-e2e-env$/);
  fs.writeFileSync(file, 'sk-e2e-two\n', { mode: 0o600 });
  assert.deepEqual((await applied(weir)).changed.map((c) => c.key), ['upstreams.filed.api_key']);
  assert.equal((await weir.post('/chat/complete', { model: 'echo', message: 'key of the file' })).status, 200);
  assert.match((await up.calls('key of the file'))[0].auth, /sk-e2e-two$/);
  await weir.stop();
});

test('addresses that webhooks may go to follow the file, for those who set them and for the messenger', async () => {
  const weir = await started({});
  const got = [];
  const receiver = http.createServer((req, res) => { got.push(req.url); req.resume(); res.writeHead(204).end(); }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const body = { url: `http://127.0.0.1:${receiver.address().port}/hook` };
  assert.equal((await weir.post('/admin/webhooks', body)).status, 422);
  await applied(weir, { upstreams: [entry()], webhooks: { allowed_addresses: ['127.0.0.1'] } });
  const hook = await weir.post('/admin/webhooks', body);
  assert.equal(hook.status, 201, hook.text);
  assert.equal((await weir.post(`/admin/webhooks/${hook.json.webhook_id}/test`)).status, 202);
  await waitFor('the message', () => got.length === 1);
  await weir.stop();
  receiver.close();
});

test('the price file is read again: a new version from the next call on, a wrong one changes nothing', async () => {
  const state = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-prices-')), file = path.join(state, 'prices.json');
  const write = (rate, more = {}) => fs.writeFileSync(file, JSON.stringify({ as_of: '2026-11-10', models: [{ provider: 'openai', id: model, in: rate, out: 2 * rate, ...more }] }));
  write(100);
  const weir = await started({ prices: file });
  const paid = async () => {
    const a = (await weir.post('/chat/complete', { model, message: 'how much?' })).json;
    return weir.sql(`SELECT r.rate_in, r.rate_out, w.text AS version FROM events e JOIN rates r ON r.id = e.rate JOIN words w ON w.id = r.version WHERE e.request_id = '${a.request_id}'`)[0];
  };
  const first = await paid();
  assert.deepEqual([first.rate_in, first.rate_out], [100, 200]);
  assert.deepEqual((await applied(weir)).prices, { version: first.version, changed: false });
  write(300);
  const r = await applied(weir), second = await paid();
  assert.deepEqual(r.prices, { version: second.version, changed: true });
  assert.deepEqual([second.rate_in, second.rate_out], [300, 600]);
  assert.notEqual(second.version, first.version);
  assert.match(second.version, /^2026-11-10\+[0-9a-f]{8}$/);
  write(1.5);
  weir.writeConfig({ upstreams: [entry()], prices: file, queue: { max_size: 9 } });
  const refused = await weir.post('/admin/reload');
  assert.match(assertError(refused, 400, 'invalid_request_error', 'invalid_config').message, /prices\.json: prices: openai\/gpt-4o-mini: in must be a whole number/);
  assert.deepEqual(await paid(), second, 'the prices before');
  write(700);
  weir.program.child.kill('SIGHUP');
  await waitFor('the second table', () => weir.program.output.match(/prices: version 2026-11-10\+[0-9a-f]{8} is in force/g)?.length === 2);
  assert.equal((await paid()).rate_in, 700);
  assert.equal(JSON.parse(weir.sql("SELECT detail FROM audit WHERE action = 'config.reload' ORDER BY seq DESC LIMIT 1")[0].detail).prices.changed, true);
  await weir.stop();
  fs.rmSync(state, { recursive: true });
});
