// The dashboard's pages, as an operator uses them: filters, one request explained, the queue
// with cancel and priority, limits and their reset, cost by group, and what of it reads without scripts.
import assert from 'node:assert/strict';
import fs from 'node:fs';
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
  assert.match(await drawer.innerText(), /Attempt 1 \(503\)/);
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

test('the page says how fresh it is, and waits while somebody selects or chooses', async () => {
  const c = await (await openBrowser(weir)).signIn();
  const p = c.page, value = () => p.locator('.kpi', { hasText: 'Requests' }).locator('.value').innerText();
  await p.goto(c.url('/app/dashboard'));
  await p.locator('#stamp', { hasText: /^Updated (just now|\d+\ss ago)$/ }).waitFor();
  assert.match(await p.getAttribute('#stamp', 'title'), /^\d\d:\d\d:\d\d$/);
  await p.waitForLoadState('networkidle');
  const before = Number(await value());
  let polls = 0;
  p.on('request', (r) => { if (r.url().endsWith('/monitoring/live')) polls++; });
  await p.clock.install();
  await p.clock.runFor(12000);
  await waitFor('polling to go on', () => polls > 0);
  for (const [what, begin, end] of [
    ['text is selected', () => p.evaluate(() => getSelection().selectAllChildren(document.querySelector('.kpi .value'))), () => p.evaluate(() => getSelection().removeAllRanges())],
    ['the filters are open', () => p.click('#filter summary'), () => p.keyboard.press('Escape')],
  ]) {
    await begin();
    await p.clock.runFor(1000);
    const asked = polls;
    await p.clock.runFor(30000);
    assert.equal(polls, asked, what);
    await end();
    await p.clock.runFor(7000);
    await waitFor(`polling again after ${what}`, () => polls > asked);
  }
  await ask('one more to be counted');
  assert.equal(Number(await value()), before);
  await p.click('#refresh');
  await p.waitForFunction((n) => Number([...document.querySelectorAll('.kpi')].find((k) => k.innerText.includes('Requests')).querySelector('.value').textContent) === n, before + 1);
  await p.route('**/monitoring/live', (r) => r.abort());
  for (let missed = 0; missed < 3; missed++) {
    assert.equal(await p.locator('#stale').isVisible(), false, `${missed} missed`);
    const failed = p.waitForEvent('requestfailed');
    await p.clock.runFor(6000);
    await failed;
  }
  await p.locator('#stale', { hasText: /^No update since \d\d:\d\d:\d\d/ }).waitFor();
  assert.equal(Number(await value()), before + 1, 'the figures stay');
  await p.unroute('**/monitoring/live');
  await p.click('#refresh');
  await p.locator('#stale').waitFor({ state: 'hidden' });
  await c.close();
});

test('each figure at the top is compared with the time before, and leads to where it is from', async () => {
  await page.goto(board('?range=1h'));
  const kpis = await page.locator('.kpi').evaluateAll((list) => list.map((k) => [k.querySelector('dt').innerText, k.querySelectorAll('.sub')[1].innerText, k.querySelector('a').getAttribute('href')]));
  assert.deepEqual(kpis.map(([name]) => name), ['Spend', 'Requests', 'Tokens', 'First token p95', 'Queue wait p95', 'Efficiency']);
  for (const [name, change, href] of kpis) {
    assert.match(change, /hour before$/, name);
    assert.equal((await b.context.request.get(b.url(href))).status(), 200, href);
    if (href !== '/app/help/metrics?range=1h') assert.match(href, /range=1h/, name);
  }
});

test('every figure at the top and in the table of requests says what it means', async () => {
  await page.goto(board());
  for (const one of await page.locator('.kpi').all()) assert.match(await one.getAttribute('title'), /\w+ \w+/);
  for (const name of ['tokens', 'cost', 'first', 'total', 'queued', 'retries']) assert.match(await page.locator(`th[data-col="${name}"]`).getAttribute('title'), /\w+ \w+/);
});

