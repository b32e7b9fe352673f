// Several models at several providers: which one answers, why, and what each attempt costs.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, unlimited, waitFor } from './harness.mjs';
import { assertError, assertStream } from './shapes.mjs';

const cheap = 'openai/gpt-4o-mini', middle = 'openai/gpt-4.1-mini', dear = 'openai/gpt-4o';
const [a, b, c] = await Promise.all([startUpstream(), startUpstream(), startUpstream()]);
const provider = (name, up, models, more) => ({ name, base_url: up.url, api_key: 'sk-e2e-canary', models, limits: unlimited, ...more });
const config = {
  upstreams: [
    provider('dear', c, [dear], { max_concurrent: 500 }),
    provider('cheap', a, [cheap], { max_concurrent: 2 }),
    provider('middle', b, [middle], { max_concurrent: 2 }),
    provider('broken', a, ['fault-500']),
    provider('poor', a, ['fault-quota']),
    provider('silent', a, ['fault-hang'], { timeouts: { first_byte: 0.3 } }),
    provider('outage', b, ['fault-503']),
    provider('unknown', b, ['slow-0-0-3']),
  ],
  auto: [dear, middle, cheap, 'not-offered-by-anybody'],
  fallbacks: { 'fault-500': [dear], 'fault-quota': ['fault-500', dear], 'fault-hang': [dear], [cheap]: [dear] },
  default_model: 'auto',
  stabilization_minutes: 1, retry: { max_retries: 1, base_delay: 0.01, max_delay: 0.05 },
};
const weir = await startWeir({ config });
const reset = () => weir.post('/monitoring/reset-rate-limits', {});
const request = async (id) => (await weir.get(`/monitoring/requests/${id}`)).json;
const reasons = (r) => r.attempts.map((t) => t.reason);
const pico = (usd) => Math.round((usd ?? 0) * 1e12);

// What one request says of itself; its attempts sum up to it.
async function explained(id) {
  const r = await request(id);
  const sum = (f) => r.attempts.reduce((n, t) => n + f(t), 0);
  assert.equal(sum((t) => pico(t.cost?.total_usd)), pico(r.cost.total_usd), JSON.stringify(r));
  assert.equal(sum((t) => t.usage.prompt_tokens), r.usage.prompt_tokens, JSON.stringify(r));
  assert.equal(sum((t) => t.usage.completion_tokens), r.usage.completion_tokens, JSON.stringify(r));
  return r;
}

async function ask(model, message) {
  const r = await weir.post('/chat/complete', { model, message });
  assert.equal(r.status, 200, r.text);
  return { ...r.json, record: await explained(r.json.request_id) };
}

test('auto is the cheapest that can start now, and says so everywhere', async () => {
  const s = await (await weir.stream({ message: 'by default' })).end();
  assertStream(s);
  const id = s.first('accepted').request_id;
  assert.equal(s.first('start').model, cheap);
  assert.equal(s.first('start').upstream, 'cheap');
  assert.equal(s.first('done').model, cheap);
  const r = await explained(id);
  assert.equal(r.model, cheap);
  assert.equal(r.requested_model, 'auto');
  assert.deepEqual(reasons(r), ['cheapest']);
  assert.equal(r.attempts[0].model, cheap);
  assert.ok(r.attempts[0].cost.total_usd > 0, JSON.stringify(r.attempts));
  assert.equal((await weir.get('/monitoring/history')).json.items[0].requested_model, 'auto');
  const asked = (await ask(cheap, 'asked for by name')).record;
  assert.equal(asked.requested_model, undefined);
  assert.deepEqual(reasons(asked), ['only']);
});

test('what does not fit the window of the cheapest goes to one that it fits', async () => {
  const provided = provider('windows', a, ['openai/gpt-3.5-turbo', dear]);
  const narrow = await startWeir({ config: { upstreams: [provided], auto: ['openai/gpt-3.5-turbo', dear] } });
  const of = async (words) => {
    const r = await narrow.post('/chat/complete', { model: 'auto', message: 'water '.repeat(words).trim(), max_tokens: 10 });
    assert.equal(r.status, 200, r.text);
    return r.json.model;
  };
  assert.equal(await of(16000), 'openai/gpt-3.5-turbo');      // of 16,385 tokens
  assert.equal(await of(17000), dear);
  await narrow.stop();
});

