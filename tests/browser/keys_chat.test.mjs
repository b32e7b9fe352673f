// The chat page without a mouse: signing in, the list of conversations, messages and their versions, what waits, the
// menus and panels. No test of this file moves a pointer; hands.mjs sees to it that one always sees where one is.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';
import { hands } from './hands.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1 }, config: { default_model: 'gpt-4o-mini' } });
for (const message of ['Minutes of Monday', 'Why the pump stopped', 'Names for the new boat', 'Questions for the inspection']) await weir.post('/chat/complete', { message });
await weir.post('/admin/users', { name: 'nina', role: 'user', password: 'seven green tomatoes' });
const b = await openBrowser(weir);
const { page } = b;
page.setDefaultTimeout(6000);
const keys = hands(page);
const titles = () => page.locator('.session:visible [data-part="name"]').allInnerTexts();
const link = (title) => `.session a[title="${title}"]`;
const focused = () => page.evaluate(() => document.activeElement.innerText || document.activeElement.value);
const finished = (n) => page.waitForFunction((count) => [...document.querySelectorAll('.msg.assistant .metrics')].filter((m) => m.offsetParent).length === count, n);
const fresh = async () => { await page.goto(b.url('/app/')); await page.waitForFunction(() => document.activeElement?.id === 'text'); };

test('signing in: a refusal leads back to the field, and each way in has its own', async () => {
  await page.goto(b.url('/app/login'));
  await keys.to('#token');
  await keys.write('weir_no_such_token');
  await keys.press('Enter');
  await page.locator('#problem', { hasText: 'not known here' }).waitFor();
  await keys.back('#token');
  await keys.to('#name');
  await keys.write('nina');
  await keys.to('#password');
  await keys.write('six red tomatoes');
  await keys.press('Enter');
  await page.locator('#problem', { hasText: 'Name or password' }).waitFor();
  await keys.back('#password');
  await keys.over('seven green tomatoes');
  await keys.press('Enter');
  await page.waitForURL(b.url('/app/'));
  await keys.use('#logout');
  await page.waitForURL(/\/app\/login/);
  await keys.to('#token');
  await keys.write(weir.token);
  await keys.use('#enter');
  await page.waitForURL(b.url('/app/'));
  await keys.back('#text');
});

