// batch.mjs - what weir batch run costs beside calling the provider directly, and how long a resume takes to begin.
//   WEIR_BUILD=build node bench/batch.mjs
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { build, startUpstream, startWeir, stopAll, top } from '../tests/e2e/start.mjs';

const ITEMS = 800, WORKERS = 8, LARGE = 100000;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-bench-'));
const file = (name) => path.join(folder, name);
const body = (i) => ({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: `#slow-100-0-1 item ${i}` }], max_tokens: 8 });
const line = (i) => JSON.stringify({ custom_id: `row-${i}`, method: 'POST', url: '/v1/chat/completions', body: body(i) });

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { retry: { max_retries: 0 } } });

// The same calls, eight at a time, without Weir.
async function direct() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: WORKERS });
  const call = (i) => new Promise((done, fail) => {
    const r = http.request(`${up.url}/chat/completions`, { agent, method: 'POST', headers: { 'content-type': 'application/json', authorization: 'Bearer sk-e2e-canary' } },
      (answer) => answer.resume().on('end', done));
    r.on('error', fail).end(JSON.stringify(body(i)));
  });
  let next = 0;
  const from = performance.now();
  await Promise.all(Array.from({ length: WORKERS }, async () => { while (next < ITEMS) await call(next++); }));
  agent.destroy();
  return performance.now() - from;
}

function batch(input, output, ...more) {
  const from = performance.now();
  const r = spawnSync(path.join(build, 'weir'), ['batch', 'run', file(input), '--output', file(output), '--workers', String(WORKERS), ...more], { env: weir.env, cwd: top, encoding: 'utf8' });
  if (r.status !== 0) throw new Error(r.stderr);
  return performance.now() - from;
}

fs.writeFileSync(file('in.jsonl'), Array.from({ length: ITEMS }, (_, i) => line(i)).join('\n') + '\n');
const rounds = [];
for (let i = 0; i < 3; i++) {
  const plain = await direct(), through = batch('in.jsonl', `out-${i}.jsonl`);
  rounds.push({ direct_ms: Math.round(plain), batch_ms: Math.round(through), overhead_percent: Number(((through / plain - 1) * 100).toFixed(2)) });
}
console.log(`${ITEMS} calls of 100 ms, ${WORKERS} at a time:`);
console.table(rounds);

fs.writeFileSync(file('large.jsonl'), Array.from({ length: LARGE }, (_, i) => line(i)).join('\n') + '\n');
fs.writeFileSync(file('one.jsonl'), `${line(0)}\n`);
batch('one.jsonl', 'large.out.jsonl');
const [pattern] = fs.readFileSync(file('large.out.jsonl'), 'utf8').split('\n');
fs.writeFileSync(file('large.out.jsonl'), Array.from({ length: LARGE }, (_, i) => pattern.replace('"row-0"', `"row-${i}"`)).join('\n') + '\n');
console.log(`resume of ${LARGE} items that are done, start to end: ${Math.round(batch('large.jsonl', 'large.out.jsonl', '--resume'))} ms`);
await stopAll();
fs.rmSync(folder, { recursive: true });
process.exit(0);
