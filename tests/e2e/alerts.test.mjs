// Alerts from measure to message: opened, acknowledged, resolved, and told to a receiver that checks the signature.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { once } from 'node:events';
import { run, build, startUpstream, startWeir, test, top, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const model = 'gpt-4o-mini';
const local = { webhooks: { allowed_addresses: ['127.0.0.1'] } };
const LONG = 25000;

// A receiver: keeps what came, answers with `answer(request)` (a status, or headers too).
async function startReceiver(answer = () => 204) {
  const got = [];
  const server = http.createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', async () => {
      const r = { path: req.url, headers: req.headers, body, json: JSON.parse(body) };
      got.push(r);
      const a = await answer(r, got.length);
      if (a === undefined) return;                      // no answer at all
      res.writeHead(a.status ?? a, a.headers ?? {});
      res.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { got, url: `http://127.0.0.1:${server.address().port}/hook`, stop: () => { server.closeAllConnections(); server.close(); } };
}

const verify = (secret, r) => {
  const h = r.headers;
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const mac = crypto.createHmac('sha256', key).update(`${h['webhook-id']}.${h['webhook-timestamp']}.${r.body}`).digest('base64');
  assert.equal(h['webhook-signature'], `v1,${mac}`);
  assert.ok(Math.abs(Date.now() / 1000 - Number(h['webhook-timestamp'])) < 60);
};

const made = async (answer) => {
  const r = await answer;
  assert.equal(r.status, 201, r.text);
  return r.json;
};
const alerts = async (weir, query = '') => (await weir.get(`/admin/alerts${query}`)).json;
const opened = (weir, kind) => waitFor(`an alert ${kind}`, async () => (await alerts(weir, '?state=open')).items.find((a) => a.kind === kind), LONG);

test('a budget that is used up opens an alert, the receiver is told, and it can be acknowledged', async () => {
  const weir = await startWeir({ upstream: up, config: local });
  const receiver = await startReceiver();
  const hook = await made(weir.post('/admin/webhooks', { url: receiver.url }));
  assert.match(hook.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.equal((await weir.get(`/admin/webhooks/${hook.webhook_id}`)).json.secret, undefined);
  const cost = await made(weir.post('/admin/alerts', { kind: 'cost', window: 'day', limit_usd: 0.000001 }));
  const budget = await made(weir.post('/admin/budgets', { scope: 'all', window: 'month', limit_usd: 0.00003 }));
  const etag = (await weir.get('/monitoring/live')).headers.etag;
  assert.equal((await weir.post('/chat/complete', { model, message: '#lorem-30 a', max_tokens: 40 })).status, 200);

  const a = await opened(weir, 'budget');
  assert.equal(a.key, budget.budget_id);
  assert.equal(a.state, 'open');
  assert.match(a.text, /^Budget bud_\S+ has reached \d+\.\d % of its limit: \$0\.0000/);
  assert.ok(a.value_usd >= a.threshold_usd && a.threshold_usd > 0);
  const c = await opened(weir, 'cost');
  assert.equal(c.rule_id, cost.rule_id);
  assert.equal(c.value_usd, weir.sql('SELECT sum(cost_in + cost_out) AS n FROM events')[0].n / 1e12);
  const live = await weir.get('/monitoring/live', { 'If-None-Match': etag });
  assert.equal(live.status, 200);
  assert.deepEqual(live.json.alerts.map((x) => x.kind).sort(), ['budget', 'cost']);

  await waitFor('both messages', () => receiver.got.length >= 2, LONG);
  for (const r of receiver.got) {
    verify(hook.secret, r);
    assert.equal(r.json.type, 'alert.opened');
    assert.ok([a.alert_id, c.alert_id].includes(r.json.data.alert_id));
  }
  await waitFor('the deliveries to be noted', async () =>
    (await weir.get(`/admin/webhooks/${hook.webhook_id}/deliveries?state=delivered`)).json.items.length === 2);

  const seen = await weir.post(`/admin/alerts/${a.alert_id}/acknowledge`, {});
  assert.equal(seen.status, 200, seen.text);
  assert.equal(seen.json.state, 'acknowledged');
  assert.equal(seen.json.acknowledged_by, (await weir.get('/app/me')).json.user_id);
  assert.deepEqual((await alerts(weir, '?state=acknowledged')).items.map((x) => x.alert_id), [a.alert_id]);
  assertError(await weir.post('/admin/alerts/alt_none/acknowledge', {}), 404, 'not_found');

  // Over a restart it stays the same alert.
  await weir.restart();
  await waitFor('a look after the restart', async () => weir.sql("SELECT count(*) AS n FROM alerts WHERE resolved_ms IS NULL")[0].n === 2);
  assert.equal(receiver.got.length, 2);
  assert.deepEqual(weir.sql("SELECT action FROM audit WHERE action LIKE 'webhook%' OR action LIKE 'alert%' ORDER BY seq").map((r) => r.action),
    ['webhook.create', 'alert.create', 'alert.acknowledge']);
  receiver.stop();
  await weir.stop();
});

test('an upstream whose key is refused and a high rate of errors are alerted', async () => {
  const weir = await startWeir({ upstream: up, config: { retry: { budget: 0 } } });
  const rules = (await alerts(weir)).rules;
  assert.deepEqual(rules.map((r) => r.kind), ['budget', 'limit_use', 'error_rate', 'queue_wait', 'storage', 'upstream_down', 'ledger_check', 'anomaly', 'usage_suspect']);
  const rate = rules.find((r) => r.kind === 'error_rate');
  assert.deepEqual([rate.share, rate.least_requests, rate.enabled], [0.05, 20, true]);
  const changed = await weir.request('PATCH', `/admin/alerts/${rate.rule_id}`, { least_requests: 1, share: 0.5 });
  assert.equal(changed.status, 200, changed.text);
  assert.deepEqual([changed.json.share, changed.json.least_requests], [0.5, 1]);
  assert.equal((await weir.post('/chat/complete', { model, message: '#fault-401 x' })).status, 502);
  const down = await opened(weir, 'upstream_down');
  assert.equal(down.key, 'openai');
  const errors = await opened(weir, 'error_rate');
  assert.equal(errors.value, 1);
  const off = rules.find((r) => r.kind === 'queue_wait').rule_id;
  assert.equal((await weir.request('PATCH', `/admin/alerts/${off}`, { enabled: false })).json.enabled, false);
  assert.equal((await weir.request('DELETE', `/admin/alerts/${off}`)).status, 204);
  assertError(await weir.request('DELETE', `/admin/alerts/${off}`), 404, 'not_found');
  await weir.stop();
});

test('usage that is not believed is alerted, by upstream', async () => {
  const weir = await startWeir({ upstream: up });
  await (await weir.stream({ model, message: 'plain' })).end();
  await (await weir.stream({ model, message: '#fault-usage-less x' })).end();
  const alert = await opened(weir, 'usage_suspect');
  assert.equal(alert.key, 'openai');
  assert.match(alert.text, /^Upstream openai told implausible usage for 1 of its requests/);
  await weir.stop();
});

test('a rule about cost judges what was spent before it was set', async () => {
  const weir = await startWeir({ upstream: up });
  assert.equal((await weir.post('/chat/complete', { model, message: '#lorem-30 before' })).status, 200);
  const early = await made(weir.post('/admin/alerts', { kind: 'cost', window: 'month', limit_usd: 0.000001 }));
  assert.equal((await opened(weir, 'cost')).rule_id, early.rule_id);
  const late = await made(weir.post('/admin/alerts', { kind: 'cost', window: 'day', limit_usd: 0.000001 }));     // nothing was settled since
  await waitFor('the second alert', async () => (await alerts(weir, '?state=open')).items.some((a) => a.rule_id === late.rule_id), LONG);
  await weir.stop();
});

test('a wait that is too long is alerted', async () => {
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1 } });
  const rule = (await alerts(weir)).rules.find((r) => r.kind === 'queue_wait').rule_id;
  assert.equal((await weir.request('PATCH', `/admin/alerts/${rule}`, { wait_ms: 100, for_ms: 0 })).status, 200);
  const first = await weir.stream({ model, message: '#slow-10-100-600 runs' });
  await first.next('delta');
  const second = await weir.stream({ model, message: 'waits' });
  const a = await opened(weir, 'queue_wait');
  assert.ok(a.value_ms >= 100, JSON.stringify(a));
  assert.equal(a.threshold_ms, 100);
  second.leave();
  first.leave();
  await weir.stop();
});

