// weir reconcile: a provider's export beside the ledger, as the providers write them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, top } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, openai: { retry: { max_retries: 0 } } });
for (const [model, message] of [['gpt-4o-mini', 'one'], ['gpt-4o-mini', '#lorem-30 two'], ['gpt-4o', '#lorem-10 three']])
  assert.equal((await weir.post('/chat/complete', { model, message })).status, 200);
const today = new Date().toISOString().slice(0, 10), midnight = Date.parse(`${today}T00:00:00Z`) / 1000;
const sums = (model) => weir.sql(`SELECT count(*) AS requests, sum(prompt) AS input, sum(completion) AS output, sum(cost_in + cost_out) AS cost
  FROM events e JOIN words w ON w.id = e.model WHERE w.text = '${model}'`)[0];
const mini = sums('gpt-4o-mini'), big = sums('gpt-4o');
const file = (name, text) => {
  fs.writeFileSync(path.join(weir.state, name), typeof text === 'string' ? text : JSON.stringify(text));
  return path.join(weir.state, name);
};
const reconcile = (...words) => run(path.join(build, 'weir'), ['reconcile', ...words], { env: weir.env, cwd: top });
const usd = (pico) => (pico / 1e12).toFixed(12);

const usage = (extra = 0) => ({
  object: 'page', has_more: false, next_page: null,
  data: [
    { object: 'bucket', start_time: midnight - 86400, end_time: midnight, results: [] },
    { object: 'bucket', start_time: midnight, end_time: midnight + 86400, results: [
      { object: 'organization.usage.completions.result', input_tokens: mini.input + extra, output_tokens: mini.output, input_cached_tokens: 0,
        input_audio_tokens: 0, num_model_requests: mini.requests + (extra ? 1 : 0), project_id: null, model: 'gpt-4o-mini-2024-07-18', batch: false },
      { object: 'organization.usage.completions.result', input_tokens: big.input, output_tokens: big.output, num_model_requests: big.requests,
        model: 'gpt-4o-2024-08-06', batch: null, service_tier: 'default' },
    ] }],
});

test('the answer of OpenAI\'s usage endpoint agrees, dated snapshots and all', async () => {
  const r = await reconcile(file('usage.json', usage()), '--json');
  assert.equal(r.code, 0, r.output);
  const j = JSON.parse(r.output);
  assert.equal(j.agrees, true);
  assert.deepEqual(j.upstreams, ['openai']);
  assert.deepEqual(j.rows.map((row) => [row.day, row.model, row.within]), [[today, 'gpt-4o', true], [today, 'gpt-4o-mini', true]]);
  const row = j.rows[1];
  assert.deepEqual(row.gap, { requests: 0, input_tokens: 0, cached_tokens: 0, output_tokens: 0, cost_usd: null });
  assert.equal(row.provider.cost_usd, null);
  assert.equal(row.weir.cost_usd, mini.cost / 1e12);
  assert.deepEqual(row.why.map((w) => w.kind), ['name']);
  assert.equal(j.total.weir.input_tokens, mini.input + big.input);
});

test('tokens of nobody here are a gap, and are said to be', async () => {
  const name = file('more.json', usage(5000)), r = await reconcile(name, '--json'), j = JSON.parse(r.output);
  assert.equal(r.code, 1);
  const foreign = j.rows[1].why.find((w) => w.kind === 'foreign');
  assert.deepEqual([foreign.calls, foreign.tokens], [1, 5000]);
  assert.deepEqual(j.rows[1].gap.requests, 1);
  const text = await reconcile(name);
  assert.equal(text.code, 1);
  assert.match(text.output, new RegExp(`${today} gpt-4o-mini .*GAP\\n +The provider calls it gpt-4o-mini-2024-07-18\\.\\n +5000 tokens are of no call`));
  assert.match(text.output, new RegExp(`${today} gpt-4o  .*ok\\n`));
  assert.equal((await reconcile(name, '--tolerance', '100')).code, 0);
});

