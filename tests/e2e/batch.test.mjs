// weir batch run: a file of prompts through a running Weir, stopped in every way and gone on with. The stand-in's
// own count is the judge of what was paid for.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { build, run, startUpstream, startWeir, test, top, unlimited, waitFor } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { retry: { max_retries: 0 } } });
const model = 'gpt-4o-mini';
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-batch-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const file = (name) => path.join(folder, name);
const lines = (name) => (fs.existsSync(file(name)) ? fs.readFileSync(file(name), 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l)) : []);
const words = (input, output, more) => ['batch', 'run', file(input), '--output', file(output), ...more];
const batch = (input, output, ...more) => run(path.join(build, 'weir'), words(input, output, more), { env: weir.env, cwd: top });
const start = (input, output, ...more) => spawn(path.join(build, 'weir'), words(input, output, more), { env: weir.env, cwd: top, stdio: ['ignore', 'pipe', 'pipe'] });
const ended = (child) => new Promise((done) => {
  let output = '';
  for (const s of [child.stdout, child.stderr]) s.on('data', (d) => { output += d; });
  child.on('close', (code, signal) => done({ code, signal, output }));
});
const calls = async () => (await up.judge()).calls;

// A batch file of n items whose texts are made by `text`.
function write(name, n, text, more = {}) {
  fs.writeFileSync(file(name), Array.from({ length: n }, (_, i) => JSON.stringify({
    custom_id: `row-${i}`, method: 'POST', url: '/v1/chat/completions',
    body: { model, messages: [{ role: 'user', content: text(i) }], max_tokens: 20, ...more },
  })).join('\n') + '\n');
}
const once = (list, n) => assert.deepEqual(list.map((l) => l.custom_id).sort(), Array.from({ length: n }, (_, i) => `row-${i}`).sort());

test('each item is answered once, in the batch file\'s own format, with what it cost', async () => {
  write('plain.jsonl', 40, (i) => `answer ${i}`);
  const before = await calls();
  const r = await batch('plain.jsonl', 'plain.out.jsonl');
  assert.equal(r.code, 0, r.output);
  const out = lines('plain.out.jsonl');
  once(out, 40);
  for (const l of out) {
    assert.equal(l.response.status_code, 200);
    assert.match(l.response.request_id, /^req_/);
    assert.equal(l.error, null);
    assert.equal(l.response.body.choices[0].message.content, `answer ${l.custom_id.slice(4)}`);
    const u = l.response.body.usage;
    assert.equal(l.weir.cost_picodollars, u.prompt_tokens * 150000 + u.completion_tokens * 600000);
  }
  assert.equal(await calls() - before, 40);
  assert.match(r.output, /^40\/40 \[00:0\d<00:00\] ✓ 40 ✗ 0 \$0\.00\d{4}$/m);
  assert.match(r.output, /gpt-4o-mini\s+40 /);
  const cost = weir.sql('SELECT SUM(cost_in + cost_out) AS c FROM events')[0].c;
  assert.equal(out.reduce((n, l) => n + l.weir.cost_picodollars, 0), cost);
  const saved = JSON.parse(fs.readFileSync(`${file('plain.out.jsonl')}.checkpoints/checkpoint_latest.json`, 'utf8'));
  assert.deepEqual([saved.items, saved.processed, saved.succeeded, saved.failed], [40, 40, 40, 0]);
  assert.equal(saved.cost_usd, cost / 1e12);
  assert.equal(weir.sql('SELECT DISTINCT priority FROM events').length, 1);

  const again = await batch('plain.jsonl', 'plain.out.jsonl', '--resume');
  assert.equal(again.code, 0, again.output);
  assert.match(again.output, /Found: 40 done/);
  assert.equal(await calls() - before, 40);
  const kept = fs.readFileSync(file('plain.out.jsonl'));
  const refused = await batch('plain.jsonl', 'plain.out.jsonl');
  assert.equal(refused.code, 73);
  assert.match(refused.output, /--resume .* --force/);
  assert.equal((await batch('plain.jsonl', 'plain.out.jsonl', '--resume', '--force')).code, 64);
  assert.deepEqual(fs.readFileSync(file('plain.out.jsonl')), kept);
  assert.equal((await batch('plain.jsonl', 'plain.out.jsonl', '--force', '--limit', '3')).code, 75);
  assert.equal(lines('plain.out.jsonl').length, 3);
});

