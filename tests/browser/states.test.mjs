// What the page shows while a message waits, is tried again, fails, is stopped or
// breaks off, against the provider stand-in.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { startUpstream, startWeir, test, waitFor } from '../e2e/harness.mjs';
import { EventStream } from '../e2e/sse.mjs';
import { metricsOf, openBrowser, say } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { max_concurrent: 1 },
  config: { retry: { budget: 1, max_retries: 2, base_delay: 2, max_delay: 3 }, default_model: 'gpt-4o-mini' } });
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
const card = () => page.locator('.turn').last().locator('.status');
const fresh = () => page.goto(b.url('/app/'));

test('a message that waits tells its place, when it is expected to start and why', async () => {
  const held = await weir.stream({ model: 'gpt-4o-mini', message: '#slow-0-20-3000 held' });
  await held.next('delta');
  await fresh();
  await say(page, 'waits its turn');
  await card().filter({ hasText: /Queued: / }).waitFor();
  assert.match(await card().innerText(), /Waiting for one of the running requests to end/);
  assert.equal(await page.locator('.session.current .chip').innerText(), 'queued');
  await b.sound('queued');
  await b.shot('state-queued');
  const [raised] = await Promise.all([page.waitForResponse((r) => /\/admin\/queue\/req_\w+\/priority$/.test(r.url())), card().locator('button[data-act="raise"]').click()]);
  assert.equal(raised.status(), 200);
  await weir.post('/chat/cancel', { request_id: held.first('accepted').request_id });
  assert.match(await metricsOf(page), /Queued [\d.]+ s/);
  assert.match(await page.locator('.turn .assistant .body').last().innerText(), /waits its turn/);
});

test('a message that is being sent can be taken back: its text is in the box again', async () => {
  await fresh();
  await page.route('**/chat/stream', () => {});          // on its way for ever
  await say(page, 'not this one');
  await card().filter({ hasText: 'Sending…' }).waitFor();
  assert.equal(await page.locator('.msg.user.sending').count(), 1);
  await card().locator('button[data-act="cancel"]').click();
  await page.locator('.turn').waitFor({ state: 'detached' });
  assert.equal(await page.inputValue('#text'), 'not this one');
  assert.equal(await page.innerText('#send-label'), 'Send');
  await page.unroute('**/chat/stream');
  await page.fill('#text', '');
});

test('a message that is taken back while its acceptance is on the way is stopped when that comes', async () => {
  let go, sent;
  const gate = new Promise((resolve) => { go = resolve; }), arrived = new Promise((resolve) => { sent = resolve; });
  const between = http.createServer((req, res) => {      // holds the answer back
    const asked = http.request({ host: '127.0.0.1', port: weir.port, method: req.method, path: req.url, headers: { ...req.headers, host: `127.0.0.1:${weir.port}`, 'sec-fetch-site': 'same-origin' } }, async (answer) => {
      sent();
      await gate;
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
    });
    req.pipe(asked);
  }).listen(0, '127.0.0.1');
  await once(between, 'listening');
  await fresh();
  await page.route('**/chat/stream', (route) => route.continue({ url: `http://127.0.0.1:${between.address().port}/chat/stream` }));
  await say(page, '#slow-0-20-3000 taken back late');
  await arrived;
  await card().locator('button[data-act="cancel"]').click();
  await page.locator('.turn').waitFor({ state: 'detached' });
  assert.equal(await page.inputValue('#text'), '#slow-0-20-3000 taken back late');
  const [cancelled] = await Promise.all([page.waitForResponse('**/chat/cancel'), go()]);
  assert.equal((await cancelled.json()).cancelled.length, 1);
  assert.equal(await page.locator('.turn').count(), 0, 'nothing of it is shown');
  await page.unroute('**/chat/stream');
  between.closeAllConnections();
  between.close();
  await page.fill('#text', '');
});

