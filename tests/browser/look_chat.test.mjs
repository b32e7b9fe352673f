// Every state of the chat page in both themes and at four widths: no violation axe knows of, no sideways scroll, no policy
// report, and the look that tests/browser/shots keeps. The states are set, not waited for (stage.mjs).
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';
import { startStage } from './stage.mjs';

const up = await startUpstream();
const limits = { requests_per_hour: 500, tokens_per_hour: 200000 };
const weir = await startWeir({ upstream: up, openai: { limits, models: ['gpt-4o-mini', 'unpriced-1'] }, config: { default_model: 'gpt-4o-mini' } });
const rich = 'In short:\n\n## Sluices\n\nA *sluice* is a **gate**: $x^2 + y^2$.\n\n- one\n- two\n\n| gate | height |\n|:--|--:|\n| north | 1.20 |\n| south | 0.85 |\n\n```python\ndef level(gate):\n    return gate.height  # metres\n```\n\n> Keep the [manual](https://example.org) near.';
const begun = async (...messages) => {
  let session;
  for (const message of messages) {
    const r = await weir.post('/chat/complete', { message, session_id: session });
    assert.equal(r.status, 200, r.text);
    session = r.json.session_id;
  }
  return session;
};
await begun('Minutes of Monday');
await begun('Why the pump stopped');
const talk = await begun('Where is the manual?', rich);

const b = await (await openBrowser(weir)).signIn();
const { page } = b;
page.setDefaultTimeout(8000);
const stage = await startStage(page);

const accepted = ['accepted', { request_id: 'req_1', session_id: 'ses_1', message_id: 'msg_1' }];
// Two digits of seconds for as long as one state is looked at: a line that becomes shorter may break elsewhere.
const waits = { position: 3, ahead: 2, eta_ms: 58000, eta_error_ms: 2000, upstream: 'openai' };
const start = ['start', { model: 'gpt-4o-mini', upstream: 'openai', attempt: 1, queue_ms: 0 }];
const part = ['delta', { text: 'The gate opens **slowly**, so that the water behind it has time to fall.\n\n1. Turn the wheel.\n2. Wait for the bell' }];
const usage = (finish) => [['usage', { usage: { prompt_tokens: 412, cached_tokens: 0, completion_tokens: 96, reasoning_tokens: 0, total_tokens: 508, estimated: finish === 'cancelled' },
  cost: { input_usd: 0.0000618, output_usd: 0.0000576, total_usd: 0.0001194, priced: true },
  metrics: { queue_ms: 1800, retry_wait_ms: 0, ttft_ms: 420, writing_ms: 1350, duration_ms: 3570, retries: 1, attempts: 2, tokens_per_second: 71, chars_per_token: 4.1 } }],
['done', { finish_reason: finish }]];
const refused = (status, code, message, more = {}) => ({ status, error: { type: code === 'invalid_token' ? 'authentication_error' : code, code, message, request_id: 'req_0Vc5rc5rsJDA4fk1XlBw2P', ...more } });
const card = () => page.locator('.turn').last().locator('.status');

// Send a message that gets `script`; the card then says `words`.
async function said(script, words) {
  stage.play(script);
  await page.goto(b.url('/app/'));
  await page.fill('#text', 'How does a sluice gate open without a wave?');
  await page.press('#text', 'Enter');
  if (words) await card().filter({ hasText: words }).waitFor();
}
const opened = async (where, look) => { stage.play(); await page.goto(b.url(where)); if (look) await look(); };

