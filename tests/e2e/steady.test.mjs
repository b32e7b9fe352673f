// Limits in real time: three times the allowed load through nginx for more than a minute, against a provider that
// counts strictly, in each of the three ways there are. It refuses nothing, and what it allows is used; also when Weir
// is restarted or killed in between. All of it runs side by side, so that the file takes little more than that minute.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from './harness.mjs';

const MINUTE = 60e6;                  // the provider's clock has microseconds
const FLOOD_MS = 68000;
const LIMIT = 60000;                  // tokens a minute; what binds
const REQUESTS = 600;
const MEAN = 207;                     // tokens of a call: a prompt of n words and 7 around it, an answer of n
const sleep = (ms) => new Promise((go) => setTimeout(go, ms));

// Fractions of 1 that look random and are the same each time.
const fractions = (seed) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

const nothing = async () => {};
const restart = async (weir) => {
  await sleep(25000);
  await weir.restart();
};
const kill = async (weir) => {
  for (const ms of [3000, 30000]) {   // when the first burst has just gone, and with the minute half full
    await sleep(ms);
    await weir.kill('SIGKILL');
    await weir.start();
  }
};

// Send calls of mixed sizes at three times the allowed rate, whatever comes of them.
async function flood(weir, random) {
  const calls = [], end = performance.now() + FLOOD_MS;
  const refused = {};
  for (let due = performance.now(); due < end; due += MEAN / (3 * LIMIT) * 60000) {
    const n = 20 + Math.floor(random() * 160);
    await sleep(Math.max(0, due - performance.now()));
    calls.push(weir.post('/chat/complete', { model: 'gpt-4o-mini', message: 'water '.repeat(n).trim(), max_tokens: n }).catch(() => null)
      .then((r) => { refused[r?.status ?? 'broken'] = (refused[r?.status ?? 'broken'] ?? 0) + 1; }));
  }
  await Promise.all(calls);
  return refused;
}

// Where Weir is killed the provider says nothing of its own figures, so that what Weir remembers is all it has.
async function scene(window, meanwhile, seed) {
  const up = await startUpstream();
  const weir = await startWeir({
    upstream: up, config: { queue: { max_size: 100, max_wait: 8 } },
    openai: { limits: { tokens_per_minute: LIMIT, requests_per_minute: REQUESTS }, reserve: 0, reserve_output: 'max' },
  });
  await up.limits({ tokens_per_minute: LIMIT, requests_per_minute: REQUESTS, window, headers: meanwhile === kill ? 'none' : 'openai' });
  const run = (async () => {
    const [answers] = await Promise.all([flood(weir, fractions(seed)), meanwhile(weir)]);
    const judge = await up.judge();
    await weir.stop();
    await up.stop();
    return { answers, judge };
  })();
  run.catch(() => {});                // told where it is awaited
  return { run };
}

const scenes = [];
for (const [name, meanwhile, least] of [['', nothing, 0.97], [' over a restart', restart, 0.9], [' over kill -9', kill, 0.6]])
  for (const window of ['bucket', 'sliding', 'fixed'])
    scenes.push({ name, window, least, ...await scene(window, meanwhile, scenes.length + 1) });

for (const s of scenes)
  test(`at three times the load a provider that counts by ${s.window} refuses nothing${s.name}, and is used`, async () => {
    const { answers, judge } = await s.run;
    const calls = judge.log.filter((c) => c.status === 200).map((c) => ({ at: c.at_us, n: c.prompt_tokens + c.completion_tokens }));
    const of = (from) => calls.filter((c) => c.at >= from && c.at < from + MINUTE).reduce((n, c) => n + c.n, 0);
    const used = of(calls[0].at), most = Math.max(...calls.map((c) => of(c.at)));
    const what = `${JSON.stringify(judge.by_status)}, answers ${JSON.stringify(answers)}, ${used} of ${LIMIT} in the first minute, at most ${most}`;
    if (process.env.STEADY) console.error(s.window + s.name, what);
    assert.equal(judge.by_status[429], undefined, what);
    assert.ok(most <= LIMIT, what);
    assert.equal(answers[404], undefined, what);
    assert.ok(answers[429] > answers[200] / 2, `it was no flood: ${what}`);
    assert.ok(used >= s.least * LIMIT, what);
  });