test('every stop of the page is seen when it has the focus, once around', async () => {
  await fresh();
  const stops = [];
  do {
    await keys.press('Tab');
    stops.push(await keys.focus(true));
  } while (!/^textarea#text/.test(stops.at(-1)));
  assert.ok(stops.length > 25, String(stops));
  for (const stop of ['select#model', 'button#attach', 'button#theme', 'a#new-chat.btn “New chat”', 'input#search', 'button#select', 'div#log', 'input#show-monitoring'])
    assert.ok(stops.some((s) => s.startsWith(stop)), `${stop} in ${stops.join(', ')}`);
  await keys.use('.skip[href="#log"]');
  await keys.back('#log');
  await keys.use('.skip[href="#text"]', { back: true });
  await keys.back('#text');
});

test('a conversation is renamed, pinned, archived and taken back', async () => {
  await fresh();
  await keys.press('Control+k');
  await keys.to(link('Minutes of Monday'));
  await keys.press('F2');
  await page.locator('.session input[aria-label="Title"]').waitFor();
  await keys.over('Minutes of Tuesday');
  await keys.press('Enter');
  await keys.back(link('Minutes of Tuesday'));
  await keys.press('F2');
  await keys.over('thrown away');
  await keys.press('Escape');
  await keys.back(link('Minutes of Tuesday'));
  await keys.use('.session:has(a[title="Minutes of Tuesday"]) [data-part="pin"]');
  await page.locator('section[data-day="Pinned"] .session', { hasText: 'Minutes of Tuesday' }).waitFor();
  await keys.back('section[data-day="Pinned"] [data-part="pin"]');
  await keys.to(link('Names for the new boat'));
  await keys.press('Enter');
  await page.waitForURL(/\/app\/c\//);
  await keys.use('#chat-menu summary');
  await keys.use('#chat-menu [data-act="archive"]');
  await keys.back('#undo-button');
  assert.ok(!(await titles()).includes('Names for the new boat'));
  await keys.press('Enter');
  await keys.back(link('Names for the new boat'));
  await keys.press('ArrowDown');
  assert.equal(await focused(), 'Why the pump stopped');
  await keys.press('Delete');
  await keys.back('#undo-button');
  await keys.press('Enter');
  await keys.back(link('Why the pump stopped'));
});

test('when the time to take it back is over, the focus goes to the conversation that came in its place', async () => {
  await page.clock.install();
  await fresh();
  await page.route('**/chat/sessions/*', (route) => (route.request().method() === 'DELETE' ? route.fulfill({ status: 204 }) : route.continue()));      // kept for the tests after this
  let left = await titles();
  while (left.length > 1) {
    const at = left.length > 2 ? left.length - 2 : 1, title = left[at], rest = left.filter((t) => t !== title);
    await keys.to(link(title));
    await keys.press('Delete');
    await keys.back('#undo-button');
    await page.clock.fastForward(9000);
    await keys.back(link(rest[at] ?? rest.at(-1)));
    await page.locator(link(title)).waitFor({ state: 'detached' });
    left = rest;
  }
  await keys.to(link(left[0]));
  await keys.press('Delete');
  await keys.back('#undo-button');
  await page.clock.fastForward(9000);
  await keys.back('#new-chat');
  await page.unroute('**/chat/sessions/*');
  await page.clock.resume();
});

test('several conversations are marked, deleted and brought back, and the archive is opened', async () => {
  await fresh();
  await keys.use('#select');
  for (const title of ['Questions for the inspection', 'Why the pump stopped']) {
    await keys.to(`[data-part="mark"][aria-label="Select ${title}"]`);
    await keys.press('Space');
  }
  await page.locator('#bulk', { hasText: '2 selected' }).waitFor();
  await keys.use('#bulk [data-act="delete"]');
  await keys.back('#undo-button');
  assert.ok(!(await titles()).includes('Why the pump stopped'));
  await keys.press('Enter');
  await page.waitForFunction(() => document.activeElement?.matches('.session a'));
  assert.ok((await titles()).includes('Why the pump stopped'));
  await keys.use('#select');
  await keys.press('Escape');
  await keys.back('#select');
  assert.equal(await page.locator('#bulk').isVisible(), false);
  await keys.use('#archive');
  await page.locator('#archive', { hasText: 'The archive is empty' }).waitFor();
  await keys.back('#archive');
});

test('a search is written, cleared, and its first hit opened', async () => {
  await fresh();
  await keys.press('Control+k');
  await keys.write('no such thing');
  await page.locator('#no-match').waitFor();
  await keys.use('#clear-search');
  await keys.back('#search');
  await keys.write('pump');
  await page.waitForFunction(() => document.querySelectorAll('.session:not([hidden])').length === 1);
  await keys.press('Enter');
  await page.waitForURL(/\/app\/c\//);
  assert.equal(await page.innerText('#title'), 'Why the pump stopped');
});

test('the menu of a conversation: opened, left with Escape, used', async () => {
  await keys.use('#chat-menu summary');
  await keys.to('#chat-menu [data-act="pin"]');
  await keys.press('Escape');
  await keys.back('#chat-menu summary');
  assert.equal(await page.getAttribute('#chat-menu', 'open'), null);
  await keys.press('Enter');
  await keys.use('#chat-menu [data-act="pin"]');
  await page.locator('section[data-day="Pinned"] .session', { hasText: 'Why the pump' }).waitFor();
  await keys.back('#chat-menu summary');
  await keys.press('Enter');
  const [download] = await Promise.all([page.waitForEvent('download'), keys.use('#chat-menu [data-export="json"]')]);
  assert.match(download.suggestedFilename(), /\.json$/);
  await keys.use('#chat-menu summary');
  await keys.use('#chat-menu [data-act="rename"]');
  await page.locator('.session input[aria-label="Title"]').waitFor();
  await keys.over('Why the pump stops');
  await keys.press('Enter');
  await page.locator('#title', { hasText: 'Why the pump stops' }).waitFor();
});

test('an answer is asked for again, a question changed, and one goes from version to version', async () => {
  await fresh();
  await keys.write('the first question');
  await keys.press('Enter');
  await finished(1);
  await page.locator('.msg.assistant [data-part="again"]').waitFor();          // it can be once the server has said what it is called
  await keys.press('Alt+r');
  await page.locator('.assistant .versions', { hasText: '2/2' }).waitFor();
  await finished(1);
  await keys.press('Shift+Escape');
  await keys.press('ArrowUp');
  await page.locator('#editing').waitFor();
  await keys.use('#edit-cancel', { back: true });
  await keys.back('#text');
  await keys.press('ArrowUp');
  await keys.over('another question');
  await keys.press('Enter');
  await page.locator('.user .versions', { hasText: '2/2' }).waitFor();
  await keys.use('.user .versions a[rel="prev"]', { back: true });
  await page.waitForURL(/\?at=/);
  await page.locator('.assistant .versions', { hasText: '2/2' }).waitFor();
  await keys.use('.assistant .versions a[rel="prev"]', { back: true });
  await page.locator('.assistant .versions', { hasText: '1/2' }).waitFor();
  await keys.use('.user .versions a[rel="next"]', { back: true });
  await page.locator('.user .body', { hasText: 'another question' }).waitFor();
});

test('an answer is read, copied and explained, and the focus comes back', async () => {
  await fresh();
  for (const line of ['```js', 'const open = true;', '```']) { await keys.write(line); await keys.press('Shift+Enter'); }
  await keys.press('Control+Enter');
  await finished(1);
  await keys.press('Alt+ArrowUp');
  await keys.back('.msg.assistant');
  await keys.press('Alt+ArrowUp');
  await keys.back('.msg.user');
  await keys.use('.code-head button');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-pressed') ?? document.activeElement.innerText), 'true');
  await keys.use('.code-head button:last-child');
  await keys.use('.assistant [data-part="copy-plain"]');
  await page.locator('.assistant [data-part="plain-label"]', { hasText: 'Copied' }).waitFor();
  await keys.back('.assistant [data-part="copy-plain"]');
  await keys.use('.assistant [data-part="explain"]');
  await page.locator('dialog .times').waitFor();
  await keys.back('dialog button');
  await keys.press('Tab');
  await keys.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  await keys.back('.assistant [data-part="explain"]');
});

test('an answer is copied with Alt and C; Alt with the arrows goes from message to message', async () => {
  await fresh();
  await keys.write('copied with a **key**');
  await keys.press('Enter');
  await finished(1);
  await keys.press('Alt+c');
  await page.locator('.assistant [data-part="copy-label"]', { hasText: 'Copied' }).waitFor();
  await keys.press('Shift+Escape');
  await keys.press('Control+v');
  assert.equal(await page.inputValue('#text'), 'copied with a **key**');
  await page.fill('#text', '');
  await keys.press('Alt+ArrowUp');
  await keys.press('Alt+ArrowUp');
  await keys.back('.msg.user');
  await keys.press('Alt+ArrowDown');
  await keys.back('.msg.assistant');
  await keys.press('Alt+ArrowDown');
  await keys.back('.msg.assistant');
});

test('where it is chosen Enter makes a new line, and Ctrl or ⌘ with it sends; g and c go to the chat', async () => {
  await page.goto(b.url('/app/settings'));
  await keys.to('[name="sendkey"]');
  await keys.press('ArrowDown');
  await page.locator('#say', { hasText: 'Saved' }).waitFor();
  await fresh();
  assert.equal(await page.innerText('#hint'), 'Ctrl or ⌘ with Enter sends.');
  await keys.write('one');
  await keys.press('Enter');
  await keys.write('two');
  assert.equal(await page.inputValue('#text'), 'one\ntwo');
  assert.equal(await page.locator('.turn').count(), 0);
  await keys.press('Control+Enter');
  await finished(1);
  await keys.write('three');
  await keys.press('Meta+Enter');
  await finished(2);
  for (const [key, look] of [['Meta+k', () => keys.back('#search')], ['Meta+.', () => page.locator('#monitor').waitFor()], ['Meta+.', () => page.locator('#monitor').waitFor({ state: 'hidden' })]]) {
    await keys.press(key);
    await look();
  }
  await page.evaluate(() => { localStorage.removeItem('weir.sendkey'); localStorage.setItem('weir.jump', 'on'); });
  await page.goto(b.url('/app/help/metrics'));
  await page.waitForLoadState('networkidle');
  await keys.press('g');
  await keys.press('c');
  await page.waitForURL(b.url('/app/'));
  await page.evaluate(() => localStorage.removeItem('weir.jump'));
});

test('the last block of code is copied, its head in sight; a new chat; to the box without stopping what is written', async () => {
  await fresh();
  await page.fill('#text', `\`\`\`js\n${'const open = true;\n'.repeat(80)}\`\`\`\n\nand\n\n\`\`\`js\nconst shut = 1;\n\`\`\``);
  await keys.press('Control+Enter');
  await finished(1);
  await keys.press('Control+Shift+;');
  await page.locator('.code-head', { hasText: 'Copied' }).last().waitFor();
  await page.fill('#text', '');
  await keys.press('Control+v');
  assert.equal((await page.inputValue('#text')).trim(), 'const shut = 1;');
  await page.fill('#text', '');
  await page.locator('#log').evaluate((l) => { l.scrollTop = l.querySelector('.code').offsetTop + 600; });
  const head = await page.locator('.code-head').first().boundingBox(), log = await page.locator('#log').boundingBox();
  assert.ok(Math.abs(head.y - log.y) <= 1, `${head.y} of ${log.y}`);
  await keys.press('Control+Shift+o');
  await page.waitForURL(b.url('/app/'));
  await page.waitForFunction(() => document.activeElement?.id === 'text');
  await keys.write('#slow-0-20-3000 on');
  await keys.press('Enter');
  await page.locator('.status', { hasText: 'Writing' }).waitFor();
  await keys.press('Shift+Escape');
  await keys.back('#text');
  assert.equal(await page.innerText('#send-label'), 'Stop');
  await keys.press('Escape');
  await page.locator('.chipline', { hasText: 'Stopped' }).waitFor();
});

test('what waits is moved and taken back, what is held is changed, thrown away and sent', async () => {
  const held = await weir.stream({ model: 'gpt-4o-mini', message: '#slow-0-20-3000 held' });
  await held.next('delta');
  await fresh();
  await keys.write('waits its turn');
  await keys.press('Enter');
  await page.locator('.status', { hasText: 'Queued: ' }).waitFor();
  const [moved] = await Promise.all([page.waitForResponse((r) => r.url().endsWith('/priority')), keys.use('.status [data-act="raise"]', { back: true })]);
  assert.equal(moved.status(), 200);
  await keys.use('.status [data-act="cancel"]', { back: true });
  await page.locator('.status', { hasText: 'Stopped before an answer came' }).waitFor();
  await weir.post('/chat/cancel', { request_id: held.first('accepted').request_id });
  await keys.press('Shift+Escape');
  await keys.write('#slow-0-20-3000 long');
  await keys.press('Enter');
  await page.locator('.status', { hasText: 'Writing' }).waitFor();
  const hold = async (text) => { await keys.back('#text'); await keys.write(text); await keys.press('Enter'); await page.locator('#next').waitFor(); };
  await hold('thrown away');
  await keys.use('#next-remove', { back: true });
  await hold('and in winter');
  await keys.use('#next-edit', { back: true });
  await keys.back('#text');
  await keys.write('?');
  await keys.press('Enter');
  await page.locator('#next', { hasText: 'and in winter?' }).waitFor();
  await keys.use('#next-now', { back: true });
  await page.locator('.chipline', { hasText: 'Stopped' }).waitFor();
  await waitFor('the held message', async () => (await page.inputValue('#text')).includes('and in winter?') || (await page.locator('.turn').count()) === 3);
});

test('a text file is attached, a picture refused', async () => {
  await fresh();
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), keys.use('#attach')]);
  await chooser.setFiles({ name: 'notes.py', mimeType: 'text/x-python', buffer: Buffer.from('print(1)\n') });
  await page.waitForFunction(() => document.querySelector('#text').value.includes('print(1)'));
  await keys.back('#text');
  const [again] = await Promise.all([page.waitForEvent('filechooser'), keys.use('#attach')]);
  await again.setFiles({ name: 'cat.png', mimeType: 'image/png', buffer: Buffer.from([0x89, 0x50]) });
  await page.locator('#note', { hasText: 'cat.png' }).waitFor();
  await keys.use('#note .btn', { back: true });
  await keys.back('#text');
  await keys.over(' ');
  await keys.press('Backspace');
});

