// weir user and weir token: the same beside a Weir that runs and without one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { build, request, startWeir, test, top } from './harness.mjs';

const weir = await startWeir();
const password = 'seven green tomatoes';

// Run weir with these words; gives {status, stdout, stderr}.
const say = (words, input = '') => spawnSync(path.join(build, 'weir'), words, { env: weir.env, cwd: top, input, encoding: 'utf8', timeout: 20000 });
function does(words, input) {
  const r = say(words, input);
  assert.equal(r.status, 0, `${words.join(' ')}: ${r.stderr}`);
  return r.stdout.trim();
}
const me = (token) => request({ port: weir.port, path: '/app/me', headers: { Authorization: `Bearer ${token}` } });

// Each step with Weir running and, with another name, stopped.
async function everything(name) {
  const id = does(['user', 'add', name, '--role', 'monitor', '--password'], `${password}\n`);
  assert.match(id, /^usr_/);
  assert.match(does(['user', 'list']), new RegExp(`${id} +monitor +Medium +1 +password +${name}`));
  does(['user', 'role', name, 'admin']);
  assert.match(does(['user', 'list']), new RegExp(`${id} +admin +High`));
  does(['user', 'weight', name, '2.5']);
  assert.match(does(['user', 'list']), new RegExp(`${id} +admin +High +2.5 `));
  const token = does(['token', 'create', name, 'cron', '--scopes', 'monitor,chat']);
  assert.match(token, /^weir_/);
  const listed = does(['token', 'list', name]);
  assert.match(listed, new RegExp(`^tok_\\w+ +${name} .*cron$`));
  assert.doesNotMatch(listed, new RegExp(token));
  const [token_id] = listed.split(' ');
  does(['token', 'weight', token_id, '3']);
  const shown = (words) => JSON.parse(does([...words, '--json'])).items;
  assert.deepEqual(shown(['token', 'list', name]).map((t) => [t.token_id, t.weight]), [[token_id, 3]]);
  assert.deepEqual(shown(['user', 'list']).filter((u) => u.name === name).map((u) => [u.user_id, u.weight]), [[id, 2.5]]);
  for (const [words, status, why] of [
    [['user', 'add', name], 65, /already/], [['user', 'add', 'x', '--role', 'root'], 65, /role/], [['user', 'add', 'x', '--password'], 65, /12 characters/],
    [['user', 'role', 'nobody-there', 'user'], 67, /no user/], [['user', 'remove', name], 64, /usage/], [['user', 'fly'], 64, /usage/], [['user', 'weight', name, 'much'], 65, /weight/],
    [['token', 'create', name, 'c', '--scopes', 'root'], 65, /scopes/], [['token', 'revoke', 'tok_none'], 67, /nothing/]]) {
    const r = say(words, 'short\n');
    assert.equal(r.status, status, `${words.join(' ')}: ${r.status} ${r.stderr}`);
    assert.match(r.stderr, why);
  }
  return { id, token, token_id };
}

test('beside a Weir that runs', async () => {
  const { token, token_id, id } = await everything('runa');
  assert.equal((await me(token)).json.user_id, id);
  does(['token', 'revoke', token_id]);
  assert.equal((await me(token)).status, 401);
  const other = does(['token', 'create', id, 'again']);
  does(['user', 'disable', 'runa']);
  assert.equal((await me(other)).status, 401);
  does(['user', 'enable', 'runa']);
  assert.equal((await me(other)).status, 200);
  does(['user', 'password', 'runa'], 'eight blue radishes\n');
  assert.equal((await request({ port: weir.port, method: 'POST', path: '/app/login', body: { name: 'runa', password: 'eight blue radishes' } })).status, 200);
  does(['user', 'remove', 'runa', '--yes']);
  assert.equal((await me(other)).status, 401);
});

test('and without one, on the database', async () => {
  await weir.program.stop();
  const { token, id } = await everything('still');
  does(['user', 'password', 'still'], 'eight blue radishes\n');
  await weir.start();
  assert.equal((await me(token)).json.user_id, id);
  const { items } = (await weir.get('/admin/audit')).json;
  assert.deepEqual(items.filter((i) => i.object === id).map((i) => [i.actor, i.action]),
    [...Array(3).fill(['weir', 'user.change']), ['weir', 'user.create']]);
  assert.doesNotMatch(JSON.stringify(items), /radishes|tomatoes/);
  assert.equal(say(['audit', 'verify']).status, 0);
});
