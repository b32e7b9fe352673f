// start.mjs - starts the provider stand-in, Weir and nginx on free ports with a
// state folder of their own, waits by condition and never by time, and stops it
// all again. Used by the tests (harness.mjs) and by bench/run. No dependencies;
// Node 18 or newer.
//
// WEIR_BUILD names the build folder (./build unless set).
import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Canaries } from './canary.mjs';
import { EventStream } from './sse.mjs';

export const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const build = path.resolve(process.env.WEIR_BUILD ?? path.join(top, 'build'));

const running = new Set();      // what is to be stopped at the end
export async function stopAll() {
  for (const it of [...running].reverse()) await it.stop();
}
// Whatever ends this process, nothing it started outlives it.
process.on('exit', () => {
  for (const it of running) it.child?.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

// ---- waiting -------------------------------------------------------------

// Ask `probe` until it gives something true; fail with `what` after `ms`.
export async function waitFor(what, probe, ms = 10000) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const got = await probe();
      if (got) return got;
      last = got;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}; last: ${last?.stack ?? last}`);
    await new Promise((go) => setTimeout(go, 5));
  }
}

export async function freePort() {
  const s = net.createServer().listen(0, '127.0.0.1');
  await once(s, 'listening');
  const { port } = s.address();
  s.close();
  await once(s, 'close');
  return port;
}

// ---- processes -----------------------------------------------------------

export class Program {
  constructor(name, file, args, options = {}) {
    this.name = name;
    this.output = '';
    this.exit = new Promise((resolve) => {
      this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
      this.child.on('error', (error) => resolve({ error }));
      this.child.on('exit', (code, signal) => resolve({ code, signal }));
    });
    this.exit.then((how) => { this.ended = how; });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.on('data', (text) => { this.output = (this.output + text).slice(-200000); });
    running.add(this);
  }

  get pid() { return this.child.pid; }

  // The first match of `pattern` in the output; fails if the program ends before.
  async says(pattern, ms = 20000) {
    return waitFor(`${this.name} to say ${pattern}`, () => {
      const found = pattern.exec(this.output);
      if (!found && this.ended) throw new Error(`${this.name} ended: ${JSON.stringify(this.ended)}\n${this.output}`);
      return found;
    }, ms);
  }

  async stop(signal = 'SIGTERM') {
    running.delete(this);
    if (!this.ended) this.child.kill(signal);
    const late = setTimeout(() => this.child.kill('SIGKILL'), 15000);
    const how = await this.exit;
    clearTimeout(late);
    return how;
  }
}

// Run to the end, which must come within 20 s; gives {code, signal, output}.
export async function run(file, args, options) {
  const p = new Program(path.basename(file), file, args, options);
  const late = setTimeout(() => p.child.kill('SIGKILL'), 20000);
  const { code, signal } = await p.exit;
  clearTimeout(late);
  running.delete(p);
  return { code, signal, output: p.output };
}

// ---- the provider stand-in -------------------------------------------------

export async function startUpstream(...args) {
  const program = new Program('stand-in', path.join(build, 'tests/upstream/upstream'), ['--texts', ...args]);
  const [, port] = await program.says(/listening on .*:(\d+)/);
  const ask = async (method, where, body) => (await request({ port, method, path: where, body })).json;
  return {
    port: Number(port),
    url: `http://127.0.0.1:${port}/v1`,
    judge: () => ask('GET', '/_judge'),
    reset: () => ask('POST', '/_judge/reset', {}),
    limits: (limits) => ask('POST', '/_judge/limits', limits),
    // What others send with the same key: {requests, tokens}.
    foreign: (much) => ask('POST', '/_judge/foreign', much),
    // The calls whose user message begins with `tag` (at most 63 bytes are kept).
    calls: async (tag) => (await ask('GET', '/_judge')).log.filter((c) => c.tag.startsWith(tag)),
    stop: () => program.stop(),
  };
}

// ---- HTTP ------------------------------------------------------------------

const canaries = new Map();     // of the Weirs that run, by port

// One request; `body` is an object (sent as JSON) or a string or Buffer.
export function request({ port, method = 'GET', path: where, headers = {}, body, timeout = 30000 }) {
  return new Promise((resolve, reject) => {
    const bytes = body === undefined ? undefined
      : typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
    const all = { ...headers };
    canaries.get(port)?.sent(headers, body);
    if (bytes) {
      all['Content-Length'] = bytes.length;
      if (!Object.keys(all).some((k) => k.toLowerCase() === 'content-type')) all['Content-Type'] = 'application/json';
    }
    const r = http.request({ host: '127.0.0.1', port, method, path: where, headers: all, agent: false, timeout }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(parts).toString();
        let json;
        try { json = JSON.parse(text); } catch { json = undefined; }
        canaries.get(port)?.got(res.headers, text);
        resolve({ status: res.statusCode, headers: res.headers, text, json });
      });
    });
    r.on('timeout', () => r.destroy(new Error(`no answer in ${timeout} ms: ${method} ${where}`)));
    r.on('error', reject);
    r.end(bytes);
  });
}

