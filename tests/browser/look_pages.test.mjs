// Every page beside the chat in both themes and at four widths: no violation axe knows of, no sideways scroll, no policy
// report, and the look that tests/browser/shots keeps. Which pages there are, the pages' own lists of them say.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import { once } from 'node:events';
import path from 'node:path';
import { after } from 'node:test';
import { startUpstream, startWeir, test, waitFor } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_hour: 500, tokens_per_hour: 200000 } },
  config: { default_model: 'gpt-4o-mini', webhooks: { allowed_addresses: ['127.0.0.1'] }, retry: { budget: 1, max_retries: 2, base_delay: 0.01, max_delay: 0.02 } } });
const ask = (message, more = {}) => weir.post('/chat/complete', { message, ...more });
const make = async (where, body) => {
  const r = await weir.post(where, body);
  assert.equal(r.status, 201, r.text);
  return r.json;
};

const b = await openBrowser(weir);
const { page } = b;

test('the sign-in page', async () => {
  await page.goto(b.url('/app/login'));
  await b.everywhere('login');
  await page.fill('#token', 'no such token');
  await page.click('#enter');
  await page.locator('#problem', { hasText: 'not known here' }).waitFor();
  await b.everywhere('login-refused');
  await b.signIn();
});

// Something of everything, in an order of its own.
const nina = await make('/admin/users', { name: 'nina', role: 'user', password: 'seven green tomatoes' });
await make('/admin/tokens', { user_id: nina.user_id, name: 'for a script' });
await make('/admin/budgets', { scope: 'all', window: 'month', limit_usd: 5 });
for (const [topic, more] of [['Minutes of Monday', {}], ['Why the pump stopped', { model: 'gpt-4.1', priority: 'High' }], ['#fault-503-once Names for the new boat', {}], ['#lorem-400 Draft for the water board', { priority: 'Low' }], ['Questions for the inspection', {}]])
  assert.equal((await ask(topic, more)).status, 200);
assert.equal((await ask('#fault-400 a mistake')).status, 400);

const listed = async (where, list) => {
  await page.goto(b.url(where));
  return page.locator(`${list} a`).evaluateAll((links) => [...new Set(links.map((a) => new URL(a.href).pathname))]);
};

// The page is there with its figures and its charts are drawn.
async function settled() {
  await page.waitForLoadState('networkidle');
  await page.waitForFunction(() => [...document.querySelectorAll('.chart')].every((c) => c.querySelector('canvas') || c.textContent.trim()));
}

// The time of day moves along the axes of a chart, so that its drawing is not compared; and an id within a sentence is as wide
// as its letters.
const blank = () => page.evaluate(() => {
  for (const cell of document.querySelectorAll('td')) {
    if (!cell.firstElementChild && /\b(usr|tok|bud)_\w{22}/.test(cell.textContent)) cell.textContent = cell.textContent.replace(/_\w{22}/g, '_0123456789abcdefghijkl');
  }
  const sheet = new CSSStyleSheet();
  sheet.replaceSync('.chart canvas { visibility: hidden; }');
  document.adoptedStyleSheets = [sheet];
});

async function look(where) {
  await page.goto(b.url(where));
  await settled();
  await blank();
  await b.everywhere(where.replace('/app/', '').replaceAll('/', '-'));
}

test('the pages of the dashboard', async () => {
  const pages = await listed('/app/dashboard', '.parts');
  assert.ok(pages.length >= 10, String(pages));
  await page.locator('.pill', { hasText: 'Adds up' }).waitFor();        // the ledger's first check of itself
  for (const where of pages) await look(where);
});

// How long each part of it took hangs on the machine, and which took so little that they are not told.
const even = () => page.evaluate(() => {
  for (const part of document.querySelectorAll('.stretch:not(.sum)')) if (!/503|^Waiting to try again/.test(part.textContent)) part.remove();
  for (const held of document.querySelectorAll('.explained table tr')) if (/took this long|^No gate/.test(held.textContent)) held.remove();
  for (const term of document.querySelectorAll('.explained .facts dt')) if (term.textContent === 'Expected start') { term.nextElementSibling.remove(); term.remove(); }
  const bars = [...document.querySelectorAll('.fall .part')];
  bars.forEach((bar, i) => { bar.setAttribute('x', `${100 * i / bars.length}%`); bar.setAttribute('width', `${100 / bars.length}%`); });
  for (const span of document.querySelectorAll('.stretch .num')) span.textContent = '0.42 s';
});

