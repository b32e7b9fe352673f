// The dashboard, the settings and help without a mouse: filters, tables, the drawer, the queue, and every form with its
// refusals. No test of this file moves a pointer; hands.mjs sees to it that one always sees where one is.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';
import { hands } from './hands.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1 }, config: { default_model: 'gpt-4o-mini', retry: { max_retries: 0 }, webhooks: { allowed_addresses: ['127.0.0.1'] } } });
const ask = async (message, more = {}) => (await weir.post('/chat/complete', { message, ...more })).json;
const first = await ask('one');
await ask('two, which is longer than the first', { model: 'gpt-4.1', priority: 'High' });
await ask('#fault-400 three');
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
page.setDefaultTimeout(6000);
const keys = hands(page);
const board = (where = '') => page.goto(b.url(`/app/dashboard${where}`));
const settings = (where) => page.goto(b.url(`/app/settings/${where}`));
const row = (text) => page.locator('tbody tr', { hasText: text });
const rows = () => page.locator('#requests-table tbody tr').count();

test('filters are opened, chosen, left and taken away; the range and the time zone are chosen', async () => {
  await board('/requests');
  await keys.use('#filter summary');
  await keys.to('#filter-form [name="model"]');
  await keys.press('Escape');
  await keys.back('#filter summary');
  await keys.press('Enter');
  await keys.to('#filter-form [name="model"]');
  await keys.write('gpt-4.1');
  await keys.to('#filter-form [name="priority"]');
  await keys.write('H');
  await keys.use('#filter-form [type="submit"]');
  await page.waitForURL(/model=gpt-4\.1&priority=High/);
  assert.equal(await rows(), 1);
  await keys.use('a.chip[href*="priority"]');
  await page.waitForURL((u) => u.search.includes('priority') && !u.search.includes('model'));
  await keys.use('.range a:nth-child(4)');
  await page.waitForURL(/range=7d/);
  await keys.use('#filter summary');
  await keys.to('#filter-form [name="from"]');
  await keys.write('11252026');
  await keys.press('Tab');
  await keys.write('1200AM');
  await keys.to('#filter-form [name="tz"]');
  await keys.over('Asia/Kolkata');
  await keys.press('Enter');
  await page.waitForURL(/from=2026-11-25T00%3A00&tz=Asia%2FKolkata/);
  assert.match(await page.innerText('.sieve'), /2026-11-25/);
  await keys.use('#filter summary');
  await keys.use('#filter-form .do a');
  await page.waitForURL((u) => u.search === '');
  assert.equal(await rows(), 3);
});

test('columns are chosen, rows sorted, a row explained in the drawer, and the focus comes back', async () => {
  await board('/requests');
  await keys.use('#columns summary');
  await keys.to('#columns label:nth-child(3) input');
  await keys.press('Space');
  await page.waitForFunction(() => !document.querySelector('#requests-table [data-col="model"]').checkVisibility());
  await keys.press('Space');
  await keys.press('Escape');
  await keys.back('#columns summary');
  await keys.use('#requests-table th[data-col="tokens"] .sorter');
  await page.locator('#requests-table th[data-col="tokens"][aria-sort="descending"]').waitFor();
  await keys.use(`tr[data-id="${first.request_id}"] a.explain`);
  await page.locator('dialog.drawer').waitFor();
  for (let i = 0; i < 4; i++) { await keys.press('Tab'); await keys.focus(true); }
  await keys.use('dialog.drawer > button');
  await keys.back('a.explain');
  await keys.press('Enter');
  await page.locator('dialog.drawer').waitFor();
  await keys.press('Escape');
  await keys.back('a.explain');
});

test('every chart is read as a table, a group chosen, another page opened, and the export begun', async () => {
  await board('/cost');
  await keys.use('.as-table summary');
  await keys.to('.as-table .scroll');
  await keys.use('.groups a:nth-child(3)');
  await page.waitForURL(/group/);
  await keys.use('.parts a[href*="/performance"]');
  await page.waitForURL(/performance/);
  const [download] = await Promise.all([page.waitForEvent('download'), keys.use('.export a')]);
  assert.match(download.suggestedFilename(), /\.csv$/);
});