test('a message that waits can be taken out of the queue', async () => {
  const held = await weir.stream({ model: 'gpt-4o-mini', message: '#slow-0-20-3000 held' });
  await held.next('delta');
  await fresh();
  await say(page, 'will not wait');
  await card().locator('button[data-act="cancel"]').click();
  await card().filter({ hasText: /Stopped before an answer came/ }).waitFor();
  await weir.post('/chat/cancel', { request_id: held.first('accepted').request_id });
});

test('an attempt that failed is told with a countdown, and the answer follows', async () => {
  await fresh();
  await say(page, '#fault-503-once please');
  await card().filter({ hasText: /The provider answered 503\. Trying again in \d+\ss/ }).waitFor();
  assert.match(await card().innerText(), /Attempt 2 of 3.*Your message is safe/);
  await b.sound('retrying');
  await b.shot('state-retrying');
  assert.match(await metricsOf(page), /Retries 1$/);
});

test('what is sent while an answer is written goes out when that has ended', async () => {
  await fresh();
  await say(page, '#slow-0-20-60 first');
  await card().filter({ hasText: /Writing/ }).waitFor();
  await page.fill('#text', 'and then this');
  await page.press('#text', 'Enter');
  await page.locator('#next').filter({ hasText: 'and then this' }).waitFor();
  await b.sound('held message');
  await page.locator('.turn .body', { hasText: 'and then this' }).first().waitFor();
  assert.equal(await page.locator('#next').isVisible(), false);
  await metricsOf(page);
  assert.equal(await page.locator('.turn').count(), 2);
});

test('Stop keeps what came and says so', async () => {
  await fresh();
  await say(page, '#slow-0-20-3000 stop me');
  await card().filter({ hasText: /Writing/ }).waitFor();
  await b.sound('streaming');
  await b.shot('state-streaming');
  const caret = () => page.evaluate(() => getComputedStyle(document.querySelector('.turn:last-of-type .assistant .body > :last-child > :last-child'), '::after').content);
  assert.equal(await caret(), 'none', 'motion is to be reduced');
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  assert.equal(await caret(), '""', 'a caret where it is written');
  await page.click('#send');
  const chip = page.locator('.turn').last().locator('.chipline .pill');
  await chip.waitFor();
  assert.match(await chip.innerText(), /^Stopped/);
  assert.equal(await caret(), 'none', 'it is not written any longer');
  await page.emulateMedia({ reducedMotion: 'reduce' });
  assert.ok((await page.locator('.turn .assistant .body').last().innerText()).length > 0);
  assert.equal(await page.innerText('#send-label'), 'Send');
  await b.sound('stopped');
});

test('an error says what happened and what to do, with the request id', async () => {
  await fresh();
  await say(page, '#fault-400 please');
  await page.locator('.status.err').waitFor();
  const text = await card().innerText();
  assert.match(text, /Request req_/);
  assert.ok(await card().locator('.do button').count() > 0);
  await b.sound('error');
  await b.shot('state-error');
});

test('an edited message returns to the box', async () => {
  await card().locator('button[data-act="edit"]').click();
  assert.equal(await page.inputValue('#text'), '#fault-400 please');
  await page.fill('#text', '');
});

test('a stream that ends without its end is shown as interrupted', async () => {
  await fresh();
  await page.route('**/chat/stream', async (route) => {
    const accepted = 'id: 1\nevent: accepted\ndata: {"request_id":"req_none","session_id":"ses_none","message_id":"msg_1"}\n\n';
    const delta = 'id: 2\nevent: delta\ndata: {"text":"half an ans"}\n\n';
    await route.fulfill({ status: 200, contentType: 'text/event-stream', body: accepted + delta });
  });
  await say(page, 'cut off');
  await page.locator('.status.err').waitFor({ timeout: 20000 });
  assert.match(await card().innerText(), /The connection ended before the answer did/);
  assert.match(await page.locator('.turn .assistant .body').last().innerText(), /half an ans/);
  await page.unroute('**/chat/stream');
});

