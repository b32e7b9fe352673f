// The dashboard's pages, as an operator uses them: filters, one request explained, the queue
// with cancel and priority, limits and their reset, cost by group, and what of it reads without scripts.
import assert from 'node:assert/strict';
import zlib from 'node:zlib';
import { startUpstream, startWeir, test, waitFor } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { max_concurrent: 2, limits: { requests_per_minute: 500, tokens_per_minute: 200000 } },
  config: { retry: { budget: 1, max_retries: 2, base_delay: 0.1, max_delay: 0.2 }, default_model: 'gpt-4o-mini' } });
const PAGES = ['', '/requests', '/limits', '/queue', '/batches', '/budgets', '/cost', '/performance', '/outlook', '/alerts', '/audit'];
const board = (where = '') => b.url(`/app/dashboard${where}`);
const ask = async (message, more = {}) => (await weir.post('/chat/complete', { message, model: 'gpt-4o-mini', ...more })).json;

await weir.post('/admin/budgets', { scope: 'all', window: 'month', limit_usd: 5 });
const first = await ask('one in 2 min');
await ask('two', { model: 'gpt-4.1', priority: 'High' });
const tried = await ask('#fault-503-once three');
await weir.post('/chat/complete', { message: '#fault-400 four', model: 'gpt-4o-mini' });

const b = await (await openBrowser(weir)).signIn();
const { page } = b;
const rows = (id) => page.locator(`${id} tbody tr`);

test('filters are in the address, apply to table and sums alike, and go by their chip', async () => {
  await page.goto(board('/requests'));
  await rows('#requests-table').first().waitFor();
  assert.equal(await rows('#requests-table').count(), 4);
  const refused400 = await page.locator('#requests-table tr', { hasText: 'fault-400' }).innerText();
  assert.doesNotMatch(refused400, /free/, 'nothing was used: no cost, and no first token');
  assert.equal(refused400.match(/—/g).length, 2, refused400);
  await page.click('#filter summary');
  await page.fill('[name="model"]', 'gpt-4.1');
  await page.selectOption('[name="priority"]', 'High');
  await page.click('#filter-form [type="submit"]');
  await page.waitForURL(/model=gpt-4\.1/);
  assert.equal(new URL(page.url()).search, '?model=gpt-4.1&priority=High&range=24h');
  assert.equal(await rows('#requests-table').count(), 1);
  assert.match(await page.innerText('[data-panel="totals"]'), /^1 in this selection/);
  await page.click('.parts a:has-text("Overview")');
  assert.match(page.url(), /model=gpt-4\.1/);
  assert.equal(await page.locator('.kpi', { hasText: 'Requests' }).locator('.value').innerText(), '1');
  await page.click('.range a:has-text("7 d")');
  assert.match(page.url(), /model=gpt-4\.1.*range=7d/);
  await page.locator('.chip', { hasText: 'gpt-4.1' }).click();
  assert.doesNotMatch(page.url(), /model=/);
  const refused = await b.context.request.get(board('/requests?status=great'));
  assert.equal(refused.status(), 400);
});

test('an export has the rows that are shown', async () => {
  await page.goto(board('/requests?model=gpt-4.1'));
  const csv = await (await b.context.request.get(b.url(await page.getAttribute('.export a', 'href')))).text();
  assert.equal(csv.trim().split('\n').length, 2);
});

test('a time zone moves every time that is shown', async () => {
  await page.goto(board('/requests'));
  const utc = await page.locator('#requests-table time').first().innerText();
  await page.goto(board('/requests?tz=Asia/Kolkata'));
  const there = await page.locator('#requests-table time').first().innerText();
  const minutes = (s) => Number(s.slice(6, 8)) * 60 + Number(s.slice(9, 11));
  assert.equal((minutes(there) - minutes(utc) + 1440) % 1440, 330);
  assert.match(await page.innerText('#requests-table thead'), /Asia\/Kolkata/);
});