const STATES = {
  empty: () => opened('/app/'),
  conversation: () => opened(`/app/c/${talk}`, () => page.locator('.assistant .hljs-keyword').first().waitFor()),
  sending: () => said({ events: [] }).then(() => page.locator('.sending').waitFor()),
  'own-limit': () => said(refused(429, 'rate_limited', 'This user may send 60 requests a minute, and has.', { retry_after_ms: 75000, limit: { scope: 'user', name: 'requests_per_minute', limit: 60 } }), /60 of 60 requests/),
  queued: () => said({ events: [accepted, ['queue', { ...waits, reason: 'output_tokens_per_minute' }]] }, /position 3.*Waiting for output tokens/),
  next: () => said({ events: [accepted, ['queue', { ...waits, position: 1, ahead: 0, reason: 'concurrency' }]] }, /you are next/),
  pacing: () => said({ events: [accepted, ['queue', { ...waits, position: 1, ahead: 0, reason: 'pacing' }]] }, /Spacing requests/),
  retrying: () => said({ events: [accepted, ['retry', { attempt: 1, max: 4, delay_ms: 58000, status: 503, reason: 'overloaded' }]] }, /answered 503/),
  paused: () => said({ events: [accepted, ['retry', { attempt: 1, max: 4, delay_ms: 75000, status: 429, reason: 'tokens_per_minute' }]] }, /Paused by the provider/),
  streaming: () => said({ events: [accepted, start, part] }, /Writing/),
  thinking: () => said({ events: [accepted, start, ['delta', { reasoning: 'A wave comes of haste.' }], part] }, /Writing/).then(() => page.click('.thinking summary')),
  'held-message': async () => {
    await said({ events: [accepted, start, part] }, /Writing/);
    await page.fill('#text', 'And in winter?');
    await page.press('#text', 'Enter');
    await page.locator('#next').waitFor();
  },
  finished: () => said({ events: [accepted, start, part, ...usage('stop')] }).then(() => page.locator('.turn .metrics').waitFor()),
  stopped: () => said({ events: [accepted, start, part, ...usage('cancelled')] }).then(() => page.locator('.chipline .pill', { hasText: 'Stopped ·' }).waitFor()),
  'cut-at-length': () => said({ events: [accepted, start, part, ...usage('length')] }).then(() => page.locator('.chipline .pill', { hasText: 'output limit' }).waitFor()),
  error: () => said({ events: [accepted, ['error', refused(0, 'upstream_error', 'The provider answered 500 four times.').error]] }, /answered 500/),
  'too-long': () => said(refused(400, 'context_length_exceeded', 'This message needs 143,052 tokens; gpt-4o-mini takes 128,000.'), /143,052/),
  'budget-exhausted': () => said(refused(402, 'budget_exceeded', 'A budget is used up.', { budget: { scope: 'user', window: 'day', limit_usd: 5, spent_usd: 4.98, resets_at: new Date(Date.now() + 18e6).toISOString() } }), /\$4\.98 of \$5\.00/),
  'read-only': () => said(refused(503, 'storage_unavailable', 'Weir cannot write its records.'), /read-only/),
  'signed-out': () => said(refused(401, 'invalid_token', 'The session ended.')).then(() => page.locator('#signed-out').waitFor()),
  reconnecting: () => said({ events: [accepted, start, part], cut: true }, /Reconnecting…/),
  offline: async () => {
    await opened('/app/');
    await b.context.setOffline(true);
    await page.locator('#reach').waitFor();
    await page.fill('#text', 'written on a train');
    return () => b.context.setOffline(false);
  },
  recovering: async () => {
    const until = new Date(Date.now() + 11.5 * 60e3).toISOString();
    await page.route('**/monitoring/live', async (route) => {
      const answer = await route.fetch();
      if (answer.status() === 304) return route.fulfill({ response: answer });      // nothing new since it was asked last
      const live = await answer.json();
      live.health = { status: 'stabilizing', text: 'openai recovers' };
      live.limits[0].stabilization = { active: true, until, rate_factor: 0.4 };
      live.budgets = [{ limit_usd: 5, spent_usd: 4.2, reserved_usd: 0 }];
      await route.fulfill({ response: answer, json: live });
    });
    await opened('/app/', () => page.locator('#budget-near').waitFor());
    return () => page.unroute('**/monitoring/live');
  },
  estimate: () => opened('/app/', async () => { await page.fill('#text', 'how much is this?'); await page.locator('#estimate').waitFor(); }),
  'no-price': () => opened('/app/', async () => {
    await page.selectOption('#model', { value: await page.locator('#model option', { hasText: 'unpriced-1' }).getAttribute('value') });
    await page.fill('#text', 'how much is this?');
    await page.locator('#estimate', { hasText: 'no price set' }).waitFor();
  }),
  monitoring: async () => {
    await opened(`/app/c/${talk}`);
    await page.check('#show-monitoring');
    await page.waitForFunction(() => document.querySelector('#m-chat dd')?.textContent === '2' && document.querySelector('#m-limits [role="meter"]'));
    return async () => { if (await page.locator('#monitor').isVisible()) await page.click('#monitor-close'); };
  },
  explained: async () => {
    await page.route('**/monitoring/requests/*', async (route) => {
      const answer = await route.fetch(), e = await answer.json();
      Object.assign(e, { timings: { queue_ms: 1200, retry_wait_ms: 0, ttft_ms: 420, writing_ms: 980, duration_ms: 2600 }, promise: null,
        reserved: { ...e.reserved, input_tokens: 119, output_tokens: 1600 },       // which is learned
        gates: [{ gate: 'requests_per_hour', held_ms: 1200, text: 'Waiting for requests per hour of openai' }] });
      Object.assign(e.attempts[0], { duration_ms: 1400, wait_ms: 0 });
      await route.fulfill({ response: answer, json: e });
    });
    await opened(`/app/c/${talk}`);
    await page.locator('.assistant [data-part="explain"]').last().click();
    await page.locator('dialog .times').waitFor();
    return () => page.unroute('**/monitoring/requests/*');
  },
  editing: async () => {
    await opened(`/app/c/${talk}`);
    await page.locator('.msg.user').first().hover();
    await page.locator('.msg.user [data-part="edit"]').first().click();
    return () => page.fill('#text', '');
  },
  'refused-file': () => opened('/app/', async () => {
    await page.setInputFiles('#files', { name: 'cat.png', mimeType: 'image/png', buffer: Buffer.from([0x89, 0x50]) });
    await page.locator('#note .notice').waitFor();
  }),
  menu: () => opened(`/app/c/${talk}`, () => page.click('#chat-menu summary')),
  handoff: () => opened(`/app/c/${talk}`, async () => { await page.click('#chat-menu summary'); await page.click('#chat-menu [data-act="handoff"]'); await page.locator('#handoff-people option').first().waitFor({ state: 'attached' }); }),
  drawer: async () => { await page.setViewportSize({ width: 390, height: 844 }); await opened(`/app/c/${talk}`, () => page.click('#menu')); },
  found: () => opened('/app/', async () => { await page.fill('#search', 'sluice'); await page.locator('.session .found mark').first().waitFor(); }),
  'nothing-found': () => opened('/app/', async () => { await page.fill('#search', 'no such thing'); await page.locator('#no-match').waitFor(); }),
  selecting: () => opened('/app/', async () => { await page.click('#select'); await page.locator('.session [data-part="mark"]').first().check(); }),
  undo: async () => {
    await opened('/app/');
    await page.locator('.session a').first().focus();
    await page.keyboard.press('Delete');
    await page.locator('#undo').waitFor();
    return () => page.click('#undo-button').catch(() => {});
  },
};

for (const [state, reach] of Object.entries(STATES))
  test(`the chat page, ${state.replaceAll('-', ' ')}, looks as it is meant to and is sound everywhere`, async () => {
    await page.setViewportSize({ width: 1400, height: 900 });
    await page.goto(b.url('/app/help/keys'));          // which leaves no draft behind
    await page.evaluate(() => localStorage.clear());
    const leave = await reach();
    if (await page.locator('#text').inputValue()) await page.locator('#estimate').waitFor({ timeout: 2000 }).catch(() => {});       // where there is one, it comes when the writing has stopped
    try { await b.everywhere(`chat-${state}`); } finally { await leave?.(); }
  });