test('a server that cannot be reached leaves the message in reach', async () => {
  await fresh();
  await page.route('**/chat/stream', (route) => route.abort());
  await say(page, 'nobody there');
  await page.locator('.status.err').waitFor();
  assert.match(await card().innerText(), /Weir could not be reached/);
  await page.unroute('**/chat/stream');
  await card().locator('button[data-act="retry"]').click();
  await metricsOf(page);
});

test('a reload in the middle of an answer keeps what came, and its figures', async () => {
  await fresh();
  await say(page, '#slow-0-20-150 reload me');
  await card().filter({ hasText: /Writing/ }).waitFor();
  await page.reload();
  const line = page.locator('.msg.assistant .metrics').last();
  await line.waitFor({ timeout: 30000 });
  assert.match((await line.innerText()).replace(/\s+/g, ' '), /Tokens (≈ )?\d+ in \/ \d+ out/);
  assert.match(await page.locator('.msg.assistant .body').last().innerText(), /^the water runs/);
  assert.equal(await page.locator('.msg.user').count(), 1);
  assert.equal(await page.locator('.turn').count(), 1, 'its stream was read again');
  assert.equal((await page.locator('.msg.assistant .body').last().innerText()).trim().split(/\s+/).length, 150, 'nothing of it is lost or doubled');
});

test('a provider that asks to wait is waited for, and the pill says that Weir recovers', async () => {
  const gentle = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 60 } }, config: { default_model: 'gpt-4o-mini', stabilization_minutes: 5, retry: { budget: 1, max_retries: 3, base_delay: 1, max_delay: 3 } } });
  const c = await (await openBrowser(gentle)).signIn();
  await say(c.page, '#fault-429-once please');
  await c.page.locator('.turn .status').filter({ hasText: /Paused by the provider's limit on requests per minute until \d\d:\d\d:\d\d/ }).waitFor();
  await c.shot('state-paused');
  await metricsOf(c.page);
  await c.page.locator('#health').filter({ hasText: /Stabilizing · .* left · at \d+ %/ }).waitFor();
  await c.sound('stabilizing');
  await c.shot('state-stabilizing');
  await c.page.goto(c.url('/app/dashboard'));
  assert.match(await c.page.innerText('[data-panel="health"]'), /Stabilizing/);
  assert.match(await c.page.innerText('[data-panel="limits"]'), /running at \d+ %/);
  await c.sound('dashboard while stabilizing');
  await c.page.goto(c.url('/app/dashboard/limits'));
  assert.match(await c.page.innerText('[data-panel="stabilization"]'), /at \d+ %[^]*back to all at \d\d:\d\d:\d\d, in /);
  assert.match(await c.page.innerText('[data-panel="stabilization"] table'), /openai\s+gpt-4o-mini\s+success/);
  await c.sound('limits while stabilizing');
  await c.close();
  await gentle.stop();
});

test('limits and queue move in the panel while an answer is written', async () => {
  const limited = await startWeir({ upstream: up, openai: { limits: { requests_per_minute: 10, tokens_per_minute: 5000 } }, config: { default_model: 'gpt-4o-mini' } });
  const c = await (await openBrowser(limited)).signIn();
  await c.page.check('#show-monitoring');
  const bar = c.page.locator('#m-limits [role="meter"]').first();
  await bar.waitFor();
  assert.equal(await bar.getAttribute('aria-valuenow'), '0');
  await say(c.page, 'hello');
  await metricsOf(c.page);
  await waitFor('the gauge to move', async () => Number(await c.page.locator('#m-limits [role="meter"]').first().getAttribute('aria-valuenow')) > 0);
  await c.sound('moved gauges');
  await c.shot('state-gauges');
  await c.close();
  await limited.stop();
});