test('rules and webhooks that make no sense are refused by name', async () => {
  const weir = await startWeir({ upstream: up });
  const no = async (what, body, param, code) => {
    const e = assertError(await weir.post(`/admin/${what}`, body), code === 'address_not_allowed' ? 422 : 400, 'invalid_request_error', code);
    assert.equal(e.param, param, JSON.stringify(e));
  };
  await no('alerts', {}, 'kind');
  await no('alerts', { kind: 'weather' }, 'kind');
  await no('alerts', { kind: 'cost', window: 'day' }, 'limit_usd', 'missing_field');
  await no('alerts', { kind: 'cost', window: 'total', limit_usd: 1 }, 'window');
  await no('alerts', { kind: 'cost', window: 'day', limit_usd: -1 }, 'limit_usd');
  await no('alerts', { kind: 'cost', window: 'day', limit_usd: 1, tz: 'Mars/Base' }, 'tz');
  await no('alerts', { kind: 'cost', window: 'day', limit_usd: 1, scope: 'user' }, 'key');
  await no('alerts', { kind: 'cost', window: 'day', limit_usd: 1, scope: 'user', key: 'usr_none' }, 'key');
  await no('alerts', { kind: 'cost', window: 'day', limit_usd: 1, share: 0.5 }, 'share', 'unknown_field');
  await no('alerts', { kind: 'limit_use', share: 1.5 }, 'share');
  await no('alerts', { kind: 'limit_use', share: 0.5, window: 'day' }, 'window');
  await no('alerts', { kind: 'queue_wait', wait_ms: 0 }, 'wait_ms');
  await no('alerts', { kind: 'queue_wait', wait_ms: 5, colour: 'red' }, 'colour', 'unknown_field');
  await no('webhooks', {}, 'url', 'missing_field');
  await no('webhooks', { url: 'example.org' }, 'url');
  await no('webhooks', { url: 'https://u:p@example.org/' }, 'url');
  for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', '169.254.169.254', '10.0.0.1'])
    await no('webhooks', { url: `http://${host}/` }, 'url', 'address_not_allowed');
  assertError(await weir.get('/admin/alerts?state=closed'), 400, 'invalid_request_error');
  assertError(await weir.get('/admin/alerts?limit=0'), 400, 'invalid_request_error');
  assertError(await weir.get('/admin/alerts?cursor=x'), 400, 'invalid_request_error');
  assertError(await weir.get('/admin/webhooks/whk_none/deliveries'), 404, 'not_found');
  // A name is judged when it is connected to.
  const hook = await made(weir.post('/admin/webhooks', { url: `http://localhost:${up.port}/` }));
  assert.equal((await weir.post(`/admin/webhooks/${hook.webhook_id}/test`)).status, 202);
  const d = await waitFor('the refusal', async () =>
    (await weir.get(`/admin/webhooks/${hook.webhook_id}/deliveries`)).json.items.find((x) => x.error));
  assert.match(d.error, /does not connect to this address/);
  assert.deepEqual([d.state, d.status], ['waiting', null]);
  await weir.stop();
});

