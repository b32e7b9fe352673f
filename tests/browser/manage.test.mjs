// The settings pages of people and the like, as an administrator uses them.
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import fs from 'node:fs';
import { after } from 'node:test';
import { request, startUpstream, startWeir, test } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { webhooks: { allowed_addresses: ['127.0.0.1'] } } });
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
const row = (text) => page.locator('tbody tr', { hasText: text });
const me = (token) => request({ port: weir.port, path: '/app/me', headers: { Authorization: `Bearer ${token}` } });

test('a user is made, a token for them is shown once, used, revoked, and the audit log has it all', async () => {
  await page.goto(b.url('/app/settings/users'));
  await page.click('#add');
  await page.fill('[name="name"]', 'nina');
  await page.fill('[name="password"]', 'seven green tomatoes');
  await page.fill('[name="limits.requests_per_minute"]', '30');
  await page.press('[name="name"]', 'Enter');
  await row('nina').waitFor();
  const id = await row('nina').getAttribute('data-id');
  assert.equal((await weir.get(`/admin/users/${id}`)).json.limits.requests_per_minute, 30);
  await page.goto(b.url('/app/settings/tokens'));
  await page.click('#add');
  assert.equal(await page.locator('#known-users option', { hasText: 'nina' }).getAttribute('value'), id);
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
  await page.click('#add');
  await page.fill('[name="name"]', 'nina');
  await page.click('#save');
  await page.locator('#editor #problem', { hasText: 'already' }).waitFor();
  assert.equal(await page.getAttribute('[name="name"]', 'aria-invalid'), 'true');
  await b.sound('a refused form');
  await b.shot('manage-refused');
  await page.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'add', 'the focus returns');
  await row('nina').locator('[data-act="change"]').click();
  await page.selectOption('[name="max_priority"]', 'High');
  await page.fill('[name="filters"]', '{"models":["gpt-4o*"]}');
  await page.click('#save');
  await row('High').filter({ hasText: 'nina' }).waitFor();
  await row('nina').locator('[data-act="remove"]').click();
  await page.click('#sure button[value="yes"]');
  await row('nina').waitFor({ state: 'detached' });
});

test('a webhook is tested, its deliveries are read and sent again, and its secret is made anew', async () => {
  const got = [];
  const receiver = http.createServer((req, res) => { req.resume(); got.push(req.headers); res.writeHead(got.length === 1 ? 410 : 204).end(); });
  receiver.listen(0, '127.0.0.1');
  after(() => { receiver.closeAllConnections(); receiver.close(); });
  await once(receiver, 'listening');
  const hook = (await weir.post('/admin/webhooks', { url: `http://127.0.0.1:${receiver.address().port}/hook` })).json;
  await page.goto(b.url('/app/settings/webhooks'));
  await row('/hook').locator('button', { hasText: 'Test' }).click();
  await page.waitForURL(b.url(`/app/settings/webhooks/${hook.webhook_id}`));
  assert.match(await page.innerText('.set-head'), new RegExp(`What http://127.0.0.1:${receiver.address().port}/hook was told`));
  assert.equal(await page.innerText('.sections [aria-current]'), 'Webhooks');
  await row('failed').waitFor({ timeout: 20000 });                 // by itself, once it is known
  assert.match(await row('webhook.test').innerText(), /410/);
  await b.sound('deliveries');
  await page.click('.set-head a');
  await row('off').locator('[data-act="change"]').click();
  await page.check('[name="enabled"]');
  await page.click('#save');
  await row('on').locator('a', { hasText: 'Deliveries' }).click();
  await row('failed').locator('button', { hasText: 'Send again' }).click();
  await page.locator('#say', { hasText: 'sent again' }).waitFor();
  await row('delivered').waitFor({ timeout: 20000 });
  assert.equal(await row('delivered').locator('button').count(), 0);
  assert.equal(got.length, 2);
  await page.click('.set-head a');
  await row('/hook').locator('[data-act="change"]').click();
  await page.locator('#acts button', { hasText: 'New secret' }).click();
  assert.match(await page.innerText('#sure'), /new secret for http:.*Make a new one/s);
  await page.click('#sure button[value="no"]');
  assert.equal((await weir.get('/admin/audit')).json.items.filter((a) => a.action === 'webhook.change').length, 1);
  await page.locator('#acts button', { hasText: 'New secret' }).click();
  await page.click('#sure button[value="yes"]');
  const secret = await page.textContent('#secret:visible');
  assert.match(secret, /^whsec_/);
  assert.notEqual(secret, hook.secret);
  assert.equal((await page.goto(b.url('/app/settings/webhooks/whk_none'))).status(), 404);
});