test('a connection that breaks is tried again at once if one asks for it', async () => {
  await fresh();
  let cut = true;
  await page.route('**/chat/stream/*', (route) => (cut ? route.abort() : route.continue()));
  await page.route('**/chat/stream', async (route) => {
    const answer = await route.fetch();
    const text = await answer.text();
    await route.fulfill({ response: answer, body: text.slice(0, text.indexOf('event: done')) });
  });
  await say(page, 'broken off');
  await card().filter({ hasText: /Connection lost\. Reconnecting/ }).waitFor();
  await b.sound('reconnecting');
  await b.shot('state-reconnecting');
  await card().filter({ hasText: /Reconnecting in [3-8] s/ }).waitFor();       // one of the longer pauses has begun
  cut = false;
  await card().locator('button[data-act="reconnect"]').click();
  await metricsOf(page);
  assert.match(await page.locator('.turn .assistant .body').last().innerText(), /broken off/);
  await page.unroute('**/chat/stream');
  await page.unroute('**/chat/stream/*');
});

test('a connection that is cut after any event loses nothing and doubles nothing', async () => {
  let cut = 0, events = 0, again = 0;
  const asks = (r) => { again += /\/chat\/stream\/req_/.test(r.url()) ? 1 : 0; };
  const between = http.createServer((req, res) => {      // the page's stream comes by here, as many events of it as may
    const asked = http.request({ host: '127.0.0.1', port: weir.port, method: req.method, path: req.url, headers: { ...req.headers, host: `127.0.0.1:${weir.port}`, 'sec-fetch-site': 'same-origin' } }, (answer) => {
      let text = '';
      res.writeHead(answer.statusCode, answer.headers);
      answer.setEncoding('utf8').on('data', (d) => {
        if (asked.destroyed) return;
        text += d;
        const parts = text.split(/(?<=\n\n)/), whole = parts.filter((e) => e.endsWith('\n\n'));
        const at = whole.findIndex((_, i) => whole.slice(0, i + 1).filter((e) => e.startsWith('id: ')).length === cut);
        events = whole.filter((e) => e.startsWith('id: ')).length;
        if (cut && at >= 0) res.write(whole.slice(0, at + 1).join('').slice(text.length - d.length), () => { asked.destroy(); res.end(); });
        else res.write(d);
      }).on('end', () => res.end()).on('error', () => {});
    }).on('error', () => {});
    req.pipe(asked);
  }).listen(0, '127.0.0.1');
  await once(between, 'listening');
  await page.route('**/chat/stream', (route) => route.continue({ url: `http://127.0.0.1:${between.address().port}/chat/stream` }));
  page.on('request', asks);
  await fresh();
  for (let last = 1; cut <= last; cut++) {
    const tag = `#slow-2-2-6 cut at ${cut}`;
    await say(page, tag);
    await metricsOf(page);
    assert.equal(again, cut, 'the page asked for the rest each time');
    assert.equal(await page.locator('.turn .assistant .body').last().innerText(), 'the water runs over a low', `cut after ${cut}`);
    assert.equal((await up.calls(tag)).filter((c) => c.tag === tag).length, 1);
    last = cut ? last : events - 1;                      // the first goes through whole, and says how many there are
  }
  assert.ok(cut > 9, `${cut} events`);
  await page.reload();
  assert.equal(await page.locator('.msg.assistant').count(), cut);
  page.off('request', asks);
  await page.unroute('**/chat/stream');
  between.closeAllConnections();
  between.close();
});

test('a message whose connection breaks before it is known to have arrived is sent once more, and answered once', async () => {
  await fresh();
  for (const [text, whole] of [['#slow-0-20-100 lost while it is answered', false], ['#lorem-6 lost with its answer', true]]) {
    let first = true;
    await page.route('**/chat/stream', async (route) => {
      if (!first) return route.continue();
      first = false;
      const { cookie, origin, 'x-csrf-token': csrf, 'idempotency-key': key } = await route.request().allHeaders();
      const sent = await EventStream.open({ port: weir.port, path: '/chat/stream', body: JSON.parse(route.request().postData()), headers: { cookie, origin, 'x-csrf-token': csrf, 'idempotency-key': key } });
      await (whole ? sent.end() : sent.next('delta'));
      if (!whole) sent.leave();
      return route.abort();
    });
    await say(page, text);
    await metricsOf(page);
    await page.unroute('**/chat/stream');
    assert.equal((await up.calls(text)).length, 1);
    assert.equal(await page.locator('.msg.user .body', { hasText: text }).count(), 1);
  }
  assert.equal(await page.locator('.turn .assistant .body').last().innerText(), 'the water runs over a low');
});