test('a filter holds for what waits and for the limits as well', async () => {
  const held = [];
  for (const n of [1, 2]) held.push(await weir.stream({ model: 'gpt-4o-mini', message: `#slow-0-20-3000 held ${n}` }));
  for (const s of held) await s.next('delta');
  const waits = [];
  for (const [model, priority] of [['gpt-4o-mini', 'Low'], ['gpt-4.1', 'High']]) waits.push(await weir.stream({ model, priority, message: '#slow-0-20-3000 waits' }));
  for (const s of waits) await s.next('queue');
  const shown = async (query) => {
    await page.goto(board(query));
    return page.locator('[data-panel="queue"] tbody td:nth-child(2)').allInnerTexts();
  };
  assert.deepEqual((await shown('')).sort(), ['gpt-4.1', 'gpt-4o-mini']);
  assert.deepEqual(await shown('?model=gpt-4.1'), ['gpt-4.1']);
  assert.deepEqual(await shown('?priority=Low'), ['gpt-4o-mini']);
  assert.deepEqual(await shown('?upstream=builtin'), []);
  assert.deepEqual(await page.locator('[data-panel="limits"] h3').allInnerTexts(), ['builtin']);
  for (const s of [...waits, ...held]) await weir.post('/chat/cancel', { request_id: s.first('accepted').request_id });
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
  assert.match(await (await b.context.request.get(board('?tz=Asia/Kolkata'))).text(), /<a href="\/app\/dashboard\/queue\?tz=Asia%2FKolkata">2 more wait<\/a>/);
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
  assert.match(await row.locator('.saved').innerText(), /^\d\d-\d\d \d\d:\d\d:\d\d$/, 'the last checkpoint');
  const answers = await (await b.context.request.get(b.url(await row.locator('a', { hasText: 'Answers' }).getAttribute('href')))).text();
  assert.equal(JSON.parse(answers.split('\n')[0]).response.status_code, 200);
});

test('a batch whose budget is used up says so, and goes on with a higher one', async () => {
  const line = (i) => JSON.stringify({ custom_id: `${i}`, url: '/v1/chat/completions', body: { model: 'gpt-4o-mini', max_tokens: 1000, messages: [{ role: 'user', content: `#lorem-4000 ${i}` }] } });
  const part = (name, more, text) => `--XX\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${text}\r\n`;
  const file = await weir.request('POST', '/v1/files', `${part('purpose', '', 'batch')}${part('file', '; filename="f"', [1, 2, 3, 4].map(line).join('\n'))}--XX--`, { 'Content-Type': 'multipart/form-data; boundary=XX' });
  const batch = (await weir.post('/v1/batches', { input_file_id: file.json.id, endpoint: '/v1/chat/completions', completion_window: '24h', weir: { budget_usd: 0.001 } })).json;
  await page.goto(board('/batches'));
  const row = page.locator(`tr[data-id="${batch.id}"]`);
  await row.locator('.pill', { hasText: 'budget used up' }).waitFor({ timeout: 15000 });
  assert.match(await row.innerText(), /1\/4 · ✓ 1 ✕ 0[^]*\$0\.0006\d* of \$0\.001/);
  await row.locator('[data-do="raise"]').focus();
  await page.keyboard.press('Enter');
  await page.locator('#raise').waitFor();
  await b.sound('raise');
  await b.shot('board-raise');
  await page.fill('#raise-usd', '0.001');
  await page.press('#raise-usd', 'Enter');
  await page.locator('#problem', { hasText: 'is spent, and the rest does not pay for its next request' }).waitFor();
  await row.locator('[data-do="raise"]').click();
  await page.fill('#raise-usd', '1.5');
  await page.press('#raise-usd', 'Enter');
  await row.locator('.pill', { hasText: 'completed' }).waitFor({ timeout: 15000 });
  assert.match(await row.innerText(), /4\/4 · ✓ 4 ✕ 0[^]*of \$1\.50/);
  assert.ok(await page.locator('#problem').isHidden());
});