test('a CSV file and a text of prompts do as well, and a wrong file says what is wrong with which line', async () => {
  fs.writeFileSync(file('in.csv'), 'Prompt,custom_id\r\n"two\nlines, ""quoted""",a\r\nplain,b\r\n');
  const csv = await batch('in.csv', 'csv.jsonl', '--model', model, '--system', 'Be brief.');
  assert.equal(csv.code, 0, csv.output);
  assert.deepEqual(Object.fromEntries(lines('csv.jsonl').map((l) => [l.custom_id, l.response.body.choices[0].message.content])), { a: 'two\nlines, "quoted"', b: 'plain' });
  fs.writeFileSync(file('in.txt'), 'first\n\nthird\n');
  assert.equal((await batch('in.txt', 'txt.jsonl', '--model', model)).code, 0);
  assert.deepEqual(lines('txt.jsonl').map((l) => l.custom_id).sort(), ['line-1', 'line-3']);
  fs.writeFileSync(file('bad.jsonl'), '{"custom_id":"a","url":"/v1/chat/completions","body":{"model":"x"}}\n{"custom_id":"a","body":{"model":"x"}}\n');
  const twice = await batch('bad.jsonl', 'bad.out.jsonl');
  assert.equal(twice.code, 65);
  assert.match(twice.output, /line 2: the custom_id 'a'/);
  fs.writeFileSync(file('bad.jsonl'), '{"custom_id":"a","body":{}}\nnonsense\n{"custom_id":"c","method":"GET","body":{"model":"x"}}\n');
  const wrong = await batch('bad.jsonl', 'bad.out.jsonl');
  for (const why of [/line 1: 'body.model'/, /line 2: /, /line 3: 'method'/]) assert.match(wrong.output, why);
  assert.equal(fs.existsSync(file('bad.out.jsonl')), false);
});

test('kill -9 of the client at any point: nothing is paid twice and nothing is lost', async () => {
  const kills = Number(process.env.WEIR_BATCH_KILLS ?? 12), n = 10 * kills;      // make nightly: 50
  write('kill.jsonl', n, (i) => `#slow-${10 + (i * 7) % 40}-1-3 item ${i}`);
  const before = await calls();
  let killed = 0;
  for (let round = 0; round <= 4 * kills; round++) {
    const child = start('kill.jsonl', 'kill.out.jsonl', ...(round ? ['--resume'] : []));
    const end = ended(child);
    if (killed < kills) {
      const from = lines('kill.out.jsonl').length;
      await Promise.race([end, waitFor('a few answers', () => lineCount('kill.out.jsonl') >= from + 1 + (round * 5) % 7, 20000).catch(() => {})]);
      child.kill('SIGKILL');
    }
    const r = await end;
    if (r.signal) { killed++; continue; }
    assert.equal(r.code, 0, r.output);
    break;
  }
  assert.ok(killed >= kills / 2, `${killed}`);
  once(lines('kill.out.jsonl'), n);
  assert.equal(await calls() - before, n);
  assert.equal((await run(path.join(build, 'weir'), ['verify'], { env: weir.env, cwd: top })).code, 0);
});

// Whole lines of a file that is being written.
function lineCount(name) {
  return fs.existsSync(file(name)) ? fs.readFileSync(file(name), 'utf8').split('\n').length - 1 : 0;
}

