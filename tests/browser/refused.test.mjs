// What the page offers when a message is refused or made to wait: one's own limit, a message too long, a budget that is used
// up, a limit of the provider's; what to tell whoever helps; a higher priority; and a message that shall not wait its turn.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from '../e2e/harness.mjs';
import { metricsOf, openBrowser, say } from './browser.mjs';
import { startStage } from './stage.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1, models: ['gpt-4o-mini', 'gpt-4', 'gpt-4.1-nano'] }, config: { default_model: 'gpt-4o-mini' } });
assert.equal((await weir.post('/admin/prices', { provider: 'openai', model: 'gpt-4.1-nano', input_per_million_usd: 0, output_per_million_usd: 0 })).status, 201);
const person = async (name, more) => {
  const { user_id } = await weir.createUser(name, more);
  return { user_id, token: (await weir.post('/admin/tokens', { user_id, name })).json.token };
};
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
page.setDefaultTimeout(8000);
const card = (p = page) => p.locator('.turn').last().locator('.status');
const fresh = (p = page) => p.goto(b.url('/app/'));
const choose = async (model) => page.selectOption('#model', await page.locator(`#model option[data-name="${model}"]`).getAttribute('value'));

test('who has used up a limit of their own is told which, and the message goes out by itself when it is free again', async () => {
  const { token } = await person('rita', { limits: { requests_per_minute: 1 } });
  const c = await (await openBrowser(weir)).signIn(token);
  await c.page.clock.install();
  await say(c.page, 'the one of this minute');
  await c.page.clock.runFor(1000);
  await metricsOf(c.page);
  await say(c.page, 'and one more');
  await card(c.page).filter({ hasText: /You have used 1 of 1 requests this minute\.\s*Your message is sent by itself at \d\d:\d\d:\d\d \([01]:\d\d\)/ }).waitFor();
  await c.sound('own limit');
  await c.shot('state-own-limit');
  await card(c.page).locator('button[data-act="cancel"]').click();
  await c.page.waitForFunction(() => document.getElementById('text').value === 'and one more');
  assert.equal(await c.page.locator('.turn').count(), 1, 'it was never taken');
  let refused = 0;
  await c.page.route('**/chat/stream', (route) => (refused++ ? route.continue() : route.fulfill({ status: 429, contentType: 'application/json',
    body: JSON.stringify({ error: { type: 'rate_limited', code: 'rate_limited', message: 'No.', retry_after_ms: 30000, limit: { scope: 'token', name: 'tokens_per_minute', limit: 5000 } } }) })));
  await weir.request('PATCH', `/admin/users/${(await weir.get('/admin/users')).json.items.find((u) => u.name === 'rita').user_id}`, { limits: { requests_per_minute: 100 } });
  await c.page.press('#text', 'Enter');
  await card(c.page).filter({ hasText: 'This token has used all 5,000 tokens this minute.' }).waitFor();
  await c.page.clock.runFor(31000);
  await metricsOf(c.page);
  assert.match(await c.page.locator('.turn .assistant .body').last().innerText(), /and one more/);
  await c.close();
});

test('a message too long for its model goes to one that takes it', async () => {
  await fresh();
  await choose('gpt-4');
  await say(page, 'water '.repeat(9000));
  await page.locator('.status.err').waitFor();
  assert.match(await card().innerText(), /Shorten the message.*choose a model with a larger window/);
  const other = card().locator('button[data-act="switch"]');
  await other.waitFor();
  await b.sound('too long');
  await other.click();
  await metricsOf(page);
  assert.match(await page.inputValue('#model'), /gpt-4o-mini|gpt-4.1-nano/);
  await choose('gpt-4o-mini');
});

