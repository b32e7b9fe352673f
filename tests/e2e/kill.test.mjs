// kill -9 again and again under twenty streams, in each durability strategy. The provider stand-in is the judge: every
// call that reached it has exactly one record; what a client was told is exact; everything else is an estimate and says so.
//
// WEIR_KILLS=200 kills so often in all.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';

const kills = Number(process.env.WEIR_KILLS ?? 40);
const streams = 20;
const model = 'gpt-4o-mini';
const up = await startUpstream();

// As the stand-in counts words where Weir counts tokens, most of a message is plain words.
const plain = 'tell me what a weir does to a river and how much water goes over it in one hour';
const tagOf = (message) => message.split(' ')[1];

// One client: a stream after the other, each with a tag of its own, until told to stop. Waits while Weir is away.
class Client {
  constructor(weir, name, told) {
    Object.assign(this, { weir, name, told, n: 0, wanted: true });
  }

  async run(open) {
    while (this.wanted) {
      await open.gate;
      if (!this.wanted) break;
      const tag = `${this.name}-${this.n++}`;
      const gap = this.n % 3, pieces = 3 + (this.n * 7) % 20;
      const s = await this.weir.stream({ model, message: `#slow-${this.n % 4}-${gap}-${pieces} ${tag} ${plain}` }).catch(() => null);
      if (!s) continue;
      await s.end(30000);
      assert.ok(s.terminals().length <= 1, s.text);
      const done = s.first('done');
      if (done) {
        this.told.set(tag, { usage: done.usage, cost: done.cost, text: s.deltas() });
        open.count++;
      } else if (s.status !== 200) {
        await waitFor('Weir or the end', async () => !this.wanted || (await this.weir.get('/readyz').catch(() => ({}))).status === 200, 30000);
      }
    }
  }
}

// What the stand-in saw since it was asked last, by tag.
async function hear(heard) {
  const judge = await waitFor('the provider to see every end', async () => {
    const j = await up.judge();
    return j.in_flight === 0 && j;
  }, 20000);
  assert.equal(judge.log.length, judge.calls, 'the judge remembers every call');
  for (const c of judge.log) {
    const tag = tagOf(c.tag);
    const h = heard.get(tag) ?? { calls: 0, prompt: 0, completion: 0, whole: 0 };
    heard.set(tag, { calls: h.calls + 1, prompt: h.prompt + c.prompt_tokens, completion: h.completion + c.completion_tokens, whole: h.whole + (c.end === 'done') });
  }
  await up.reset();
}

const events = `SELECT e.request_id, e.state, e.status, e.prompt, e.completion, e.estimated, e.attempts, e.cost_in + e.cost_out AS cost,
  x.text AS error, q.text AS question, a.text AS answer,
  (SELECT count(*) FROM attempts t WHERE t.event = e.id) AS attempt_rows
  FROM events e LEFT JOIN words x ON x.id = e.error
  LEFT JOIN contents q ON q.id = (e.session << 20 | e.question) LEFT JOIN contents a ON a.id = (e.session << 20 | e.answer)`;

const sums = (from, n) => `SELECT ${n} AS requests, sum(prompt) AS prompt, sum(completion) AS completion, sum(cost_in + cost_out) AS cost FROM ${from}`;

function compare(weir, heard, told) {
  const rows = weir.sql(events);
  const byTag = new Map();
  for (const r of rows) {
    assert.equal(r.state, 2, `${r.request_id} is open`);
    const tag = tagOf(r.question);
    assert.ok(!byTag.has(tag), `${tag} has two records`);
    byTag.set(tag, r);
  }
  for (const [tag, h] of heard) {
    const r = byTag.get(tag);
    assert.ok(r, `${tag} reached the provider and has no record`);
    assert.equal(h.calls, 1, tag);
    if (r.status !== 0) continue;
    assert.deepEqual([r.prompt, r.completion, r.estimated], [h.prompt, h.completion, 0], tag);
  }
  for (const [tag, t] of told) {
    const r = byTag.get(tag);
    assert.ok(heard.has(tag) && r, tag);
    assert.deepEqual([r.status, r.estimated, r.prompt, r.completion, r.attempt_rows],
      [0, 0, t.usage.prompt_tokens, t.usage.completion_tokens, 1], `${tag} was acknowledged: ${JSON.stringify(r)}`);
    assert.ok(Math.abs(r.cost / 1e12 - t.cost.total_usd) < 1e-12, tag);
    assert.equal(r.answer, t.text, tag);
  }
  for (const [tag, r] of byTag) {
    if (r.status === 0) continue;
    assert.ok(!told.has(tag));
    if (r.attempts > 0) assert.deepEqual([r.estimated, r.prompt > 0, r.attempt_rows], [1, true, 1], `${tag}: ${JSON.stringify(r)}`);
    else assert.deepEqual([r.prompt, r.completion, heard.has(tag)], [0, 0, false], tag);
  }
  const [all] = weir.sql(sums('events', 'count(*)'));
  for (const from of ['rollups', 'sessions']) {
    const cost = from === 'sessions' ? sums(from, 'sum(requests)').replace('cost_in + cost_out', 'cost') : sums(from, 'sum(requests)');
    assert.deepEqual(weir.sql(cost)[0], all, from);
  }
  return rows;
}

for (const [i, strategy] of ['REALTIME', 'BATCH', 'ASYNC'].entries()) {
  const times = Math.floor(kills / 3) + (i < kills % 3);
  test(`${strategy}: ${times} times kill -9 lose nothing that was acknowledged and count nothing twice`, async (t) => {
    await up.reset();
    const weir = await startWeir({
      upstream: up, openai: { max_concurrent: 64 },
      config: { durability: { strategy, batch_size: 30, batch_seconds: 0.5 } },
    });
    const told = new Map(), heard = new Map();
    const open = { count: 0 };
    const openGate = () => { open.gate = new Promise((go) => { open.go = go; }); };
    openGate();
    const clients = Array.from({ length: streams }, (_, n) => new Client(weir, `${strategy[0]}${n}`, told));
    const running = clients.map((c) => c.run(open));
    let late = 0;
    for (let n = 0; n < times; n++) {
      open.go();
      const enough = open.count + 5 + Math.floor(Math.random() * 60);      // so many are told, and then at any instant
      await waitFor('streams to end', () => open.count >= enough, 30000);
      openGate();
      await weir.kill('SIGKILL');
      await hear(heard);
      await weir.start();
      late = Math.max(late, weir.readyAfterMs);
      assert.deepEqual(weir.sql('SELECT request_id FROM events WHERE state < 2'), [], 'nothing stays open after a start');
    }
    for (const c of clients) c.wanted = false;
    open.go();
    await Promise.all(running);
    await hear(heard);
    assert.deepEqual(await weir.program.stop(), { code: 0, signal: null });
    const rows = compare(weir, heard, told);
    const cut = rows.filter((r) => r.error === 'interrupted').length;
    assert.ok(cut > 0, 'some were cut off');
    t.diagnostic(`${strategy}: ${times} kills, ${heard.size} calls, ${told.size} acknowledged, ${cut} interrupted, the slowest start ${late.toFixed(0)} ms`);
    await weir.stop();
  });
}
