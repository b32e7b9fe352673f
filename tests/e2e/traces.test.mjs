// Export of traces by OTLP/HTTP: a receiver that checks the shape, a provider that
// is told the trace, and a receiver that hangs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { once } from 'node:events';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';

async function listen(handler) {
  const server = http.createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return server;
}

// A receiver: all spans that came, each checked; `answer` may be changed.
async function startReceiver() {
  const r = { spans: [], requests: [], answer: 200, hang: false };
  r.server = await listen((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d));
    req.on('end', () => {
      r.requests.push({ method: req.method, url: req.url, headers: req.headers, text: Buffer.concat(parts).toString() });
      if (r.hang) return;
      if (r.answer === 200) r.spans.push(...spansOf(JSON.parse(Buffer.concat(parts).toString())));
      res.writeHead(r.answer, { 'Content-Type': 'application/json' }).end('{}');
    });
  });
  r.url = `http://127.0.0.1:${r.server.address().port}`;
  // The spans of one request, the root first.
  r.trace = (requestId) => waitFor(`the trace of ${requestId}`, () => {
    const root = r.spans.find((s) => s.attributes['weir.request_id'] === requestId);
    return root && [root, ...r.spans.filter((s) => s.parentSpanId === root.spanId)];
  });
  return r;
}

const only = (o, ...names) => assert.deepEqual(Object.keys(o).filter((k) => !names.includes(k)), []);
function valueOf(v) {
  assert.equal(Object.keys(v).length, 1);
  const [[kind, value]] = Object.entries(v);
  if (kind === 'stringValue') { assert.equal(typeof value, 'string'); return value; }
  if (kind === 'intValue') { assert.match(value, /^-?\d+$/); return Number(value); }
  if (kind === 'doubleValue') { assert.equal(typeof value, 'number'); return value; }
  if (kind === 'boolValue') { assert.equal(typeof value, 'boolean'); return value; }
  assert.equal(kind, 'arrayValue');
  return value.values.map(valueOf);
}
function attributesOf(list) {
  for (const a of list) only(a, 'key', 'value');
  assert.equal(new Set(list.map((a) => a.key)).size, list.length, 'no attribute twice');
  return Object.fromEntries(list.map((a) => [a.key, valueOf(a.value)]));
}
function spansOf(body) {
  only(body, 'resourceSpans');
  return body.resourceSpans.flatMap((rs) => {
    only(rs, 'resource', 'scopeSpans');
    assert.equal(attributesOf(rs.resource.attributes)['service.name'], 'weir');
    return rs.scopeSpans.flatMap((ss) => {
      only(ss, 'scope', 'spans');
      return ss.spans.map((s) => {
        only(s, 'traceId', 'spanId', 'parentSpanId', 'flags', 'kind', 'startTimeUnixNano', 'endTimeUnixNano', 'attributes', 'status', 'name');
        assert.match(s.traceId, /^(?!0{32})[0-9a-f]{32}$/);
        assert.match(s.spanId, /^(?!0{16})[0-9a-f]{16}$/);
        if (s.parentSpanId !== undefined) assert.match(s.parentSpanId, /^[0-9a-f]{16}$/);
        for (const t of [s.startTimeUnixNano, s.endTimeUnixNano]) assert.match(t, /^\d{19}$/);
        const attributes = attributesOf(s.attributes);
        if (attributes['error.type']) assert.equal(s.status.code, 2);
        return { ...s, attributes, from: BigInt(s.startTimeUnixNano), to: BigInt(s.endTimeUnixNano) };
      });
    });
  });
}
function assertNested([root, ...parts]) {
  assert.ok(parts.every((p) => p.traceId === root.traceId && p.parentSpanId === root.spanId));
  assert.equal(new Set([root, ...parts].map((s) => s.spanId)).size, parts.length + 1);
  for (const p of parts) assert.ok(root.from <= p.from && p.from <= p.to && p.to <= root.to, `${p.name} is not within its request`);
  const inTime = [...parts].sort((a, b) => (a.from < b.from ? -1 : 1));
  for (let i = 1; i < inTime.length; i++) assert.ok(inTime[i - 1].to <= inTime[i].from, 'one part after another');
  assert.equal(root.kind, 2);
}
const metric = async (weir, name) => Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec((await weir.get('/metrics')).text)[1]);
const threads = (weir) => fs.readdirSync(`/proc/${weir.program.pid}/task`).map((t) => {
  try { return fs.readFileSync(`/proc/${weir.program.pid}/task/${t}/comm`, 'utf8').trim(); } catch { return ''; }      // it has just ended
});

