// weir replay and weir tune: a committed trace gives committed bytes, the ledger's own counts come out, and
// what is suggested can be written into weir.json.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { build, run, startUpstream, startWeir, test, top, waitFor } from './harness.mjs';

const up = await startUpstream();
const data = path.join(top, 'tests/data');
const trace = path.join(data, 'replay.ndjson');
const model = 'gpt-4o-mini';
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-replay-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const env = { PATH: process.env.PATH, HOME: folder, LANG: 'C.UTF-8', WEIR_STATE: folder, WEIR_CONFIG: path.join(data, 'replay.json') };
const weirOf = (args, more = {}) => run(path.join(build, 'weir'), args, { env: { ...env, ...more }, cwd: top });

// The same words for each Weir whose state is asked.
const command = (weir, ...args) => run(path.join(build, 'weir'), args, { env: weir.env, cwd: top });

const cases = [
  [],
  ['--set', 'upstreams.openai.limits.requests_per_minute=80', '--set', 'upstreams.openai.max_concurrent=12'],
  ['--set', 'WEIR_UPSTREAM_OPENAI_REQUESTS_PER_MINUTE=80'],
  ['--set', 'upstreams.openai.limits.requests_per_minute=80', '--set', 'upstreams.openai.limits.tokens_per_minute=0', '--set', 'upstreams.openai.max_concurrent=20', '--provider', 'openai.requests_per_minute=44'],
  ['--priority', '1=High', '--set', 'queue.max_wait=10m'],
  ['--config', 'tests/data/replay-two-keys.json'],
];

// After a change of the rules that is meant: WEIR_RENEW=1 node --test tests/e2e/replay.test.mjs, and look at the difference.
test('the committed trace gives the committed output, byte by byte', async () => {
  const file = path.join(data, 'replay.expected');
  let all = '';
  for (const words of cases) {
    const one = await weirOf(['replay', '--trace', trace, ...words]);
    assert.equal(one.code, 0, one.output);
    const two = await weirOf(['replay', '--trace', trace, ...words]);
    assert.equal(two.output, one.output, words.join(' '));
    all += `$ weir replay --trace replay.ndjson ${words.join(' ')}\n${one.output}\n`;
  }
  if (process.env.WEIR_RENEW) fs.writeFileSync(file, all);
  assert.equal(all, fs.readFileSync(file, 'utf8'));
});

test('as JSON it has the same numbers, and they add up', async () => {
  const r = await weirOf(['replay', '--trace', trace, '--json', ...cases[3]]);
  const j = JSON.parse(r.output);
  assert.deepEqual(Object.keys(j), ['recorded', 'today', 'changed']);
  for (const c of Object.values(j)) {
    assert.equal(c.requests, 180);
    assert.equal(c.started + c.refused + c.timed_out + c.failed + c.left, 180);
    assert.equal(c.by_user.reduce((n, u) => n + u.started, 0), c.started);
    assert.equal(c.by_model.reduce((n, m) => n + m.started, 0), c.started);
    assert.equal(c.wait_ms.requests, c.started);
  }
  assert.ok(j.changed.provider_429s > 0, 'the provider allows less than is set');
  assert.equal(j.today.provider_429s, 0);
});

