// What a person wrote, marked or reads is theirs: nothing is sent before they mean it, lost because something broke, or moved
// under their eyes. Words of an input method, drafts, signing in again, a part of the page that does not come, copying without
// a secure origin, and an answer that grows while one reads.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from '../e2e/harness.mjs';
import { metricsOf, openBrowser, say } from './browser.mjs';
import { startStage } from './stage.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini', http: { hosts: ['127.0.0.1', 'weir.test'] } } });
await weir.post('/chat/complete', { message: 'Why the pump stopped' });
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
page.setDefaultTimeout(8000);
const card = (p = page) => p.locator('.turn').last().locator('.status');
const fresh = () => page.goto(b.url('/app/'));
const body = (p = page) => p.locator('.turn .assistant .body').last();

// Words as an input method gives them, in whatever has the focus: while they are picked, the keys that do that.
async function compose(p, keys = ['Enter', 'Escape']) {
  const cdp = await p.context().newCDPSession(p);
  for (const key of keys) {
    await cdp.send('Input.imeSetComposition', { text: 'にほ', selectionStart: 2, selectionEnd: 2 });
    await p.keyboard.press(key);                                            // as some say it: the key itself, while composing
    for (const type of ['rawKeyDown', 'keyUp']) await cdp.send('Input.dispatchKeyEvent', { type, key, code: key, windowsVirtualKeyCode: 229 });
    await cdp.send('Input.imeSetComposition', { text: '', selectionStart: 0, selectionEnd: 0 });
  }
  await cdp.send('Input.insertText', { text: '日本' });
  await cdp.detach();
}

test('a key that picks a word of an input method sends, saves, searches, stops and closes nothing, in any field', async () => {
  await fresh();
  await page.focus('#text');
  await compose(page);
  assert.match(await page.inputValue('#text'), /日本/);
  assert.equal(await page.locator('.turn').count(), 0);
  await page.press('#text', 'Shift+Enter');
  assert.match(await page.inputValue('#text'), /日本\n/);
  await page.fill('#text', '#slow-0-20-3000 on and on');
  await page.press('#text', 'Enter');
  await card().filter({ hasText: 'Writing' }).waitFor();
  await compose(page);
  assert.equal(await page.locator('#next').isVisible(), false, 'nothing is held to be sent next');
  assert.equal(await page.innerText('#send-label'), 'Stop', 'it is written on');
  await page.fill('#text', '');
  await page.click('#send');
  await page.locator('.chipline .pill', { hasText: 'Stopped' }).waitFor();
  const where = page.url();
  const row = page.locator('.session', { hasText: 'Why the pump' });
  await row.locator('a').focus();
  await page.keyboard.press('F2');
  const title = page.locator('.session input[aria-label="Title"]');
  await title.waitFor();
  await compose(page);
  assert.match(await title.inputValue(), /日本/, 'the title is still written');
  await page.keyboard.press('Escape');
  await page.focus('#search');
  await compose(page);
  assert.match(await page.inputValue('#search'), /日本/);
  assert.equal(page.url(), where, 'nothing was opened');
  const sent = [];
  page.on('request', (r) => { if (r.isNavigationRequest() || r.method() !== 'GET') sent.push(`${r.method()} ${r.url()}`); });
  for (const [address, open, field] of [['/app/settings', '#password label', '#next'], ['/app/settings/users', '#add', '#f-name'], ['/app/dashboard/requests', '#filter summary', '#filter input[type="text"], #filter input:not([type])']]) {
    await page.goto(b.url(address));
    await page.locator(open).first().click();
    sent.length = 0;
    await page.locator(field).first().focus();
    await compose(page, ['Enter']);
    assert.match(await page.locator(field).first().inputValue(), /日本/, address);
    assert.deepEqual(sent, [], address);
    assert.equal(await page.locator(field).first().isVisible(), true, `${address} stays open`);
  }
  assert.deepEqual(b.reports, []);
});