test('all that is kept of a person is given out, and erased after a question', async () => {
  const { user_id: id } = await weir.createUser('paula');
  await page.goto(b.url('/app/settings/users'));
  await page.click('#add');
  assert.equal(await page.locator('#acts').isVisible(), false, 'of somebody who is there');
  await page.click('#cancel');
  await row('paula').locator('[data-act="change"]').click();
  const kept = async (link) => {
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    assert.match(download.suggestedFilename(), /^weir-usr_\w+\.json$/);
    return fs.readFileSync(await download.path(), 'utf8');
  };
  assert.match(await kept(page.locator('#acts a', { hasText: 'Export' })), /paula/);
  await page.locator('#acts button', { hasText: 'Erase' }).click();
  assert.match(await page.innerText('#sure'), /kept of paula.*cannot be taken back/s);
  await b.sound('a question before an erasure');
  await page.click('#sure button[value="no"]');
  assert.equal((await weir.get(`/admin/users/${id}`)).status, 200);
  await page.locator('#acts button', { hasText: 'Erase' }).click();
  await page.click('#sure button[value="yes"]');
  await page.locator('#say', { hasText: 'Erased' }).waitFor();
  assert.equal(await row('paula').count(), 0);
  assert.equal((await weir.get(`/admin/users/${id}`)).status, 404);
  await page.locator('tr', { hasText: 'admin' }).locator('[data-act="remove"]').first().click();
  assert.match(await page.innerText('#sure'), /^Remove admin\?\s+Remove\s+Keep$/);
  await page.click('#sure button[value="no"]');
  await page.goto(b.url('/app/settings'));
  assert.match(await kept(page.locator('a', { hasText: 'Export' })), /"admin"/);
});