const up = await startUpstream();
// Between Weir and the provider: keeps the headers of each call, by its message.
const seen = [];
const proxy = await listen((req, res) => {
  const parts = [];
  req.on('data', (d) => parts.push(d));
  req.on('end', () => {
    const body = Buffer.concat(parts);
    if (body.length) seen.push({ headers: req.headers, message: JSON.parse(body).messages.at(-1).content });
    const out = http.request({ port: up.port, host: '127.0.0.1', method: req.method, path: req.url, headers: req.headers, agent: false }, (r) => {
      res.writeHead(r.statusCode, r.headers);
      r.pipe(res);
    });
    out.on('error', () => res.destroy());
    res.on('close', () => out.destroy());
    out.end(body);
  });
});
const callsOf = (message) => seen.filter((c) => c.message === message);
const receiver = await startReceiver();
const model = 'gpt-4o-mini';
const options = { upstream: { url: `http://127.0.0.1:${proxy.address().port}/v1` }, openai: { max_concurrent: 1, models: [model] } };
const config = { retry: { budget: 1, max_retries: 3, base_delay: 0.01, max_delay: 0.05 } };
const weir = await startWeir({ ...options, config: { ...config, otlp: { endpoint: receiver.url, headers: 'authorization=Bearer secret-canary,x-scope=7' } } });

test('a streamed answer is a trace with its usage, its wait and its attempt', async () => {
  const s = await (await weir.stream({ model, message: '#lorem-20 traced' })).end();
  const { usage, cost } = s.first('usage');
  const [root, ...parts] = await receiver.trace(s.first('accepted').request_id);
  assertNested([root, ...parts]);
  assert.equal(root.name, `chat ${model}`);
  assert.equal(root.parentSpanId, undefined);
  assert.equal(root.status.code, undefined);
  const a = root.attributes;
  assert.equal(a['gen_ai.operation.name'], 'chat');
  assert.equal(a['gen_ai.provider.name'], 'openai');
  assert.equal(a['gen_ai.request.model'], model);
  assert.equal(a['gen_ai.request.stream'], true);
  assert.equal(a['gen_ai.conversation.id'], s.first('accepted').session_id);
  assert.equal(a['gen_ai.usage.input_tokens'], usage.prompt_tokens);
  assert.equal(a['gen_ai.usage.output_tokens'], usage.completion_tokens);
  assert.deepEqual(a['gen_ai.response.finish_reasons'], ['stop']);
  assert.equal(a['weir.cost_usd'], cost.total_usd);
  assert.equal(a['http.route'], '/chat/stream');
  assert.ok(a['gen_ai.response.time_to_first_chunk'] >= 0);
  assert.equal(a['error.type'], undefined);
  const [attempt] = parts.filter((p) => p.name === 'weir.attempt');
  assert.equal(attempt.attributes['http.response.status_code'], 200);
  assert.equal(attempt.kind, 3);
});

test('requests go out with the path, type and headers that OTLP and the settings say', () => {
  const [r] = receiver.requests;
  assert.equal(r.method, 'POST');
  assert.equal(r.url, '/v1/traces');
  assert.equal(r.headers['content-type'], 'application/json');
  assert.equal(r.headers.authorization, 'Bearer secret-canary');
  assert.equal(r.headers['x-scope'], '7');
});

