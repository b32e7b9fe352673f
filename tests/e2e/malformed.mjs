// malformed.mjs - requests that are wrong somewhere, made from a seed: bytes of a body, fields, headers, paths, methods,
// framing, and bytes that are no HTTP at all. The test sends 5,000 of them, bench/run measures them.
import net from 'node:net';

// Numbers from 0 to 1, the same for the same seed.
export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const values = [null, true, -1, 0, 1e300, 0.5, '', 'x', 'x'.repeat(3000), [], {}, [[]], { a: { b: 1 } }, '\u202e', '__proto__', "' OR 1=1 --", '%00', '../../etc/passwd', '<script>'];
const keys = ['message', 'messages', 'model', 'session_id', 'priority', 'system', 'max_tokens', 'temperature', 'top_p', 'stop', 'idempotency_key', 'metadata', 'on_disconnect',
  'user_id', 'api_base', '__proto__', 'stream', 'title', 'name', 'role', ''];
const headers = ['Content-Type', 'Content-Length', 'Transfer-Encoding', 'Content-Encoding', 'Authorization', 'x-api-key', 'Cookie', 'Host', 'Origin', 'Expect', 'Connection', 'Upgrade', 'Range',
  'X-CSRF-Token', 'Idempotency-Key', 'Last-Event-ID', 'If-None-Match', 'traceparent', 'X-Weir-Priority', 'Sec-Fetch-Site', 'X Y', '', 'Proxy'];
const headerValues = ['', 'x', '0', '-1', '99999999999999999999', 'chunked', 'gzip', 'Bearer x', 'Bearer ', 'application/json', 'text/plain', 'a'.repeat(9000), '\x00', '\x01\x7f', '\xff\xfe', 'a\rb', '100-continue',
  'bytes=0-', 'close, keep-alive', '00-0-0-0', '{"a":1}', ';;;', 'http://evil'];
const paths = ['/chat/complete', '/chat/stream', '/chat/cancel', '/chat/estimate', '/chat/sessions', '/chat/sessions/ses_x', '/monitoring/history', '/monitoring/export', '/monitoring/cost-breakdown',
  '/admin/users', '/admin/budgets', '/admin/tokens', '/usage/events', '/app/', '/app/me', '/static/css/base.css', '/metrics', '/'];
const pathParts = ['/', '//', '/..', '%2e%2e', '%00', '%0d%0aX: y', '%', '%zz', '\xff', '?', '#', ';', '\\', ' ', '{id}', 'a'.repeat(300), '?limit=x', '?from=-1h&from=-2h', '?a[b]=c', '?' + 'x=1&'.repeat(40)];
const methods = ['GET', 'POST', 'PATCH', 'DELETE', 'PUT', 'HEAD', 'OPTIONS', 'TRACE', 'FOO', 'get', '', 'G\x00T', 'CONNECT', 'POST'.repeat(300)];

// n requests as Buffers. `token` is a valid one that some of them carry; `host` the right name and port.
export function* malformed(n, { seed = 1, host, token, model }) {
  const rnd = random(seed);
  const pick = (list) => list[Math.floor(rnd() * list.length)];
  const chance = (p) => rnd() < p;

  const mutateBytes = (b) => {
    const out = [...b];
    for (let k = 1 + Math.floor(rnd() * 4); k > 0; k--) {
      const at = Math.floor(rnd() * (out.length + 1));
      const how = rnd();
      if (how < 0.3) out.splice(at, 1);
      else if (how < 0.6) out.splice(at, 0, Math.floor(rnd() * 256));
      else if (how < 0.8) out[Math.min(at, out.length - 1)] = Math.floor(rnd() * 256);
      else if (how < 0.9) out.length = at;
      else out.splice(at, 0, ...out.slice(at, at + 20));
    }
    return Buffer.from(out);
  };
  const body = () => {
    const o = { model, message: 'x' };
    for (let k = Math.floor(rnd() * 3); k >= 0; k--) o[pick(keys)] = pick(values);
    let b = Buffer.from(JSON.stringify(o));
    if (chance(0.5)) b = mutateBytes(b);
    return b;
  };

  for (let i = 0; i < n; i++) {
    if (chance(0.06)) {
      yield Buffer.from(Array.from({ length: 1 + Math.floor(rnd() * 400) }, () => Math.floor(rnd() * 256)));
      continue;
    }
    let method = chance(0.75) ? pick(methods.slice(0, 4)) : pick(methods);
    const where = pick(paths) + (chance(0.4) ? pick(pathParts) : '');
    const b = method === 'GET' && chance(0.8) ? Buffer.alloc(0) : body();
    const lines = [];
    if (!chance(0.03)) lines.push(`Host: ${host}`);
    if (chance(0.8)) lines.push(`Authorization: Bearer ${token}`);
    if (b.length) lines.push(`Content-Length: ${chance(0.95) ? b.length : b.length + Math.floor(rnd() * 9) - 4}`);
    if (b.length && chance(0.9)) lines.push('Content-Type: application/json');
    for (let k = chance(0.4) ? 1 + Math.floor(rnd() * 3) : 0; k > 0; k--)
      lines.splice(Math.floor(rnd() * (lines.length + 1)), 0, `${pick(headers)}${pick([': ', ':', ' : ', ''])}${pick(headerValues)}`);
    lines.push('Connection: close');
    let request = Buffer.concat([Buffer.from(`${method} ${where} ${chance(0.95) ? 'HTTP/1.1' : pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/x', ''])}\r\n${lines.join(chance(0.97) ? '\r\n' : '\n')}\r\n\r\n`, 'latin1'), b]);
    if (chance(0.08)) request = mutateBytes(request);
    yield request;
  }
}

// Send it; {status, ms} of the first answer, status 0 where the connection was closed without one. A request that
// says less than it promised is ended by us after `patience` ms.
export function send(port, bytes, patience = 300) {
  return new Promise((resolve) => {
    const began = performance.now();
    let text = '', ended = 0;
    const s = net.connect(port, '127.0.0.1');
    const late = setTimeout(() => { ended = performance.now(); s.end(); }, patience);
    const done = () => {
      clearTimeout(late);
      s.destroy();
      resolve({ status: Number(/HTTP\/1\.[01] ([2-5]\d\d) /.exec(text)?.[1] ?? 0), ms: performance.now() - (ended || began), text });
    };
    s.on('connect', () => s.write(bytes));
    s.on('data', (d) => { text += d.toString('latin1'); if (/^HTTP\/1\.[01] [2-5]\d\d .*\r\n/.test(text)) done(); });
    s.on('error', () => {});
    s.on('close', done);
  });
}

// All of them, so many at a time; gives [{status, ms, text, request}].
export async function sendAll(port, requests, atATime = 16) {
  const results = [];
  await Promise.all(Array.from({ length: atATime }, async () => {
    for (;;) {
      const { value: request, done } = requests.next();
      if (done) return;
      results.push({ ...await send(port, request), request });
    }
  }));
  return results;
}
