// What people do with conversations: find, pin, archive, mark several, take back; ask
// again, change a question, see why an answer took its time; attach a file; see the
// price before sending.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startUpstream, startWeir, test, waitFor } from '../e2e/harness.mjs';
import { metricsOf, openBrowser, say } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini' } });
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
const fresh = () => page.goto(b.url('/app/'));
const titles = () => page.locator('.session:visible [data-part="name"]').allInnerTexts();
const answers = () => page.locator('.msg.assistant:visible .body').allInnerTexts();
const begun = async (message, title) => {
  const r = await weir.post('/chat/complete', { message });
  if (title) await weir.request('PATCH', `/chat/sessions/${r.json.session_id}`, { title });
  return r.json;
};

test('another answer and another question are versions one can go back to', async () => {
  await fresh();
  await say(page, 'the first question');
  await metricsOf(page);
  await say(page, 'the second question');
  await metricsOf(page);
  const again = page.locator('.assistant [data-part="again"]').last();
  await again.waitFor({ state: 'visible' });
  await again.click();
  await page.locator('.assistant .versions', { hasText: '2/2' }).waitFor();
  assert.deepEqual(await answers(), ['the first question', 'the second question']);
  await b.sound('two answers');
  await page.locator('.msg.user').first().hover();
  await page.locator('.msg.user [data-part="edit"]').first().click();
  assert.equal(await page.inputValue('#text'), 'the first question');
  await b.sound('editing');
  await b.shot('state-editing');
  await page.fill('#text', 'quite another question');
  await page.press('#text', 'Enter');
  await page.locator('.msg.user .versions', { hasText: '2/2' }).waitFor();
  assert.deepEqual(await answers(), ['quite another question']);
  await page.locator('.msg.user').first().hover();
  await page.locator('.msg.user .versions a[rel="prev"]').click();
  await page.waitForFunction(() => document.querySelectorAll('.msg.assistant').length === 2);
  assert.deepEqual(await answers(), ['the first question', 'the second question']);
  await say(page, 'goes on where it was');
  await metricsOf(page);
  assert.equal(new URL(page.url()).search, '');
  await page.reload();
  assert.deepEqual(await answers(), ['the first question', 'the second question', 'goes on where it was']);
});

test('a message explains itself', async () => {
  await fresh();
  await say(page, 'explain this');
  await metricsOf(page);
  const button = page.locator('.assistant [data-part="explain"]').last();
  await button.waitFor({ state: 'visible' });
  await button.click();
  await page.locator('dialog .times').waitFor();
  assert.match(await page.innerText('dialog'), /Where its time went[\s\S]*Total[\s\S]*One attempt[\s\S]*openai · gpt-4o-mini · answered 200[\s\S]*Request req_/);
  await b.sound('explained');
  await b.shot('state-explained');
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  assert.equal(await button.evaluate((n) => n === document.activeElement), true, 'the focus is back');
});

test('a conversation is found by what was said in it, with the words marked', async () => {
  await begun('Bitterns boom in the reeds at dusk', 'Birds');
  await fresh();
  await page.fill('#search', 'reeds');
  await page.locator('.session .found mark').waitFor();
  assert.deepEqual(await titles(), ['Birds']);
  assert.equal(await page.innerText('.session .found mark'), 'reeds');
  await b.sound('found');
  await b.shot('state-found');
  await page.fill('#search', 'no such thing');
  await page.locator('#no-match').waitFor();
  await page.click('#clear-search');
  await page.locator('.session', { hasText: 'Birds' }).waitFor();
});