test('a message that was refused because the session had ended goes out when the same person is back, once', async () => {
  const c = await (await openBrowser(weir)).signIn();
  await say(c.page, 'begun before');
  await metricsOf(c.page);
  const where = c.page.url();
  await c.context.clearCookies();
  await say(c.page, 'sent over the sign-in');
  await c.page.locator('#signed-out', { hasText: 'is sent when you are back' }).waitFor();
  assert.equal(await c.page.inputValue('#text'), 'sent over the sign-in');
  await c.sound('signed out');
  await c.page.click('#signed-out a');
  await c.page.waitForURL(/\/app\/login/);
  await c.page.fill('#token', weir.token);
  await c.page.click('#enter');
  await c.page.waitForURL(where);
  await metricsOf(c.page);
  assert.equal(await body(c.page).innerText(), 'sent over the sign-in');
  assert.equal(await c.page.inputValue('#text'), '');
  await c.page.reload();
  await c.page.waitForFunction(() => document.querySelectorAll('.msg.user').length === 2);
  assert.equal((await up.calls('sent over the sign-in')).length, 1);
  await c.close();
});

test('another person who signs in finds nothing sent, and a version of a message goes where it belongs', async () => {
  const { user_id } = await weir.createUser('rea');
  const { token } = (await weir.post('/admin/tokens', { user_id, name: 'rea' })).json;
  const c = await (await openBrowser(weir)).signIn();
  const back = async (how) => {
    await c.page.click('#signed-out a');
    await c.page.waitForURL(/\/app\/login/);
    await c.page.fill('#token', how);
    await c.page.click('#enter');
    await c.page.waitForURL(/\/app\/(c\/.*)?$/);
  };
  await c.context.clearCookies();
  await say(c.page, 'not hers');
  await c.page.locator('#signed-out').waitFor();
  await back(token);
  await c.page.waitForFunction(() => !localStorage.getItem('weir.unsent'));
  assert.equal(await c.page.locator('.turn').count(), 0);
  assert.equal(await c.page.inputValue('#text'), '', 'nor what was written');
  await c.context.clearCookies();
  await c.page.goto(c.url('/app/login'));
  await c.signIn();
  assert.equal(await c.page.inputValue('#text'), 'not hers', 'it is kept for whose it is');
  await c.page.fill('#text', '');
  await say(c.page, 'the question');
  await metricsOf(c.page);
  await c.page.locator('.msg.user [data-part="edit"]').last().focus();
  await c.page.keyboard.press('Enter');
  await c.page.fill('#text', 'another question');
  await c.context.clearCookies();
  await c.page.press('#text', 'Enter');
  await c.page.locator('#signed-out').waitFor();
  await back(weir.token);
  await c.page.locator('.msg.user .versions', { hasText: '2/2' }).waitFor();
  assert.equal(await c.page.locator('.msg.user').count(), 1);
  await c.close();
});

test('a session that has ended is not taken for a server that cannot be reached', async () => {
  const c = await (await openBrowser(weir)).signIn();
  await c.page.fill('#text', 'half a thought');
  await c.context.clearCookies();
  const ask = () => c.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await ask();
  await c.page.locator('#signed-out', { hasText: 'stands in the box when you are back' }).waitFor();
  await c.page.keyboard.press('Escape');
  await c.page.locator('#signed-out').waitFor({ state: 'detached' });
  for (let i = 0; i < 3; i++) await Promise.all([c.page.waitForResponse('**/monitoring/live'), ask()]);
  assert.equal(await c.page.locator('#signed-out').count(), 0, 'it is said once');
  assert.equal(await c.page.locator('#reach').isVisible(), false);
  assert.equal(await c.page.locator('#send').isDisabled(), false);
  await c.close();
});

test('a message that could not be sent is in its draft after a reload, beside what was written meanwhile', async () => {
  await fresh();
  await page.route('**/chat/stream', (route) => route.abort());
  await say(page, 'nobody there');
  await page.locator('.status.err').waitFor();
  await page.reload();
  await page.unroute('**/chat/stream');
  assert.equal(await page.inputValue('#text'), 'nobody there');
  await page.press('#text', 'Enter');
  await metricsOf(page);
  await page.reload();
  assert.equal(await page.inputValue('#text'), '');
});

