// The way of a newcomer: the one-time link, a chat with the built-in model, its
// figures, the monitor panel, the dashboard – in both themes, wide and narrow.
import assert from 'node:assert/strict';
import { startWeir, test } from '../e2e/harness.mjs';
import { metricsOf, openBrowser, say } from './browser.mjs';

const weir = await startWeir({ config: { limits: { requests_per_minute: 60 } } });
const LINE = /^Tokens (≈ )?[\d,]+ in \/ [\d,]+ out · Cost (free|—|\$[\d.]+) · Efficiency (—|[\d.]+ chars\/tok) · First token [\d.]+ s( · Speed [\d.,]+ tok\/s)? · Queued [\d.]+ s · Retries \d+$/;

test('the one-time link signs in, once', async () => {
  const [, link] = await weir.program.says(/Sign in once: (\S+)\n/);
  const b = await openBrowser(weir);
  await b.page.goto(link);
  await b.page.waitForURL(b.url('/app/'));
  await b.page.waitForSelector('#text');
  assert.equal(await b.page.evaluate(() => document.cookie.includes('weir=')), false, 'scripts can read the cookie');
  await b.sound('signed in');
  await b.close();

  const other = await openBrowser(weir);
  await other.page.goto(link);
  await other.page.locator('#problem:not([hidden])').waitFor();
  assert.match(await other.page.innerText('#problem'), /used already or is too old/);
  assert.equal(await other.page.evaluate(() => location.hash), '');
  await other.sound('sign-in page');
  await other.close();
});

test('without a session a page leads to the sign-in page, and from there back', async () => {
  const b = await openBrowser(weir);
  await b.page.goto(b.url('/app/dashboard'));
  assert.equal(new URL(b.page.url()).pathname, '/app/login');
  await b.page.fill('#token', 'weir_no_such_token');
  await b.page.click('#enter');
  await b.page.locator('#problem:not([hidden])').waitFor();
  assert.match(await b.page.innerText('#problem'), /not known here/);
  await b.page.fill('#token', weir.token);
  await b.page.click('#enter');
  await b.page.waitForURL(b.url('/app/dashboard'));
  await b.close();
});

for (const scheme of ['light', 'dark'])
  for (const width of [1400, 768, 390])
    test(`chat, monitoring and dashboard, ${scheme}, ${width} px`, async () => {
      const name = `${scheme}-${width}`;
      const b = await (await openBrowser(weir, { width, scheme })).signIn();
      const { page } = b;
      await b.shot(`empty-${name}`);
      await b.sound('empty chat');

      await say(page, 'My project is stuck and I feel tired.');
      assert.match(await metricsOf(page), LINE);
      assert.match(page.url(), /\/app\/c\/ses_/);
      assert.ok((await page.innerText('.turn .assistant .body')).length > 10);
      assert.equal(await page.inputValue('#text'), '');
      assert.match(await page.title(), /My project is stuck/);
      await b.calm('an answer');

      await page.check('#show-monitoring');
      await page.locator('#m-limits > *').first().waitFor();
      await page.waitForFunction(() => document.querySelector('#m-chat dd')?.textContent === '1');
      const before = await page.innerText('#m-chat');
      await b.sound('monitor panel');
      await b.shot(`monitor-${name}`);
      if (width < 1100) await page.click('#monitor-close');
      await say(page, 'It began last week.');
      await metricsOf(page);
      if (width < 1100) await page.check('#show-monitoring');
      await page.waitForFunction(() => document.querySelector('#m-chat dd')?.textContent === '2');
      assert.notEqual(await page.innerText('#m-chat'), before);
      if (width < 1100) await page.click('#monitor-close');
      await b.shot(`chat-${name}`);

      await page.reload();
      await page.waitForSelector('.msg.assistant .metrics');
      assert.equal(await page.locator('.msg').count(), 4);
      assert.match((await page.locator('.msg.assistant .metrics').last().innerText()).replace(/\s+/g, ' ').trim(), LINE);
      await b.calm('the conversation again');

      await page.goto(b.url('/app/dashboard'));
      await page.waitForSelector('#c-tokens canvas');
      assert.match(await page.innerText('[data-panel="health"]'), /Healthy|Warning/);
      assert.equal(await page.locator('.kpi').count(), 6);
      assert.match(await page.innerText('[data-panel="by-model"]'), /builtin\/eliza/);
      assert.match(await page.innerText('[data-panel="recent"]'), /success/);
      assert.match(await page.innerText('[data-panel="latency"]'), /First token\s+[\d.]+ s/);
      await b.shot(`dashboard-${name}`, { fullPage: true });
      await b.sound('dashboard');
      await page.click('.range a:has-text("7 d")');
      assert.match(page.url(), /range=7d/);
      await page.waitForSelector('#c-tokens canvas');
      assert.match(await page.innerText('#c-cost'), /Nothing was spent/);
      await b.calm('dashboard of a week');

      for (const where of ['settings', 'help/metrics']) {
        await page.goto(b.url(`/app/${where}`));
        await b.sound(where);
      }
      await b.close();
    });

