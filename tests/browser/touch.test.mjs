// The list of conversations under a finger, what stands in for a conversation that is on its way, and what an
// administrator may put on the empty page.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from '../e2e/harness.mjs';
import { metricsOf, openBrowser } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini', pages: { examples: 'Summarize this report, please|Plan my week' } } });
for (const message of ['Why do rivers meander?', 'Names for a boat']) await weir.post('/chat/complete', { message, model: 'gpt-4o-mini' });
const b = await (await openBrowser(weir, { width: 390, touch: true })).signIn();
const { page } = b;
const row = page.locator('.session', { hasText: 'Why do rivers' });
const finger = await b.context.newCDPSession(page);
const touch = (type, ...points) => finger.send('Input.dispatchTouchEvent', { type, touchPoints: points });

async function send(text) {                  // Enter is a new line here
  await page.fill('#text', text);
  await page.tap('#send');
}

async function openList() {
  await page.goto(b.url('/app/'));
  await page.click('#menu');
  await row.waitFor();
  const box = await row.boundingBox();
  return { x: Math.round(box.x + box.width / 2), y: Math.round(box.y + box.height / 2) };
}

test('the empty page offers what the administrator wrote, and says the model’s price', async () => {
  await page.goto(b.url('/app/'));
  assert.deepEqual(await page.locator('.examples .btn').allInnerTexts(), ['Summarize this report, please', 'Plan my week']);
  assert.equal(await page.innerText('#empty [data-part="model"]'), 'gpt-4o-mini · $0.15 / $0.60 a million tokens');
  await page.locator('.examples .btn').last().tap();
  assert.equal(await page.inputValue('#text'), 'Plan my week');
  await page.fill('#text', '');
});

test('a swipe shows a conversation’s buttons, a tap opens it', async () => {
  const at = await openList();
  await touch('touchStart', at);
  await touch('touchMove', { x: at.x - 80, y: at.y });
  await touch('touchEnd');
  await row.locator('[data-part="delete"]').waitFor();
  await b.shot('touch-swiped');
  await page.locator('.session', { hasText: 'Names for a boat' }).locator('a').tap();
  await page.waitForURL(/\/app\/c\//);
  assert.equal(await page.innerText('#title'), 'Names for a boat');
});

test('a long press opens a sheet of what may be done, and does not open the conversation', async () => {
  const at = await openList();
  await touch('touchStart', at);
  const sheet = page.locator('dialog.sheet');
  await sheet.waitFor();
  await touch('touchEnd');
  await b.sound('the sheet');
  await b.shot('touch-sheet');
  assert.equal(new URL(page.url()).pathname, '/app/');
  await sheet.locator('button', { hasText: 'Select several' }).tap();
  await page.locator('#bulk', { hasText: '1 selected' }).waitFor();
});

test('a conversation that is long on its way has lines in its place, and one left while it was written is marked, with a dot once the answer is there', async () => {
  await page.goto(b.url('/app/'));
  await send('#slow-0-20-3000 left alone');
  await page.locator('.turn .status', { hasText: 'Writing' }).waitFor();
  const left = await page.evaluate(() => location.pathname.split('/').pop());
  await openList();
  const chip = page.locator(`.session[data-id="${left}"] .chip`);
  assert.equal(await chip.innerText(), 'writing');
  let go;
  const gate = new Promise((resolve) => { go = resolve; });
  await page.route('**/app/c/*', async (route) => { await gate; await route.continue(); });
  const seen = new Promise((resolve) => page.exposeFunction('weirSeen', resolve));
  await page.evaluate(() => new MutationObserver(() => globalThis.weirSeen()).observe(document.getElementById('skeleton'), { attributes: true }));
  await row.locator('a').tap({ noWaitAfter: true });
  await seen;                                 // asked for otherwise, it would wait for the page that is held back
  go();
  await page.waitForURL(/\/app\/c\//);
  await page.unroute('**/app/c/*');
  assert.equal(await page.locator('#skeleton').isVisible(), false);
  await weir.post('/chat/cancel', { session_id: left });
  await page.goto(b.url('/app/'));
  await send('#slow-0-20-40 read me later');
  await page.locator('.turn .status', { hasText: 'Writing' }).waitFor();
  const later = await page.evaluate(() => location.pathname.split('/').pop());
  await openList();
  await waitFor('the answer', async () => (await weir.get(`/chat/sessions/${later}/messages`)).json.items.some((m) => m.role === 'assistant'));
  await openList();
  const dot = page.locator(`.session[data-id="${later}"] .chip.unread`);
  await dot.waitFor();
  assert.equal(await dot.textContent(), 'unread');
  await b.sound('an unread answer');
  await b.shot('touch-unread');
  await page.goto(b.url('/app/'));
  await send('#slow-0-20-3000 read in another tab');
  await page.locator('.turn .status', { hasText: 'Writing' }).waitFor();
  const elsewhere = await page.evaluate(() => location.pathname.split('/').pop());
  await openList();
  await page.locator(`.session[data-id="${elsewhere}"] .chip`, { hasText: 'writing' }).waitFor();
  await page.evaluate((id) => { localStorage.removeItem(`weir.run.${id}`); document.dispatchEvent(new Event('visibilitychange')); }, elsewhere);
  await page.locator(`.session[data-id="${elsewhere}"] .chip`).waitFor({ state: 'hidden' });
  await weir.post('/chat/cancel', { session_id: elsewhere });
});

test('what is written meanwhile is held by the button, which stops again once the box is empty', async () => {
  await page.goto(b.url('/app/'));
  await send('#slow-0-20-3000 on and on');
  await page.locator('.turn .status', { hasText: 'Writing' }).waitFor();
  assert.equal(await page.textContent('#send-label'), 'Stop');
  await page.fill('#text', 'and then this');
  assert.equal(await page.textContent('#send-label'), 'Send next');
  await page.tap('#send');
  await page.locator('#next', { hasText: 'and then this' }).waitFor();
  assert.equal(await page.textContent('#send-label'), 'Stop');
  await page.tap('#next-now');
  await page.locator('.turn .assistant .body', { hasText: 'and then this' }).waitFor();
  await metricsOf(page);
});

test('an answer is copied as it is written, and as it reads', async () => {
  await page.goto(b.url('/app/'));
  await send('copy **this**');
  await metricsOf(page);
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
  const copied = () => page.evaluate(() => new Promise((resolve) => document.addEventListener('copy', () => resolve(document.activeElement.value), { once: true })));
  for (const [part, text] of [['copy', 'copy **this**'], ['copy-plain', 'copy this']]) {
    const heard = copied();
    await page.locator(`.assistant [data-part="${part}"]`).last().tap();
    assert.equal((await heard).trim(), text);
  }
});
