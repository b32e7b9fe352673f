// Calls that fail inside a running Weir: the n-th allocation, write, fsync or connection, once and for ever, at points
// drawn by a seed (WEIR_FAIL_POINTS of them, WEIR_FAIL_SEED). Each request ends in an answer, a refusal or, where Weir
// had to end itself, a closed connection; Weir goes on or is started again; and when all is done the ledger is what the
// stand-in billed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Control, preload } from './fail.mjs';
import { build, request, run, startUpstream, startWeir, test, waitFor } from './harness.mjs';

const points = Number(process.env.WEIR_FAIL_POINTS ?? 200);
let state = BigInt(process.env.WEIR_FAIL_SEED ?? 1);
const below = (n) => {                   // splitmix64
  state = (state + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
  let z = state;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn;
  return Number((z ^ (z >> 31n)) % BigInt(n));
};
const calls = ['malloc', 'write', 'fsync', 'connect'];
const model = 'gpt-4o-mini';

test('the program has no way to be broken on purpose', () => {
  assert.ok(!fs.readFileSync(path.join(build, 'weir')).includes('BROKEN_ON_PURPOSE'));
});

test(`${points} calls that fail: no answer is wrong, nothing is lost, nothing is left open`, async (t) => {
  if (!fs.existsSync(preload)) return t.skip('not in a build with a sanitizer');
  const up = await startUpstream();
  const control = new Control();
  const weir = await startWeir({
    upstream: up, openai: { models: [model], timeouts: { connect: 2, first_byte: 2 } },
    config: { retry: { max_retries: 1, base_delay: 0.001, max_delay: 0.01 }, queue: { max_wait: 5 } },
    env: control.env,
  });
  const ended = { answered: 0, refused: 0, cut: 0 }, deaths = {};
  let n = 0;
  const seen = (r) => {
    if (r.status === 200) { ended.answered++; return; }
    assert.ok([429, 500, 502, 503, 504].includes(r.status), `${r.status} ${r.text}`);
    if (r.json) assert.ok(r.json.error?.message, r.text);
    ended.refused++;
  };
  // A short run: an answer, a stream, a report.
  const some = async () => {
    const body = { model, message: `point ${++n}` };
    await Promise.all([
      weir.post('/chat/complete', body).then(seen, () => { ended.cut++; }),
      weir.stream(body).then(async (s) => {
        await s.end(20000);
        if (s.status !== 200) return seen({ status: s.status, text: s.text });
        if (s.terminals().length) ended.answered++;
        else ended.cut++;
        assert.ok(s.terminals().length <= 1, s.text);
      }, () => { ended.cut++; }),
      weir.get('/monitoring/live').then(seen, () => { ended.cut++; }),
    ]);
  };
  // Whatever was wrong for a while is right again by itself; a provider that was taken out for a while, at the word of an operator.
  const well = () => waitFor('Weir to answer again', async () => {
    await weir.post('/monitoring/reset-rate-limits', {});
    const r = await weir.post('/chat/complete', { model, message: 'well again' });
    return r.status === 200;
  }, 30000);
  const most = {};                       // calls of each kind in such a run
  for (const call of calls) most[call] = -control.count(call);
  for (let i = 0; i < 4; i++) await some();
  for (const call of calls) most[call] = Math.max(4, Math.ceil((most[call] + control.count(call)) / 4));
  let hit = 0;
  for (let i = 0; i < points; i++) {
    const call = calls[[0, 0, 0, 0, 1, 2, 3][below(7)]], forever = below(4) === 0;
    const before = control.failed(call);
    await well();
    control.arm(call, 1 + below(most[call]), forever);
    await some();
    control.disarm();
    hit += control.failed(call) > before;
    await waitFor('Weir to live, or to have ended', async () => weir.program.ended || (await request({ port: weir.port, path: '/healthz' })).status === 200);
    if (weir.program.ended) {
      const { code, signal } = weir.program.ended;
      const { output } = weir.program, said = `point ${i}, ${call}: code ${code}, signal ${signal}\n${output.slice(-2000)}`;
      // libcurl 7.88 divides by the size of a table that it could not make, some calls later.
      const word = /out of memory|fcgiapp\.c|Unexpected error|libc\.so\S*\n\S*(?=libcurl)/.exec(output)?.[0].replace(/[^]*\n.*/, 'libcurl');
      assert.ok(word, `ended without a word: ${said}`);
      if (word !== 'libcurl') assert.deepEqual([signal, call], ['SIGABRT', 'malloc'], said);
      deaths[word] = (deaths[word] ?? 0) + 1;
      await weir.start();
    }
  }
  assert.ok(hit > points / 4, `${hit} of ${points} points were reached`);
  await well();
  // Where neither the database nor the spill file could be written, a settlement stands in the log alone, and the next start
  // charges the call at its estimate.
  await weir.restart();
  await waitFor('everything to be settled', () => weir.records('e.state < 2').length === 0, 20000);
  const verified = await run(path.join(build, 'weir'), ['verify'], { env: { ...weir.env, LD_PRELOAD: '' } });
  assert.equal(verified.code, 0, verified.output);
  // Every call that reached the stand-in has a record, none has two, and what was not estimated is what it billed.
  const billed = new Map(), recorded = new Map();
  for (const c of (await up.judge()).log) billed.set(c.tag, (billed.get(c.tag) ?? 0) + c.completion_tokens);
  const rows = weir.sql(`SELECT e.request_id AS id, c.text AS tag, e.completion AS n, e.estimated FROM events e
    LEFT JOIN contents c ON c.id = (e.session << 20 | e.question)`);
  assert.equal(new Set(rows.map((r) => r.id)).size, rows.length);
  for (const r of rows) {
    const of = recorded.get(r.tag) ?? { n: 0, estimated: 0 };
    recorded.set(r.tag, { n: of.n + r.n, estimated: of.estimated + r.estimated });
  }
  for (const [tag, n] of billed) {
    const of = recorded.get(tag);
    assert.ok(of, `${tag} was billed and has no record`);
    if (!of.estimated) assert.equal(of.n, n, tag);
  }
  t.diagnostic(`${points} points, ${hit} reached: ${JSON.stringify(ended)}, ended itself: ${JSON.stringify(deaths)}`);
  await weir.stop();
});