test('Ctrl+C waits for what is in flight, says how to go on, and --resume does', async () => {
  write('stop.jsonl', 30, (i) => `#slow-150-1-3 stop ${i}`);
  const before = await calls();
  const child = start('stop.jsonl', 'stop.out.jsonl', '--workers', '4');
  const end = ended(child);
  await waitFor('the first answers', () => lineCount('stop.out.jsonl') >= 2);
  child.kill('SIGINT');
  const r = await end;
  assert.equal(r.code, 75, r.output);
  assert.match(r.output, /To go on: the same command with --resume\./);
  const done = lines('stop.out.jsonl').length;
  assert.ok(done < 30);
  assert.equal(await calls() - before, done, 'each call that was begun has its answer');
  const rest = await batch('stop.jsonl', 'stop.out.jsonl', '--resume');
  assert.equal(rest.code, 0, rest.output);
  once(lines('stop.out.jsonl'), 30);
  assert.equal(await calls() - before, 30);
});

test('kill -9 of Weir repeats only what was in flight, marked, with its first charge', async () => {
  write('weir.jsonl', 24, (i) => `#slow-30-50-10 weir ${i}`);
  const before = await calls();
  const child = start('weir.jsonl', 'weir.out.jsonl', '--workers', '4');
  const end = ended(child);
  await waitFor('answers, and the provider in the middle of four more', async () => lineCount('weir.out.jsonl') >= 6 && (await up.judge()).in_flight === 4);
  await weir.kill('SIGKILL');
  await weir.restart();
  const r = await end;
  assert.equal(r.code, 0, r.output);
  const out = lines('weir.out.jsonl');
  once(out, 24);
  const again = out.filter((l) => l.weir.first_request_id);
  assert.ok(again.length >= 1 && again.length <= 4, `${again.length}`);
  const extra = await calls() - before - 24;
  assert.ok(extra >= 0 && extra <= 4, `${extra} calls more`);
  for (const l of again) assert.equal(typeof l.weir.first_cost_usd, 'number');
  assert.match(r.output, /Sent again, because Weir ended while they ran: \d/);
});

test('what keeps failing is parked with its reason; what fails once is not', async () => {
  write('poison.jsonl', 6, (i) => (i === 2 ? '#fault-400 poison' : i === 4 ? '#fault-500-once again' : `fine ${i}`));
  const r = await batch('poison.jsonl', 'poison.out.jsonl');
  assert.equal(r.code, 1, r.output);
  assert.deepEqual(lines('poison.out.jsonl').map((l) => l.custom_id).sort(), ['row-0', 'row-1', 'row-3', 'row-4', 'row-5']);
  const [parked] = lines('poison.out.errors.jsonl');
  assert.equal(parked.custom_id, 'row-2');
  assert.equal(parked.response.status_code, 400);
  assert.equal(typeof parked.response.body.error.message, 'string');
  assert.match(r.output, /Given up: 1, with their reasons in .*poison\.out\.errors\.jsonl/);
});

test('a budget stops before the call that could pass it, and a larger one goes on', async () => {
  write('budget.jsonl', 20, (i) => `budget ${i}`);
  const before = await calls();
  const first = await batch('budget.jsonl', 'budget.out.jsonl', '--budget', '0.00003', '--workers', '3');
  assert.equal(first.code, 75, first.output);
  assert.match(first.output, /could pass the budget[\s\S]*larger --budget/);
  const done = lines('budget.out.jsonl');
  assert.ok(done.length > 0 && done.length < 20, `${done.length}`);
  assert.ok(done.reduce((n, l) => n + l.weir.cost_picodollars, 0) <= 3e7);
  assert.equal(await calls() - before, done.length);
  const second = await batch('budget.jsonl', 'budget.out.jsonl', '--budget', '1', '--resume');
  assert.equal(second.code, 0, second.output);
  once(lines('budget.out.jsonl'), 20);
  assert.match(second.output, /Budget left: \$0\.9\d/);
});

