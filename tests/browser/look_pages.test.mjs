// Every page beside the chat in both themes and at four widths: no violation axe knows of, no sideways scroll, no policy
// report, and the look that tests/browser/shots keeps. Which pages there are, the pages' own lists of them say.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_hour: 500, tokens_per_hour: 200000 } },
  config: { default_model: 'gpt-4o-mini', retry: { budget: 1, max_retries: 2, base_delay: 0.01, max_delay: 0.02 } } });
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

// The time of day moves along the axes of a chart, so that its drawing is not compared.
const blank = () => page.evaluate(() => {
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

test('the pages of the settings', async () => {
  const pages = await listed('/app/settings', '.sections');
  assert.ok(pages.length >= 12, String(pages));
  for (const where of pages) await look(where);
});

test('the pages of help', async () => {
  for (const where of ['/app/help/metrics', '/app/help/keys']) await look(where);
});