test('usage and costs together: tokens from one file, money from the other', async () => {
  const header = 'start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,user_id,api_key_id,project_id';
  const times = `${midnight},${midnight + 86400},${today}T00:00:00+00:00,${new Date((midnight + 86400) * 1000).toISOString().slice(0, 10)}T00:00:00+00:00`;
  const costs = (factor) => file('costs.csv', `${header}\r\n${midnight - 86400},${midnight},,,,,,,,,,\r\n` +
    `${times},${usd(mini.cost * factor)}000000000000000000,usd,,,"gpt-4o-mini-2024-07-18, input",,,\r\n${times},${usd(big.cost)},usd,,,"GPT-4o, output",,,\r\n`);
  let r = await reconcile(path.join(weir.state, 'usage.json'), costs(1), '--json');
  assert.equal(r.code, 0, r.output);
  assert.equal(JSON.parse(r.output).rows[1].provider.cost_usd, mini.cost / 1e12);
  r = await reconcile(path.join(weir.state, 'usage.json'), costs(2), '--json');
  assert.equal(r.code, 1);
  assert.ok(JSON.parse(r.output).rows[1].why.some((w) => w.kind === 'prices'));
});

test('a plain CSV; what the file does not have is missing there', async () => {
  const csv = file('plain.csv', `Date;Model;Requests;Prompt tokens;Completion tokens;Cost\n${today};gpt-4o-mini;${mini.requests};${mini.input};${mini.output};${usd(mini.cost)}\n`);
  const r = await reconcile(csv, '--json'), j = JSON.parse(r.output);
  assert.equal(r.code, 1);
  assert.deepEqual(j.rows.map((row) => [row.model, row.within]), [['gpt-4o', false], ['gpt-4o-mini', true]]);
  assert.deepEqual(j.rows[0].why.map((w) => [w.kind, w.tokens]), [['missing', big.input + big.output]]);
});

test('what Weir estimated and what had no price is named', async () => {
  await weir.post('/chat/complete', { model: 'gpt-4o', message: '#fault-cut-400 x' });
  await weir.post('/chat/complete', { model: 'echo', message: 'free?' });
  const csv = file('odd.csv', `day,model,input_tokens,output_tokens,cost\n${today},gpt-4o,${big.input + 30},${big.output + 9},1\n${today},echo,1,1,2\n`);
  const j = JSON.parse((await reconcile(csv, '--json')).output), kinds = (model) => j.rows.find((row) => row.model === model).why.map((w) => w.kind);
  const estimated = weir.sql(`SELECT count(*) AS n FROM attempts WHERE estimated AND prompt > 0`)[0].n;
  assert.ok(estimated > 0);
  assert.ok(kinds('gpt-4o').includes('estimated'), JSON.stringify(j.rows));
  assert.ok(kinds('echo').includes('unpriced'));
});

test('bad rows are named by line, and nothing is compared', async () => {
  const r = await reconcile(file('bad.csv', `day,model,input_tokens,output_tokens\n${today},gpt-4o,many,1\n${today},gpt-4o,1,1\nnever,gpt-4o,1,1\n${today},gpt-4o,1\n`));
  assert.equal(r.code, 65);
  assert.match(r.output, /bad\.csv, line 2: 'many' \(input_tokens\) is no whole number\./);
  assert.match(r.output, /line 4: 'never' \(day\) is no day/);
  assert.match(r.output, /line 5: it has 3 columns, the header 4\./);
  assert.doesNotMatch(r.output, /line 3/);
  for (const [words, code, says] of [
    [[], 64, /usage: weir reconcile/], [[path.join(weir.state, 'none.csv')], 66, /none\.csv/], [['--tz', 'Mars/North', 'x'], 64, /cannot be/],
    [[file('foreign.csv', 'a,b\n1,2\n')], 65, /line 1: no column is the day/], [[file('foreign.json', '{"data":3}')], 65, /no list "data"/],
    [[file('half.json', '{"data":')], 65, /line 1: this is no JSON/], [['--tz', 'Asia/Tokyo', path.join(weir.state, 'usage.json')], 65, /no midnight in Asia\/Tokyo/],
  ]) {
    const e = await reconcile(...words);
    assert.equal(e.code, code, `${words}: ${e.output}`);
    assert.match(e.output, says);
  }
});