test('mistakes end with a sentence and their own exit status', async () => {
  const bad = path.join(folder, 'bad.ndjson');
  fs.writeFileSync(bad, '{"weir_traffic":1}\n');
  for (const [code, says, ...words] of [
    [64, /usage: weir replay/, '--colour'],
    [64, /usage: weir replay/, '--trace', trace, '--from', '-1h'],
    [64, /not of the form KEY=VALUE/, '--trace', trace, '--set', 'queue.max_wait'],
    [65, /line 1/, '--trace', bad],
    [66, /cannot be read/, '--trace', path.join(folder, 'none')],
    [66, /weir\.db/],
    [64, /--priority nobody=High/, '--trace', trace, '--priority', 'nobody=High'],
    [64, /no such upstream/, '--trace', trace, '--provider', 'nobody.requests_per_minute=4'],
    [78, /queue\.colour is not a setting/, '--trace', trace, '--set', 'queue.colour=3'],
    [78, /WEIR_COLOUR is not a variable/, '--trace', trace, '--set', 'WEIR_COLOUR=3'],
    [78, /must be a duration/, '--trace', trace, '--set', 'queue.max_wait=soon'],
  ]) {
    const r = await weirOf(['replay', ...words]);
    assert.equal(r.code, code, `${words.join(' ')}: ${r.output}`);
    assert.match(r.output, says);
  }
  const help = await weirOf(['replay', '--help']);
  assert.equal(help.code, 0);
  assert.ok(help.output.split('\n').length <= 24);
  const refused = await weirOf(['replay', '--trace', trace, '--set', 'queue.max_wait=7'], { WEIR_QUEUE_MAX_WAIT: '9' });
  assert.equal(refused.code, 78);
  assert.match(refused.output, /WEIR_QUEUE_MAX_WAIT/);
});

test('what went through Weir comes out of replay with the counts of /monitoring', async () => {
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 4 } });
  for (let i = 0; i < 12; i++) {
    const r = await weir.post('/chat/complete', { model, message: `counted ${i}`, priority: i % 2 ? 'High' : 'Low' });
    assert.equal(r.status, 200, r.text);
  }
  const r = await command(weir, 'replay', '--json');
  assert.equal(r.code, 0, r.output);
  const { recorded, today } = JSON.parse(r.output);
  const { totals } = (await weir.get('/monitoring/token-usage')).json;
  const { total } = (await weir.get('/monitoring/cost-breakdown')).json;
  assert.equal(recorded.requests, totals.requests);
  for (const c of [recorded, today]) {
    assert.equal(c.started, 12);
    assert.equal(c.by_model[0].model, model);
    assert.equal(c.by_model[0].prompt_tokens, totals.prompt_tokens);
    assert.equal(c.by_model[0].completion_tokens, totals.completion_tokens);
    assert.equal(c.cost_usd, total.cost_usd);
    assert.equal(c.by_priority.High.requests, 6);
  }
  const file = path.join(folder, 'recorded.ndjson');
  assert.equal((await command(weir, 'replay', '--record', file)).code, 0);
  assert.equal((await command(weir, 'replay', '--record', file)).code, 73, 'it is there already');
  assert.doesNotMatch(fs.readFileSync(file, 'utf8'), /counted|usr_|ses_|req_/);
  const again = JSON.parse((await command(weir, 'replay', '--json', '--trace', file)).output);
  const nameless = (c) => ({ ...c, by_user: c.by_user.map((u) => ({ ...u, user: '' })) });
  assert.deepEqual(nameless(again.recorded), nameless(recorded));
  assert.deepEqual(nameless(again.today), nameless(today));
  await weir.stop();
});

test('a token with a share of its own is a user of its own in a replay', async () => {
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1 } });
  const { user_id } = await weir.createUser('ann');
  const token = async (name, weight) => (await weir.post('/admin/tokens', { user_id, name, weight })).json.token;
  const tokens = [await token('plain'), await token('script', 3), await token('other')];
  await Promise.all(Array.from({ length: 12 }, (_, i) =>
    weir.request('POST', '/chat/complete', { model, message: `#slow-0-5-8 shares ${i}` }, { Authorization: `Bearer ${tokens[i % 3]}` })));
  const shares = async (...more) => {
    const r = await command(weir, 'replay', '--json', ...more);
    assert.equal(r.code, 0, r.output);
    assert.equal((await command(weir, 'replay', '--json', ...more)).output, r.output, 'the same bytes again');
    return JSON.parse(r.output);
  };
  const { recorded, today } = await shares();
  const counts = (c) => Object.fromEntries(c.by_user.map((u) => [u.user, u.started]));
  assert.deepEqual(counts(recorded), { ann: 8, 'ann/script': 4 });
  assert.deepEqual(counts(today), { ann: 8, 'ann/script': 4 });
  assert.equal((await shares('--priority', 'ann=High')).changed.by_priority.High.requests, 12);
  assert.equal((await shares('--priority', 'ann/script=High')).changed.by_priority.High.requests, 4);
  await weir.stop();
});

