// weir report: the endpoints' numbers at a terminal and as a file.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { build, run, startUpstream, startWeir, test, top } from './harness.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
for (const [model, message] of [['gpt-4o-mini', 'one'], ['gpt-4o', '#lorem-30 two'], ['gpt-4o', '#lorem-10 three'], ['echo', 'no price']])
  await weir.post('/chat/complete', { model, message });
const out = path.join(weir.state, 'reports');
fs.mkdirSync(out);
const report = (...words) => run(path.join(build, 'weir'), ['report', ...words], { env: weir.env, cwd: top });
const files = () => fs.readdirSync(out).filter((f) => /^usage_report_\d{8}T\d{6}Z\.json$/.test(f));
const clear = () => files().forEach((f) => fs.rmSync(path.join(out, f)));

test('the file has the numbers of the endpoints, and the tables show them', async () => {
  const to = new Date().toISOString(), from = new Date(Date.now() - 7 * 86400000).toISOString();
  const r = await report('--from', from, '--to', to, '--tz', 'Europe/Berlin', '--output', out);
  assert.equal(r.code, 0, r.output);
  assert.equal(files().length, 1);
  const file = JSON.parse(fs.readFileSync(path.join(out, files()[0]), 'utf8'));
  const query = `from=${from}&to=${to}&tz=Europe/Berlin`;
  const { budgets, ...cost } = (await weir.get(`/monitoring/cost-breakdown?${query}`)).json;
  assert.deepEqual(file.cost_breakdown, cost);
  assert.deepEqual(file.token_usage, (await weir.get(`/monitoring/token-usage?${query}`)).json);
  assert.deepEqual(file.performance, (await weir.get(`/monitoring/performance?${query}`)).json);
  assert.deepEqual([file.from, file.to, file.tz], [from, to, 'Europe/Berlin']);
  assert.ok(Array.isArray(budgets));
  const lines = r.output.split('\n').map((l) => l.trim().split(/\s{2,}/));
  const line = (key) => lines.find((l) => l[0] === key);
  const cells = (s) => [s.requests, s.prompt_tokens, s.completion_tokens, s.total_tokens].map(String);
  for (const m of cost.by_model) assert.deepEqual(line(m.key).slice(1, 5), cells(m), m.key);
  for (const d of cost.by_day) assert.deepEqual(line(d.key).slice(1, 5), cells(d), d.key);
  assert.deepEqual(line(cost.by_user[0].key).slice(1, 5), cells(cost.by_user[0]));
  assert.deepEqual(line('Total').slice(1), [...cells(cost.total), cost.total.cost_usd.toFixed(6)]);
  assert.equal(line('echo')[5], 'no price');
  assert.match(r.output, /1 requests with \d+ tokens were of models without a known price/);
  clear();
});

test('filters and --json', async () => {
  const r = await report('--model', 'gpt-4o', '--api-endpoint', '/chat/complete', '--output', out, '--json');
  assert.equal(r.code, 0, r.output);
  assert.equal(r.output, fs.readFileSync(path.join(out, files()[0]), 'utf8'));
  assert.deepEqual(JSON.parse(r.output).cost_breakdown.by_model.map((m) => [m.key, m.requests]), [['gpt-4o', 2]]);
  clear();
});

test('what is wrong is said, and nothing is written', async () => {
  for (const [words, code, says] of [
    [['--color', 'red'], 64, /'--color' is not an option/], [['--limit', '3'], 64, /'--limit' is not an option/],
    [['--from', 'yesterday'], 64, /yesterday/], [['--from'], 64, /no option with a value/], [['today'], 64, /no option/],
    [['--tz', 'Mars/North'], 64, /Mars/], [['--from', 'now', '--to', '-7d'], 64, /./],
    [['--output', path.join(out, 'nowhere')], 73, /cannot be written/],
  ]) {
    const r = await report('--output', out, ...words);
    assert.equal(r.code, code, `${words}: ${r.output}`);
    assert.match(r.output, says);
  }
  assert.deepEqual(files(), []);
  assert.match((await report('--help')).output, /^usage: weir report/);
});
