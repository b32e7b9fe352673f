// run.mjs - the measurements of bench/run: the stand-in, nginx as a plain proxy
// to it, and nginx with Weir, in one run on one machine; prints a table.
//
//   bench/run [--only NAME,NAME] [--json FILE]
//   bench/relay                                    how streams pass through, alone
//   bench/run --only soak                          1,000,000 requests (WEIR_SOAK) and what memory grows by
//
// Each case first loads the plain proxy, then Weir, with the same traffic. CPU is
// that of the named processes alone, from their CPU clocks. Nothing else should
// run on the machine. WEIR_BUILD names the build folder.
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { malformed, sendAll } from '../tests/e2e/malformed.mjs';
import { Program, build, freePort, startUpstream, startWeir, stopAll, unlimited, waitFor, request } from '../tests/e2e/start.mjs';

const args = process.argv.slice(2);
const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const only = option('--only')?.split(',');
const rows = [];

const load = async (name, options) => {
  const flags = Object.entries(options).filter(([, v]) => v !== undefined)
    .flatMap(([k, v]) => [v].flat().flatMap((x) => [`--${k}`, String(x)]));
  const { stdout, stderr } = await promisify(execFile)(path.join(build, 'bench/load'), [name, ...flags], { maxBuffer: 1 << 20 });
  if (stderr) process.stderr.write(stderr);
  return JSON.parse(stdout);
};

const children = (pid) => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
const watch = (name, ...pids) => `${name}=${pids.flatMap((p) => [p, ...children(p)]).join(',')}`;
const us = (n) => (n >= 10000 ? `${(n / 1000).toFixed(1)} ms` : `${n} us`);

function row(figure, target, measured, good) {
  rows.push({ figure, target, measured, good });
  process.stdout.write(`${good === undefined ? '    ' : good ? 'ok  ' : 'MISS'}  ${figure.padEnd(58)} ${target.padEnd(22)} ${measured}\n`);
}

// ---- the three servers ------------------------------------------------------

const up = await startUpstream();

async function startProxy() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-bench-'));
  const [port, tls, once] = [await freePort(), await freePort(), await freePort()];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`], { stdio: 'ignore' });
  const secure = `ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem; location / { proxy_buffering off; proxy_pass http://standin; }`;
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((t) => `${t}_temp_path ${dir}/${t};`).join(' ');
  fs.writeFileSync(`${dir}/nginx.conf`, `
    ${process.getuid() === 0 ? 'user root;' : ''}
    worker_processes auto; worker_rlimit_nofile 65536; pid ${dir}/pid; error_log ${dir}/error.log;
    events { worker_connections 16384; multi_accept on; }
    http {
      access_log off; tcp_nodelay on; keepalive_requests 1000000; ${temps}
      upstream standin { server 127.0.0.1:${up.port}; keepalive 512; keepalive_requests 1000000; }
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header anthropic-version 2023-06-01; proxy_read_timeout 3600s;
      server {
        listen 127.0.0.1:${port} default_server backlog=4096;
        location /v1/ { proxy_pass http://standin; }
        location /stream/ { proxy_buffering off; proxy_pass http://standin/v1/; }
      }
      server { listen 127.0.0.1:${tls} ssl backlog=4096; ${secure} }
      server { listen 127.0.0.1:${once} ssl backlog=4096; keepalive_timeout 0; ${secure} }
    }`);
  const program = new Program('proxy', 'nginx', ['-e', `${dir}/error.log`, '-c', `${dir}/nginx.conf`, '-g', 'daemon off;']);
  await waitFor('the proxy', async () => (await request({ port, path: '/v1/models' })).status === 200);
  return { port, program, tls, once, certificate: `${dir}/cert.pem`, stop: () => program.stop('SIGQUIT').then(() => fs.rmSync(dir, { recursive: true })) };
}

const proxy = await startProxy();
const settings = (extra = {}) => ({
  upstream: up,
  openai: { max_concurrent: 10000, models: ['echo', 'chunks-120-4', 'chunks-600-50', 'chunks-100000-50', 'slow-1000-0-1'], ...extra.openai },
  config: { queue: { max_size: 20000, max_wait: 3600 }, log: { level: 'error' }, ...extra.config },
});
const weirPids = (w) => [watch('weir', w.program.pid), watch('nginx', w.nginx.pid)];
const plainBody = (model) => JSON.stringify({ model, stream: true, stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'hello' }] });
const weirBody = (model) => JSON.stringify({ model, message: 'hello' });