test('what replay shows to help is suggested, and tune writes it', async () => {
  const weir = await startWeir({ upstream: up, openai: { max_concurrent: 2 }, config: { suggestions: { every: 1 } } });
  const early = await command(weir, 'tune');
  assert.match(early.output, /Too few requests/);
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => weir.post('/chat/complete', { model, message: `#slow-0-20-10 ${i}` })));
  for (const a of answers) assert.equal(a.status, 200, a.text);
  const of = async () => (await weir.get('/monitoring/performance')).json.suggestions.find((s) => s.setting === 'upstreams.openai.max_concurrent');
  const s = await waitFor('a suggestion in /monitoring/performance', async () => {
    const found = await of();
    return found?.evidence.requests === 60 && found;
  }, 30000);
  assert.equal(s.current, '2');
  assert.equal(s.proposed, '4');
  assert.match(s.text, /p95 wait \d+\.\d s -> \d+\.\d s over 60 requests/);
  assert.ok(s.evidence.wait_p95_ms.proposed < s.evidence.wait_p95_ms.current * 0.8, JSON.stringify(s));

  const shown = await command(weir, 'tune');
  assert.match(shown.output, /^1\. upstreams\.openai\.max_concurrent from 2 to 4: /);
  assert.deepEqual(JSON.parse((await command(weir, 'tune', '--json')).output).suggestions[0].setting, s.setting);

  const file = path.join(weir.state, 'weir.json');
  const before = fs.readFileSync(file, 'utf8');
  assert.equal((await command(weir, 'tune', '--apply', '7')).code, 64);
  assert.equal((await command(weir, 'tune', '--json', '--apply')).code, 64);
  const decided = await run(path.join(build, 'weir'), ['tune', '--apply', '1'], { env: { ...weir.env, OPENAI_MAX_CONCURRENT: '2' }, cwd: top });
  assert.equal(decided.code, 73, decided.output);
  assert.match(decided.output, /OPENAI_MAX_CONCURRENT/);
  assert.equal(fs.readFileSync(file, 'utf8'), before);

  const applied = await command(weir, 'tune', '--apply', 'upstreams.openai.max_concurrent');
  assert.equal(applied.code, 0, applied.output);
  assert.match(applied.output, /upstreams\.openai\.max_concurrent = 4/);
  const wanted = JSON.parse(before);
  wanted.upstreams[0].max_concurrent = 4;
  assert.deepEqual(JSON.parse(fs.readFileSync(file, 'utf8')), wanted);
  assert.deepEqual(Object.keys(JSON.parse(fs.readFileSync(file, 'utf8')).upstreams[0]), Object.keys(wanted.upstreams[0]));
  assert.equal(fs.readFileSync(`${file}.before-tune`, 'utf8'), before);
  assert.equal((await command(weir, 'config', 'check')).code, 0);
  assert.match(applied.output, /Weir was told to read it again/);
  assert.match((await command(weir, 'config', 'show')).output, /upstreams\.openai\.max_concurrent=4/);

  await waitFor('the running Weir to go by it', () => /upstreams\.openai\.max_concurrent: 2 -.{1,8} 4"/.test(weir.program.output));
  assert.equal((await weir.post('/chat/complete', { model, message: 'new traffic' })).status, 200);
  await waitFor('suggestions from there on', async () => (await of())?.current === '4', 30000);
  execFileSync('sqlite3', ['-cmd', '.timeout 5000', path.join(weir.state, 'weir.db'),      // the token becomes a mere user's
    "INSERT INTO users(user_id, name, role, max_priority, created_ms) VALUES ('usr_plain', 'plain', 0, 1, 0);" +
    "UPDATE tokens SET user = (SELECT id FROM users WHERE user_id = 'usr_plain')"]);
  await waitFor('the token to be the user\'s', async () => (await weir.get('/app/me')).json.role === 'user');
  assert.deepEqual((await weir.get('/monitoring/performance')).json.suggestions, [], 'settings are no matter of a mere user');
  await weir.stop();
});