test('the monitor panel is opened and closed, beside the conversation and over it; the list as a drawer', async () => {
  await fresh();
  await keys.press('Control+.');
  await page.locator('#monitor').waitFor();
  await keys.use('#monitor-close');
  await keys.back('#show-monitoring');
  await keys.press('Space');
  await page.locator('#monitor').waitFor();
  await keys.press('Space');
  await page.setViewportSize({ width: 768, height: 900 });
  await keys.press('Space');
  await keys.back('#monitor-close');
  await keys.press('Escape');
  await keys.back('#show-monitoring');
  await keys.press('Space');
  await keys.back('#monitor-close');
  await keys.to('.examples .btn:last-child', { back: true });
  assert.equal(await page.locator('#monitor').isVisible(), false, 'it lies over nothing that has the focus');
  await page.setViewportSize({ width: 390, height: 844 });
  await keys.use('#menu');
  await keys.to('#theme');
  await keys.press('Enter');
  assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
  await keys.press('Escape');
  await keys.back('#menu');
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('whoever goes up with a key stays there while the answer grows, until End', async () => {
  await page.setViewportSize({ width: 1000, height: 500 });
  await fresh();
  await keys.write('#slow-0-10-1500 long');
  await keys.press('Enter');
  const log = page.locator('#log');
  const places = () => log.evaluate((l) => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve([l.scrollTop, l.scrollHeight])))));
  await page.waitForFunction(() => { const l = document.getElementById('log'); return l.scrollHeight > l.clientHeight + 400; });
  await keys.to('#log', { back: true });
  for (const key of ['PageUp', 'ArrowUp', 'Shift+Space', 'Home']) {
    await keys.press(key);
    await page.locator('#jump').waitFor();
    await page.waitForFunction(() => { const l = document.getElementById('log'), was = globalThis.was; globalThis.was = l.scrollTop; return was === l.scrollTop; }, null, { polling: 200 });
    const [at, high] = await places();
    await page.waitForFunction((h) => document.getElementById('log').scrollHeight > h + 50, high);
    assert.equal((await places())[0], at, `${key}: dragged along`);
    await keys.press('End');
    await page.waitForFunction(() => { const l = document.getElementById('log'); return l.scrollHeight - l.clientHeight - l.scrollTop < 2; });
  }
  await keys.press('Shift+Escape');
  await keys.press('Escape');
  await page.locator('.chipline', { hasText: 'Stopped' }).waitFor();
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('other places: the dashboard, the settings, help and back, and a new chat', async () => {
  await fresh();
  for (const [selector, where] of [['.side-foot a[title="Dashboard"]', '/app/dashboard'], ['.side-foot a[title="Settings"]', '/app/settings'], ['.side-foot a[title="Help"]', '/app/help/metrics']]) {
    await fresh();
    await keys.use(selector);
    await page.waitForURL(b.url(where));
    await keys.use('.tabs a[href="/app/"]');
    await page.waitForURL(b.url('/app/'));
  }
  await page.waitForFunction(() => document.activeElement?.id === 'text');
  await keys.press('Control+/');
  await page.waitForURL(/help\/keys/);
  await keys.use('.doc a[href="/app/settings"]');
  await page.waitForURL(b.url('/app/settings'));
});