// Send exactly these bytes and give all that comes until the peer closes or `until` matches.
export async function raw(port, bytes, { until, ms = 10000, end = false } = {}) {
  const s = net.connect(port, '127.0.0.1');
  let text = '';
  s.on('data', (d) => { text += d.toString('latin1'); });
  s.on('error', () => {});
  await once(s, 'connect');
  s.write(bytes);
  if (end) s.end();
  try {
    await waitFor('a raw answer', () => s.closed || s.readableEnded || (until && until.test(text)), ms);
  } finally {
    s.destroy();
  }
  return text;
}

// ---- Weir --------------------------------------------------------------------

class Weir {
  constructor(options) {
    this.options = options;
    this.state = options.state ?? fs.mkdtempSync(path.join(os.tmpdir(), 'weir-e2e-'));
    this.headers = {};
    this.canaries = new Canaries();
    this.streams = [];
    alive.add(this);
  }

  // What the environment of `weir` is: nothing inherited that could name a provider.
  get env() {
    return {
      PATH: process.env.PATH, HOME: this.state, LANG: 'C.UTF-8',
      LSAN_OPTIONS: `suppressions=${path.join(top, 'tests/lsan.supp')}:print_suppressions=0`,
      WEIR_STATE: this.state, WEIR_HTTP_PORT: String(this.port), WEIR_CONFIG: path.join(this.state, 'weir.json'),
      ...(process.env.BROKEN_ON_PURPOSE ? { BROKEN_ON_PURPOSE: process.env.BROKEN_ON_PURPOSE } : {}),     // tests/checks.sh
      ...(this.options.env ?? {}),
    };
  }

  writeConfig(config) {
    fs.writeFileSync(path.join(this.state, 'weir.json'), JSON.stringify(config, null, 2));
    this.canaries.learnConfig(config, this.env);
  }

  async start() {
    if (!this.nginx) {
      const conf = path.join(this.state, 'nginx.conf');
      const text = execFileSync(path.join(build, 'weir'), ['config', 'nginx'], { env: this.env, cwd: top, encoding: 'utf8' });
      fs.writeFileSync(conf, this.options.nginx ? this.options.nginx(text) : text);
      this.nginx = new Program('nginx', 'nginx', ['-e', path.join(this.state, 'nginx-error.log'), '-c', conf, '-g', 'daemon off;']);
    }
    canaries.set(this.port, this.canaries);
    if (this.program) this.canaries.said('weir', this.program.output);
    const began = performance.now();
    const [file, ...args] = [...(this.options.prefix ?? []), path.join(build, 'weir'), 'serve'];
    this.program = new Program('weir', file, args, { env: this.env, cwd: this.options.cwd ?? top });
    await waitFor('/readyz to answer 200', async () => {
      if (this.program.ended) throw new Error('weir ended');
      if (this.nginx.ended) throw new Error(`nginx ended: ${this.nginx.output}`);
      return (await request({ port: this.port, path: '/readyz', timeout: 2000 })).status === 200;
    }, 20000);
    this.readyAfterMs = performance.now() - began;
    this.token = fs.readFileSync(path.join(this.state, 'admin-token'), 'utf8').trim();
    this.headers = { Authorization: `Bearer ${this.token}` };
    running.add(this);
    return this;
  }

  async kill(signal = 'SIGKILL') {
    this.program.child.kill(signal);
    return this.program.exit;
  }

  async restart() {
    await this.program.stop();
    return this.start();
  }

  // Stops everything and removes the state folder.
  async stop() {
    running.delete(this);
    const how = await this.program.stop();
    await this.nginx?.stop('SIGQUIT');
    alive.delete(this);
    const report = /^.*(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:)[^]*/m.exec(this.program.output);
    if (report) throw new Error(`a sanitizer spoke:\n${report[0].slice(0, 6000)}`);
    this.searchForSecrets();
    if (!this.options.keep) fs.rmSync(this.state, { recursive: true, force: true });
    return how;
  }

  // Throws if a secret is where none may be (canary.mjs).
  searchForSecrets() {
    canaries.delete(this.port);
    for (const s of this.streams) this.canaries.got({}, s.text ?? '');
    for (const p of [this.program, this.nginx]) if (p) this.canaries.said(p.name, p.output);
    this.canaries.searchFolder(this.state);
    if (this.canaries.leaks.length) throw new Error(`secrets leaked:\n${this.canaries.leaks.join('\n')}`);
  }