// How a stream is asked for, of the plain proxy and of Weir.
const messagesBody = (model) => JSON.stringify({ model, stream: true, max_tokens: 100000, messages: [{ role: 'user', content: 'hello' }] });
const ways = {
  own: { plain: ['/stream/chat/completions', plainBody], weir: ['/chat/stream', weirBody] },
  openai: { plain: ['/stream/chat/completions', plainBody], weir: ['/v1/chat/completions', plainBody] },
  anthropic: {
    plain: ['/stream/messages', messagesBody], weir: ['/v1/messages', messagesBody],
    upstream: { name: 'anthropic', protocol: 'anthropic', base_url: up.url, max_concurrent: 10000, models: ['chunks-120-4'], limits: unlimited },
  },
};
const responsesBody = (model) => JSON.stringify({ model, stream: true, input: 'hello' });
ways.responses = {
  plain: ['/stream/responses', responsesBody], weir: ['/v1/responses', responsesBody],
  upstream: { name: 'openai', base_url: up.url, responses: 'on', max_concurrent: 10000, models: ['chunks-120-4'], limits: unlimited },
};
ways.to_anthropic = { ...ways.openai, upstream: ways.anthropic.upstream };          // translated
ways.to_openai = { plain: ways.anthropic.plain, weir: ways.anthropic.weir };

// ---- the cases ----------------------------------------------------------------

async function streams(name, n, model, seconds, ramp, limits, way = ways.own) {
  const weir = await startWeir(settings(way.upstream ? { config: { upstreams: [way.upstream] } } : {}));
  const common = { connections: n, seconds, ramp };
  const a = await load('streams', { ...common, port: proxy.port, path: way.plain[0], body: way.plain[1](model), watch: watch('proxy', proxy.program.pid) });
  const b = await load('streams', { ...common, port: weir.port, path: way.weir[0], token: weir.token, body: way.weir[1](model), watch: weirPids(weir) });
  await weir.stop();
  const perChunk = (r, who) => r.watch[who].cpu_ns / r.chunks / 1000;
  const [p, w] = [perChunk(a, 'proxy'), perChunk(b, 'weir')];
  const rate = (r) => `${Math.round(r.chunks / (r.took_us / 1e6))} chunks/s`;
  row(`${name}: streams that failed`, '0', `${b.failed + b.open} of ${b.streams} (plain proxy: ${a.failed + a.open}); ${rate(b)} (${rate(a)})`, b.failed + b.open === 0 && b.begun === n);
  row(`${name}: Weir's CPU a chunk, against plain nginx`, `<= ${limits.ratio ?? '-'}`, `${(w / p).toFixed(2)} (${w.toFixed(2)} us; plain ${p.toFixed(2)} us; nginx before Weir ${perChunk(b, 'nginx').toFixed(2)} us)`,
    limits.ratio && w / p <= limits.ratio);
  row(`${name}: time a chunk is on its way, p99 beyond plain nginx`, limits.p99 ? `<= ${us(limits.p99)}` : '-', `${us(b.added.p99_us - a.added.p99_us)} (p50 ${us(b.added.p50_us)} / ${us(a.added.p50_us)}, p99 ${us(b.added.p99_us)} / ${us(a.added.p99_us)})`,
    limits.p99 && b.added.p99_us - a.added.p99_us <= limits.p99);
  row(`${name}: first event, p50 and p99`, '-', `${us(b.first.p50_us)}, ${us(b.first.p99_us)} (plain ${us(a.first.p50_us)}, ${us(a.first.p99_us)})`);
  if (limits.idleKib !== undefined) {
    const kib = (b.watch.weir.rss_begin_kib - limits.idleKib()) / n;
    row(`${name}: Weir's memory an open stream`, '<= 32 KiB', `${kib.toFixed(1)} KiB`, kib <= 32);
  }
}

