// The settings pages of people and the like, as an administrator uses them.
import assert from 'node:assert/strict';
import { request, startUpstream, startWeir, test } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
const row = (text) => page.locator('tbody tr', { hasText: text });
const me = (token) => request({ port: weir.port, path: '/app/me', headers: { Authorization: `Bearer ${token}` } });

test('a user is made, a token for them is shown once, used, revoked, and the audit log has it all', async () => {
  await page.goto(b.url('/app/settings/users'));
  await page.fill('[name="name"]', 'nina');
  await page.fill('[name="password"]', 'seven green tomatoes');
  await page.fill('[name="limits.requests_per_minute"]', '30');
  await page.press('[name="name"]', 'Enter');
  await row('nina').waitFor();
  const id = await row('nina').getAttribute('data-id');
  assert.equal((await weir.get(`/admin/users/${id}`)).json.limits.requests_per_minute, 30);
  await page.goto(b.url('/app/settings/tokens'));
  await page.fill('[name="user_id"]', id);
  await page.fill('[name="name"]', 'for a script');
  await page.click('#save');
  const token = await page.textContent('#secret:visible');
  assert.match(token, /^weir_/);
  assert.equal((await me(token)).json.name, 'nina');
  await page.reload();
  assert.ok(!(await page.content()).includes(token));
  await row('for a script').locator('[data-act="remove"]').click();
  await page.click('#sure button[value="no"]');
  assert.equal((await me(token)).status, 200);
  await row('for a script').locator('[data-act="remove"]').click();
  await page.click('#sure button[value="yes"]');
  await row('for a script').waitFor({ state: 'detached' });
  assert.equal((await me(token)).status, 401);
  await page.goto(b.url('/app/settings/audit'));
  for (const action of ['user.create', 'token.create', 'token.revoke', 'sign-in']) await row(action).first().waitFor();
  assert.ok(!(await page.content()).includes('tomatoes'));
});

test('a user is changed and removed with the form and its buttons; a refusal is said', async () => {
  await page.goto(b.url('/app/settings/users'));
  await page.fill('[name="name"]', 'nina');
  await page.click('#save');
  await page.locator('#problem', { hasText: 'already' }).waitFor();
  await row('nina').locator('[data-act="change"]').click();
  await page.selectOption('[name="max_priority"]', 'High');
  await page.fill('[name="filters"]', '{"models":["gpt-4o*"]}');
  await page.click('#save');
  await row('High').filter({ hasText: 'nina' }).waitFor();
  await row('nina').locator('[data-act="remove"]').click();
  await page.click('#sure button[value="yes"]');
  await row('nina').waitFor({ state: 'detached' });
});

test('every settings page is sound, and a user without rights sees their own alone', async () => {
  for (const name of ['own-tokens', 'browsers', 'users', 'tokens', 'budgets', 'alerts', 'webhooks', 'prices', 'providers', 'retention', 'audit']) {
    await page.goto(b.url(`/app/settings/${name}`));
    await b.calm(name);
  }
  await page.goto(b.url('/app/settings/providers'));
  assert.match(await row('openai').innerText(), /healthy/);
  await page.goto(b.url('/app/settings/retention'));
  assert.match(await page.innerText('tbody'), /\d{4}-\d\d-\d\d \d\d:\d\d|—/);
  await page.goto(b.url('/app/settings/users'));
  await b.sound('users');
  await weir.post('/admin/users', { name: 'olga', role: 'user', password: 'seven green tomatoes' });
  const other = await openBrowser(weir, { width: 390 });
  await other.page.goto(other.url('/app/login'));
  await other.page.fill('#name', 'olga');
  await other.page.fill('#password', 'seven green tomatoes');
  await other.page.press('#password', 'Enter');
  await other.page.waitForURL(other.url('/app/'));
  await other.page.goto(other.url('/app/settings/own-tokens'));
  assert.deepEqual(await other.page.locator('.sections a').allTextContents(), ['This browser', 'My tokens', 'My browsers']);
  await other.page.fill('[name="name"]', 'mine');
  await other.page.click('#save');
  assert.equal((await me(await other.page.textContent('#secret:visible'))).json.name, 'olga');
  await other.sound('own tokens on a telephone');
  await other.page.goto(other.url('/app/settings'));
  await other.page.fill('#current', 'seven green tomatoes');
  await other.page.fill('#next', 'eight blue radishes');
  await other.page.press('#next', 'Enter');
  await other.page.locator('#say', { hasText: 'is changed' }).waitFor();
  await other.close();
});