test('an answer is shown as plain text, and why, where what draws it does not come', async () => {
  await page.route('**/js/growing.js', (route) => route.abort());
  await fresh();
  await say(page, 'here **it** is\n\n- one');
  await metricsOf(page);
  assert.equal(await body().innerText(), 'here **it** is\n\n- one');
  assert.match(await page.locator('.turn .assistant').innerText(), /Shown as plain text: a part of this page could not be loaded/);
  await b.sound('plain text');
  await page.unroute('**/js/growing.js');
  await page.reload();
  await page.locator('.assistant .body li', { hasText: 'one' }).waitFor();
});

test('nothing is sent where the answer could not be read, and the message is kept', async () => {
  await page.route('**/vendor/eventsource-parser*/**', (route) => route.abort());
  await fresh();
  await say(page, 'cannot be read');
  await page.locator('.status.err', { hasText: 'Weir could not be reached' }).waitFor({ timeout: 15000 });
  assert.equal((await up.calls('cannot be read')).length, 0);
  await page.unroute('**/vendor/eventsource-parser*/**');
  await card().locator('button[data-act="retry"]').click();
  await metricsOf(page);
  assert.equal((await up.calls('cannot be read')).length, 1);
});

test('what is loaded when it is needed and does not come says so, and comes the next time', async () => {
  for (const [file, use, there] of [['search', () => page.fill('#search', `pump${Math.random()}`), '#no-match'], ['select', () => page.click('#select'), '#bulk'], ['attach', () => page.setInputFiles('#files', { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('a') }), '#note .notice']]) {
    await fresh();
    await page.route(`**/js/${file}.js`, (route) => route.abort());
    await use();
    await waitFor('the words', async () => (await page.textContent('#alert')) === 'Weir could not be reached.');
    await page.unroute(`**/js/${file}.js`);
    await use();
    await page.locator(there).waitFor();
  }
  await page.fill('#text', '');
});

test('on plain http, where there is no clipboard interface, a message, a block of code and the details of an error are copied', async () => {
  const c = await openBrowser(weir, { hosts: 'MAP weir.test 127.0.0.1, ' });
  await c.page.goto(`http://weir.test:${weir.port}/app/login`);
  await c.page.fill('#token', weir.token);
  await c.page.click('#enter');
  await c.page.waitForURL(`http://weir.test:${weir.port}/app/`);
  assert.deepEqual(await c.page.evaluate(() => [isSecureContext, typeof navigator.clipboard, typeof crypto.randomUUID]), [false, 'undefined', 'undefined']);
  const pasted = async () => { await c.page.fill('#text', ''); await c.page.focus('#text'); await c.page.keyboard.press('Control+v'); return c.page.inputValue('#text'); };
  await say(c.page, 'copy **this**\n\n```js\nconst open = true;\n```');
  await metricsOf(c.page);
  await c.page.locator('.assistant [data-part="copy"]').click();
  await c.page.locator('.assistant [data-part="copy-label"]', { hasText: 'Copied' }).waitFor();
  assert.equal(await pasted(), 'copy **this**\n\n```js\nconst open = true;\n```');
  await c.page.locator('.code-head .icon').last().click();
  assert.equal((await pasted()).trim(), 'const open = true;');
  await c.page.fill('#text', '');
  await say(c.page, '#fault-400 please');
  await c.page.locator('.status.err button', { hasText: 'Copy details' }).click();
  assert.match(await pasted(), /\nRequest req_\w+\n/);
  assert.deepEqual(c.reports.filter((r) => !r.startsWith(`elsewhere: http://weir.test:${weir.port}/`)), []);
  await c.close();
});