test('a request is explained in a drawer, with the keys alone, and its parts add up', async () => {
  await page.goto(board('/requests'));
  const link = page.locator(`tr[data-id="${tried.request_id}"] a.explain`);
  await link.focus();
  await page.keyboard.press('Enter');
  const drawer = page.locator('dialog.drawer');
  await drawer.waitFor();
  assert.match(await drawer.innerText(), /Attempt 1 failed/);
  assert.match(await drawer.innerText(), /Waiting to try again/);
  assert.match(await drawer.innerText(), new RegExp(tried.request_id));
  const bars = await drawer.locator('.fall .part').evaluateAll((list) => list.map((r) => [parseFloat(r.getAttribute('x')), parseFloat(r.getAttribute('width'))]));
  assert.ok(bars.length >= 2);
  for (let i = 1; i < bars.length; i++) assert.ok(Math.abs(bars[i][0] - (bars[i - 1][0] + bars[i - 1][1])) < 1.5, `bar ${i} begins where the one before ends`);
  await b.sound('explained');
  await b.shot('board-explained');
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.className), 'explain');
});

test('columns are chosen, and the choice stays', async () => {
  await page.goto(board('/requests'));
  await page.click('#columns summary');
  await page.locator('#columns label', { hasText: 'Endpoint' }).locator('input').uncheck();
  await page.reload();
  assert.equal(await page.locator('#requests-table th', { hasText: 'Endpoint' }).isVisible(), false);
  await page.click('#columns summary');
  await page.locator('#columns label', { hasText: 'Endpoint' }).locator('input').check();
});

test('new rows wait behind a button until they are wanted', async () => {
  await page.goto(board('/requests'));
  const before = await rows('#requests-table').count();
  await ask('came later');
  await page.locator('#fresh button', { hasText: '1 new' }).waitFor({ timeout: 15000 });
  assert.equal(await rows('#requests-table').count(), before);
  await page.click('#fresh button');
  assert.equal(await rows('#requests-table').count(), before + 1);
});

test('an operator moves one who waits to the front, and cancels another', async () => {
  const held = await Promise.all([1, 2].map(async () => {
    const s = await weir.stream({ model: 'gpt-4o-mini', message: '#slow-0-20-3000 held' });
    await s.next('delta');
    return s;
  }));
  const waits = [];
  for (const n of [1, 2, 3]) {
    const s = await weir.stream({ model: 'gpt-4o-mini', message: `#slow-0-20-3000 waits ${n}`, priority: 'Low' });
    waits.push((await s.next('accepted')).request_id);
  }
  await page.goto(board('/queue'));
  const row = (id) => page.locator(`[data-panel="queue"] tr[data-id="${id}"]`);
  await row(waits[2]).waitFor();
  assert.equal(await row(waits[2]).locator('th').innerText(), '3');
  await row(waits[2]).locator('select').selectOption('High');
  await page.waitForFunction((id) => document.querySelector(`tr[data-id="${id}"] th`)?.textContent.trim() === '1', waits[2], { timeout: 15000 });
  assert.equal(await row(waits[2]).locator('select').inputValue(), 'High');
  await b.sound('queue');
  await b.shot('board-queue');
  const more = await Promise.all(Array.from({ length: 5 }, async () =>
    (await (await weir.stream({ model: 'gpt-4o-mini', message: '#slow-0-20-3000 more', priority: 'Low' })).next('accepted')).request_id));
  const overview = (await (await b.context.request.get(board(''))).text()).split('<section').find((part) => part.includes('id="queue"'));
  assert.equal(overview.match(/<tr>/g).length, 1 + 6);
  assert.match(overview, /<a href="\/app\/dashboard\/queue">2 more wait<\/a>/);
  for (const id of more) await weir.post('/chat/cancel', { request_id: id });
  await row(waits[1]).locator('[data-do="cancel"]').click();
  await page.click('#sure-yes');
  await row(waits[1]).waitFor({ state: 'detached', timeout: 15000 });
  await weir.post('/chat/cancel', { request_id: held[0].first('accepted').request_id });
  await waitFor('the one that was moved to start first', async () => (await weir.get('/monitoring/queue-status')).json.now.entries.map((e) => e.request_id).join() === waits[0]);
  for (const id of [held[1].first('accepted').request_id, waits[0], waits[2]]) await weir.post('/chat/cancel', { request_id: id });
  const audit = (await weir.get('/admin/audit')).json.items;
  assert.ok(audit.some((a) => a.action === 'queue.priority' && a.object === waits[2]));
  assert.equal((await weir.post(`/admin/queue/${waits[2]}/priority`, { priority: 'High' })).status, 404);
});