test('every settings page is sound, and a user without rights sees their own alone', async () => {
  for (const width of [1400, 390]) for (const name of ['own-tokens', 'browsers', 'users', 'tokens', 'budgets', 'alerts', 'webhooks', 'prices', 'price-table', 'providers', 'retention', 'audit']) {
    await page.setViewportSize({ width, height: 900 });
    await page.goto(b.url(`/app/settings/${name}`));
    await b.calm(`${name} at ${width} px`);
  }
  await page.setViewportSize({ width: 1400, height: 900 });
  await page.goto(b.url('/app/settings/providers'));
  assert.match(await row('openai').innerText(), /healthy/);
  await page.goto(b.url('/app/settings/price-table'));
  assert.match(await page.innerText('.set-head'), /Version \d{4}-\d\d-\d\d, \d+ models\./);
  assert.match(await page.locator('tbody tr', { hasText: /^gpt-4o-miniopenai\$/ }).innerText(), /\$0\.15\s+\$0\.60\s+\$0\.075\s+—\s+table/);
  await page.goto(b.url('/app/settings/alerts'));
  const nina = (await weir.createUser('otto')).user_id;
  for (const [rule, when] of [[{ kind: 'cost', window: 'day', limit_usd: 5, scope: 'user', key: nina }, /^A day of user otto costs more than \$5\.00$/],
    [{ kind: 'limit_use', share: 0.9, for_ms: 300000 }, /^A limit is used to 90 %, for 5 min$/], [{ kind: 'error_rate', share: 0.05, least_requests: 20 }, /^5\.0 % of the requests of 15 minutes failed, of at least 20/],
    [{ kind: 'queue_wait', wait_ms: 30000 }, /^A request has waited for 30 s/], [{ kind: 'storage' }, /^The database cannot be written/]]) {
    const made = await weir.post('/admin/alerts', rule);
    assert.equal(made.status, 201, made.text);
    await page.reload();
    assert.match(await page.locator(`tr[data-id="${made.json.rule_id}"] td`).nth(1).innerText(), when);
  }
  assert.ok(!(await page.innerText('#list')).includes('—'), 'only what applies');
  await page.goto(b.url('/app/settings/retention'));
  assert.match(await page.innerText('.card.one'), /\d{4}-\d\d-\d\d \d\d:\d\d|—/);
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
  await other.page.click('#add');
  await other.page.fill('[name="name"]', 'mine');
  await other.page.click('#save');
  assert.equal((await me(await other.page.textContent('#secret:visible'))).json.name, 'olga');
  await other.sound('own tokens on a telephone');
  await other.page.goto(other.url('/app/settings'));
  await other.page.fill('#current', 'seven green tomatoes');
  await other.page.fill('#next', 'eight blue radishes');
  await other.page.press('#next', 'Enter');
  await other.page.locator('#say', { hasText: 'is changed' }).waitFor();
  await other.page.fill('#current', 'not that one');
  await other.page.fill('#next', 'nine yellow onions');
  await other.page.press('#next', 'Enter');
  await other.page.locator('#problem', { hasText: /./ }).waitFor();
  assert.equal(await other.page.innerText('#say'), '');
  await other.close();
});

test('a time zone and the two-letter shortcuts, once chosen, hold on every page', async () => {
  await page.goto(b.url('/app/settings'));
  await page.fill('#zone', 'Nowhere/At_all');
  await page.press('#zone', 'Tab');
  await page.locator('#zone ~ #problem', { hasText: 'There is no time zone' }).waitFor();
  assert.equal(await page.getAttribute('#zone', 'aria-invalid'), 'true');
  await b.sound('a time zone that is none');
  await page.fill('#zone', 'Asia/Kolkata');
  await page.press('#zone', 'Tab');
  await page.locator('#say', { hasText: 'Saved' }).waitFor();
  await page.focus('#theme');
  await page.keyboard.press('g');
  await page.keyboard.press('d');
  assert.equal(new URL(page.url()).pathname, '/app/settings', 'off unless chosen');
  await page.check('[name="jump"][value="on"]');
  await page.focus('#theme');
  await page.keyboard.press('g');
  await page.keyboard.press('d');
  await page.waitForURL(b.url('/app/dashboard'));
  assert.match(await page.innerText('[data-panel="recent"] thead'), /Asia\/Kolkata/);
  assert.doesNotMatch(await page.getAttribute('#stamp', 'title'), new RegExp(`^${new Date().toISOString().slice(11, 13)}:`), 'the clock is there’s');
  assert.equal((await weir.post('/admin/budgets', { scope: 'all', window: 'day', tz: 'America/New_York', limit_usd: 5 })).status, 201);
  const resets = /resets \d{4}-\d\d-\d\d (09|10):30 Asia\/Kolkata \(midnight America\/New_York\)/;
  await page.goto(b.url('/app/dashboard/budgets'));
  assert.match(await page.innerText('[data-panel="budgets"]'), resets);
  await page.goto(b.url('/app/settings/budgets'));
  assert.match(await page.innerText('.set-head'), /Times are in Asia\/Kolkata\./);
  assert.match(await row('everything').or(row('all')).first().innerText(), /(09|10):30 \(midnight America\/New_York\)/);
  await page.goto(b.url('/app/dashboard?tz=UTC'));
  assert.match(await page.innerText('[data-panel="recent"] thead'), /UTC/, 'the address wins');
});