test('when the cheapest is full it is the next', async () => {
  const message = '#slow-0-30-60 hold';
  const busy = await Promise.all([1, 2].map(() => weir.stream({ model: cheap, message })));
  await Promise.all(busy.map((s) => s.next('delta')));
  const next = await ask('auto', 'goes elsewhere');
  assert.equal(next.model, middle);
  assert.deepEqual(reasons(next.record), ['soonest']);
  busy.forEach((s) => s.leave());
});

test('the model asked for is waited for as long as it is healthy', async () => {
  const busy = await Promise.all([1, 2].map(() => weir.stream({ model: cheap, message: '#slow-0-20-20 hold' })));
  await Promise.all(busy.map((s) => s.next('delta')));
  const r = await ask(cheap, 'waits for a place');
  assert.equal(r.model, cheap);
  assert.deepEqual(reasons(r.record), ['only']);
  await Promise.all(busy.map((s) => s.end()));
});

test('after a 429 work moves to other upstreams while the one recovers', async () => {
  await reset();
  await a.reset();
  await a.limits({ requests_per_minute: 1 });
  const first = await ask('auto', 'the one it takes');
  const second = await ask('auto', 'the one it refuses');
  const third = await ask('auto', 'meanwhile');
  await a.limits({});
  assert.deepEqual([first.model, second.model, third.model], [cheap, middle, middle]);
  assert.deepEqual(second.record.attempts.map((t) => [t.model, t.upstream, t.http_status, t.reason]),
    [[cheap, 'cheap', 429, 'cheapest'], [middle, 'middle', 200, 'retry']]);
  assert.equal(second.record.attempts[0].cost.total_usd, 0);
  assert.deepEqual(reasons(third.record), ['cheapest']);
  assert.deepEqual(await a.calls('meanwhile'), []);
  await reset();
  assert.equal((await ask('auto', 'back')).model, cheap);
});

test('a model that keeps failing gives way to its fallback, and soon is not tried first', async () => {
  const s = await (await weir.stream({ model: 'fault-500', message: 'two and then another' })).end();
  assertStream(s);
  assert.equal(s.first('done').model, dear);
  assert.deepEqual(s.all('retry').map((e) => [e.data.model, e.data.upstream]), [['fault-500', 'broken'], ['fault-500', 'broken']]);
  const first = await explained(s.first('accepted').request_id);
  assert.equal(first.requested_model, 'fault-500');
  assert.deepEqual(reasons(first), ['only', 'retry', 'fallback_failed']);
  await ask('fault-500', 'the third failure');
  assert.deepEqual(reasons((await ask('fault-500', 'in doubt by now')).record), ['fallback_unhealthy']);
});

test('a provider whose quota is gone is left out at once', async () => {
  await reset();
  const first = await ask('fault-quota', 'finds out');
  assert.deepEqual(first.record.attempts.map((t) => [t.upstream, t.reason]).at(0), ['poor', 'only']);
  assert.equal(first.model, dear);
  assert.ok(reasons(first.record).slice(1).includes('fallback_unhealthy'), JSON.stringify(first.record.attempts));
  await reset();
});

test('a failed attempt that the provider may charge is not lost', async () => {
  const r = await ask('fault-hang', 'no word for a while');
  const [late, again, good] = r.record.attempts;
  assert.equal(r.model, dear);
  for (const t of [late, again]) {
    assert.ok(t.usage.prompt_tokens > 0, JSON.stringify(t));
    assert.equal(t.usage.estimated, true);
    assert.equal(t.cost.total_usd, null, 'a model without a price');
  }
  assert.equal(good.usage.estimated, false);
  assert.equal(r.usage.prompt_tokens, late.usage.prompt_tokens + again.usage.prompt_tokens + good.usage.prompt_tokens);
});

