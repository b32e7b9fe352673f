// pages.mjs - how long each page of the dashboard and each endpoint of /monitoring takes on a database that
// `bench/ledger fill FOLDER/weir.db` made: p50 and p95 of the time a client waits, and of Weir's CPU, which
// others on the machine do not lengthen. Every GET route of the two is there: the program's own table is walked.
//   WEIR_BUILD=build node bench/pages.mjs FOLDER [times [part of the path]]
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build, request, startUpstream, startWeir, stopAll } from '../tests/e2e/start.mjs';

const folder = path.resolve(process.argv[2] ?? '.'), times = Number(process.argv[3] ?? 40), part = process.argv[4] ?? '', limit = 20;
if (!fs.existsSync(path.join(folder, 'weir.db'))) throw new Error(`${folder}/weir.db is not there`);
const up = await startUpstream();
const weir = await startWeir({ upstream: up, state: folder, keep: true, config: { log: { level: 'error' }, verify: { every: 0 } } });
const { headers } = weir;

const [newest] = (await request({ port: weir.port, path: '/monitoring/history?limit=1', headers })).json.items;
const id = { '/monitoring/session-usage/{session}': newest.session_id, '/monitoring/requests/{id}': newest.request_id, '/app/dashboard/requests/{id}': newest.request_id };
const cpuUs = () => fs.readdirSync(`/proc/${weir.program.pid}/task`)
  .reduce((sum, t) => sum + Number(fs.readFileSync(`/proc/${weir.program.pid}/task/${t}/schedstat`, 'utf8').split(' ')[0]) / 1000, 0);
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] / 1000;

async function measure(where, shown = true) {
  if (!where.includes(part)) return;
  const wall = [], cpu = [];
  let bytes = 0;
  for (let i = -2; i < times; i++) {                       // the first two are not counted
    const before = cpuUs(), from = performance.now();
    const r = await request({ port: weir.port, path: where, headers });
    if (r.status !== 200) throw new Error(`${where}: ${r.status} ${r.text.slice(0, 200)}`);
    if (i >= 0) { wall.push((performance.now() - from) * 1000); cpu.push(cpuUs() - before); }
    bytes = r.text.length;
  }
  for (const list of [wall, cpu]) list.sort((a, b) => a - b);
  if (!shown) return;                                      // what Weir does after its start is over
  const p95 = at(cpu, 0.95);
  console.log(`${p95 <= limit ? 'ok  ' : 'MISS'}  ${where.replace(/(req|ses)_\w+/, '{id}').padEnd(52)} p50 ${at(wall, 0.5).toFixed(1).padStart(6)} ms, p95 ${at(wall, 0.95).toFixed(1).padStart(6)} ms; `
    + `of CPU ${at(cpu, 0.5).toFixed(1).padStart(6)} ms, ${p95.toFixed(1).padStart(6)} ms; ${bytes} bytes`);
}

const routes = JSON.parse(execFileSync(path.join(build, 'tests/routes/routes'), { encoding: 'utf8' }));
await measure('/app/dashboard?range=30d', false);
const from = (days) => new Date(Date.now() - days * 86400000).toISOString();
for (const { method, pattern } of routes) {
  if (method !== 'GET' || !/^\/(monitoring|app\/dashboard)(\/|$)/.test(pattern) || pattern === '/monitoring/export') continue;
  const where = pattern.replace(/\{(id|session)\}/, id[pattern]);
  const report = /token-usage|performance|cost-breakdown|trend|anomalies|forecast|history/.test(pattern) && !pattern.startsWith('/app');
  if (report && !pattern.endsWith('forecast')) for (const days of [1, 30]) await measure(`${where}?from=${from(days)}`);
  else if (/dashboard(\/(requests|cost|performance))?$/.test(pattern)) for (const range of ['24h', '30d']) await measure(`${where}?range=${range}`);
  else await measure(where);
}
await stopAll();
process.exit(0);