test('a batch shows how far it is, is paused, goes on, is cancelled, and gives its files', async () => {
  const line = (i) => JSON.stringify({ custom_id: `${i}`, url: '/v1/chat/completions', body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: `#slow-150-1-3 ${i}` }] } });
  const part = (name, more, text) => `--XX\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${text}\r\n`;
  const text = Array.from({ length: 100 }, (_, i) => line(i)).join('\n');
  const file = await weir.request('POST', '/v1/files', `${part('purpose', '', 'batch')}${part('file', '; filename="f"', text)}--XX--`, { 'Content-Type': 'multipart/form-data; boundary=XX' });
  const batch = (await weir.post('/v1/batches', { input_file_id: file.json.id, endpoint: '/v1/chat/completions', completion_window: '24h' })).json;
  await page.goto(board('/batches'));
  const row = page.locator(`tr[data-id="${batch.id}"]`);
  await row.locator('[data-do="pause"]').click();
  await row.locator('.pill', { hasText: 'paused' }).waitFor({ timeout: 15000 });
  await b.sound('batches');
  await b.shot('board-batches');
  await row.locator('[data-do="resume"]').click();
  await row.locator('.pill', { hasText: 'in progress' }).waitFor({ timeout: 15000 });
  await waitFor('an answer', async () => (await weir.get(`/v1/batches/${batch.id}`)).json.request_counts.completed > 0);
  await row.locator('[data-do="stop"]').click();
  await page.click('#sure-yes');
  await row.locator('a', { hasText: 'Answers' }).waitFor({ timeout: 15000 });
  assert.match(await row.innerText(), /\d+\/100 · ✓ \d+ ✕ 0/);
  const answers = await (await b.context.request.get(b.url(await row.locator('a', { hasText: 'Answers' }).getAttribute('href')))).text();
  assert.equal(JSON.parse(answers.split('\n')[0]).response.status_code, 200);
});

test('limits are reset for a reason that the audit log keeps', async () => {
  await page.goto(board('/limits'));
  assert.match(await page.innerText('[data-panel="keys"]'), /openai/);
  await page.click('[data-do="reset"]');
  await page.click('#reset button[value="yes"]');
  assert.ok(await page.locator('#reset').isVisible(), 'without a reason nothing happens');
  await page.fill('#reset-reason', 'the provider raised them');
  await page.press('#reset-reason', 'Enter');
  await page.goto(board('/audit'));
  await page.locator('[data-panel="audit"] tr', { hasText: 'limits.reset' }).first().waitFor();
  assert.match(await page.innerText('[data-panel="audit"]'), /the provider raised them/);
});

test('cost by any group adds up to the figure on the overview', async () => {
  await page.goto(board());
  const spend = await page.locator('.kpi .value').first().innerText();
  await page.goto(board('/cost'));
  for (const group of ['Model', 'Provider', 'User', 'Session', 'Endpoint', 'Priority']) {
    await page.click(`.groups a:has-text("${group}")`);
    assert.equal(await page.locator('[data-panel="groups"] tfoot td').last().innerText(), spend, group);
    const bars = await page.locator('#t-cost [data-v]').evaluateAll((list) => list.reduce((sum, c) => sum + Number(c.dataset.v), 0));
    const total = (await weir.get('/monitoring/cost-breakdown')).json.total.cost_usd;
    assert.ok(Math.abs(bars - total) < 1e-9, `${group}: bars ${bars}, total ${total}`);
  }
});