test('under a budget the unpriced are out of the choice, and what is spent is what the attempts cost', async () => {
  await reset();
  const set = await weir.post('/admin/budgets', { scope: 'model', key: cheap, window: 'total', limit_usd: 0.0000001 });
  assert.equal(set.status, 201, set.text);
  const r = await ask('auto', 'the cheapest is not paid for');
  assert.equal(r.model, middle);
  assertError(await weir.post('/chat/complete', { model: cheap, message: 'asked for by name' }), 402, 'budget_exceeded');
  const all = await weir.post('/admin/budgets', { scope: 'all', window: 'total', limit_usd: 100 });
  assert.equal(all.status, 201, all.text);
  const spent = async () => (await weir.get('/admin/budgets')).json.items.find((x) => x.scope === 'all');
  await ask('auto', 'counted');
  await waitFor('nothing held', async () => (await spent()).reserved_usd === 0);
  const [{ sum }] = weir.sql('SELECT sum(cost_in + cost_out) AS sum FROM events');
  assert.equal(pico((await spent()).spent_usd), sum);
  for (const x of [set, all]) await weir.request('DELETE', `/admin/budgets/${x.json.budget_id}`);
});

test('GET /chat/models offers auto, healthy as long as one of its models is', async () => {
  const { items } = (await weir.get('/chat/models')).json;
  const auto = items.find((m) => m.id === 'auto');
  assert.equal(auto.healthy, true);
  assert.equal(auto.default, true);
  assert.equal(auto.upstream, null);
  const e = await weir.post('/chat/estimate', { model: 'auto', message: 'how much' });
  assert.equal(e.status, 200, e.text);
  assert.ok(e.json.cost_low_usd > 0 && e.json.cost_high_usd > e.json.cost_low_usd, e.text);
  assert.equal(e.json.starts_in_ms, 0);
});

test('without a list auto is a 404 that says how to make one', async () => {
  const other = await startWeir({ upstream: a });
  const e = assertError(await other.post('/chat/complete', { model: 'auto', message: 'x' }), 404, 'not_found', 'model_not_found');
  assert.match(e.message, /auto in weir\.json/);
  assert.ok(!(await other.get('/chat/models')).json.items.some((m) => m.id === 'auto'));
  await other.stop();
});

test('in a total outage retries stay a tenth of the requests', async () => {
  await b.reset();
  const n = 120;
  const all = await Promise.all(Array.from({ length: n }, (_, i) => weir.post('/chat/complete', { model: 'fault-503', message: `out ${i}` })));
  for (const r of all) assertError(r, 502, 'upstream_error');
  const calls = (await b.judge()).calls;
  assert.ok(calls >= n && calls <= n * 1.1 + 10, `${calls} calls for ${n} requests`);
});

test('the books agree with the providers, model by model', async () => {
  await reset();
  await Promise.all([a, b, c].map((up) => up.reset()));
  const [{ since }] = weir.sql('SELECT CAST(max(id) AS TEXT) AS since FROM events');
  const kinds = ['hello', '#lorem-30 x', '#slow-2-2-20 x', '#fault-408-once x', '#fault-500-once x', '#think-3-9 x'];
  await Promise.all(Array.from({ length: 120 }, (_, i) => weir.post('/chat/complete', { model: i % 4 ? 'auto' : cheap, message: `${kinds[i % kinds.length]} ${i}` })));
  await waitFor('nothing to run', () => weir.records('e.state < 2').length === 0);
  const theirs = {};
  for (const up of [a, b, c])
    for (const call of (await up.judge()).log) {
      theirs[call.model] ??= [0, 0];
      theirs[call.model][0] += call.prompt_tokens;
      theirs[call.model][1] += call.completion_tokens;
    }
  const ours = Object.fromEntries(weir.sql(`SELECT m.text AS model, sum(a.prompt) AS prompt, sum(a.completion) AS completion FROM attempts a
    JOIN words m ON m.id = a.model WHERE a.event > ${since} GROUP BY 1`).map((r) => [r.model, [r.prompt, r.completion]]));
  assert.deepEqual(ours, theirs);
  assert.ok(Object.keys(ours).length > 1, 'more than one model was used');
  const [{ off }] = weir.sql(`SELECT count(*) AS off FROM events e WHERE e.cost_in + e.cost_out !=
    (SELECT coalesce(sum(a.cost_in + a.cost_out), 0) FROM attempts a WHERE a.event = e.id)`);
  assert.equal(off, 0);
});

test('a reload changes what auto chooses from', async () => {
  weir.writeConfig({ ...config, auto: [dear], fallbacks: { [cheap]: [middle] } });
  const r = await weir.post('/admin/reload');
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.json.changed.map((x) => x.key).sort(), ['auto', 'fallbacks'], r.text);
  assert.equal((await ask('auto', 'after it')).model, dear);
});