test('a dry run says what it would come to and calls nobody; a wrong token and no Weir are told apart', async () => {
  const before = await calls();
  const dry = await batch('plain.jsonl', 'dry.jsonl', '--dry-run');
  assert.equal(dry.code, 0, dry.output);
  assert.match(dry.output, /40 items, about \d+ tokens in; \$0\.\d{6} to \$0\.\d{6}/);
  assert.equal(fs.existsSync(file('dry.jsonl')), false);
  const env = { ...weir.env, WEIR_TOKEN: 'weir_wrong' };
  const wrong = await run(path.join(build, 'weir'), words('plain.jsonl', 'dry.jsonl', []), { env, cwd: top });
  assert.equal(wrong.code, 77, wrong.output);
  assert.equal((await batch('plain.jsonl', 'dry.jsonl', '--url', 'http://127.0.0.1:1')).code, 69);
  assert.equal(await calls(), before);
});

test('the time left knows the limits: the first calls were a burst, the rest goes at the limit\'s rate', async () => {
  const slow = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 30 } } });
  write('limited.jsonl', 12, (i) => `limited ${i}`);
  const child = spawn('script', ['-qec', ['exec', path.join(build, 'weir'), ...words('limited.jsonl', 'limited.out.jsonl', [])].join(' '), '/dev/null'],
    { env: slow.env, cwd: top, stdio: ['pipe', 'pipe', 'ignore'] });
  const gone = new Promise((done) => child.on('close', done));
  let said = '';
  child.stdout.on('data', (d) => { said += d; });
  await waitFor('the time that the limit takes', () => /[4-7]\/12 \[00:0\d<00:(09|1\d)\]/.test(said), 15000);     // 30 a minute: two seconds each
  child.stdin.write('\x03');
  await waitFor('it to stop', () => /stopping/.test(said));
  child.stdin.write('\x03');
  await gone;
  await slow.stop();
});

// What descends from this process and has not ended.
function descendants(pid) {
  const all = execFileSync('ps', ['-eo', 'pid=,ppid=,stat='], { encoding: 'utf8' }).trim().split('\n').map((l) => l.trim().split(/\s+/));
  const found = [String(pid)];
  for (const parent of found) found.push(...all.filter(([, p, stat]) => p === parent && !stat.startsWith('Z')).map(([p]) => p));
  return found.slice(1).map(Number);
}
const lives = (pid) => {
  try { return !/\) Z/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8')); } catch { return false; }
};
const nameOf = (pid) => {
  try { return fs.readFileSync(`/proc/${pid}/comm`, 'utf8'); } catch { return null; }          // it has ended
};
const gone = (pids) => waitFor('all of them to end', () => pids.length >= 3 && !pids.some(lives));