test('who waits is moved and taken out of the queue', async () => {
  const held = await weir.stream({ model: 'gpt-4o-mini', message: '#slow-0-20-3000 held' });
  await held.next('delta');
  const waits = [];
  for (const n of [1, 2]) waits.push((await (await weir.stream({ message: `#slow-0-20-3000 waits ${n}`, priority: 'Low' })).next('accepted')).request_id);
  await board('/queue');
  await page.locator(`tr[data-id="${waits[1]}"]`).waitFor();
  await keys.to(`tr[data-id="${waits[1]}"] select`);
  await keys.write('H');
  await page.waitForFunction((id) => document.querySelector(`tr[data-id="${id}"] th`)?.textContent.trim() === '1', waits[1]);
  await keys.back(`tr[data-id="${waits[1]}"] select`);
  await keys.use(`tr[data-id="${waits[0]}"] [data-do="cancel"]`);
  await keys.back('#sure [value="no"]');
  await keys.press('Enter');
  await keys.use(`tr[data-id="${waits[0]}"] [data-do="cancel"]`);
  await keys.use('#sure-yes');
  await page.locator(`tr[data-id="${waits[0]}"]`).waitFor({ state: 'detached' });
  await keys.back(`tr[data-id="${waits[1]}"] [data-do="cancel"]`);      // what came to its place
  await keys.press('Enter');
  await keys.use('#sure-yes', { back: true });
  await page.locator('[data-panel="queue"]', { hasText: 'Nothing waits.' }).waitFor();
  await keys.back('#h-queue');
  for (const id of [held.first('accepted').request_id]) await weir.post('/chat/cancel', { request_id: id });
});

test('a batch is paused, resumed and cancelled; limits are reset for a reason; an alert is acknowledged', async () => {
  const part = (name, more, text) => `--XX\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${text}\r\n`;
  const text = Array.from({ length: 50 }, (_, i) => JSON.stringify({ custom_id: `${i}`, url: '/v1/chat/completions', body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: '#slow-0-100-20 one' }] } })).join('\n');
  const file = await weir.request('POST', '/v1/files', `${part('purpose', '', 'batch')}${part('file', '; filename="f"', text)}--XX--`, { 'Content-Type': 'multipart/form-data; boundary=XX' });
  const batch = (await weir.post('/v1/batches', { input_file_id: file.json.id, endpoint: '/v1/chat/completions', completion_window: '24h' })).json;
  const it = `tr[data-id="${batch.id}"]`;
  await board('/batches');
  await keys.use(`${it} [data-do="pause"]`);
  await keys.back(`${it} [data-do="resume"]`);
  await keys.press('Enter');
  await keys.back(`${it} [data-do="pause"]`);
  await keys.use(`${it} [data-do="stop"]`);
  await keys.use('#sure-yes');
  await page.locator(it, { hasText: /cancel/ }).waitFor();
  await keys.back(`${it} a, #h-batches`);
  await board('/limits');
  await keys.use('[data-do="reset"]');
  await keys.back('#reset-reason');
  await keys.press('Enter');
  await keys.back('#reset-reason');
  await keys.write('the provider raised them');
  await keys.press('Enter');
  await page.locator('#say', { hasText: 'Limits are reset' }).waitFor({ state: 'attached' });
  await keys.back('[data-do="reset"]');
  assert.equal((await weir.post('/admin/alerts', { kind: 'cost', window: 'day', limit_usd: 0.000001 })).status, 201);
  await waitFor('the alert to open', async () => (await weir.get('/admin/alerts')).json.items.some((a) => a.kind === 'cost'));
  await board('/alerts');
  await keys.use('[data-do="acknowledge"]');
  await waitFor('the alert to be acknowledged', async () => (await weir.get('/admin/alerts')).json.items.every((a) => a.acknowledged_at));
  await keys.back('[data-panel="open"] a[aria-label^="Chart"]');
  await keys.press('Enter');
  await page.waitForURL(/cost\?from=/);
});