  request(method, where, body, headers = {}) {
    return request({ port: this.port, method, path: where, body, headers: { ...this.headers, ...headers } });
  }

  get(where, headers) { return this.request('GET', where, undefined, headers); }
  post(where, body, headers) { return this.request('POST', where, body, headers); }

  // A user, as an administrator makes one.
  async createUser(name, more = {}) {
    const r = await this.post('/admin/users', { name, role: 'user', ...more });
    if (r.status !== 201) throw new Error(r.text);
    return r.json;
  }

  // POST /chat/stream (or another path); gives the stream as soon as its status is there.
  async stream(body, { headers = {}, path: where = '/chat/stream', method } = {}) {
    const s = await EventStream.open({ port: this.port, path: where, method, body, headers: { ...this.headers, ...headers } });
    this.streams.push(s);
    return s;
  }

  // Rows of the database, read by the sqlite3 shell.
  sql(query) {
    const text = execFileSync('sqlite3', ['-readonly', '-json', '-cmd', '.timeout 2000', path.join(this.state, 'weir.db'), query], { encoding: 'utf8', maxBuffer: 1 << 28 });
    return text.trim() ? JSON.parse(text) : [];
  }

  // The ledger's events, words spelled out, oldest first.
  records(where = '1') {
    return this.sql(`SELECT e.*, s.session_id, m.text AS model, u.text AS upstream, f.text AS finish_reason, x.text AS error_code,
      substr('accepted sent     settled  ', e.state * 9 + 1, 9) AS state,
      substr('success  error    cancelledtimeout  rejected ', e.status * 9 + 1, 9) AS status
      FROM events e LEFT JOIN sessions s ON s.id = e.session LEFT JOIN words m ON m.id = e.model LEFT JOIN words u ON u.id = e.upstream
      LEFT JOIN words f ON f.id = e.finish LEFT JOIN words x ON x.id = e.error WHERE ${where} ORDER BY e.id`)
      .map((r) => ({ ...r, state: r.state.trim(), status: r.status.trim() }));
  }

  record(requestId) { return this.records(`e.request_id = '${requestId}'`)[0]; }

  // Wait until the event of this request is settled; gives it.
  settled(requestId) {
    return waitFor(`the record of ${requestId}`, () => {
      const r = this.record(requestId);
      return r?.state === 'settled' && r;
    });
  }

  attempts(requestId) {
    return this.sql(`SELECT a.* FROM attempts a JOIN events e ON e.id = a.event WHERE e.request_id = '${requestId}' ORDER BY a.n`);
  }

  logs() {
    const errors = path.join(this.state, 'nginx-error.log');
    return `--- weir (${this.state})\n${this.program?.output.slice(-6000) ?? ''}\n--- nginx\n${this.nginx?.output.slice(-2000) ?? ''}` +
      (fs.existsSync(errors) ? fs.readFileSync(errors, 'utf8').slice(-4000) : '');
  }
}

// A user of that role and a token that may all that they may; gives the token's headers.
export async function addUser(weir, name, role = 'user') {
  const { user_id } = await weir.createUser(name, { role });
  const r = await weir.post('/admin/tokens', { user_id, name: 'all' });
  if (r.status !== 201) throw new Error(r.text);
  return { Authorization: `Bearer ${r.json.token}` };
}

export const alive = new Set();      // Weirs whose logs a failed test prints

// What every test's Weir is unless it says otherwise: one upstream, the stand-in, without limits.
export const unlimited = {
  requests_per_minute: 0, requests_per_hour: 0, tokens_per_minute: 0, tokens_per_hour: 0,
};

// options: nginx (a function of its configuration's text), upstream (of startUpstream), config (merged over weir.json), openai (merged into its upstream entry), others (further upstreams), env, keep,
// prefix (a command that starts another, in words), cwd.
export async function startWeir(options = {}) {
  const weir = new Weir(options);
  weir.port = options.port ?? await freePort();
  const { limits, ...openai } = options.openai ?? {};
  const upstreams = options.upstream
    ? [{ name: 'openai', base_url: options.upstream.url, api_key: 'sk-e2e-canary', limits: { ...unlimited, ...limits }, ...openai }, ...(options.others ?? [])]
    : undefined;
  weir.writeConfig({ ...(upstreams ? { upstreams } : {}), ...(options.config ?? {}) });
  try {
    return await weir.start();
  } catch (error) {
    process.stderr.write(weir.logs());
    throw error;
  }
}