test('a pinned conversation stands on top, an archived one out of the way', async () => {
  await fresh();
  const row = page.locator('.session', { hasText: 'Birds' });
  await row.hover();
  await row.locator('[data-part="pin"]').click();
  await page.locator('section[data-day="Pinned"] .session', { hasText: 'Birds' }).waitFor();
  await page.reload();
  assert.equal((await titles())[0], 'Birds');
  await page.locator('.session', { hasText: 'Birds' }).locator('a').click();
  await page.waitForURL(/\/app\/c\//);
  await page.click('#chat-menu summary');
  await b.sound('menu');
  assert.match(await page.getAttribute('#chat-menu [data-export="md"]', 'href'), /^\/chat\/sessions\/ses_\w+\/export\?format=md$/);
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#chat-menu [data-export="md"]')]);
  assert.match(download.suggestedFilename(), /^weir-ses_\w+\.md$/);
  await page.click('#chat-menu summary');
  await page.click('#chat-menu [data-act="archive"]');
  await page.locator('#undo').waitFor();
  assert.ok(!(await titles()).includes('Birds'));
  await page.reload();
  assert.ok(!(await titles()).includes('Birds'));
  await page.click('#archive');
  await page.locator('section[data-day="Archived"] .session', { hasText: 'Birds' }).waitFor();
  await b.sound('archive');
});

test('several are deleted at once, and brought back', async () => {
  for (const n of [1, 2, 3]) await begun(`bulk ${n}`);
  await fresh();
  await page.locator('.session', { hasText: 'bulk 1' }).locator('a').click({ modifiers: ['Shift'] });
  await page.locator('#bulk').waitFor();
  await page.locator('.session', { hasText: 'bulk 3' }).locator('a').click({ modifiers: ['Shift'] });
  assert.match(await page.innerText('#bulk'), /3 selected/);
  await b.sound('selecting');
  await b.shot('state-selecting');
  await page.click('#bulk [data-act="delete"]');
  await page.locator('#undo', { hasText: '3 conversations' }).waitFor();
  assert.ok(!(await titles()).some((t) => t.startsWith('bulk')));
  await page.click('#undo-button');
  assert.equal((await titles()).filter((t) => t.startsWith('bulk')).length, 3);
  await page.click('#select');
  for (const n of [1, 2]) await page.locator('.session', { hasText: `bulk ${n}` }).locator('[data-part="mark"]').check();
  await page.click('#bulk [data-act="delete"]');
  await fresh();
  await page.waitForFunction(() => [...document.querySelectorAll('.session')].filter((s) => s.textContent.includes('bulk')).length === 1);
  assert.equal((await weir.get('/chat/sessions?query=bulk')).json.items.length, 1);
});

test('what it will take and cost stands beside Send before it is sent', async () => {
  await fresh();
  await page.fill('#text', 'how much is this?');
  await page.locator('#estimate').waitFor();
  assert.match(await page.innerText('#estimate'), /^≈ \d+ tok in · \$0\.\d{6} – \$0\.\d+$/);
  await b.sound('estimate');
  await page.fill('#text', '');
  await page.locator('#estimate').waitFor({ state: 'hidden' });
});

test('a text file becomes a quoted block, a picture is refused with a sentence', async () => {
  await fresh();
  await page.setInputFiles('#files', { name: 'notes.py', mimeType: 'text/x-python', buffer: Buffer.from('print("```")\n') });
  await page.waitForFunction(() => document.querySelector('#text').value.includes('notes.py'));
  assert.equal(await page.inputValue('#text'), 'notes.py:\n````py\nprint("```")\n````\n');
  await page.setInputFiles('#files', { name: 'cat.png', mimeType: 'image/png', buffer: Buffer.from([0x89, 0x50]) });
  await page.locator('#note', { hasText: 'cat.png' }).waitFor();
  await b.sound('refused file');
  await page.click('#note .btn');
  await page.setInputFiles('#files', { name: 'x.bin', mimeType: '', buffer: Buffer.from([0xff, 0xfe]) });
  await page.locator('#note', { hasText: 'no text in UTF-8' }).waitFor();
  await page.fill('#text', '');
});

test('a file is dropped, with its tokens told, and taken out again; a long text that is pasted may become one', async () => {
  await fresh();
  await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['the level of the day\n'], 'levels.txt', { type: 'text/plain' }));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  });
  await page.locator('#note', { hasText: /“levels\.txt” is quoted in the message: ≈ \d+ tokens\./ }).waitFor();
  assert.equal(await page.inputValue('#text'), 'levels.txt:\n```txt\nthe level of the day\n```\n');
  await b.sound('a quoted file');
  await page.click('#note .btn');
  assert.equal(await page.inputValue('#text'), '');
  const long = 'one line of a long text\n'.repeat(400);
  await page.evaluate((text) => {
    const box = document.getElementById('text'), clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', text);
    box.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    box.setRangeText(text, 0, 0, 'end');                 // what the browser does with it
  }, long);
  await page.locator('#note', { hasText: 'A long text was pasted' }).waitFor();
  await page.click('#note .btn', { force: true });
  assert.equal(await page.inputValue('#text'), `pasted.txt:\n\`\`\`txt\n${long}\`\`\`\n`);
  await page.fill('#text', '');
});

