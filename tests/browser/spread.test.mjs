// A limit that Weir spreads over its minute: who waits while its gauge is low is told why, on every page.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from '../e2e/harness.mjs';
import { openBrowser, say } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 12 } }, config: { default_model: 'gpt-4o-mini' } });
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
const board = (where) => page.goto(b.url(`/app/dashboard${where}`));

test('who waits for the pace of a limit is told so by the card, the gauges, the queue and the request explained', async () => {
  for (const message of ['the burst', 'is of two']) await weir.post('/chat/complete', { model: 'gpt-4o-mini', message });
  const others = [];
  for (let i = 0; i < 2; i++) others.push(await weir.stream({ model: 'gpt-4o-mini', message: `before it ${i}`, priority: 'High' }));
  await page.goto(b.url('/app/'));
  await page.check('#show-monitoring');
  await say(page, 'the next of the minute');
  const card = page.locator('.turn').last().locator('.status');
  await card.filter({ hasText: 'Waiting for requests per minute: Weir spreads the minute\'s 12, at most 2 at once' }).waitFor();
  await page.locator('#m-limits .gauge-foot', { hasText: 'spread: 0 of 2 at once' }).waitFor();
  const other = await b.context.newPage();
  await other.goto(b.url('/app/dashboard/queue'));
  assert.match(await other.locator('[data-panel="queue"] tbody tr').first().innerText(), /Requests per minute, spread/);
  await other.goto(b.url('/app/dashboard/limits'));
  assert.match(await other.locator('[data-panel="limits"] .gauge-foot').first().innerText(), /spread: 0 of 2 at once/);
  await other.close();
  const { entries } = (await weir.get('/monitoring/queue-status')).json.now;
  for (const e of entries) assert.deepEqual([e.reason, e.spread], ['requests_per_minute', { limit: 12, capacity: 2 }]);
  const mine = entries.find((e) => e.priority === 'Medium').request_id;
  assert.deepEqual((await weir.get(`/monitoring/requests/${mine}`)).json.now.spread, { limit: 12, capacity: 2 });
  await card.locator('button[data-act="cancel"]').click();
  await card.filter({ hasText: /Stopped before an answer came/ }).waitFor();
  for (const s of others) await weir.post('/chat/cancel', { request_id: s.first('accepted').request_id });

  await board(`/requests/${mine}`);
  const stretches = await page.locator('.waterfall .stretch').evaluateAll((list) => list.map((s) => s.querySelector('.stretch-name').textContent));
  assert.deepEqual(stretches.filter((s) => s !== 'Queued'), ['Pacing', 'Total']);
  const bars = await page.locator('.fall .part').evaluateAll((list) => list.map((r) => [parseFloat(r.getAttribute('x')), parseFloat(r.getAttribute('width'))]));
  assert.ok(Math.abs(bars.at(-1)[0] + bars.at(-1)[1] - 100) < 0.5, `the parts are the whole: ${JSON.stringify(bars)}`);
  assert.match(await page.innerText('#explain'), /Weir spreads the requests of a minute over it; the next was not due yet\./);
  await b.sound('explained');
});
