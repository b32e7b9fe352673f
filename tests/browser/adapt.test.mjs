// The pages as people set their browsers: larger letters, wider text (WCAG 1.4.4, 1.4.12), a small window or 400 % (1.4.10),
// colours of the system's own, no motion; and on paper.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_hour: 500, tokens_per_hour: 200000 } }, config: { default_model: 'gpt-4o-mini' } });
await weir.post('/admin/budgets', { scope: 'all', window: 'month', limit_usd: 5 });
let talk;
for (const message of ['Where is the manual?', 'x\n'.repeat(40), '```c\nint a; /* as wide as the river and wider than the page is on which it is printed in the end */\n```'])
  talk = (await weir.post('/chat/complete', { message, session_id: talk })).json.session_id;

const PAGES = ['/app/login', `/app/c/${talk}`, '/app/dashboard', '/app/dashboard/requests', '/app/settings', '/app/settings/users', '/app/help/metrics'];
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
const styled = (text) => page.evaluate((css) => { const sheet = new CSSStyleSheet(); sheet.replaceSync(css); document.adoptedStyleSheets = css ? [sheet] : []; }, text);

// Words that do not fit where they stand: in buttons, pills and headings, and in the boxes of figures.
const cut = (p) => p.evaluate(() => [...document.querySelectorAll('.btn, .pill:not(#health), .tabs a, .parts a, .sections a, .kpi, .kpi .value, dt, dd')]
  .filter((n) => n.checkVisibility() && n.clientWidth && n.scrollWidth > n.clientWidth + 1).map((n) => `${n.className || n.localName}: ${n.textContent.trim().slice(0, 40)}`));
async function fits(p, what) {
  assert.ok(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} is wider than the window`);
  assert.deepEqual(await cut(p), [], what);
}

test('letters twice as large', async () => {
  const large = await (await openBrowser(weir, { args: ['--blink-settings=defaultFontSize=32'] })).signIn();
  assert.equal(await large.page.evaluate(() => getComputedStyle(document.documentElement).fontSize), '32px');
  for (const where of PAGES)
    for (const width of [1400, 768]) {
      await large.page.setViewportSize({ width, height: 900 });
      await large.page.goto(large.url(where));
      await fits(large.page, `${where} at ${width} px`);
      await large.shot(`adapt-large${where.replaceAll('/', '-')}-${width}`);
    }
  await large.close();
});

test('text with more space in it', async () => {
  for (const where of PAGES) {
    await page.goto(b.url(where));
    await styled('* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-bottom: 2em !important }');
    for (const width of [1400, 390]) {
      await page.setViewportSize({ width, height: 900 });
      await fits(page, `${where} at ${width} px`);
    }
  }
});

test('a window of 320 by 256 px, which is 400 % of a usual one', async () => {
  await page.setViewportSize({ width: 320, height: 256 });
  for (const where of PAGES) {
    await page.goto(b.url(where));
    await fits(page, where);
  }
  await page.goto(b.url(`/app/c/${talk}`));
  const seen = await page.evaluate(() => { scrollTo(0, 0); return document.getElementById('log').getBoundingClientRect().height; });
  assert.ok(seen >= 120, `${seen} px of the conversation`);
  await page.locator('#text').scrollIntoViewIfNeeded();
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('where one is shows in the system’s own colours too', async () => {
  await page.emulateMedia({ forcedColors: 'active' });
  for (const [where, list] of [[`/app/c/${talk}`, '.session'], ['/app/dashboard', '.tabs a'], ['/app/dashboard', '.range a'], ['/app/settings/users', '.sections a']]) {
    await page.goto(b.url(where));
    // A ground is the system's unless it says that it is not, and what it then has is of the system's colours too.
    const grounds = await page.locator(list).evaluateAll((all) => all.map((n) => {
      const { forcedColorAdjust, backgroundColor } = getComputedStyle(n);
      const probe = document.createElement('i');
      probe.style.color = 'SelectedItem';
      document.body.append(probe);
      const selected = getComputedStyle(probe).color;
      probe.remove();
      return [n.matches('.current, [aria-current]'), forcedColorAdjust === 'none' && backgroundColor === selected];
    }));
    assert.equal(grounds.filter(([here]) => here).length, 1, `${where} ${list}`);
    for (const [here, marked] of grounds) assert.equal(marked, here, `${where} ${list}`);
  }
  await page.emulateMedia({ forcedColors: 'none' });
});

test('lines and quiet words are stronger for who wants more contrast', async () => {
  await page.goto(b.url('/app/dashboard'));
  const looks = () => page.evaluate(() => [getComputedStyle(document.querySelector('.kpi .sub')).color, getComputedStyle(document.querySelector('.panel')).borderTopColor, getComputedStyle(document.body).color]);
  const [quiet, line, text] = await looks();
  assert.notEqual(quiet, text);
  await page.emulateMedia({ contrast: 'more' });
  const [more, stronger] = await looks();
  assert.equal(more, text);
  assert.notEqual(stronger, line);
  await page.emulateMedia({ contrast: 'no-preference' });
});

test('nothing moves for who wants no motion', async () => {
  await page.goto(b.url(`/app/c/${talk}`));
  const moving = () => page.evaluate(() => {
    const dot = document.createElement('span');
    dot.className = 'dot';
    document.getElementById('log').append(dot);
    const n = document.getAnimations().length;
    dot.remove();
    return [n, getComputedStyle(document.documentElement).getPropertyValue('--motion')];
  });
  assert.deepEqual(await moving(), [0, '0ms']);
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  assert.deepEqual(await moving(), [1, '120ms']);
  await page.emulateMedia({ reducedMotion: 'reduce' });
});

test('a conversation on paper is whole, dark on white, and without what one presses', async () => {
  await page.evaluate(() => { document.documentElement.dataset.theme = 'dark'; });
  await page.emulateMedia({ media: 'print' });
  await page.setViewportSize({ width: 720, height: 1000 });
  await b.shot('adapt-print', { fullPage: true });
  const paper = await page.evaluate(() => {
    const log = document.getElementById('log'), whole = document.documentElement.scrollHeight;
    return { hidden: log.scrollHeight - log.clientHeight, long: whole > 1200, wide: Math.max(...[...log.querySelectorAll('pre')].map((n) => n.scrollWidth - n.clientWidth)),
      ground: getComputedStyle(document.documentElement).backgroundColor,
      pressed: [...document.querySelectorAll('button, input, select, textarea, summary')].filter((n) => n.checkVisibility()).map((n) => n.outerHTML.slice(0, 80)) };
  });
  assert.deepEqual(paper, { hidden: 0, long: true, wide: 0, ground: 'rgb(255, 255, 255)', pressed: [] });
  await page.emulateMedia({ media: 'screen' });
});