test('the newest message stands still where it was put until its answer has passed the fold', async () => {
  await page.setViewportSize({ width: 1000, height: 700 });
  await page.goto(b.url('/app/'));
  await say(page, '#lorem-300 first');
  await metricsOf(page);
  await say(page, '#slow-0-10-1500 second');
  const own = page.locator('.turn').last().locator('.msg.user');
  const place = () => own.evaluate((n) => Math.round(n.getBoundingClientRect().top - document.getElementById('log').getBoundingClientRect().top));
  await page.waitForFunction(() => document.querySelector('.turn:last-of-type .assistant .body')?.innerText.length > 5);
  const first = await place();
  assert.ok(first >= 0 && first < 700 / 3, `${first} px below the top`);
  await page.waitForFunction(() => document.querySelector('.turn:last-of-type .assistant .body').innerText.length > 250);
  assert.equal(await place(), first);
  await page.waitForFunction((was) => document.querySelector('.turn:last-of-type .msg.user').getBoundingClientRect().top - document.getElementById('log').getBoundingClientRect().top < was - 50, first, { timeout: 20000 });
  assert.ok(await page.locator('#log').evaluate((l) => l.scrollHeight - l.clientHeight - l.scrollTop < 2), 'then it follows');
  await page.click('#send');
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('an answer is followed while one writes lines and takes them out again', async () => {
  await page.setViewportSize({ width: 1000, height: 700 });
  await fresh();
  await say(page, '#slow-0-10-1500 followed');
  await page.waitForFunction(() => { const l = document.getElementById('log'); return l.scrollHeight > l.clientHeight + 300; });
  for (const key of ['o', 'Shift+Enter', 'Shift+Enter', 'Shift+Enter', 'n', 'Backspace', 'Backspace', 'e']) await page.press('#text', key);
  const high = await page.locator('#log').evaluate((l) => l.scrollHeight);
  await page.waitForFunction((h) => document.getElementById('log').scrollHeight > h + 100, high);
  assert.ok(await page.locator('#log').evaluate((l) => l.scrollHeight - l.clientHeight - l.scrollTop < 2), 'it is followed');
  assert.equal(await page.locator('#jump').isVisible(), false);
  await page.fill('#text', '');
  await page.click('#send');
  await page.locator('.chipline .pill', { hasText: 'Stopped' }).waitFor();
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('what is selected in an answer stays selected while its stream goes on and when it ends', async () => {
  const stage = await startStage(page);
  let go;
  const marked = new Promise((resolve) => { go = resolve; });
  stage.play({ events: (async function* () {
    yield ['accepted', { request_id: 'req_1', session_id: 'ses_1', message_id: 'msg_1' }];
    yield ['start', { model: 'gpt-4o-mini', upstream: 'openai', attempt: 1, queue_ms: 0 }];
    yield ['delta', { text: 'This one is **read** and marked.\n\nThe next one begins here ' }];
    await marked;
    for (let i = 0; i < 100; i++) yield ['delta', { text: `and goes on ${i}${i % 7 ? ' ' : '\n\n'}` }];
    yield ['done', { finish_reason: 'stop' }];
  }()) });
  await fresh();
  await say(page, 'marked');
  await body().locator('p', { hasText: 'The next one' }).waitFor();
  await page.evaluate(() => getSelection().selectAllChildren(document.querySelector('.turn .assistant .body p')));
  go();
  await body().locator('p', { hasText: 'goes on 99' }).waitFor();
  await page.locator('.turn .assistant.writing').waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => getSelection().toString()), 'This one is read and marked.');
  stage.play();
});

test('the card of a message that waits is as high when its figures have lost a digit, at any width, and a button one is on stays', async () => {
  const stage = await startStage(page);
  let wake;
  const events = [], give = (...more) => { events.push(...more); wake?.(); };
  const place = (position, eta_ms) => ['queue', { position, ahead: position - 1, eta_ms, eta_error_ms: 2000, reason: 'output_tokens_per_minute', upstream: 'openai' }];
  stage.play({ events: (async function* () {
    for (;;) {
      while (events.length) yield events.shift();
      await new Promise((go) => { wake = go; });
    }
  }()) });
  await page.clock.install();
  await fresh();
  await say(page, 'waits');
  give(['accepted', { request_id: 'req_1', session_id: 'ses_1', message_id: 'msg_1' }], place(10, 65000));
  await card().filter({ hasText: 'position 10 · starts in about 1 min 5' }).waitFor();
  await page.clock.pauseAt(Date.now() + 1000);
  const high = () => card().evaluate((n) => [n, n.querySelector('.more'), n.querySelector('button')].map((m) => Math.round(m.getBoundingClientRect().bottom - n.getBoundingClientRect().top)).join());
  const seen = new Map();
  for (let width = 320; width <= 420; width += 10) {
    await page.setViewportSize({ width, height: 844 });
    give(place(10, 65000));
    await card().filter({ hasText: 'about 1 min 5' }).waitFor();
    const heights = [await high()];
    for (let left = 65; left > 7; left -= 3) {
      await page.clock.runFor(3000);
      heights.push(await high());
    }
    await card().filter({ hasText: /in about [5-9]\ss/ }).waitFor();
    seen.set(width, [...new Set(heights)]);
  }
  assert.deepEqual([...seen].filter(([, heights]) => heights.length > 1), []);
  await card().locator('button[data-act="cancel"]').focus();
  give(place(9, 9000));
  await card().filter({ hasText: 'position 9' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.dataset.act), 'cancel');
  await page.clock.resume();
  stage.play();
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('an answer that is written for another device of the same person is read along, and one that failed is not waited for', async () => {
  await fresh();
  await say(page, '#slow-0-20-3000 read along');
  await card().filter({ hasText: 'Writing' }).waitFor();
  const where = new URL(page.url()).pathname;
  const c = await (await openBrowser(weir)).signIn();
  await c.page.goto(c.url(where));
  await card(c.page).filter({ hasText: 'Writing' }).waitFor();
  await page.press('#text', 'Escape');
  await c.page.locator('.chipline .pill', { hasText: 'Stopped' }).waitFor();
  assert.equal(await body(c.page).innerText(), await body().innerText());
  assert.equal(await c.page.locator('.msg.user').count(), 1);
  await say(c.page, '#fault-400 no');
  await c.page.locator('.status.err').waitFor();
  await Promise.all([page.waitForResponse(/\/chat\/sessions\/ses_\w+$/), page.reload()]);
  assert.equal(await page.locator('.turn').count(), 0);
  await c.close();
});

test('what is said in another tab of the same conversation is shown in this one, and nothing of what one writes or reads here moves', async () => {
  const c = await (await openBrowser(weir, { width: 1000, height: 500 })).signIn(), here = c.page;
  await say(here, '#lorem-300 begun here');
  await metricsOf(here);
  const tab = await c.context.newPage();
  await tab.goto(here.url());
  await here.fill('#text', 'half a thought');
  await here.press('#text', 'ArrowLeft');
  await here.locator('#log').evaluate((l) => { l.scrollTop = 0; });
  await here.locator('#jump').waitFor();
  await here.evaluate(() => { globalThis.same = 'page'; });
  await say(tab, '#slow-0-20-3000 from the other tab');
  await here.locator('.msg.user', { hasText: 'from the other tab' }).waitFor();
  await card(here).filter({ hasText: 'Writing' }).waitFor();
  await here.waitForFunction(() => document.querySelector('.turn:last-of-type .assistant .body').innerText.length > 100);
  assert.equal(await here.locator('#log').evaluate((l) => l.scrollTop), 0, 'it is not dragged down');
  assert.deepEqual(await here.evaluate(() => [globalThis.same, document.activeElement.id, document.activeElement.value, document.activeElement.selectionStart]), ['page', 'text', 'half a thought', 13]);
  await tab.press('#text', 'Escape');
  for (const p of [tab, here]) await p.locator('.chipline .pill', { hasText: 'Stopped' }).waitFor();
  assert.equal(await body(here).innerText(), await body(tab).innerText());
  await here.locator('.turn .assistant[data-id]').last().waitFor();
  assert.equal(await here.locator('.msg:visible').count(), 4);
  await say(tab, 'and once more');
  await metricsOf(tab);
  await here.locator('.msg.user', { hasText: 'and once more' }).waitFor();
  await metricsOf(here);
  assert.equal(await here.locator('.msg.user').count(), 3);
  assert.equal(await here.inputValue('#text'), 'half a thought');
  await c.close();
});

test('what another device says is shown with the next poll, also another answer in place of one', async () => {
  await fresh();
  await say(page, 'asked here');
  await metricsOf(page);
  const { pathname } = new URL(page.url());
  const poll = () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  const c = await (await openBrowser(weir)).signIn();
  await c.page.goto(c.url(pathname));
  await say(c.page, 'asked there');
  await metricsOf(c.page);
  await page.waitForLoadState('networkidle');
  await poll();
  await page.locator('.msg.user', { hasText: 'asked there' }).waitFor();
  assert.equal(await page.textContent('#say'), 'New messages');
  assert.match(await page.locator('.msg.assistant .body').last().innerText(), /asked there/);
  await c.page.locator('.assistant [data-part="again"]').last().click();
  await c.page.locator('.assistant .versions', { hasText: '2/2' }).waitFor();
  await poll();
  await page.locator('.assistant .versions', { hasText: '2/2' }).waitFor();
  assert.equal(await page.locator('.msg.assistant:visible').count(), 2);
  await say(page, 'goes on here');
  await metricsOf(page);
  await page.reload();
  assert.deepEqual(await page.locator('.msg.user .body').allInnerTexts(), ['asked here', 'asked there', 'goes on here']);
  await page.click('.assistant .versions a[rel="prev"]');
  await page.waitForURL(/\?at=/);
  await c.page.locator('.msg.user [data-part="edit"]').first().focus();
  await c.page.keyboard.press('Enter');
  await c.page.fill('#text', 'asked otherwise');
  await c.page.press('#text', 'Enter');
  await metricsOf(c.page);
  await Promise.all([page.waitForResponse('**/monitoring/live'), poll()]);
  await page.waitForLoadState('networkidle');
  assert.equal(await page.locator('.msg.user', { hasText: 'asked otherwise' }).count(), 0, 'who reads an older version goes on reading it');
  await c.close();
});

test('a conversation begun elsewhere comes into the list with the next poll, and moves no row under the pointer', async () => {
  const c = await (await openBrowser(weir, { width: 1200 })).signIn(), here = c.page;
  const begin = async (message) => assert.equal((await weir.post('/chat/complete', { message, model: 'builtin/eliza' })).status, 200);
  const poll = () => Promise.all([here.waitForResponse('**/chat/sessions?limit=20'), here.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))]);
  const names = () => here.locator('.session [data-part="name"]').allInnerTexts();
  await begin('there before');
  await here.goto(c.url('/app/'));
  await here.waitForLoadState('networkidle');
  await begin('begun elsewhere');
  await poll();
  await here.locator('.session', { hasText: 'begun elsewhere' }).waitFor();
  assert.deepEqual((await names()).slice(0, 2), ['begun elsewhere', 'there before']);
  assert.equal(await here.locator('.session.current').count(), 0);
  const row = here.locator('.session', { hasText: 'there before' }), at = await row.boundingBox();
  await row.hover();
  await begin('begun under the pointer');
  await Promise.all([here.waitForResponse('**/monitoring/live'), here.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))]);
  await here.waitForLoadState('networkidle');
  assert.deepEqual([await row.boundingBox(), (await names())[0]], [at, 'begun elsewhere']);
  await here.hover('#text');
  await here.locator('.session', { hasText: 'begun under the pointer' }).waitFor();
  assert.deepEqual((await names()).slice(0, 3), ['begun under the pointer', 'begun elsewhere', 'there before']);
  await here.locator('.session', { hasText: 'begun under the pointer' }).click();
  await here.waitForURL(/\/app\/c\/ses_/);
  await c.close();
});