test('an answer that was stopped is continued', async () => {
  await fresh();
  await say(page, '#slow-0-20-3000 go on');
  await card().filter({ hasText: /Writing/ }).waitFor();
  await page.press('#text', 'Escape');
  await page.locator('.turn .chipline button', { hasText: 'Continue' }).click();
  await page.waitForFunction(() => document.querySelectorAll('.turn').length === 2 && document.querySelectorAll('.turn .metrics:not([hidden])').length === 2);
});

test('without a connection one can write, and nothing is sent', async () => {
  await fresh();
  await b.context.setOffline(true);
  await page.locator('#reach', { hasText: 'You are offline' }).waitFor();
  await page.fill('#text', 'written on a train');
  assert.equal(await page.locator('#send').isDisabled(), true);
  await page.press('#text', 'Enter');
  assert.equal(await page.inputValue('#text'), 'written on a train');
  await b.sound('offline');
  await b.shot('state-offline');
  await b.context.setOffline(false);
  await page.locator('#reach').waitFor({ state: 'hidden' });
  assert.equal(await page.locator('#send').isDisabled(), false);
  await page.fill('#text', '');
});

test('a budget that is nearly used up, and one that is, say so', async () => {
  const poor = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini', pages: { contact: 'boss@example.org' } } });
  const made = await poor.post('/admin/budgets', { scope: 'all', window: 'day', limit_usd: 0.00002 });
  assert.equal(made.status, 201, made.text);
  const c = await (await openBrowser(poor)).signIn();
  await c.page.locator('#empty [data-part="budget"]', { hasText: 'of today’s budget left' }).waitFor();
  await say(c.page, '#lorem-25 spend');
  await metricsOf(c.page);
  await c.page.locator('#budget-near', { hasText: /Budget \d+ %/ }).waitFor({ timeout: 20000 });
  await c.sound('budget near');
  await c.page.click('#budget-near');
  await c.page.locator('#m-budget', { hasText: 'Per day' }).waitFor();
  await say(c.page, 'one more, with words enough to cost more than what is left of the budget for today '.repeat(8));
  await c.page.locator('.status.err').waitFor();
  assert.match(await c.page.locator('.status.err').innerText(), /budget[\s\S]*of \$[\s\S]*resets at[\s\S]*Nothing was sent or charged/i);
  assert.match(await c.page.locator('.status.err').innerText(), /resets at \d\d:\d\d \S+, in \d+(:\d\d| h| min)/);
  const mail = new URL(await c.page.locator('.status.err a', { hasText: 'Ask the administrator' }).getAttribute('href'));
  assert.equal(mail.pathname, 'boss@example.org');
  assert.match(mail.searchParams.get('body'), /Budget per day for everyone.*\nRequest req_/);
  await c.sound('budget exhausted');
  await c.shot('state-budget');
  await c.close();
  await poor.stop();
});