test('a request explained, in its drawer and as a page', async () => {
  await page.goto(b.url('/app/dashboard/requests'));
  await settled();
  const link = page.locator('#requests-table tr', { hasText: 'Names for the new boat' }).locator('a.explain');
  const where = await link.getAttribute('href');
  await link.click();
  await page.locator('dialog.drawer').waitFor();
  await blank();
  await even();
  await b.everywhere('dashboard-drawer');
  await page.goto(b.url(where));
  await settled();
  await blank();
  await even();
  await b.everywhere('dashboard-request');
});

test('the pages of the settings', async () => {
  const pages = await listed('/app/settings', '.sections');
  assert.ok(pages.length >= 12, String(pages));
  for (const where of pages) await look(where);
});

test('a webhook with what it was told, and the form of a person with what else can be done', async () => {
  const answers = [204, 410];
  const receiver = http.createServer((req, res) => { req.resume(); res.writeHead(answers.shift() ?? 204).end(); });
  receiver.listen(0, '127.0.0.1');
  after(() => { receiver.closeAllConnections(); receiver.close(); });
  await once(receiver, 'listening');
  const hook = await make('/admin/webhooks', { url: `http://127.0.0.1:${receiver.address().port}/hook` });
  for (const state of ['delivered', 'failed']) {
    await weir.post(`/admin/webhooks/${hook.webhook_id}/test`);
    await waitFor(`a delivery that ${state}`, async () => (await weir.get(`/admin/webhooks/${hook.webhook_id}/deliveries?state=${state}`)).json.items.length === 1);
  }
  const where = [['/app/settings/webhooks', 'settings-webhooks-full'], [`/app/settings/webhooks/${hook.webhook_id}`, 'settings-deliveries']];
  for (const [path, name] of where) {
    await page.goto(b.url(path));
    await settled();
    await b.everywhere(name);
  }
  await page.goto(b.url('/app/settings/users'));
  await page.locator('tr', { hasText: 'nina' }).locator('[data-act="change"]').click();
  await blank();
  await b.everywhere('settings-user-form');
});

test('the page of help', () => look('/app/help/metrics'));

test('a sign-in that has to wait, and says when it is over', async () => {
  const c = await openBrowser(weir), p = c.page;
  await p.clock.install();
  await p.goto(c.url('/app/login'));
  await p.fill('#name', 'olga');
  await p.fill('#password', 'not this one');
  const said = async () => {
    await Promise.all([p.waitForResponse((r) => r.url().endsWith('/app/login')), p.press('#password', 'Enter')]);
    await p.locator('#enter:enabled').waitFor();
    return p.innerText('#problem');
  };
  for (let wrong = 0; wrong < 5; wrong++) assert.equal(await said(), 'Name or password is wrong.');
  assert.match(await said(), /^Too many wrong passwords\. Try again in \d\d s, or sign in with a token\.$/);
  await c.everywhere('login-locked');
  await p.clock.runFor(31000);
  assert.equal(await p.innerText('#problem'), 'You can try again now.');
  await c.close();
});

test('a sign-in beside a proxy that has signed one in, and one that Weir refuses', async () => {
  const other = await startWeir({ config: { sign_in: { proxy_user: 'X-Forwarded-User' } } });
  const c = await openBrowser(other), p = c.page;
  await c.context.setExtraHTTPHeaders({ 'X-Forwarded-User': 'petra@example.org' });
  await p.goto(c.url('/app/help/metrics'));
  await p.click('#logout');
  await p.locator('#go-on', { hasText: 'Go on as petra@example.org' }).waitFor();
  await c.everywhere('login-proxy');
  await p.click('#go-on');
  await p.waitForURL(c.url('/app/'));
  const { user_id: id } = (await other.get('/admin/users')).json.items.find((u) => u.name === 'petra@example.org');
  assert.equal((await other.request('PATCH', `/admin/users/${id}`, { disabled: true })).status, 200);
  await p.goto(c.url('/app/settings'));
  assert.match(await p.innerText('main'), /petra@example\.org may not use Weir\. Ask an administrator/);
  assert.equal(await p.locator('#go-on').count(), 0);
  await c.everywhere('login-proxy-refused');
  await c.close();
  await other.stop();
});

