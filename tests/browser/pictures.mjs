// pictures.mjs - makes the pictures of the README: node --test tests/browser/pictures.mjs writes docs/images.
// A Weir with a team's five weeks in its ledger, a provider that answers as one does, and a real browser. No test of anything.
import http from 'node:http';
import { once } from 'node:events';
import path from 'node:path';
import { after } from 'node:test';
import { addUser, startWeir, test, top } from '../e2e/harness.mjs';
import { metricsOf, openBrowser, say } from './browser.mjs';

const images = path.join(top, 'docs/images');

const QUESTION = 'How do I get from the head over a sharp-crested weir to the flow?';
const ANSWER = `The flow grows with the power 3/2 of the head, because both the depth of the sheet and its speed grow with it:

$$Q = \\tfrac{2}{3}\\, C_d\\, b \\sqrt{2g}\\; h^{3/2}$$

For a crest of $b = 2$ m and $C_d = 0.62$ that is

| Head (cm) | Flow (l/s) | Change |
|---:|---:|---:|
| 10 | 116 | – |
| 20 | 327 | +182 % |
| 30 | 602 | +84 % |

\`\`\`python
def flow(head, width=2.0, cd=0.62, g=9.81):
    """Flow over a sharp-crested weir, in cubic metres a second."""
    return 2 / 3 * cd * width * (2 * g) ** 0.5 * head ** 1.5
\`\`\`

Measure the head **at least four heads upstream**: nearer to the crest the surface already bends down.`;
const SHORT = 'Taken care of. The draft names the three stations, what was read there, and what is still open.';

// A provider that speaks OpenAI's stream: 60 words a second after a third of one.
function provider() {
  const server = http.createServer(async (req, res) => {
    let body = '';
    for await (const piece of req) body += piece;
    const { messages, model } = JSON.parse(body);
    const text = messages.at(-1).content.includes(QUESTION) ? ANSWER : SHORT;
    const words = text.match(/\s*\S+/g);
    const say = (choice, more) => res.write(`data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model, choices: choice ? [choice] : [], ...more })}\n\n`);
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    await new Promise((r) => { setTimeout(r, 330); });
    for (const content of words) {
      say({ index: 0, delta: { content } });
      await new Promise((r) => { setTimeout(r, 16); });
    }
    say({ index: 0, delta: {}, finish_reason: 'stop' });
    const prompt_tokens = Math.ceil(messages.reduce((n, m) => n + m.content.length, 0) / 4.2) + 8, completion_tokens = Math.ceil(text.length / 3.4);
    say(null, { usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens } });
    res.end('data: [DONE]\n\n');
  });
  server.listen(0, '127.0.0.1');
  after(() => { server.closeAllConnections(); server.close(); });
  return once(server, 'listening').then(() => ({ url: `http://127.0.0.1:${server.address().port}/v1` }));
}

// The same numbers each time, 0 up to 1 (mulberry32).
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Five weeks of four people: quiet nights and weekends, and one day that was out of the ordinary.
async function weeks(weir, people) {
  const next = random(7), models = ['gpt-4.1', 'gpt-4.1', 'gpt-4o-mini', 'gpt-4o-mini', 'gpt-4o-mini', 'claude-4-sonnet', 'o3'];
  const HOUR = 3600e3, now = Date.now(), events = [];
  for (let ago = 35 * 24 - 1; ago > 0; ago--) {
    const at = now - ago * HOUR, d = new Date(at), weekend = d.getUTCDay() % 6 === 0;
    const much = (weekend ? 2 : 8) * Math.exp(-(((d.getUTCHours() - 14) / 4.5) ** 2)) * (Math.floor(ago / 24) === 5 ? 2.2 : 1) * (1 - ago / 3000);
    for (let n = Math.floor(much + next()); n > 0; n--) {
      const model = models[Math.floor(next() * models.length)], prompt_tokens = 400 + Math.floor(next() ** 2 * 9000);
      events.push({
        request_id: `req_week_${events.length}`, at: new Date(at + Math.floor(next() * HOUR * 0.9)).toISOString(), user_id: people[Math.floor(next() ** 1.6 * people.length)].user_id,
        session_id: `ses_topic_${Math.floor(next() * 12)}`, model, usage: { prompt_tokens, completion_tokens: 80 + Math.floor(next() ** 2 * 1800), cached_tokens: Math.floor(prompt_tokens * next() * 0.4) },
      });
    }
  }
  for (let i = 0; i < events.length; i += 1000) {
    const r = await weir.post('/usage/events', { events: events.slice(i, i + 1000) });
    if (r.status >= 300) throw new Error(r.text);
  }
}

const shot = (b, name) => b.page.screenshot({ path: path.join(images, name) });

test('the pictures of the README', async () => {
  const limits = { requests_per_minute: 60, requests_per_hour: 3000, tokens_per_minute: 40000, tokens_per_hour: 1000000 };
  const weir = await startWeir({ upstream: await provider(), openai: { max_concurrent: 8, models: ['gpt-4.1', 'gpt-4o-mini', 'gpt-4o'], limits } });
  const people = [];
  for (const name of ['anna', 'ben', 'chiara', 'daniel']) people.push({ ...(await weir.createUser(name)), headers: await addUser(weir, `${name}-token`) });
  await weeks(weir, people);
  for (const budget of [{ scope: 'all', window: 'month', limit_usd: 60 }, { scope: 'user', key: people[0].user_id, window: 'day', limit_usd: 4 }])
    await weir.post('/admin/budgets', budget);

  const b = await (await openBrowser(weir, { width: 1360, height: 860 })).signIn();
  for (const message of ['Minutes of the water board', 'Why the pump at station 3 stopped', 'Translate the safety notice', 'Names for the new boat', 'Questions for the inspection'])
    await weir.post('/chat/complete', { message, model: 'gpt-4o-mini' });
  await b.page.goto(b.url('/app/'));
  await b.page.selectOption('#model', 'gpt-4.1');
  await say(b.page, QUESTION);
  await metricsOf(b.page);
  await b.page.locator('.turn math').first().waitFor();
  await shot(b, 'chat.png');
  await b.page.check('#show-monitoring');
  await b.page.locator('#m-limits [role="meter"]').first().waitFor();
  await b.page.waitForFunction(() => document.querySelector('#m-chat dd')?.textContent === '1');
  await shot(b, 'monitoring.png');

  // More than a minute lets through: the others first, then a message in the page.
  const others = people.flatMap(({ headers }, n) => Array.from({ length: 3 }, (_, i) =>
    weir.stream({ model: 'gpt-4.1', message: `Summarise part ${i + 1} of the report. ${'The level was read at noon. '.repeat(40)}`, priority: n % 3 ? 'Medium' : 'Low' }, { headers })));
  await Promise.all(others);
  await say(b.page, 'And over a V-notch of 90 degrees?');
  await b.page.locator('.status', { hasText: /Queued: position/ }).waitFor({ timeout: 30000 });
  await shot(b, 'queued.png');
  for (const [scheme, name] of [['light', 'dashboard.png'], ['dark', 'dashboard-dark.png']]) {
    await b.page.emulateMedia({ colorScheme: scheme });
    await b.page.setViewportSize({ width: 1360, height: 1400 });
    await b.page.goto(b.url('/app/dashboard?range=7d'));
    await b.page.waitForSelector('#c-cost canvas');
    await shot(b, name);
  }
  await b.close();
  await weir.stop();
});