test("the client's trace goes on, and the provider is told the span of its attempt", async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const message = 'with a trace';
  const r = await weir.post('/chat/complete', { model, message }, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
  const spans = await receiver.trace(r.json.request_id);
  assertNested(spans);
  assert.equal(spans[0].traceId, traceId);
  assert.equal(spans[0].parentSpanId, '00f067aa0ba902b7');
  const attempt = spans.find((s) => s.name === 'weir.attempt');
  assert.equal(callsOf(message)[0].headers.traceparent, `00-${traceId}-${attempt.spanId}-01`);
  assert.match(callsOf(message)[0].headers.authorization, /^Bearer sk-e2e-canary$/, 'beside what is always sent');
});

test('a trace that its client does not record is passed on and not exported', async () => {
  const traceId = '11f92f3577b34da6a3ce929d0e0e4736';
  await weir.post('/chat/complete', { model, message: 'not recorded' }, { traceparent: `00-${traceId}-00f067aa0ba902b7-00` });
  assert.match(callsOf('not recorded')[0].headers.traceparent, new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  const next = await weir.post('/chat/complete', { model, message: 'the next one' });
  await receiver.trace(next.json.request_id);
  assert.ok(!receiver.spans.some((s) => s.traceId === traceId));
});

test('each attempt is a span with its status, and why it was made', async () => {
  const message = '#fault-503-twice traced';
  const r = await weir.post('/chat/complete', { model, message });
  assert.equal(r.status, 200, r.text);
  const spans = await receiver.trace(r.json.request_id);
  assertNested(spans);
  const attempts = spans.filter((s) => s.name === 'weir.attempt');
  assert.deepEqual(attempts.map((s) => s.attributes['http.response.status_code']), [503, 503, 200]);
  assert.deepEqual(attempts.map((s) => s.attributes['error.type']), ['upstream_error', 'upstream_error', undefined]);
  assert.deepEqual(attempts.map((s) => s.attributes['weir.retry.reason']), [undefined, 'upstream_error', 'upstream_error']);
  assert.deepEqual(callsOf(message).map((c) => c.headers.traceparent.split('-')[2]), attempts.map((s) => s.spanId));
  assert.equal(spans[0].attributes['weir.attempts'], 3);
  assert.equal(spans[0].attributes['error.type'], undefined, 'in the end it was answered');
  assert.ok(spans.some((s) => s.name === 'weir.queue' && s.attributes['weir.gate'] === 'backoff'), 'the wait before a retry');
});

test('a wait in line says which gate held it', async () => {
  const busy = await weir.stream({ model, message: '#slow-20-20-15 holds the only place' });
  await waitFor('it to begin', () => busy.first('start'));
  const r = await weir.post('/chat/complete', { model, message: 'waits' });
  await busy.end();
  const spans = await receiver.trace(r.json.request_id);
  assertNested(spans);
  const [wait] = spans.filter((s) => s.name === 'weir.queue');
  assert.equal(wait.attributes['weir.gate'], 'concurrency');
  assert.equal(wait.kind, 1);
  const held = Object.entries(wait.attributes).filter(([k]) => k.startsWith('weir.held_us.')).reduce((n, [, v]) => n + v, 0);
  assert.ok(held > 0 && BigInt(held) * 1000n <= wait.to - wait.from, `${held} us of ${wait.to - wait.from} ns`);
});

test('an error and a cancelled request have their traces too', async () => {
  const bad = await weir.post('/chat/complete', { model, message: '#fault-400 x' });
  const [root] = await receiver.trace(bad.json.error.request_id);
  assert.equal(root.attributes['error.type'], 'upstream_refused');
  assert.equal(root.status.code, 2);
  const busy = await weir.stream({ model, message: '#slow-20-20-200 holds the only place' });
  await waitFor('it to begin', () => busy.first('start'));
  const waiting = await weir.stream({ model, message: 'gives up' });
  await waitFor('its place', () => waiting.first('queue'));
  await weir.post('/chat/cancel', { request_id: waiting.first('accepted').request_id });
  await weir.post('/chat/cancel', { request_id: busy.first('accepted').request_id });
  const gaveUp = await receiver.trace(waiting.first('accepted').request_id);
  assertNested(gaveUp);
  assert.deepEqual(gaveUp.map((s) => s.name), [`chat ${model}`, 'weir.queue']);
  assert.equal(gaveUp[0].attributes['weir.status'], 'cancelled');
  const cut = await receiver.trace(busy.first('accepted').request_id);
  assertNested(cut);
  assert.equal(cut.filter((s) => s.name === 'weir.attempt').length, 1);
});

test('nothing that was said is in a span, nor a key', () => {
  const all = receiver.requests.map((r) => r.text).join('\n');
  assert.ok(all.length > 1000);
  assert.doesNotMatch(all, /traced|holds the only place|gives up|lorem|sk-e2e-canary|secret-canary/);
  assert.doesNotMatch(weir.logs(), /secret-canary/);
});

test('a receiver that is busy for a moment is asked again, and each trace counted', async () => {
  const before = await metric(weir, 'weir_traces_exported_total');
  receiver.answer = 503;
  const n = receiver.requests.length;
  const r = await weir.post('/chat/complete', { model, message: 'comes later' });
  await waitFor('a refusal', () => receiver.requests.length > n);
  receiver.answer = 200;
  await receiver.trace(r.json.request_id);
  await waitFor('it to be counted', async () => await metric(weir, 'weir_traces_exported_total') === before + 1);
  assert.equal(await metric(weir, 'weir_traces_dropped_total{reason="failed"}'), 0);
  assert.equal(await metric(weir, 'weir_traces_pending'), 0);
});

test('what a receiver refuses for good is dropped and counted', async () => {
  receiver.answer = 400;
  const n = receiver.requests.length;
  await weir.post('/chat/complete', { model, message: 'refused' });
  await waitFor('the drop', async () => await metric(weir, 'weir_traces_dropped_total{reason="failed"}') === 1);
  assert.equal(receiver.requests.length, n + 1, 'not asked again');
  receiver.answer = 200;
});

test('what was given is sent before Weir ends', async () => {
  const r = await weir.post('/chat/complete', { model, message: 'the last words' });
  await weir.program.stop();
  assert.ok(receiver.spans.some((s) => s.attributes['weir.request_id'] === r.json.request_id));
  await weir.start();
});

test('a receiver that hangs holds nothing up; what does not fit is dropped and counted', async () => {
  const hanging = await startReceiver();
  hanging.hang = true;
  const other = await startWeir({ config: { otlp: { endpoint: hanging.url, max_queue: 5 }, builtin: { words_per_second: 0 } } });
  for (let i = 0; i < 12; i++) assert.equal((await other.post('/chat/complete', { message: `hello ${i}` })).status, 200);
  await waitFor('the receiver to hang', () => hanging.requests.length > 0);
  assert.equal(await metric(other, 'weir_traces_pending'), 5);
  assert.equal(await metric(other, 'weir_traces_dropped_total{reason="queue_full"}'), 7);
  assert.equal(await metric(other, 'weir_traces_exported_total'), 0);
  const how = await other.program.stop();
  assert.equal(how.code, 0, 'and it ends all the same');
  assert.match(other.logs(), /tracer: traces are dropped/);
  hanging.server.closeAllConnections();
});

test('without an endpoint there is no thread, and nothing is added to what the provider gets', async () => {
  assert.ok(threads(weir).includes('tracer'));
  const off = await startWeir({ ...options, config });
  assert.ok(!threads(off).includes('tracer'));
  const r = await off.post('/chat/complete', { model, message: 'off' }, { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' });
  assert.equal(r.status, 200, r.text);
  assert.equal(callsOf('off')[0].headers.traceparent, undefined);
});