test('a page that one may not see, and one that Weir cannot make', async () => {
  const c = await openBrowser(weir), p = c.page;
  await p.goto(c.url('/app/login'));
  await p.fill('#name', 'nina');
  await p.fill('#password', 'seven green tomatoes');
  await Promise.all([p.waitForURL(c.url('/app/')), p.press('#password', 'Enter')]);
  const id = () => p.locator('.doc code').evaluate((n) => { n.textContent = 'req_0Vc5rc5rsJDA4fk1XlBw2P'; });
  assert.equal((await p.goto(c.url('/app/settings/users'))).status(), 403);
  assert.equal(await p.innerText('h1'), 'Not allowed');
  await id();
  await c.everywhere('not-allowed');
  execFileSync('sqlite3', [path.join(weir.state, 'weir.db'), 'ALTER TABLE batches RENAME TO batches_away']);
  const answer = await p.goto(c.url('/app/dashboard/batches'));
  execFileSync('sqlite3', [path.join(weir.state, 'weir.db'), 'ALTER TABLE batches_away RENAME TO batches']);
  assert.ok(answer.status() >= 500, String(answer.status()));
  assert.equal(await p.innerText('h1'), 'Weir could not do this');
  await id();
  await c.everywhere('failed');
  await p.click('.doc .primary');
  await p.locator('h1', { hasText: 'Batches' }).waitFor();
  await c.close();
});

test('a page that is not there', async () => {
  for (const where of ['/app/no-such-page', '/app/c/ses_00000000000000000000000000']) {
    assert.equal((await page.goto(b.url(where))).status(), 404);
    assert.equal(await page.innerText('h1'), 'Not found');
  }
  await page.locator('.doc code').evaluate((n) => { n.textContent = 'req_0Vc5rc5rsJDA4fk1XlBw2P'; });
  await b.everywhere('not-found');
});

// Seven whole days, so that what is drawn hangs on no time of day.
test('charts as they are drawn', async () => {
  const DAY = 864e5, to = Math.floor(Date.now() / DAY) * DAY - DAY, from = to - 7 * DAY;
  const events = Array.from({ length: 7 * 24 }, (_, i) => ({ request_id: `drawn_${i}`, at: new Date(from + i * 36e5 + 6e5).toISOString(), model: ['gpt-4.1', 'gpt-4o-mini', 'o3'][i % 3],
    usage: { prompt_tokens: 1000 + 700 * ((i * i) % 13), completion_tokens: 200 + 90 * ((i * 5) % 11) } }));
  const r = await weir.post('/usage/events', { events });
  assert.equal(r.status, 200, r.text);
  const range = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;
  await page.goto(b.url(`/app/dashboard/cost?${range}`));
  await settled();
  await b.everywhere('dashboard-cost-drawn');
});

test('batches that are paused, done and failed', async () => {
  const batch = async (...bodies) => {
    const lines = bodies.map((body, i) => JSON.stringify({ custom_id: `${i}`, method: 'POST', url: '/v1/chat/completions', body }));
    const form = new FormData();
    form.append('purpose', 'batch');
    form.append('file', new Blob([lines.join('\n')]), 'prompts.jsonl');
    const headers = { Authorization: `Bearer ${weir.token}` };
    const file = await (await fetch(b.url('/v1/files'), { method: 'POST', headers, body: form })).json();
    return (await weir.post('/v1/batches', { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' })).json.id;
  };
  const words = (content) => ({ model: 'gpt-4o-mini', messages: [{ role: 'user', content }] });
  const until = (id, what, ready) => waitFor(what, async () => ready((await weir.get(`/v1/batches/${id}`)).json));
  const done = await batch(words('one'), words('two'), words('#fault-400 three'));
  await until(done, 'the first batch', (x) => x.status === 'completed');
  const failed = await batch('no request');
  await until(failed, 'the second', (x) => x.status === 'failed');
  const paused = await batch(...Array.from({ length: 20 }, (_, i) => words(`#slow-100-1-1 ${i}`)));
  await weir.post(`/v1/batches/${paused}/pause`, {});
  await page.goto(b.url('/app/dashboard/batches'));
  await settled();
  assert.match(await page.innerText(`tr[data-id="${failed}"] .why`), /^Line 1: ./);
  await b.everywhere('dashboard-batches-full');
});

test('a page while Weir is away, which goes on by itself', async () => {
  await weir.program.stop();
  const answer = await page.goto(b.url('/app/settings'));
  assert.equal(answer.status(), 503);
  assert.match(answer.headers()['content-security-policy'], /^default-src 'none'; script-src 'self'/);
  await page.locator('h1', { hasText: 'Weir does not answer' }).waitFor();
  const r = await weir.get('/app/settings');
  assert.equal(r.json.error.code, 'unavailable', 'programs are told in their own way');
  await b.everywhere('down');
  await weir.restart();
  await page.locator('h1', { hasText: 'This browser' }).waitFor();
});
