// Each of weir's commands says on one screen what it does, and bash completes them and their options.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, top } from './harness.mjs';

const env = { PATH: `${build}:${process.env.PATH}`, HOME: os.tmpdir(), LANG: 'C.UTF-8' };
const weir = (...args) => run(path.join(build, 'weir'), args, { env, cwd: top });
const commands = [...(await weir('--help')).output.matchAll(/^ {2}weir ([a-z]+)/gm)].map((m) => m[1]);

const complete = async (...words) => (await run('bash', ['-c', `. ${top}/completion/weir; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir; printf '%s\\n' "\${COMPREPLY[@]}"`,
  'bash', 'weir', ...words], { env, cwd: os.tmpdir() })).output.split('\n').filter(Boolean);

test('--help fits a screen and is no error; wrong words are, with the same text', async () => {
  assert.ok(commands.length >= 13, commands.join(' '));
  assert.ok((await weir('--help')).output.split('\n').length <= 25);
  for (const c of commands) {
    const { code, output } = await weir(c, '--help');
    assert.equal(code, 0, `${c}: ${output}`);
    assert.match(output, new RegExp(`^usage: weir ${c}`), c);
    const lines = output.trimEnd().split('\n');
    assert.ok(lines.length <= 30, `${c}: ${lines.length} lines`);
    assert.ok(lines.every((l) => l.length <= 130), c);
    const wrong = await weir(c, '--no-such-word');
    assert.equal(wrong.code, 64, `${c}: ${wrong.output}`);
  }
  assert.equal((await weir('nonsense')).code, 64);
});

test('bash completes commands, their verbs and their options', async () => {
  assert.deepEqual((await complete('re')).sort(), commands.filter((c) => c.startsWith('re')).sort());
  assert.deepEqual(await complete('batch', '--dry'), ['--dry-run']);
  assert.ok((await complete('batch', 'r')).includes('run'));
  assert.deepEqual(await complete('config', 'sh'), ['show']);
  for (const verb of ['create', 'list', 'revoke']) assert.ok((await complete('token', '')).includes(verb), verb);
});

test('and so does zsh', async () => {
  // What zsh would offer is printed by what stands for its own functions.
  const offers = `_describe() { print -rl -- \${(P)2} }; compadd() { print -rl -- \${(P)2} }; _files() { : }
    words=("$@"); CURRENT=$#; PREFIX=\${@[-1]}; . ${top}/completion/_weir`;
  const zsh = async (...words) => {
    const r = await run('zsh', ['-fc', offers, 'zsh', 'weir', ...words], { env, cwd: os.tmpdir() });
    assert.equal(r.code, 0, r.output);
    return r.output.split('\n').filter(Boolean);
  };
  const offered = await zsh('');
  assert.deepEqual(offered.map((l) => l.split(':')[0]), commands);
  assert.ok(offered.every((l) => /^[a-z]+:./.test(l)), offered.join('\n'));
  assert.ok((await zsh('batch', '--')).includes('--dry-run'));
  for (const verb of ['create', 'list', 'revoke']) assert.ok((await zsh('token', '')).includes(verb), verb);
});

// ---- for programs ------------------------------------------------------------

// What tells something: the words that make each command tell it, and the status it ends with.
const bill = 'day,model,requests,input_tokens,output_tokens\n2026-11-01,gpt-4o-mini,0,0,0\n';
const reports = {
  config: [['config', 'check'], ['config', 'show']], report: [['report']], audit: [['audit', 'verify']], verify: [['verify']],
  batch: [['batch', 'run', 'in.txt', '--model', 'gpt-4o-mini', '--dry-run'], ['batch', 'run', 'in.txt', '--model', 'gpt-4o-mini', '--output', 'out.jsonl', '--force']],
  reconcile: [['reconcile', 'bill.csv']], replay: [['replay']], top: [['top', '--once']], tune: [['tune']], token: [['token', 'list']], user: [['user', 'list']],
};
const others = ['serve', 'backup', 'exec'];         // do something, and tell nothing but that