test('limits are reset for a reason that the audit log keeps', async () => {
  await page.goto(board('/limits'));
  assert.match(await page.innerText('[data-panel="keys"]'), /openai/);
  const keys = () => page.locator('[data-panel="keys"] tbody th a').allInnerTexts(), head = page.locator('[data-panel="keys"] th', { hasText: 'Requests' });
  await head.locator('button').click();
  assert.equal(await head.getAttribute('aria-sort'), 'descending');
  assert.deepEqual(await keys(), ['openai', 'builtin']);
  await page.keyboard.press('Enter');
  assert.deepEqual(await keys(), ['builtin', 'openai'], 'a table that is there whole is put in order here');
  await page.click('[data-do="reset"]');
  await page.click('#reset button[value="yes"]');
  assert.ok(await page.locator('#reset').isVisible(), 'without a reason nothing happens');
  await page.fill('#reset-reason', 'the provider raised them');
  const reset = page.waitForResponse((r) => r.url().endsWith('/monitoring/reset-rate-limits'));
  await page.press('#reset-reason', 'Enter');
  await reset;
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

test('a filter that a link took from the books stays when another is added', async () => {
  await page.goto(board('/requests?range=30d&api_endpoint=/batch'));
  await page.click('#filter summary');
  await page.fill('#filter-form [name="model"]', 'gpt-4o-mini');
  await page.click('#filter-form [type="submit"]');
  await page.waitForURL(/model=gpt-4o-mini/);
  assert.equal(new URL(page.url()).searchParams.get('api_endpoint'), '/batch');
});

test('an export is of the whole selection, its times of UTC beside the zone that is shown', async () => {
  const then = Date.now() - 50 * 86400000, iso = (ms) => new Date(ms).toISOString();
  const events = Array.from({ length: 60 }, (_, i) => ({ request_id: `old-${i}`, at: iso(then + i), model: 'gpt-4o-mini', api_endpoint: '/batch', priority: 'Low', usage: { prompt_tokens: 1, completion_tokens: 1 } }));
  assert.equal((await weir.post('/usage/events', { events })).status, 200);
  await page.goto(board(`/requests?from=${iso(then - 3600000)}&to=${iso(then + 3600000)}&tz=Asia/Kolkata`));
  const file = page.waitForEvent('download');
  await page.click('.export a:has-text("CSV")');
  const [head, ...lines] = fs.readFileSync(await (await file).path(), 'utf8').trim().split('\r\n').map((line) => line.split(','));
  assert.equal(await rows('#requests-table').count(), 50, 'a page');
  assert.equal(lines.length, 60);
  for (const line of lines) {
    assert.match(line[head.indexOf('at')], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    assert.equal(line[head.indexOf('tz')], 'Asia/Kolkata');
  }
});

test('beyond the eight dearest there is one more row and one more series, and all add up', async () => {
  const then = Date.now() - 40 * 86400000, iso = (ms) => new Date(ms).toISOString();
  const events = Array.from({ length: 11 }, (_, i) => ({ request_id: `made-${i}`, at: iso(then), model: 'gpt-4o-mini', api_endpoint: `/made/${i}`, priority: 'Low',
    usage: { prompt_tokens: 10000 * (20 - i), completion_tokens: 10 } }));
  assert.equal((await weir.post('/usage/events', { events })).status, 200);
  const around = `from=${iso(then - 3600000)}&to=${iso(then + 3600000)}`, names = [...events.slice(0, 8).map((e) => e.api_endpoint), 'Other'];
  await page.goto(board(`/cost?group=endpoint&${around}`));
  assert.deepEqual(await page.locator('[data-panel="groups"] tbody th').allInnerTexts(), names);
  assert.equal(await page.locator('[data-panel="groups"] tbody tr').last().locator('td').first().innerText(), '3');
  await page.waitForSelector('#c-cost canvas');
  assert.deepEqual(await page.locator('#l-cost span').allInnerTexts(), names);
  assert.deepEqual(await page.locator('#l-cost rect').evaluateAll((list) => list.map((r) => r.matches('.hollow'))), names.map((_, i) => i % 2 === 1), 'not by colour alone');
  const bars = await page.locator('#t-cost tbody tr').evaluateAll((list) => list.flatMap((r) => [...r.querySelectorAll('[data-v]')].map((c) => Number(c.dataset.v))));
  const { cost_usd } = (await weir.get(`/monitoring/cost-breakdown?${around}`)).json.total;
  assert.ok(Math.abs(bars.reduce((a, c) => a + c, 0) - cost_usd) < 1e-9, `${bars}, ${cost_usd}`);
  const sum = await page.locator('[data-panel="groups"] tfoot td').last().innerText();
  await page.goto(board(`?${around}`));
  assert.equal(await page.locator('.kpi .value').first().innerText(), sum);
});

test('a budget of a person has their name', async () => {
  const { user_id } = await weir.createUser('Adelheid');
  const budget = (await weir.post('/admin/budgets', { scope: 'user', key: user_id, window: 'day', limit_usd: 5 })).json;
  for (const where of ['', '/budgets']) assert.match(await (await b.context.request.get(board(where))).text(), /Day of user Adelheid/);
  assert.deepEqual((await weir.get('/monitoring/live')).json.budgets.map((x) => x.name).sort(), [null, 'Adelheid'].sort());
  const chat = await b.context.newPage();
  await chat.goto(b.url('/app/'));
  await chat.check('#show-monitoring');
  await chat.locator('#m-budget', { hasText: 'Per month, everything' }).waitFor();
  assert.match(await chat.innerText('#m-budget'), /Per day, Adelheid/);
  await chat.close();

  await page.goto(board('/budgets'));
  const ahead = (await weir.get('/monitoring/forecast')).json.budgets;
  for (const [name, scope] of [['Month of everything', 'all'], ['Day of user Adelheid', 'user']]) {
    const { expected_usd, limit_usd } = ahead.find((x) => x.scope === scope);
    const marks = await page.locator('[data-panel="budgets"] .gauge', { hasText: name }).locator('.forecast').evaluateAll((l) => l.map((m) => parseFloat(m.getAttribute('x'))));
    assert.equal(marks.length, expected_usd === null ? 0 : 1, `${name}: what nobody has used yet has no past to go by`);
    if (marks.length) assert.ok(Math.abs(marks[0] - (100 * expected_usd) / limit_usd) < 0.1, name);
  }
  await weir.request('DELETE', `/admin/budgets/${budget.budget_id}`);
});

test('a budget is marked where it will stand at the end of its time', async () => {
  await page.goto(board('/budgets'));
  const { limit_usd, expected_usd, spent_usd } = (await weir.get('/monitoring/forecast')).json.budgets[0];
  assert.ok(expected_usd >= spent_usd && expected_usd < limit_usd, `${spent_usd} spent, ${expected_usd} expected of ${limit_usd}`);
  const at = parseFloat(await page.locator('[data-panel="budgets"] .forecast').first().getAttribute('x'));
  assert.ok(Math.abs(at - (100 * expected_usd) / limit_usd) < 0.1, `at ${at} %`);
  assert.match(await page.innerText('[data-panel="ahead"] tbody tr'), /\$\d/);
});

test('errors: what was tried again, and how often that helped; what was cancelled is not an error', async () => {
  await page.goto(board('/performance'));
  const facts = await page.innerText('[data-panel="errors"]');
  assert.match(facts, /Succeeded after a retry\s+1 of 1/);
  assert.match(facts, /Cancelled\s+[1-9]/);
  assert.doesNotMatch(await page.innerText('[data-panel="errors"] table'), /cancelled/);
});

test('lines differ by their dashes, and each model has its own times', async () => {
  await page.goto(board('/performance'));
  await page.waitForSelector('#c-latency canvas');
  assert.deepEqual(await page.locator('#l-latency span').allInnerTexts(), ['p50', 'p90', 'p95', 'p99']);
  assert.equal(new Set(await page.locator('#l-latency line').evaluateAll((list) => list.map((l) => l.getAttribute('stroke-dasharray')))).size, 4);
  await page.locator('#c-latency .u-over').hover();
  assert.match(await page.innerText('#r-latency'), /^\d{4}-\d\d-\d\d \d\d:\d\d: (—|\d)/);
  assert.deepEqual(await page.locator('[data-panel="models"] th[scope="col"]').allInnerTexts(), ['Model', 'Requests', 'Queued', 'First token', 'Total', 'Tokens/s', 'Succeeded']);
  const models = await page.locator('[data-panel="models"] tbody tr').evaluateAll((list) => list.map((r) => r.innerText.split('\t')));
  for (const name of ['gpt-4o-mini', 'gpt-4.1']) {
    const row = models.find(([model]) => model === name);
    for (const cell of row.slice(1)) assert.match(cell, /^([\d,.]+(\s(ms|s|min|%))?|—)$/, `${name}: ${row}`);
  }
});

test('a limit says what is used and held, what is kept back, what the provider counts and when it is free again; what is guessed is marked so', async () => {
  await up.limits({ requests_per_minute: 500, tokens_per_minute: 200000, window: 'sliding' });
  await up.foreign({ requests: 200 });
  const s = await weir.stream({ model: 'gpt-4o-mini', message: '#slow-0-20-3000 held', max_tokens: 4000 });
  await s.next('delta');
  const openai = async () => (await weir.get('/monitoring/rate-limits')).json.upstreams.find((u) => u.name === 'openai');
  await waitFor('what the provider says', async () => (await openai()).provider_reported?.requests_per_minute?.remaining < 300);
  await page.goto(board('/limits'));
  const gauge = (name) => page.locator('.upstream', { has: page.locator('h3', { hasText: 'openai' }) }).locator('.gauge', { hasText: name });
  const at = async (name, part, of) => parseFloat(await gauge(name).locator(part).getAttribute(of));
  const { limit, remaining } = (await openai()).provider_reported.requests_per_minute;
  assert.ok(Math.abs(await at('Requests per minute', '.tick', 'x') - 100 * (1 - remaining / limit)) < 0.1, `${remaining} of ${limit}`);
  assert.equal(await at('Requests per minute', '.reserve', 'x1'), 85);
  assert.ok(await at('Tokens per minute', '.held', 'width') > 0);
  assert.equal(await at('Tokens per minute', '.held', 'x'), await at('Tokens per minute', '.used', 'width'));
  const num = await gauge('Tokens per minute').locator('.gauge-num').innerText();
  assert.match(num, /^[\d,]+ of 200,000$/);
  assert.equal(await gauge('Tokens per minute').locator('[role="meter"]').getAttribute('aria-valuetext'), `${num} used or held`);
  assert.match(await gauge('Tokens per minute').locator('.gauge-foot').innerText(), /^[\d,]+ held · free again in \d/);
  const id = s.first('accepted').request_id;
  await weir.post('/chat/cancel', { request_id: id });
  await weir.settled(id);
  await page.goto(board('/requests'));
  assert.match(await page.locator(`tr[data-id="${id}"] [data-col="tokens"]`).innerText(), /^≈ [\d,]+ \/ ≈ [\d,]+$/);
  await up.limits({});
  await weir.post('/monitoring/reset-rate-limits', {});
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

test('a heading puts all requests in its order, both ways, page by page, and the address says so', async () => {
  await page.goto(board('/requests?range=30d'));
  const cells = (col) => page.locator(`#requests-table td[data-col="${col}"]`).evaluateAll((list) => list.map((c) => Number(/[\d,.]+/.exec(c.innerText)?.[0].replaceAll(',', '') ?? -1)));
  const head = (text) => page.locator('#requests-table th', { hasText: text });
  assert.equal(await head('Time').getAttribute('aria-sort'), 'descending');
  await head('Tokens').locator('a').click();
  await page.waitForURL(/sort=-total_tokens/);
  assert.equal(await head('Tokens').getAttribute('aria-sort'), 'descending');
  assert.equal((await cells('tokens'))[0], 900000, 'the largest of the month, which no page of the newest shows');
  assert.deepEqual(await page.locator('#requests-table tbody tr').first().locator(':is([data-col="first"], [data-col="total"], [data-col="queued"])').allInnerTexts(), ['—', '—', '—'], 'it was made elsewhere: how long it took is not known');
  const toTheEnd = async () => {
    const seen = [];
    while (seen.length <= 5000) {
      seen.push(...await cells('cost'));
      const next = page.locator('.pager a', { hasText: 'Next page' });
      if (!(await next.count())) break;
      const where = await next.getAttribute('href');
      await Promise.all([page.waitForURL((u) => u.href.endsWith(where)), next.click()]);
    }
    return seen;
  };
  assert.equal((await toTheEnd()).length, Number((await page.innerText('[data-panel="totals"]')).split(' ')[0].replace(',', '')));
  await b.sound('sorted');
  await b.shot('board-sorted');
  await head('Cost').locator('a').click();
  await page.waitForURL(/sort=-cost_usd/);
  let costs = await cells('cost');
  assert.deepEqual(costs, [...costs].sort((x, y) => y - x));
  await head('Cost').locator('a').click();
  await page.waitForURL(/sort=cost_usd/);
  assert.equal(await head('Cost').getAttribute('aria-sort'), 'ascending');
  costs = await toTheEnd();
  const known = costs.filter((c) => c >= 0);
  assert.ok(known.length < costs.length, 'some show —');
  assert.deepEqual(costs, [...known.sort((x, y) => x - y), ...costs.filter((c) => c < 0)], 'what is not known is last in this order too');
  await page.click('#filter summary');
  await page.fill('[name="model"]', 'gpt-4o-mini');
  await page.click('#filter-form [type="submit"]');
  await page.waitForURL(/model=gpt-4o-mini/);
  assert.match(page.url(), /sort=cost_usd/, 'a filter keeps the order');
  await head('Time').locator('a').click();
  await page.waitForFunction(() => !location.search.includes('sort='));
  assert.equal(await head('Time').getAttribute('aria-sort'), 'descending');
  await head('Time').locator('a').click();
  await page.waitForURL(/sort=at/);
  const times = await page.locator('#requests-table time').evaluateAll((list) => list.map((t) => t.dateTime));
  assert.deepEqual(times, [...times].sort());
});

test('the overview has its newest requests and the end of its range, whatever order the page of requests was in', async () => {
  await page.goto(board('/requests?range=30d&sort=-total_tokens'));
  await page.locator('.parts a', { hasText: 'Overview' }).click();
  await page.waitForURL(/\/app\/dashboard\?/);
  assert.equal(await page.locator('#requests-table th', { hasText: 'Time' }).getAttribute('aria-sort'), 'descending');
  const times = await page.locator('#requests-table time').evaluateAll((list) => list.map((t) => t.dateTime));
  assert.ok(times.length > 1);
  assert.deepEqual(times, [...times].sort().reverse());
  await page.goto(board('?from=2026-01-02T00:00&to=2026-01-03T12:00'));
  await page.click('#filter summary');
  assert.equal(await page.inputValue('#filter-form [name="to"]'), '2026-01-03T12:00');
  await page.fill('#filter-form [name="model"]', 'gpt-4.1');
  await page.click('#filter-form [type="submit"]');
  await page.waitForURL(/to=2026-01-03T12%3A00/);
});

test('what changes while a page is on its way is shown by the next poll', async () => {
  const c = await (await openBrowser(weir)).signIn();
  const p = c.page, value = () => p.locator('.kpi', { hasText: 'Requests' }).locator('.value').innerText();
  await p.goto(c.url('/app/dashboard'));
  await p.waitForLoadState('networkidle');
  await p.clock.install();
  const before = Number(await value());
  let arrive, asked;
  const late = new Promise((resolve) => { arrive = resolve; }), held = new Promise((resolve) => { asked = resolve; });
  await p.route('**/app/dashboard', async (route) => {
    const old = await route.fetch();
    asked();
    await late;
    await route.fulfill({ response: old });
  }, { times: 1 });
  await p.click('#refresh');
  await held;
  await ask('made while a page was on its way');
  const live = p.waitForResponse((r) => r.url().endsWith('/monitoring/live') && r.status() === 200);
  await p.clock.runFor(6000);
  await live;
  await p.route('**/monitoring/live', (route) => route.fulfill({ status: 304 }));      // nothing else changes
  const page = p.waitForResponse((r) => r.url().endsWith('/app/dashboard'));
  arrive();
  await (await page).finished();
  await p.clock.runFor(6000);
  await waitFor('the new request to be counted', async () => Number(await value()) === before + 1);
  await c.close();
});

test('an alert leads to the chart of its moment', async () => {
  assert.equal((await weir.post('/admin/alerts', { kind: 'cost', window: 'day', limit_usd: 0.000001 })).status, 201);
  await waitFor('the alert to open', async () => (await weir.get('/admin/alerts')).json.items.some((a) => a.kind === 'cost'));
  await page.goto(board('/alerts'));
  await page.locator('[data-panel="open"] tr', { hasText: 'cost' }).locator('a', { hasText: 'Chart' }).click();
  await page.waitForURL(/\/app\/dashboard\/cost\?from=.*&to=/);
  await page.waitForSelector('#c-cost canvas');
});

test('nothing moves while a page is loaded, whatever columns are left out', async () => {
  const c = await (await openBrowser(weir)).signIn();
  await c.page.addInitScript(() => {
    globalThis.moved = [];
    new PerformanceObserver((list) => {
      for (const e of list.getEntries()) if (!e.hadRecentInput) globalThis.moved.push([e.value, ...e.sources.map((s) => s.node?.outerHTML?.slice(0, 80) ?? s.node?.textContent)]);
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await c.context.addCookies([{ name: 'weir_columns', value: 'endpoint.total', url: c.url('/') }]);
  for (const width of [1400, 390]) {
    await c.page.setViewportSize({ width, height: 900 });
    for (const where of [...PAGES.map((p) => `/app/dashboard${p}`), '/app/settings', '/app/settings/users', '/app/settings/prices', '/app/help/metrics']) {
      await c.page.goto(c.url(where));
      await c.page.waitForFunction(() => [...document.querySelectorAll('.chart')].every((box) => box.firstChild) && document.querySelector('.columns')?.matches('.ready') !== false);
      await c.page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
      const moved = await c.page.evaluate(() => globalThis.moved);
      assert.ok(moved.reduce((sum, [v]) => sum + v, 0) < 0.005, `${where} at ${width} px: ${JSON.stringify(moved)}`);
    }
  }
  assert.equal(await c.page.goto(c.url('/app/dashboard/requests')).then(() => c.page.locator('th[data-col="endpoint"]').isVisible()), false);
  await c.close();
});

test('every page is whole without scripts: its figures, its links, its order', async () => {
  const c = await openBrowser(weir, { scripts: false });
  await c.context.addCookies(await b.context.cookies());
  for (const where of PAGES) {
    await c.page.goto(c.url(`/app/dashboard${where}`));
    assert.match(await c.page.innerText('noscript'), /need JavaScript/, where);
    assert.ok(await c.page.locator('[data-panel] :is(table, .gauge, .none, dl) >> visible=true').count(), where);
    for (const chart of await c.page.locator('.chart').all()) {
      const panel = chart.locator('xpath=ancestor::section');
      await panel.locator('summary').click();
      assert.ok(await panel.locator('table').isVisible(), where);
    }
  }
  await c.page.goto(c.url('/app/dashboard/requests'));
  await c.page.click('#requests-table th:has-text("Tokens") a');
  assert.equal(await c.page.locator('#requests-table th', { hasText: 'Tokens' }).getAttribute('aria-sort'), 'descending');
  await c.page.click('#refresh');
  assert.match(c.page.url(), /sort=-total_tokens/);
  await c.page.click('a.explain >> nth=0');
  assert.match(await c.page.innerText('h2'), /Request explained/);
  for (const name of ['users', 'tokens', 'budgets', 'alerts', 'webhooks', 'prices', 'price-table', 'providers', 'retention', 'audit']) {
    await c.page.goto(c.url(`/app/settings/${name}`));
    assert.ok(await c.page.locator('main :is(table, .nothing)').first().isVisible(), name);
  }
  await c.close();
});

test('all pages read without scripts, and load at most 50 KB of script and style', async () => {
  const html = await (await b.context.request.get(board(`/requests?session_id=${first.session_id}`))).text();
  assert.match(html, new RegExp(`data-id="${first.request_id}"`));
  const one = await (await b.context.request.get(board(`/requests/${tried.request_id}`))).text();
  assert.match(one, /Attempt 1 \(503\)/);
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

test('the word for how things are leads to why: the refusal, when it was, and until when Weir goes slowly', async () => {
  assert.equal((await weir.post('/chat/complete', { message: '#fault-429-ms late', model: 'gpt-4o-mini' })).status, 429);
  await page.goto(board());
  assert.match(await page.innerText('#health'), /Limited|Stabilizing/);
  await page.click('#health');
  await page.waitForURL(/\/limits#stabilization$/);
  const panel = page.locator('#stabilization');
  assert.match(await panel.innerText(), /refused at \d\d:\d\d:\d\d: why · back to all at \d\d:\d\d:\d\d, in \d+/);
  const ticks = await panel.locator('.timeline .tick').evaluateAll((list) => list.map((t) => parseFloat(t.getAttribute('x'))));
  assert.equal(ticks.length, await panel.locator('tbody tr').count());
  assert.ok(ticks.length >= 3 && ticks.every((x) => x > 99 && x <= 100), String(ticks));
  await b.sound('recovering');
  await b.shot('board-recovering');
  await panel.locator('a', { hasText: 'why' }).click();
  assert.match(await page.locator('dialog.drawer').innerText(), /Attempt 1 \(429\)/);
  await page.keyboard.press('Escape');
  await page.goto(b.url('/app/settings/providers'));
  assert.match(await page.locator('tr', { hasText: 'openai' }).innerText(), /at \d+ % until \d{4}-\d\d-\d\d \d\d:\d\d/);
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