test('no page scrolls sideways at 320 px', async () => {
  const b = await (await openBrowser(weir, { width: 320 })).signIn();
  await say(b.page, 'a narrow place, with $x^2$ and a_word_that_has_no_end_and_goes_on_and_on_and_on_and_on');
  await metricsOf(b.page);
  await b.page.click('#chat-menu summary');
  await b.sound('a conversation, 320 px');
  await b.shot('chat-320');
  for (const where of ['/app/', '/app/dashboard', '/app/settings', '/app/help/metrics']) {
    await b.page.goto(b.url(where));
    await b.page.waitForLoadState('networkidle');
    const over = await b.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${where} is ${over} px too wide`);
  }
  await b.close();
});

test('the dashboard reads without scripts', async () => {
  await weir.post('/chat/complete', { message: 'hello' });
  const b = await (await openBrowser(weir)).signIn();
  const html = await (await b.context.request.get(b.url('/app/dashboard'))).text();
  for (const part of [/<th scope="row"><div class="cut" title="builtin\/eliza">/, /role="meter" aria-label="Requests per minute"/, /<caption class="sr">Recent requests<\/caption>/, /data-v="\d+"/])
    assert.match(html, part);
  await b.close();
});

test('the theme a person chose is in the first byte of the next page', async () => {
  const b = await (await openBrowser(weir)).signIn();
  const { page } = b;
  await page.click('#theme');
  assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
  const html = await page.evaluate(() => fetch('/app/settings').then((r) => r.text()));
  assert.match(html, /<html lang="en" data-theme="dark"/);
  const frames = () => page.locator('meta[name="theme-color"]').evaluateAll((list) => list.filter((m) => matchMedia(m.media).matches).map((m) => m.content));
  assert.deepEqual(await frames(), ['#ffffff'], 'of the system, until there is a choice');
  await page.reload();
  assert.deepEqual(await frames(), ['#10171c'], 'the browser’s frame goes with it');
  await b.close();
});

test('every page can be enlarged, makes room for the keyboard and can be put on a home screen', async () => {
  const b = await (await openBrowser(weir)).signIn();
  for (const where of ['/app/login', '/app/', '/app/dashboard', '/app/settings', '/app/help/metrics']) {
    await b.page.goto(b.url(where));
    assert.equal(await b.page.getAttribute('meta[name="viewport"]', 'content'), 'width=device-width, initial-scale=1, interactive-widget=resizes-content', where);
    const app = await (await b.context.newCDPSession(b.page)).send('Page.getAppManifest');
    assert.deepEqual(app.errors, [], where);
    const { name, start_url, icons } = JSON.parse(app.data);
    assert.deepEqual([name, start_url], ['Weir', '/app/']);
    for (const { src } of icons) assert.equal((await b.context.request.get(b.url(src))).status(), 200, src);
  }
  await b.close();
});

test('the dashboard begins with a way past its links', async () => {
  const b = await (await openBrowser(weir)).signIn();
  await b.page.goto(b.url('/app/dashboard'));
  await b.page.keyboard.press('Tab');
  assert.equal(await b.page.evaluate(() => document.activeElement.textContent), 'Skip to the figures');
  await b.page.keyboard.press('Enter');
  await b.page.keyboard.press('Tab');
  assert.equal(await b.page.evaluate(() => document.activeElement.id), 'refresh', 'the first of the main part');
  assert.deepEqual(await b.page.locator('.sr:is([role="status"], [role="alert"])').evaluateAll((list) => list.map((r) => r.getAttribute('role'))), ['status', 'alert']);
  await b.close();
});