test('a month of history gives a forecast with its band, and the day that was out of bounds is marked', async () => {
  const days = Array.from({ length: 27 }, (_, i) => i + 1);
  const events = days.map((d) => ({ request_id: `past-${d}`, at: new Date(Date.now() - d * 86400000).toISOString(), model: 'gpt-4o-mini', api_endpoint: '/batch',
    priority: 'Low', usage: { prompt_tokens: d === 3 ? 900000 : 9000 + 100 * (d % 5), completion_tokens: 1000 } }));
  const made = await weir.post('/usage/events', { events });
  assert.equal(made.status, 200, made.text);
  await page.goto(board('/outlook?metric=tokens'));
  await page.waitForSelector('#c-outlook canvas');
  assert.equal(await page.locator('#t-outlook tr[data-mark]').count(), 1);
  assert.match(await page.getAttribute('#t-outlook tr[data-mark]', 'data-mark'), /^expected [\d,]+–[\d,]+, was 901,000$/);
  const ahead = await page.locator('#t-outlook tbody tr').last().locator('[data-v]').evaluateAll((c) => c.map((x) => Number(x.dataset.v)));
  assert.ok(ahead[2] <= ahead[1] && ahead[1] <= ahead[3] && ahead[3] > 0, String(ahead));
  await b.sound('outlook with history');
  await b.shot('board-outlook-history');
});

test('every chart can be read as a table', async () => {
  for (const where of ['', '/cost', '/performance']) {
    await page.goto(board(where));
    for (const chart of await page.locator('.chart').all()) {
      const panel = chart.locator('xpath=ancestor::section');
      await panel.locator('summary', { hasText: 'Show as table' }).click();
      assert.ok(await panel.locator('table').isVisible());
      assert.ok((await chart.evaluate((c) => document.getElementById(c.getAttribute('aria-describedby')).textContent)).length > 3);
    }
  }
});

test('nothing is fetched while the page is hidden', async () => {
  const c = await (await openBrowser(weir)).signIn();
  let asked = 0;
  c.page.on('request', (r) => { if (r.url().endsWith('/monitoring/live')) asked++; });
  await c.page.clock.install();
  await c.page.goto(c.url('/app/dashboard'));
  await c.page.waitForLoadState('networkidle');
  const before = asked;
  await c.page.evaluate(() => Object.defineProperty(document, 'hidden', { configurable: true, value: true }));
  await c.page.clock.runFor(20000);
  assert.equal(asked, before);
  await c.page.evaluate(() => { Object.defineProperty(document, 'hidden', { configurable: true, value: false }); document.dispatchEvent(new Event('visibilitychange')); });
  await waitFor('a request once it is seen again', () => asked > before);
  await c.close();
});