test('what another tab writes stands in this one’s box, unless somebody is writing in that', async () => {
  await fresh();
  const tab = await b.context.newPage();
  await tab.goto(b.url('/app/'));
  await page.locator('#log').focus();
  await tab.fill('#text', 'from the other tab');
  await page.waitForFunction(() => document.getElementById('text').value === 'from the other tab');
  assert.equal(await page.locator('#send').isDisabled(), false);
  await page.focus('#text');
  const told = page.evaluate(() => new Promise((resolve) => addEventListener('storage', (e) => { if (e.newValue === 'the last one') resolve(document.getElementById('text').value); })));
  await tab.fill('#text', 'the last one');
  assert.equal(await told, 'from the other tab', 'not under one’s hands');
  await page.reload();
  assert.equal(await page.inputValue('#text'), 'from the other tab', 'who left the page last wrote last');
  await tab.close();
  await page.bringToFront();
  await page.fill('#text', '');
});

test('a finger or the bar beside it lets go of a growing answer, and who comes near its end is taken along again', async () => {
  await page.setViewportSize({ width: 1000, height: 500 });
  await fresh();
  await say(page, '#slow-0-10-1500 long');
  const log = page.locator('#log');
  const grown = async (by) => { const high = await log.evaluate((l) => l.scrollHeight); await page.waitForFunction(([h, n]) => document.getElementById('log').scrollHeight > h + n, [high, by]); };
  const left = () => log.evaluate((l) => l.scrollHeight - l.clientHeight - l.scrollTop);
  await page.waitForFunction(() => { const l = document.getElementById('log'); return l.scrollHeight > l.clientHeight + 400; });
  for (const go of [() => log.evaluate((l) => { l.dispatchEvent(new TouchEvent('touchmove')); }),                     // before the browser has moved anything
    () => log.evaluate((l) => new Promise((resolve) => { let n = 0; const drag = () => { l.scrollTop -= 30; if (++n < 5) setTimeout(drag, 20); else resolve(); }; drag(); }))]) {       // as its bar does: no other event comes
    await go();
    await page.locator('#jump').waitFor();
    const at = await log.evaluate((l) => l.scrollTop);
    await grown(50);
    assert.equal(await log.evaluate((l) => l.scrollTop), at, 'dragged along');
    await log.evaluate((l) => new Promise((resolve) => { l.addEventListener('scroll', resolve, { once: true }); l.scrollTop = l.scrollHeight - l.clientHeight - 20; }));
    await grown(50);
    assert.ok(await left() < 2, 'it is followed again from 20 px above its end');
  }
  await page.press('#text', 'Escape');
  await page.locator('.chipline .pill', { hasText: 'Stopped' }).waitFor();
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('while the page is not seen an answer is drawn once a second, and is whole when one comes back', async () => {
  const stage = await startStage(page);
  let more;
  const seen = new Promise((resolve) => { more = resolve; });
  stage.play({ events: (async function* () {
    yield ['accepted', { request_id: 'req_1', session_id: 'ses_1', message_id: 'msg_1' }];
    yield ['start', { model: 'gpt-4o-mini', upstream: 'openai', attempt: 1, queue_ms: 0 }];
    yield ['delta', { text: 'The first. ' }];
    await seen;
    for (let i = 0; i < 50; i++) { yield ['delta', { text: `word ${i} ` }]; await new Promise((go) => setTimeout(go, 40)); }
    yield ['done', { finish_reason: 'stop' }];
  }()) });
  await fresh();
  await say(page, 'out of sight');
  await body().filter({ hasText: 'The first.' }).waitFor();
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, value: true });
    globalThis.draws = 0;
    let length = 0;
    new MutationObserver(() => { const now = document.querySelector('.turn .assistant .body').textContent.length; if (now !== length) { length = now; globalThis.draws++; } })
      .observe(document.querySelector('.turn .assistant .body'), { childList: true, subtree: true, characterData: true });
  });
  more();
  await page.locator('.turn .assistant.writing').waitFor({ state: 'detached' });
  const draws = await page.evaluate(() => globalThis.draws);
  assert.ok(draws >= 2 && draws <= 5, `${draws} draws of 50 pieces in 2 s`);
  assert.match(await body().innerText(), /^The first\. word 0 .* word 49$/);
  stage.play();
  await fresh();
});

