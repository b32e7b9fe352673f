// Each of weir's commands says on one screen what it does, and bash completes them and their options.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build, run, test, top } from './harness.mjs';

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
  assert.equal(fs.existsSync(path.join(top, 'completion/_weir')), true);
});