test('a budget whose sums are not for users still says which it is and until when', async () => {
  const poor = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini', hide_budget_sums: true } });
  assert.equal((await poor.post('/admin/budgets', { scope: 'all', window: 'day', limit_usd: 0.00000137 })).status, 201);
  const { user_id } = await poor.createUser('uma');
  const c = await (await openBrowser(poor)).signIn((await poor.post('/admin/tokens', { user_id, name: 'uma' })).json.token);
  await say(c.page, 'is there anything left?');
  await c.page.locator('.status.err').waitFor();
  const said = await c.page.locator('.status.err').innerText();
  assert.match(said, /A budget is used up\.\s+Budget per day for everyone\. It resets at \d\d:\d\d \S+, in \d+(:\d\d| h| min)[\s\S]*Nothing was sent or charged/);
  assert.doesNotMatch(said, /\$|undefined|NaN/);
  assert.doesNotMatch(await c.page.locator('#m-budget').textContent(), /\$/);
  await c.sound('budget without sums');
  await c.shot('state-budget-hidden');
  await c.close();
  await poor.stop();
});

test('a restart ends what runs with a sentence, keeps what came, and Continue goes on with it', async () => {
  const short = await startWeir({ upstream: up, config: { drain: 0.3, default_model: 'gpt-4o-mini' } });
  const other = await (await openBrowser(short)).signIn();
  const p = other.page, last = () => p.locator('.turn').last();
  await p.goto(other.url('/app/'));
  await say(p, '#slow-0-20-400 a long answer');
  await p.waitForFunction(() => (document.querySelector('.turn .assistant .body')?.innerText.length ?? 0) > 40);
  await short.kill('SIGTERM');
  await last().locator('.status').filter({ hasText: /restart/i }).waitFor();
  const came = await last().locator('.assistant .body').innerText();
  assert.ok(came.length > 40, came);
  await short.start();
  await p.reload();
  assert.ok((await p.locator('.msg.assistant .body').innerText()).startsWith(came.slice(0, 40)));
  await p.locator('.msg.assistant button', { hasText: 'Continue' }).click();
  assert.match(await metricsOf(p), /Tokens/);
  assert.match(await p.locator('.msg.user .body').last().innerText(), /Continue exactly where you stopped/);
  assert.equal(await p.locator('.msg.assistant button', { hasText: 'Continue' }).count(), 0);
  await short.stop();
});

test('an attempt that failed is tried again at once if one asks for it', async () => {
  const patient = await startWeir({ upstream: up, config: { retry: { budget: 1, max_retries: 2, base_delay: 60, max_delay: 60 }, default_model: 'gpt-4o-mini' } });
  const c = await (await openBrowser(patient)).signIn();
  await say(c.page, '#fault-503-once hurry');
  const now = c.page.locator('.turn .status button[data-act="now"]');
  await now.waitFor();
  assert.deepEqual((await patient.post('/chat/retry', { request_id: 'req_none' })).json, { retried: false });
  await now.click();
  assert.match(await metricsOf(c.page), /Retries 1$/);
  await c.close();
  await patient.stop();
});

test('who waits long is offered the model that starts sooner, and takes it', async () => {
  const upstreams = [{ name: 'openai', models: ['gpt-4o-mini'], limits: { requests_per_minute: 1 } }, { name: 'second', models: ['gpt-4.1-nano'] }].map((u) => ({ base_url: up.url, api_key: 'sk-e2e-canary', ...u }));
  const slow = await startWeir({ config: { default_model: 'gpt-4o-mini', upstreams } });
  await slow.post('/chat/complete', { model: 'gpt-4o-mini', message: 'the one of this minute' });
  const c = await (await openBrowser(slow)).signIn();
  await say(c.page, 'anybody will do');
  const offer = c.page.locator('.turn .status button[data-act="switch"]');
  await offer.waitFor();
  assert.match(await offer.innerText(), /^Switch to gpt-4\.1-nano · \d+\s(s|min).* sooner$/);
  await c.sound('another model is offered');
  await c.shot('state-other-model');
  await offer.click();
  await metricsOf(c.page);
  assert.equal(await c.page.locator('.turn').count(), 1, 'what waited is gone');
  assert.match(await c.page.locator('.turn .assistant .body').innerText(), /anybody will do/);
  assert.equal(await c.page.inputValue('#model'), 'gpt-4.1-nano');
  await c.close();
  await slow.stop();
});