test('a poll that is missed three times is said once in a bar; Retry asks again', async () => {
  await fresh();
  await page.waitForLoadState('networkidle');
  await page.evaluate(() => {
    globalThis.heard = [];
    for (const id of ['say', 'alert']) new MutationObserver(() => globalThis.heard.push(`${id}: ${document.getElementById(id).textContent}`)).observe(document.getElementById(id), { childList: true });
  });
  await page.route('**/monitoring/live', (route) => route.abort());
  const poll = () => Promise.all([page.waitForEvent('requestfailed'), page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))]);
  for (let i = 0; i < 2; i++) await poll();
  assert.equal(await page.locator('#reach').isVisible(), false);
  for (let i = 0; i < 2; i++) await poll();
  await page.locator('#reach', { hasText: 'Weir cannot be reached. Drafts are saved on this device.' }).waitFor();
  await page.fill('#text', 'kept meanwhile');
  assert.equal(await page.locator('#send').isDisabled(), true);
  await b.sound('out of reach');
  await page.unroute('**/monitoring/live');
  await page.click('#reach-retry');
  await page.locator('#reach').waitFor({ state: 'hidden' });
  assert.deepEqual(await page.evaluate(() => globalThis.heard), ['alert: Weir cannot be reached. Drafts are saved on this device.', 'say: Connected again']);
  assert.equal(await page.locator('#send').isDisabled(), false);
  await page.fill('#text', '');
});