test('a receiver that fails is tried again under the same id; one that is gone is left; what was given up can be sent again', async () => {
  const weir = await startWeir({ upstream: up, config: local });
  let second;
  const redirect = await startReceiver(() => 204);
  const receiver = await startReceiver((r, n) => (n === 1 ? 500 : n === 2 ? { status: 302, headers: { Location: redirect.url } } : n === 3 ? 410 : 204));
  const hook = await made(weir.post('/admin/webhooks', { url: receiver.url }));
  const where = `/admin/webhooks/${hook.webhook_id}`;
  assert.equal((await weir.post(`${where}/test`)).status, 202);
  await waitFor('three attempts', () => receiver.got.length === 3, LONG);
  assert.equal(new Set(receiver.got.map((r) => r.headers['webhook-id'])).size, 1);
  for (const r of receiver.got) verify(hook.secret, r);
  const given = await waitFor('it to be given up', async () => (second = (await weir.get(`${where}/deliveries?state=failed`)).json.items[0]));
  assert.deepEqual([given.attempts, given.status, given.type, second.delivery_id], [3, 410, 'webhook.test', receiver.got[0].headers['webhook-id']]);
  assert.equal((await weir.get(where)).json.enabled, false);
  assert.equal(redirect.got.length, 0);

  assert.equal((await weir.request('PATCH', where, { enabled: true })).json.enabled, true);
  assert.equal((await weir.post(`${where}/deliveries/${given.delivery_id}/send-again`)).status, 202);
  await waitFor('the fourth attempt', () => receiver.got.length === 4, LONG);
  await waitFor('the delivery', async () => (await weir.get(`${where}/deliveries?state=delivered`)).json.items.length === 1);
  assertError(await weir.post(`${where}/deliveries/${given.delivery_id}/send-again`), 409, 'conflict');
  const renewed = (await weir.request('PATCH', where, { renew_secret: true })).json;
  assert.notEqual(renewed.secret, hook.secret);
  await weir.post(`${where}/test`);
  await waitFor('the fifth', () => receiver.got.length === 5, LONG);
  verify(renewed.secret, receiver.got[4]);
  assert.equal((await weir.request('DELETE', where)).status, 204);
  assertError(await weir.get(where), 404, 'not_found');
  receiver.stop();
  redirect.stop();
  await weir.stop();
});