// Each page is loaded once and looked at in every width and theme; axe is asked in turn in one of two of them.
const LOOKS = [[1400, 'light'], [1400, 'dark'], [768, 'light'], [390, 'dark'], [320, 'light']];
test('every page is sound in each width and theme', async () => {
  for (const [n, where] of PAGES.entries()) {
    await page.goto(board(where));
    await page.waitForSelector('.dash');
    for (const [width, colorScheme] of LOOKS) {
      const look = `dashboard${where}, ${colorScheme}, ${width} px`;
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await b[(n % 2 ? [1400, 'light'] : [390, 'dark']).join() === [width, colorScheme].join() ? 'sound' : 'calm'](look);
      if (width === 1400 || width === 390) await b.shot(`board${where.replace('/', '-')}-${colorScheme}-${width}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('a column puts the rows of the page in its order, both ways, and then the server’s comes back', async () => {
  await page.goto(board('/requests'));
  await rows('#requests-table').first().waitFor();
  const tokens = () => page.locator('#requests-table td[data-col="tokens"]').evaluateAll((cells) => cells.map((c) => Number(/[\d,]+/.exec(c.innerText)[0].replaceAll(',', ''))));
  const served = await tokens(), head = page.locator('#requests-table th', { hasText: 'Tokens' });
  await head.locator('button').focus();
  await page.keyboard.press('Enter');
  assert.equal(await head.getAttribute('aria-sort'), 'descending');
  assert.deepEqual(await tokens(), [...served].sort((x, y) => y - x));
  await page.keyboard.press('Enter');
  assert.deepEqual(await tokens(), [...served].sort((x, y) => x - y));
  await b.shot('board-sorted');
  await page.keyboard.press('Enter');
  assert.equal(await head.getAttribute('aria-sort'), 'none');
  assert.deepEqual(await tokens(), served);
  await page.click('#requests-table th button:has-text("Session")');
  const titles = await page.locator('#requests-table td[data-col="session"]').evaluateAll((cells) => cells.map((c) => c.innerText.trim().toLowerCase()).filter((t) => t !== '—'));
  assert.deepEqual(titles, [...titles].sort((x, y) => (x < y ? -1 : x > y ? 1 : 0)), 'words are words, whatever figures stand in them');
});

test('an alert leads to the chart of its moment', async () => {
  assert.equal((await weir.post('/admin/alerts', { kind: 'cost', window: 'day', limit_usd: 0.000001 })).status, 201);
  await waitFor('the alert to open', async () => (await weir.get('/admin/alerts')).json.items.some((a) => a.kind === 'cost'));
  await page.goto(board('/alerts'));
  await page.locator('[data-panel="open"] tr', { hasText: 'cost' }).locator('a', { hasText: 'Chart' }).click();
  await page.waitForURL(/\/app\/dashboard\/cost\?from=.*&to=/);
  await page.waitForSelector('#c-cost canvas');
});

test('all pages read without scripts, and load at most 50 KB of script and style', async () => {
  const html = await (await b.context.request.get(board('/requests'))).text();
  assert.match(html, new RegExp(`data-id="${first.request_id}"`));
  const one = await (await b.context.request.get(board(`/requests/${tried.request_id}`))).text();
  assert.match(one, /Attempt 1 failed/);
  const loaded = new Set();
  const listen = (r) => { if (/\.(js|css)$/.test(new URL(r.url()).pathname)) loaded.add(new URL(r.url()).pathname); };
  page.on('request', listen);
  await page.goto(board());
  await page.waitForLoadState('networkidle');
  page.off('request', listen);
  let bytes = 0;
  for (const f of loaded) bytes += zlib.gzipSync(await (await b.context.request.get(b.url(f))).body(), { level: 9 }).length;
  assert.ok(loaded.size > 10);
  assert.ok(bytes <= 50 * 1024, `${bytes} bytes`);
  console.log(`# dashboard: ${bytes} bytes of script and style, gzip -9, ${loaded.size} files`);
});

test('a person sees their own requests and no page of the operator', async () => {
  await weir.post('/admin/users', { name: 'olga', role: 'user', password: 'seven green tomatoes' });
  const other = await openBrowser(weir, { width: 390 });
  await other.page.goto(other.url('/app/login'));
  await other.page.fill('#name', 'olga');
  await other.page.fill('#password', 'seven green tomatoes');
  await other.page.press('#password', 'Enter');
  await other.page.waitForURL(other.url('/app/'));
  await other.page.goto(other.url('/app/dashboard/requests'));
  assert.match(await other.page.innerText('#requests'), /No request matches/);
  assert.doesNotMatch(await other.page.innerText('.parts'), /Alerts|Audit/);
  assert.equal((await other.context.request.get(other.url(`/app/dashboard/requests/${first.request_id}`))).status(), 404);
  assert.equal((await other.context.request.get(other.url('/app/dashboard/audit'))).status(), 403);
  await other.close();
});