test('nothing stands in for a conversation that comes quickly; one that is slow has its lines after 150 ms, and that is said once', async () => {
  await fresh();
  await page.evaluate(() => {
    globalThis.heard = [];
    new MutationObserver(() => globalThis.heard.push(document.getElementById('say').textContent)).observe(document.getElementById('say'), { childList: true });
    addEventListener('click', (e) => { if (e.target.closest('.session a')) e.preventDefault(); });      // it never comes
  });
  await page.clock.install();
  await page.clock.pauseAt(Date.now() + 1000);
  const row = page.locator('.session a').first(), log = page.locator('#log');
  const before = await log.boundingBox();
  await row.dispatchEvent('click');
  await page.clock.runFor(140);
  assert.equal(await page.locator('#skeleton').isVisible(), false);
  await page.clock.runFor(20);
  assert.equal(await page.locator('#skeleton').isVisible(), true);
  assert.deepEqual(await log.boundingBox(), before, 'the layout stays');
  await page.clock.runFor(5000);
  assert.deepEqual(await page.evaluate(() => globalThis.heard), ['Loading conversation']);
  await page.clock.resume();
  await fresh();
});

test('the list of conversations is folded away and back with its keys, at any width', async () => {
  for (const [width, shown] of [[1400, true], [768, true], [390, false]]) {
    await page.setViewportSize({ width, height: 844 });
    await fresh();
    const list = page.locator('#sidebar');
    assert.equal(await list.isVisible(), shown);
    await page.keyboard.press('Control+Shift+S');
    await list.waitFor({ state: shown ? 'hidden' : 'visible' });
    await b.calm(`the list at ${width} px`);
    if (shown) {
      assert.equal(await page.locator('#menu').isVisible(), true, 'and there is a way back for a mouse');
      assert.equal(await page.locator('#menu').getAttribute('aria-expanded'), 'false');
    }
    await page.keyboard.press('Control+Shift+S');
    await list.waitFor({ state: shown ? 'visible' : 'hidden' });
  }
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('the monitor panel is as this person left it, in another browser too; what lies over the conversation is never open from the first', async () => {
  await fresh();
  const told = () => page.waitForResponse((r) => r.url().endsWith('/app/me') && r.request().method() === 'PATCH' && r.ok());
  await Promise.all([told(), page.check('#show-monitoring')]);
  const c = await (await openBrowser(weir)).signIn();
  assert.equal(await c.page.locator('#monitor').isVisible(), true);
  await c.page.setViewportSize({ width: 768, height: 900 });
  await c.page.reload();
  await c.page.waitForSelector('#text');
  assert.equal(await c.page.locator('#monitor').isVisible(), false);
  await c.page.check('#show-monitoring');
  await c.page.click('#monitor-close');
  await fresh();
  assert.equal(await page.locator('#monitor').isVisible(), true, 'that it was closed there says nothing of here');
  await Promise.all([told(), page.uncheck('#show-monitoring')]);
  await c.page.setViewportSize({ width: 1400, height: 900 });
  await c.page.reload();
  await c.page.waitForSelector('#text');
  assert.equal(await c.page.locator('#monitor').isVisible(), false);
  const nina = await weir.createUser('nina');
  assert.equal((await weir.get(`/admin/users/${nina.user_id}/export`)).json.user.show_monitoring, false, 'each has their own');
  await c.close();
});