test('of several files each can be taken out by itself, and a line about one goes with it', async () => {
  await fresh();
  const files = ['a', 'b', 'c'].map((n) => ({ name: `${n}.txt`, mimeType: 'text/plain', buffer: Buffer.from(`file ${n}\n`) }));
  await page.setInputFiles('#files', [...files, { name: 'cat.png', mimeType: 'image/png', buffer: Buffer.from([0x89, 0x50]) }]);
  const lines = page.locator('#note .notice');
  await page.waitForFunction(() => document.querySelectorAll('#note .notice').length === 4);
  await b.sound('several files');
  await lines.filter({ hasText: 'b.txt' }).locator('button').click();
  await page.waitForFunction(() => !document.querySelector('#text').value.includes('file b'));
  assert.match(await page.inputValue('#text'), /file a[^]*file c/);
  assert.deepEqual((await lines.allInnerTexts()).map((t) => t.match(/“(\S+)”/)[1]), ['a.txt', 'c.txt', 'cat.png']);
  await page.fill('#text', (await page.inputValue('#text')).replace('file c', 'file c, changed by hand'));
  await page.waitForFunction(() => document.querySelectorAll('#note .notice').length === 2);
  await page.press('#text', 'Control+Enter');
  await page.waitForFunction(() => document.querySelectorAll('#note .notice').length === 1);
  await metricsOf(page);
});

test('a file that is held over the page is awaited in the message box', async () => {
  await fresh();
  const drag = (type) => page.evaluate((t) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['x'], 'x.txt', { type: 'text/plain' }));
    document.body.dispatchEvent(new DragEvent(t, { dataTransfer, bubbles: true, cancelable: true }));
  }, type);
  await drag('dragover');
  assert.equal(await page.locator('#composer.over').count(), 1);
  await b.calm('a file over the page');
  await drag('dragleave');
  assert.equal(await page.locator('#composer.over').count(), 0);
  await drag('dragover');
  await drag('drop');
  assert.equal(await page.locator('#composer.over').count(), 0);
  await page.locator('#note .notice').waitFor();
  await page.fill('#text', '');
});

test('a long message of one’s own shows its beginning, and all of it when asked; its copy is whole', async () => {
  const long = 'one line of a file\n'.repeat(60).trimEnd();
  const { session_id } = await begun(long, 'A long one');
  const there = async () => {
    const own = page.locator('.msg.user').last(), height = () => own.locator('.body').evaluate((n) => n.getBoundingClientRect().height);
    assert.equal(await own.locator('.body').textContent(), long);
    assert.ok(await height() < 300);
    await own.hover();
    await own.locator('[data-part="whole"]').click();
    assert.ok(await height() > 1000);
    await own.locator('[data-part="whole"]', { hasText: 'Show less' }).click();
    assert.ok(await height() < 300);
  };
  await page.goto(b.url(`/app/c/${session_id}`));
  await there();
  await b.sound('a long message');
  await page.fill('#text', long);
  await page.press('#text', 'Control+Enter');
  await metricsOf(page);
  await there();
  await say(page, 'a short one');
  await metricsOf(page);
  assert.equal(await page.locator('.msg.user').last().locator('[data-part="whole"]').isVisible(), false);
});