test('kill -9 between sending and noting sends again under the same id, and loses nothing', async () => {
  const weir = await startWeir({ upstream: up, config: local });
  const receiver = await startReceiver((r, n) => (n === 1 ? undefined : 204));
  const hook = await made(weir.post('/admin/webhooks', { url: receiver.url }));
  await weir.post(`/admin/webhooks/${hook.webhook_id}/test`);
  await waitFor('the first attempt', () => receiver.got.length === 1, LONG);
  await weir.kill();
  await weir.start();
  await waitFor('the second', () => receiver.got.length === 2, LONG);
  assert.equal(receiver.got[0].headers['webhook-id'], receiver.got[1].headers['webhook-id']);
  await waitFor('it to be noted', async () =>
    (await weir.get(`/admin/webhooks/${hook.webhook_id}/deliveries?state=delivered`)).json.items.length === 1);
  receiver.stop();
  await weir.stop();
});

test('a key of the webhooks that is empty or open to others stops the start with a sentence', async () => {
  const weir = await startWeir({ upstream: up, keep: true });
  const key = path.join(weir.state, 'webhook-key');
  assert.equal(fs.statSync(key).mode & 0o777, 0o600);
  assert.match(fs.readFileSync(key, 'utf8'), /^[0-9a-f]{64}\n$/);
  await weir.stop();
  for (const [text, mode, why] of [['', 0o600, /no key of Weir's/], ['00', 0o600, /no key of Weir's/], [`${'0'.repeat(64)}\n`, 0o644, /others may read/]]) {
    fs.writeFileSync(key, text);
    fs.chmodSync(key, mode);
    const r = await run(path.join(build, 'weir'), ['serve'], { env: weir.env, cwd: top });
    assert.equal(r.code, 78, r.output);
    assert.match(r.output, why);
    assert.ok(r.output.includes(key));
  }
  fs.rmSync(weir.state, { recursive: true, force: true });
});

test('an hour out of the ordinary is alerted, with the figures of /monitoring/anomalies', async () => {
  const weir = await startWeir({ upstream: up });
  const now = Date.now() - 120000, hour = now - now % 3600000, me = (await weir.get('/admin/users')).json.items[0].user_id;
  const event = (at, i, n) => ({ request_id: `odd-${i}-${n}`, at: new Date(at).toISOString(), user_id: me, model, usage: { prompt_tokens: 20, completion_tokens: 5 }, api_endpoint: '/x' });
  const events = [];
  for (let h = 240; h >= 1; h--) for (let n = 0; n < 3 + h % 2; n++) events.push(event(hour - h * 3600000 + 60000 * n, h, n));
  for (let n = 0; n < 400; n++) events.push(event(hour - 1800000, 'burst', n));
  for (let i = 0; i < events.length; i += 1000) assert.equal((await weir.post('/usage/events', { events: events.slice(i, i + 1000) })).status, 200);
  const rule = await made(weir.post('/admin/alerts', { kind: 'anomaly' }));
  await waitFor('the alert', async () => (await alerts(weir, '?state=open')).items.some((a) => a.rule_id === rule.rule_id && a.key === 'requests by hour'), LONG);
  const a = (await alerts(weir, '?state=open')).items.find((x) => x.rule_id === rule.rule_id && x.key === 'requests by hour');
  const found = (await weir.get('/monitoring/anomalies?from=-24h')).json.items.find((x) => x.bucket === 'hour' && x.metric === 'requests' && Date.parse(x.at) === hour - 3600000);
  assert.ok(found.value > 400);
  assert.ok(Math.abs(a.value - found.score) < 0.1 && a.threshold === 5, `${a.value} ${found.score}`);
  assert.ok(a.text.startsWith(`Requests of the hour from ${found.at.slice(0, 16)}Z: ${found.value}, where `), a.text);
  assertError(await weir.post('/admin/alerts', { kind: 'anomaly', share: 0.5 }), 400, 'invalid_request_error', 'unknown_field');
  await weir.stop();
});