test('every command that reports has --json: one JSON value and nothing else on standard output', async () => {
  const up = await startUpstream();
  const one = await startWeir({ upstream: up });
  for (const c of commands) assert.ok(reports[c] || others.includes(c), `weir ${c} is new: does it report something?`);
  fs.writeFileSync(path.join(one.state, 'in.txt'), 'one\ntwo\n');
  fs.writeFileSync(path.join(one.state, 'bill.csv'), bill);
  assert.equal((await one.post('/chat/complete', { model: 'gpt-4o-mini', message: 'hello' })).status, 200);
  // In the folder of the state; on a terminal where `terminal` is set, with both streams in stdout.
  const say = (words, terminal) => {
    const file = path.join(build, 'weir');
    for (const f of fs.readdirSync(one.state).filter((f) => f.startsWith('usage_report'))) fs.rmSync(path.join(one.state, f));     // one a second
    const [program, args] = terminal ? ['script', ['-qec', [file, ...words].join(' '), '/dev/null']] : [file, words];
    return spawnSync(program, args, { cwd: one.state, encoding: 'utf8', timeout: 20000, env: { ...one.env, WEIR_URL: `http://127.0.0.1:${one.port}`, WEIR_TOKEN: one.token, NO_COLOR: '1' } });
  };
  for (const words of Object.values(reports).flat()) {
    const line = words.join(' ');
    const json = say([...words, '--json']);
    assert.ok([0, 1].includes(json.status), `${line}: ${json.status} ${json.stderr}`);
    assert.equal(typeof JSON.parse(json.stdout), 'object', `${line}: ${json.stdout}`);
    const plain = say(words);
    assert.equal(plain.status, json.status, `${line}: ${plain.stderr}`);
    assert.doesNotMatch(plain.stdout + plain.stderr, /\x1b/, `${line} knows that this is no terminal`);
    assert.doesNotMatch(say(words, true).stdout, /\x1b\[[0-9;]*m/, `${line} keeps to NO_COLOR`);
  }
  const summary = JSON.parse(say([...reports.batch[1], '--json']).stdout);
  assert.deepEqual([summary.items, summary.succeeded, summary.failed, summary.by_model[0].calls], [2, 2, 0, 2]);
  assert.ok(summary.cost_usd > 0);
  await one.stop();
});

test('exit statuses are those of sysexits, and weir(1) has each that a command names', async () => {
  const manual = fs.readFileSync(path.join(top, 'docs/weir.1'), 'utf8').split('.Sh EXIT STATUS')[1].split('.Sh ')[0];
  const documented = [...manual.matchAll(/^\.It (.*)$/gm)].flatMap((m) => m[1].split(' , '));
  for (const c of commands) {
    const { output } = await weir(c, '--help');
    for (const [, n] of output.matchAll(/(?:Status|[;,]) (\d{1,2})(?=[:,])/g)) assert.ok(documented.includes(n), `${c}: ${n} is not in weir(1)`);
  }
  const nowhere = path.join(os.tmpdir(), 'weir-no-state-here'), broken = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'weir-broken-')), 'broken.json');
  fs.writeFileSync(broken, '{"no_such_setting": 1}');
  const status = async (more, ...words) => (await run(path.join(build, 'weir'), words, { env: { ...env, ...more }, cwd: path.dirname(broken) })).code;
  for (const words of [...Object.values(reports).flat(), ['serve'], ['backup', 'x']].filter((w) => w[0] !== 'batch'))
    assert.equal(await status({ WEIR_CONFIG: broken }, ...words), 78, words.join(' '));
  assert.equal(await status({ WEIR_STATE: nowhere }, 'top'), 69);
  assert.equal(await status({ WEIR_STATE: nowhere }, 'verify'), 66);
  assert.equal(await status({ WEIR_STATE: nowhere }, 'reconcile', 'no-such-file.csv'), 66);
  assert.equal(await status({ WEIR_URL: 'http://127.0.0.1:9', WEIR_TOKEN: 'x' }, 'batch', 'run', broken, '--dry-run'), 65);
});