test('several are archived at once, brought back, and exported', async () => {
  for (const n of [1, 2]) await begun(`papers ${n}`);
  await fresh();
  const mark = async () => {
    await page.click('#select');
    for (const n of [1, 2]) await page.locator('.session', { hasText: `papers ${n}` }).locator('[data-part="mark"]').check();
  };
  const downloads = [];
  page.on('download', (d) => downloads.push(d));
  await mark();
  const [one] = await Promise.all([page.waitForEvent('download'), page.click('#bulk [data-act="export"]')]);
  assert.equal(one.suggestedFilename(), 'weir-2-conversations.md');
  assert.deepEqual(fs.readFileSync(await one.path(), 'utf8').match(/^# papers \d$/gm).sort(), ['# papers 1', '# papers 2']);
  await mark();
  assert.equal(downloads.length, 1, 'one file');
  await page.click('#bulk [data-act="archive"]');
  await page.locator('#undo', { hasText: 'Archived 2 conversations' }).waitFor();
  const kept = async () => (await weir.get('/chat/sessions?query=papers')).json.items.length;
  assert.equal(await kept(), 0);
  await page.click('#undo-button');
  await waitFor('both', async () => (await kept()) === 2);
  assert.equal((await titles()).filter((t) => t.startsWith('papers')).length, 2);
});

test('a conversation is handed over to somebody, who goes on with it', async () => {
  const { user_id } = await weir.createUser('rea');
  const { token } = (await weir.post('/admin/tokens', { user_id, name: 'rea' })).json;
  const { session_id } = await begun('keep an eye on the gate', 'The gate');
  await page.goto(b.url(`/app/c/${session_id}`));
  await page.click('#chat-menu summary');
  await page.click('#chat-menu [data-act="handoff"]');
  await page.locator('dialog h2', { hasText: 'Hand over “The gate”' }).waitFor();
  await page.locator(`#handoff-people option[value="${user_id}"]`).waitFor({ state: 'attached' });
  await page.fill('#handoff-to', 'usr_nobody');
  await page.press('#handoff-to', 'Enter');
  await page.locator('#handoff-why', { hasText: 'There is no such user who may chat.' }).waitFor();
  await b.sound('handing over');
  await b.shot('state-handoff');
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  assert.equal(await page.locator('#chat-menu summary').evaluate((n) => n === document.activeElement), true, 'the focus is back');
  await page.keyboard.press('Enter');
  await page.click('#chat-menu [data-act="handoff"]');
  await page.fill('#handoff-to', user_id);
  await page.click('dialog button[type="submit"]');
  await page.waitForURL(b.url('/app/'));
  assert.ok(!(await titles()).includes('The gate'));
  const c = await (await openBrowser(weir)).signIn(token);
  await c.page.goto(c.url('/app/settings'));
  assert.equal(await c.page.innerText('main code'), user_id, 'where they find their id');
  let arrive;
  const slow = new Promise((resolve) => { arrive = resolve; });
  await c.page.route('**/js/header.js', async (route) => { await slow; await route.continue(); });
  await c.page.goto(c.url(`/app/c/${session_id}`));
  await c.page.click('#chat-menu summary');
  await c.page.click('#chat-menu [data-act="handoff"]');       // before what does it has come
  arrive();
  await c.page.locator('#handoff-to').waitFor();
  assert.equal(await c.page.locator('#handoff-people option').count(), 0, 'nobody is shown who there is');
  await c.page.keyboard.press('Escape');
  await say(c.page, 'and I go on');
  await metricsOf(c.page);
  await c.close();
});

test('a double click renames a conversation where it stands; what fails beside its title says so', async () => {
  await begun('twice with the mouse', 'By mouse');
  await fresh();
  await page.locator('.session', { hasText: 'By mouse' }).locator('a').dispatchEvent('dblclick');
  const box = page.locator('.session input[aria-label="Title"]');
  assert.equal(await box.inputValue(), 'By mouse');
  await box.fill('By two clicks');
  await Promise.all([page.waitForResponse((r) => r.request().method() === 'PATCH'), box.press('Enter')]);
  await page.locator('.session', { hasText: 'By two clicks' }).waitFor();
  await say(page, '#fault-400 please');
  await page.locator('.session.current .chip', { hasText: 'failed' }).waitFor();
});

test('a new conversation has the title at once that it has after a reload: 60 characters, cut at a word where one ends in the second half', async () => {
  for (const text of ['Why?', 'Why does the water\n  in the lock rise so slowly\tin the morning, and why not at noon?', `Hi ${'w'.repeat(80)}`, 'w'.repeat(80), '水'.repeat(80), '🌊'.repeat(70),
    `${'w'.repeat(59)} and more`, `${'w'.repeat(60)} and more`, `${'w'.repeat(29)} ${'x'.repeat(40)}`, `${'w'.repeat(30)} ${'x'.repeat(40)}`, `${'w'.repeat(57)} xy`, `${'w'.repeat(57)} xyz`]) {
    await fresh();
    await say(page, text);
    await metricsOf(page);
    const here = await page.innerText('#title');
    assert.equal(await page.innerText('.session.current [data-part="name"]'), here);
    await page.reload();
    assert.equal(await page.innerText('#title'), here, text);
    assert.ok([...here].length <= 61, here);
  }
});

test('titles are found at once, before the server is asked', async () => {
  await begun('a message about cranes', 'Cranes');
  await fresh();
  let asked = 0;
  await page.route('**/chat/sessions?*', (route) => { asked++; return route.continue(); });
  await page.fill('#search', 'warm up');
  await page.locator('#no-match').waitFor();
  asked = 0;
  await page.clock.install();
  await page.clock.pauseAt(Date.now() + 1000);
  await page.fill('#search', 'crane');
  assert.deepEqual(await titles(), ['Cranes']);
  await page.clock.runFor(190);
  assert.equal(asked, 0);
  await page.clock.runFor(20);
  await waitFor('the server to be asked', () => asked === 1);
  await page.clock.resume();
  await page.unroute('**/chat/sessions?*');
});

test('the time of an answer shows when one is on it', async () => {
  await fresh();
  await say(page, 'what time is it');
  await metricsOf(page);
  const time = page.locator('.assistant .msg-who time');
  assert.match(await time.innerText(), /^\d\d:\d\d$/);
  const seen = () => time.evaluate((n) => getComputedStyle(n).opacity);
  await page.mouse.move(5, 5);
  await page.focus('#text');
  await waitFor('it to be gone', async () => (await seen()) === '0');
  await page.locator('.assistant .body').hover();
  await waitFor('it to be seen', async () => (await seen()) === '1');
  await page.mouse.move(5, 5);
  await page.locator('.assistant [data-part="copy"]').focus();
  await waitFor('it to be seen again', async () => (await seen()) === '1');
});

test('the message box grows with its lines, up to ten', async () => {
  await fresh();
  const high = () => page.locator('#text').evaluate((n) => n.getBoundingClientRect().height);
  const heights = [];
  for (const lines of [1, 2, 5, 10, 11, 30]) {
    await page.fill('#text', 'line\n'.repeat(lines - 1) + 'line');
    heights.push(await high());
  }
  assert.deepEqual(heights.map((h) => Math.round((h - 16) / 24)), [1, 2, 5, 10, 10, 10], String(heights));
  await page.fill('#text', '');
});

test('a file of more than 256 KiB is refused with a sentence; the estimate is asked for once the writing pauses', async () => {
  await fresh();
  await page.setInputFiles('#files', [{ name: 'most.txt', mimeType: 'text/plain', buffer: Buffer.alloc(256 * 1024, 'a\n') }, { name: 'more.txt', mimeType: 'text/plain', buffer: Buffer.alloc(256 * 1024 + 1, 'a\n') }]);
  await page.locator('#note .notice', { hasText: '“more.txt” is too large: at most 256 KiB of text can be sent.' }).waitFor();
  assert.ok((await page.inputValue('#text')).startsWith('most.txt:\n'));
  await page.fill('#text', '');
  let asked = 0;
  page.on('request', (r) => { if (r.url().endsWith('/chat/estimate')) asked++; });
  await page.locator('#text').pressSequentially('how much is this then?', { delay: 20 });
  await page.locator('#estimate').waitFor();
  assert.equal(asked, 1);
  await page.fill('#text', '');
});

test('a conversation stands under the day it was in where one is, as the times beside messages are', async () => {
  const { session_id } = await begun('what day is it', 'By day'), DAY = 86400e3;
  await begun('and this', 'By day, later');
  const at = Date.parse((await weir.get(`/chat/sessions/${session_id}`)).json.updated_at), other = new Set();
  const c = await (await openBrowser(weir)).signIn();
  const cdp = await c.context.newCDPSession(c.page);
  for (const timeZone of ['Pacific/Pago_Pago', 'UTC', 'Pacific/Kiritimati']) {
    await cdp.send('Emulation.setTimezoneOverride', { timezoneId: timeZone });
    for (let hours = 0; hours <= 40; hours += 8) {
      const now = at + hours * 3600e3, date = (t, zone = timeZone) => new Date(t).toLocaleDateString('sv', { timeZone: zone });
      const day = (zone) => (date(at, zone) >= date(now, zone) ? 'Today' : date(at, zone) === date(now - DAY, zone) ? 'Yesterday' : 'Last 7 days');
      if (day(timeZone) !== day('UTC')) other.add(timeZone);
      await c.page.clock.setFixedTime(now);
      await c.page.goto(c.url('/app/'));
      await c.page.locator(`section[data-day="${day(timeZone)}"] .session[data-id="${session_id}"]`).waitFor();
      const names = await c.page.locator(`section[data-day="${day(timeZone)}"] [data-part="name"]`).allInnerTexts();
      assert.ok(names.indexOf('By day, later') < names.indexOf('By day'), String(names));
    }
  }
  assert.deepEqual([...other], ['Pacific/Pago_Pago', 'Pacific/Kiritimati'], 'at some hour that is not the day of UTC');
  await c.close();
});

test('more conversations than a page holds are there when one scrolls to them', async () => {
  for (let i = 0; i < 60; i++) await weir.post('/chat/sessions', { title: `many ${i}` });
  await fresh();
  await page.locator('#more-sessions').scrollIntoViewIfNeeded();
  await page.waitForFunction(() => document.querySelectorAll('.session').length > 60);
  const all = await titles();
  assert.equal(new Set(all.filter((t) => t.startsWith('many'))).size, 60);
});