test('--embedded needs no Weir that runs: nothing outlives it, and kill -9 of the client, or of all, is gone on with', async () => {
  const state = file('alone');
  fs.writeFileSync(file('weir.json'), JSON.stringify({ http: { hosts: ['weir.example.org'] }, retry: { max_retries: 0 },
    upstreams: [{ name: 'openai', base_url: up.url, api_key: 'sk-e2e-canary', limits: unlimited }] }));
  const env = { PATH: '/usr/bin:/bin', HOME: folder, WEIR_STATE: state, WEIR_CONFIG: file('weir.json'), WEIR_URL: 'http://127.0.0.1:1' };
  const embedded = (...more) => spawn(path.join(build, 'weir'), words('alone.jsonl', 'alone.out.jsonl', ['--embedded', '--workers', '4', ...more]),
    { env, cwd: top, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  write('alone.jsonl', 40, (i) => `#slow-200-1-3 alone ${i}`);
  const before = await calls();
  const halfway = async (n, child) => {
    await waitFor('answers, and the provider in the middle of more', async () => lineCount('alone.out.jsonl') >= n && (await up.judge()).in_flight >= 3, 30000);
    return descendants(child.pid);
  };

  const first = embedded();
  let end = ended(first), pids = await halfway(6, first);
  const second = embedded('--resume');
  let said = '';
  second.stderr.on('data', (d) => { said += d; });
  await waitFor('the second to wait', () => /is running, or settling what was under way/.test(said));
  first.kill('SIGKILL');
  await end;
  end = ended(second);
  await gone(pids);
  pids = await halfway(14, second);
  process.kill(-second.pid, 'SIGINT');               // as a terminal does it: to all of its process group
  const stopped = await end;
  assert.equal(stopped.code, 75, stopped.output);
  await gone(pids);
  assert.equal(await calls() - before, lineCount('alone.out.jsonl'), 'each was asked for once');

  const third = embedded('--resume');
  end = ended(third);
  pids = await halfway(20, third);
  spawn('kill', ['-9', third.pid, ...pids], { stdio: 'ignore' });       // the end of the first is told to the others
  await end;
  const fourth = embedded('--resume');
  end = ended(fourth);
  pids = await halfway(28, fourth);
  process.kill(pids.find((pid) => nameOf(pid) === 'weir\n'), 'SIGKILL');
  const alone = await end;
  assert.equal(alone.code, 69, alone.output);
  assert.match(alone.output, /the embedded Weir ended by itself/);
  assert.deepEqual(lines('alone.out.errors.jsonl'), [], 'it did not go on without');
  await gone(pids);
  const last = await ended(embedded('--resume'));
  assert.equal(last.code, 0, last.output);
  once(lines('alone.out.jsonl'), 40);
  const extra = await calls() - before - 40;
  assert.ok(extra >= 0 && extra <= 8, `${extra} calls more than two times what was in flight`);
  assert.equal((await run(path.join(build, 'weir'), ['verify'], { env, cwd: top })).code, 0);
});

test('--embedded uses the Weir that runs in the state folder, and says in a sentence why it cannot start one', async () => {
  write('shared.jsonl', 3, (i) => `shared ${i}`);
  const used = await batch('shared.jsonl', 'shared.out.jsonl', '--embedded');
  assert.equal(used.code, 0, used.output);
  assert.match(used.output, /a Weir runs in .* already; it is used\./);
  assert.equal((await weir.get('/readyz')).status, 200);
  once(lines('shared.out.jsonl'), 3);

  const cannot = (env, ...more) => run(path.join(build, 'weir'), words('shared.jsonl', 'cannot.jsonl', ['--embedded', ...more]),
    { env: { PATH: '/usr/bin:/bin', HOME: folder, WEIR_STATE: file('cannot'), WEIR_CONFIG: file('none.json'), ...env }, cwd: top });
  fs.writeFileSync(file('none.json'), '{}');
  assert.equal((await cannot({}, '--url', 'http://127.0.0.1:1')).code, 64);
  const wrong = await cannot({ WEIR_HTTP_ACCEPTORS: 'many' });
  assert.equal(wrong.code, 78, wrong.output);
  assert.match(wrong.output, /WEIR_HTTP_ACCEPTORS/);
  const prices = await cannot({ WEIR_PRICES: file('no-prices.json') });
  assert.equal(prices.code, 78, prices.output);
  assert.match(prices.output, /no-prices\.json[^]*Weir cannot be started/);
  fs.mkdirSync(file('bin'));
  fs.writeFileSync(path.join(file('bin'), 'nginx'), '#!/bin/sh\necho "no port" >&2\nexit "$NGINX_STATUS"\n', { mode: 0o755 });
  const PATH = `${file('bin')}:/usr/bin:/bin`;
  const none = await cannot({ PATH, NGINX_STATUS: '127' }), broken = await cannot({ PATH, NGINX_STATUS: '1' });
  assert.equal(none.code, 69, none.output);
  assert.match(none.output, /nginx, through which Weir is reached, is not installed/);
  assert.equal(broken.code, 69, broken.output);
  assert.match(broken.output, /no port\n[^]*nginx cannot be started/);
  assert.equal(fs.existsSync(file('cannot.jsonl')), false);
});