let idleKib;
const cases = {
  async idle() {
    const weir = await startWeir(settings());
    row('start to ready', '<= 1 s', `${Math.round(weir.readyAfterMs)} ms`, weir.readyAfterMs <= 1000);
    const rss = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${weir.program.pid}/status`, 'utf8'))[1]);
    idleKib = rss();
    row('idle: resident memory', '<= 20 MiB', `${(idleKib / 1024).toFixed(1)} MiB`, idleKib <= 20 * 1024);
    await weir.stop();
  },
  streams5000: () => streams('5,000 streams at 4/s', 5000, 'chunks-120-4', 8, 700, { ratio: 1.2, p99: 5000, idleKib: () => idleKib ?? 0 }),
  relay_openai: () => streams('5,000 streams at 4/s, OpenAI passed through', 5000, 'chunks-120-4', 8, 700, { ratio: 1.2, idleKib: () => idleKib ?? 0 }, ways.openai),
  relay_anthropic: () => streams('5,000 streams at 4/s, Anthropic passed through', 5000, 'chunks-120-4', 8, 700, { ratio: 1.2, idleKib: () => idleKib ?? 0 }, ways.anthropic),
  relay_responses: () => streams('5,000 streams at 4/s, Responses passed through', 5000, 'chunks-120-4', 8, 700, { ratio: 1.2, idleKib: () => idleKib ?? 0 }, ways.responses),
  translate_to_anthropic: () => streams('5,000 streams at 4/s, OpenAI to Anthropic', 5000, 'chunks-120-4', 8, 700, { ratio: 2, idleKib: () => idleKib ?? 0 }, ways.to_anthropic),
  translate_to_openai: () => streams('5,000 streams at 4/s, Anthropic to OpenAI', 5000, 'chunks-120-4', 8, 700, { ratio: 2, idleKib: () => idleKib ?? 0 }, ways.to_openai),
  streams2000: () => streams('2,000 streams at 50/s', 2000, 'chunks-600-50', 6, 500, {}),
  // Through TLS to the provider: what a stream's connection holds, and what a new one costs.
  async tls() {
    const at = (name, port) => ({ name, base_url: `https://127.0.0.1:${port}/v1`, api_key: 'sk-bench', max_concurrent: 10000, models: ['chunks-120-4', 'echo'], limits: unlimited });
    const start = (upstream) => startWeir({ config: { ...settings().config, ca_file: proxy.certificate, upstreams: [upstream] } });
    const n = 2000;
    let weir = await start(at('kept', proxy.tls));
    const idle = Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${weir.program.pid}/status`, 'utf8'))[1]);
    const s = await load('streams', { connections: n, seconds: 8, ramp: 400, port: weir.port, path: '/v1/chat/completions', token: weir.token, body: plainBody('chunks-120-4'), watch: weirPids(weir) });
    const kib = (s.watch.weir.rss_begin_kib - idle) / n;
    row('TLS to the provider: memory an open stream', '<= 96 KiB', `${kib.toFixed(1)} KiB; ${s.failed + s.open} of ${s.streams} failed`, kib <= 96 && s.failed + s.open === 0);
    await weir.stop();
    const each = {};
    for (const [name, port] of [['kept', proxy.tls], ['new', proxy.once]]) {
      weir = await start(at(name, port));
      const r = await load('requests', { connections: 16, seconds: 5, port: weir.port, path: '/v1/chat/completions', token: weir.token, body: JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'hello' }] }), watch: weirPids(weir) });
      each[name] = { us: r.watch.weir.cpu_ns / r.requests / 1000, failed: r.failed };
      await weir.stop();
    }
    const cost = each.new.us - each.kept.us;
    row('TLS to the provider: CPU of a new connection', '<= 2.0 ms', `${us(Math.round(cost))} (${us(Math.round(each.new.us))} a request with one, ${us(Math.round(each.kept.us))} without); ${each.new.failed + each.kept.failed} failed`, cost <= 2000 && each.new.failed + each.kept.failed === 0);
  },
  async waiting() {
    const weir = await startWeir(settings({ openai: { max_concurrent: 3 } }));
    await Promise.all(Array.from({ length: 12 }, () => weir.post('/chat/complete', JSON.parse(weirBody('slow-1000-0-1')))));     // so that it knows how long they take
    const r = await load('streams', { connections: 8000, seconds: 8, ramp: 1500, port: weir.port, path: '/chat/stream', token: weir.token, body: weirBody('slow-1000-0-1'), watch: weirPids(weir) });
    const events = r.queue_events / (r.took_us / 1e6), cpu = r.watch.weir.cpu_ns / (r.took_us * 1000) * 100;
    row('8,000 waiting: position events', '~ 8,000/s', `${Math.round(events)}/s, ${r.failed} failed`, r.failed === 0 && events > 6000);
    row('8,000 waiting: Weir\'s CPU at an event a second each', '<= 8 % of a core', `${(cpu * 8000 / events).toFixed(1)} % (${cpu.toFixed(1)} % at ${Math.round(events)}/s; ${(cpu * 1e4 / events).toFixed(2)} us an event)`, cpu * 8000 / events <= 8);
    await weir.stop();
  },
  async requests() {
    const weir = await startWeir(settings());
    const common = { connections: 128, seconds: 5 };
    const a = await load('requests', { ...common, port: proxy.port, path: '/v1/chat/completions', body: JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'hello' }] }), watch: watch('proxy', proxy.program.pid) });
    const b = await load('requests', { ...common, port: weir.port, path: '/chat/complete', token: weir.token, body: weirBody('echo'), watch: weirPids(weir) });
    row('non-stream, durable, 128 at a time', '>= 6,000/s, no error', `${b.per_second}/s, ${b.failed} failed (plain ${a.per_second}/s); p50 ${us(b.p50_us)}, p99 ${us(b.p99_us)}`, b.per_second >= 6000 && b.failed === 0);
    row('non-stream: CPU of 1,000 requests', '-', `Weir ${Math.round(b.watch.weir.cpu_ns / b.requests / 1000)} ms, its nginx ${Math.round(b.watch.nginx.cpu_ns / b.requests / 1000)} ms (plain nginx ${Math.round(a.watch.proxy.cpu_ns / a.requests / 1000)} ms)`);
    await weir.stop();
  },
  async latency() {
    const weir = await startWeir(settings());
    const common = { connections: 128, seconds: 6, rate: 1000 };
    const c = await load('commits', { count: 2000, dir: weir.state });
    const a = await load('requests', { ...common, port: proxy.port, path: '/v1/chat/completions', body: JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'hello' }] }) });
    const b = await load('requests', { ...common, port: weir.port, path: '/chat/complete', token: weir.token, body: weirBody('echo') });
    const p50 = b.p50_us - a.p50_us - 2 * c.p50_us, p99 = b.p99_us - a.p99_us;
    row('1,000 requests/s: added p50 beyond two commits', '<= 500 us', `${us(p50)} (${us(b.p50_us)} - plain ${us(a.p50_us)} - 2 x ${us(c.p50_us)})`, p50 <= 500 && b.failed === 0);
    row('1,000 requests/s: added p99', '<= 3.0 ms', `${us(p99)} (${us(b.p99_us)}, plain ${us(a.p99_us)}; a commit's p99 ${us(c.p99_us)}); ${b.failed} failed`, p99 <= 3000 && b.failed === 0);
    await weir.stop();
  },
  async export() {
    const state = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-bench-'));
    await promisify(execFile)(path.join(build, 'bench/ledger'), ['fill', path.join(state, 'weir.db'), '300000', '30'], { maxBuffer: 1 << 20 });
    const weir = await startWeir({ ...settings(), state });
    const kib = (what) => Number(new RegExp(`${what}:\\s+(\\d+)`).exec(fs.readFileSync(`/proc/${weir.program.pid}/status`, 'utf8'))[1]);
    const take = (format) => new Promise((resolve, reject) => {
      http.get({ port: weir.port, path: `/monitoring/export?format=${format}&from=-31d`, headers: weir.headers, agent: false }, (res) => {
        let n = 0;
        res.on('data', (d) => { n += d.length; });
        res.on('end', () => resolve(n));
        res.on('error', reject);
      }).on('error', reject);
    });
    for (const format of ['csv', 'json', 'ndjson']) {
      const began = performance.now();
      const bytes = await take(format);
      const rate = Math.round(300000 / ((performance.now() - began) / 1000));
      row(`export of 300,000 events as ${format}`, '>= 300,000/s', `${rate} rows/s, ${(bytes / 1e6).toFixed(1)} MB`, rate >= 300000);
    }
    // What a start with a large ledger does first fills the caches of its connections for good; it is over by now.
    const before = kib('VmRSS');
    let most = before;
    const look = setInterval(() => { most = Math.max(most, kib('VmRSS')); }, 10);
    await Promise.all(['csv', 'json', 'ndjson'].map(take));
    clearInterval(look);
    row('three exports at once: resident memory beyond what it was', '<= 16 MiB', `${((most - before) / 1024).toFixed(1)} MiB at its highest`, most - before <= 16 * 1024);
    await weir.stop();
  },
  async live() {
    const weir = await startWeir(settings());
    const b = await load('requests', { connections: 64, seconds: 4, port: weir.port, method: 'GET', path: '/monitoring/live', token: weir.token, watch: weirPids(weir) });
    row('/monitoring/live', '>= 15,000/s', `${b.per_second}/s, ${b.failed} failed, p99 ${us(b.p99_us)}; Weir ${Math.round(b.watch.weir.cpu_ns / b.requests / 1000)} us CPU each`, b.per_second >= 15000 && b.failed === 0);
    await weir.stop();
  },
  // Only when it is asked for: it takes minutes.
  async soak() {
    const weir = await startWeir(settings());
    const kib = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${weir.program.pid}/status`, 'utf8'))[1]);
    const settled = () => weir.sql('SELECT settled FROM ledger')[0].settled;
    const part = (seconds) => load('requests', { connections: 64, seconds, port: weir.port, path: '/chat/complete', token: weir.token, body: weirBody('echo') });
    const wanted = Number(process.env.WEIR_SOAK ?? 1000000);
    let failed = 0, begun;
    while (settled() < 10000) failed += (await part(1)).failed;
    begun = kib();
    const first = settled();
    let n = first;
    while (n < wanted) {
      const r = await part(Math.max(1, Math.min(20, Math.ceil((wanted - n) / 10000))));
      failed += r.failed;
      n = settled();
      process.stderr.write(`${n} requests, ${failed} failed: ${((kib() - begun) / 1024).toFixed(1)} MiB more than after ${first}\n`);
    }
    const grown = kib() - begun;
    row(`soak: resident memory after ${n} requests beyond that after ${first}`, '<= 2.0 MiB', `${(grown / 1024).toFixed(1)} MiB (${(begun / 1024).toFixed(1)} MiB then); ${failed} failed`, grown <= 2048 && failed === 0);
    await weir.stop();
  },
  async malformed() {
    const weir = await startWeir(settings());
    const got = await sendAll(weir.port, malformed(5000, { seed: 20261126, host: `127.0.0.1:${weir.port}`, token: weir.token, model: 'echo' }));
    const took = got.filter((r) => r.status).map((r) => r.ms * 1000).sort((a, b) => a - b);
    const at = (part) => Math.round(took[Math.floor(took.length * part)]), errors = got.filter((r) => r.status >= 500).length;
    row('5,000 malformed requests: p99 of an answer', '<= 50 ms, no 5xx', `${us(at(0.99))}, p50 ${us(at(0.5))}; ${took.length} answered, ${errors} of them 5xx`, at(0.99) <= 50000 && errors === 0);
    await weir.stop();
  },
  async leave() {
    const weir = await startWeir(settings());
    const a = await load('leave', { count: 50, port: proxy.port, path: '/stream/chat/completions', body: plainBody('chunks-100000-50'), 'judge-port': up.port });
    const b = await load('leave', { count: 100, port: weir.port, path: '/chat/stream', token: weir.token, body: weirBody('chunks-100000-50'), 'judge-port': up.port });
    row('client leaves to provider closed, p99 of 100', '<= 5.0 ms', `${us(b.p99_us)}, p50 ${us(b.p50_us)}, ${b.failed} failed (plain p50 ${us(a.p50_us)}, p99 ${us(a.p99_us)})`, b.p99_us <= 5000 && b.failed === 0);
    await weir.stop();
  },
};

process.stdout.write(`Weir's measurements: ${os.cpus().length} x ${os.cpus()[0].model}, Linux ${os.release()}, ${new Date().toISOString()}\n\n`);
let failed = false;
for (const [name, fn] of Object.entries(cases)) {
  if (only ? !only.includes(name) : name === 'soak') continue;
  try {
    await fn();
  } catch (error) {
    failed = true;
    row(name, '', `could not be measured: ${error.message.slice(0, 300)}`, false);
  }
}
await stopAll();
if (option('--json')) fs.writeFileSync(option('--json'), JSON.stringify(rows, null, 1));
process.exitCode = failed || rows.some((r) => r.good === false) ? 1 : 0;