// Each form: what is refused first, at which field, and what is written there then; what of the new row is changed, and to what.
const FORMS = {
  users: { wrong: { name: 'nina', password: 'short' }, at: 'password', right: 'seven green tomatoes', row: 'nina', change: { weight: '2' }, reads: /\t2\t/ },
  tokens: { wrong: { user_id: 'usr_nobody', name: 'for a script' }, at: 'user_id', right: () => weir.get('/admin/users').then((r) => r.json.items[0].user_id), row: 'for a script', change: { name: 'for another script' }, reads: /for another script/, secret: true },
  budgets: { wrong: { limit_usd: '-5' }, at: 'limit_usd', right: '5', row: '$5.00', change: { limit_usd: '7' }, reads: /\$7\.00/ },
  alerts: { wrong: { limit_usd: '-1' }, at: 'limit_usd', right: '3', row: '$3.00', change: { limit_usd: '4' }, reads: /\$4\.00/ },
  webhooks: { wrong: { url: 'nowhere' }, at: 'url', right: 'http://127.0.0.1:9/told', row: '127.0.0.1:9', change: { url: 'http://127.0.0.1:9/heard' }, reads: /9\/heard/, secret: true },
  prices: { wrong: { provider: 'openai', model: 'gpt-4.1', input_per_million_usd: '-2', output_per_million_usd: '8' }, at: 'input_per_million_usd', right: '2', row: 'gpt-4.1', change: { output_per_million_usd: '9' }, reads: /\$9/ },
};

for (const [name, form] of Object.entries(FORMS))
  test(`settings, ${name}: added, refused at its field, changed and removed`, async () => {
    await settings(name);
    await keys.use('#add');
    for (const [field, value] of Object.entries(form.wrong)) {
      await keys.to(`#edit [name="${field}"]`);
      await keys.over(value);
    }
    await keys.press('Enter');
    await page.locator('#problem').waitFor();
    await keys.back(`#edit [name="${form.at}"][aria-invalid="true"]`);
    await keys.over(typeof form.right === 'string' ? form.right : await form.right());
    assert.equal(await page.locator(`#edit p:has([name="${form.at}"]) #problem`).count(), 1, 'said at its field');
    const [made] = await Promise.all([page.waitForResponse((r) => r.request().method() === 'POST'), keys.use('#save')]);
    assert.equal(made.status(), 201);
    await page.locator('#say', { hasText: 'Saved' }).waitFor();
    if (form.secret) {
      await keys.back('#secret');
      await keys.use('#secret-copy');
      await page.locator('#secret-copy', { hasText: 'Copied' }).waitFor();
    } else {
      await keys.back('#add');
    }
    await row(form.row).first().waitFor();
    const id = await row(form.row).first().getAttribute('data-id'), it = `tr[data-id="${id}"]`;
    await keys.use(`${it} [data-act="change"]`);
    await keys.press('Escape');
    await keys.back(`${it} [data-act="change"]`);
    await keys.press('Enter');
    for (const [field, value] of Object.entries(form.change)) {
      await keys.to(`#edit [name="${field}"]`);
      await keys.over(value);
    }
    await keys.use('#save');
    await page.locator('#say', { hasText: 'Saved' }).waitFor();
    assert.match(await page.locator(it).innerText(), form.reads);
    await keys.back(`${it} [data-act="change"]`);
    await keys.use(`${it} [data-act="remove"]`);
    await keys.back('#sure [value="no"]');
    await keys.press('Enter');
    await keys.back(`${it} [data-act="remove"]`);
    await keys.press('Enter');
    await keys.use('#sure [value="yes"]', { back: true });
    await page.locator('#say', { hasText: 'Removed' }).waitFor();
    assert.equal(await page.locator(it).count(), 0);
    await keys.back('#list button, #add');
  });

test('every stop of each settings and help page is seen when it has the focus, once around', async () => {
  await settings('own-tokens');
  const pages = await page.locator('.sections a').evaluateAll((links) => links.map((a) => a.getAttribute('href')));
  for (const where of [...pages, '/app/help/metrics', '/app/help/keys']) {
    await page.goto(b.url(where));
    const stops = [];
    do {
      await keys.press('Tab');
      stops.push(await keys.focus(true));
    } while (stops.at(-1) || stops.length < 2);
    assert.ok(stops.length > 8, `${where}: ${stops}`);
  }
});

test('the choices of this browser are made', async () => {
  await page.goto(b.url('/app/settings'));
  await keys.to('[name="metrics"]');
  await keys.press('ArrowRight');
  await page.locator('#say', { hasText: 'Saved' }).waitFor();
  await page.reload();
  assert.equal(await page.getAttribute('html', 'data-metrics'), 'short');
  await keys.to('[name="metrics"]:checked');
  await keys.press('ArrowLeft');
  await keys.to('#zone');
  await keys.over('Nowhere');
  await keys.press('Tab');
  await page.locator('#zone ~ #problem', { hasText: 'There is no time zone' }).waitFor();
});