test('the details of an error are copied as they stand, with the request’s id', async () => {
  await fresh();
  await say(page, '#fault-400 please');
  await page.locator('.status.err').waitFor();
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
  const heard = page.evaluate(() => new Promise((resolve) => document.addEventListener('copy', () => resolve(document.activeElement.value), { once: true })));
  await card().locator('button', { hasText: 'Copy details' }).click();
  await card().locator('button', { hasText: 'Copied' }).waitFor();
  const [head, ...rest] = (await heard).split('\n');
  assert.ok((await card().innerText()).startsWith(head));
  assert.match(rest.join('\n'), /\nRequest req_\w+\n\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test('Send now stops the answer and sends what was held', async () => {
  await fresh();
  await say(page, '#slow-0-20-3000 on and on');
  await card().filter({ hasText: /Writing/ }).waitFor();
  await page.fill('#text', 'this at once');
  await page.press('#text', 'Enter');
  await page.click('#next-edit');
  assert.equal(await page.inputValue('#text'), 'this at once');
  await page.press('#text', 'Enter');
  await page.click('#next-remove');
  assert.equal(await page.locator('#next').isVisible(), false);
  await page.fill('#text', 'this at once');
  await page.press('#text', 'Enter');
  await page.click('#next-now');
  assert.match(await metricsOf(page), /Tokens/);
  assert.equal(await page.locator('.turn').count(), 2);
  assert.match(await page.locator('.turn .assistant .body').last().innerText(), /this at once/);
  assert.match(await page.locator('.turn .chipline .pill').first().innerText(), /^Stopped/);
});

test('who may use High asks for it while waiting, and is told what it draws on; who may not sees whom to ask', async () => {
  const { token } = await person('hugo', { max_priority: 'High' });
  const held = await weir.stream({ model: 'gpt-4o-mini', message: '#slow-0-20-3000 held' });
  await held.next('delta');
  const c = await (await openBrowser(weir)).signIn(token);
  await say(c.page, 'in a hurry');
  await card(c.page).filter({ hasText: /Queued/ }).waitFor();
  await c.page.fill('#text', 'and after it');
  await c.page.press('#text', 'Enter');
  await c.page.locator('.session.current .chip', { hasText: '2 queued' }).waitFor();
  await c.page.click('#next-remove');
  const asked = c.page.waitForRequest((r) => r.url().endsWith('/chat/stream'));
  await card(c.page).locator('button[data-act="raise"]').click();
  assert.equal((await asked).postDataJSON().priority, 'High');
  assert.match(await c.page.innerText('#hint'), /15 % of each limit that is kept in reserve/);
  await weir.post('/chat/cancel', { request_id: held.first('accepted').request_id });
  assert.match(await metricsOf(c.page), /Queued/);
  assert.equal(await c.page.locator('.turn').count(), 1);
  await c.close();
  const d = await (await openBrowser(weir, { width: 390 })).signIn((await person('mia', { max_priority: 'Medium' })).token);
  assert.equal(await d.page.locator('#priority option[value="High"]').isDisabled(), true);
  assert.match(await d.page.locator('#priority option[value="High"]').textContent(), /ask an administrator/);
  await d.close();
});

test('a provider’s pause names the limit, and an end at the output limit its figure', async () => {
  const stage = await startStage(page);
  const accepted = ['accepted', { request_id: 'req_1', session_id: 'ses_1', message_id: 'msg_1' }];
  stage.play({ events: [accepted, ['retry', { attempt: 1, max: 4, delay_ms: 42000, status: 429, reason: 'upstream_rate_limited', limit: 'tokens_per_minute' }]] });
  await fresh();
  await say(page, 'named');
  await card().filter({ hasText: /^Paused by the provider's limit on tokens per minute until \d\d:\d\d:\d\d \(0:4\d\)/ }).waitFor();
  stage.play({ events: [accepted, ['start', { model: 'gpt-4o-mini' }], ['delta', { text: 'cut' }],
    ['usage', { usage: { prompt_tokens: 1, completion_tokens: 1024, cached_tokens: 0, reasoning_tokens: 0 }, cost: { priced: true, total_usd: 0 }, metrics: {} }], ['done', { finish_reason: 'length' }]] });
  await fresh();
  await say(page, 'cut');
  await page.locator('.chipline .pill', { hasText: 'Stopped at the output limit (1,024)' }).waitFor();
  stage.play();
  const { session_id: id } = (await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: '#lorem-50', max_tokens: 7 })).json;
  await page.goto(b.url(`/app/c/${id}`));
  assert.equal(await page.locator('.chipline .pill').last().innerText(), 'Stopped at the output limit (7)');
});

test('who is paused by a provider for long is offered another model, which is asked instead', async () => {
  const stage = await startStage(page);
  stage.play({ events: [['accepted', { request_id: 'req_1', session_id: 'ses_1', message_id: 'msg_1' }],
    ['retry', { attempt: 1, max: 4, delay_ms: 42000, status: 429, reason: 'upstream_rate_limited', limit: 'tokens_per_minute' }]] });
  await fresh();
  await choose('gpt-4o-mini');
  await say(page, 'paused');
  const offer = card().locator('button[data-act="switch"]');
  await offer.waitFor();
  assert.match(await offer.innerText(), /^Switch to gpt-4\S* · \d+\ss sooner$/);
  assert.deepEqual(await card().locator('.do button').evaluateAll((all) => all.map((n) => n.dataset.act)), ['cancel', 'switch']);
  stage.play();
  await fresh();
});

test('a budget that is used up offers a model that is free, and turns the estimate amber before', async () => {
  const { token, user_id } = await person('paul', {});
  assert.equal((await weir.post('/admin/budgets', { scope: 'user', key: user_id, window: 'day', limit_usd: 0.000001 })).status, 201);
  const c = await (await openBrowser(weir)).signIn(token);
  await c.page.fill('#text', 'how much is this? '.repeat(20));
  await c.page.locator('#estimate.warn').waitFor();
  await c.sound('an estimate that does not fit');
  await c.page.press('#text', 'Enter');
  await c.page.locator('.status.err').waitFor();
  const free = card(c.page).locator('button[data-act="switch"]', { hasText: 'gpt-4.1-nano' });
  await free.waitFor();
  await free.click();
  assert.match(await metricsOf(c.page), /Cost free/);
  await c.close();
});

test('what is near its end is said once, quietly', async () => {
  await page.evaluate(() => sessionStorage.clear());
  await page.route('**/monitoring/live', async (route) => {
    const answer = await route.fetch(), live = await answer.json();
    live.budgets = [{ limit_usd: 5, spent_usd: 4.2, reserved_usd: 0 }];
    await route.fulfill({ response: answer, json: live });
  });
  await fresh();
  await waitFor('the words', async () => (await page.textContent('#say')) === 'A budget is 84 % used');
  await page.reload();
  await page.locator('#budget-near').waitFor();
  assert.equal(await page.textContent('#say'), '');
  await page.unroute('**/monitoring/live');
});
