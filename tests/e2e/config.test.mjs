// Settings: what is wrong is named before anything starts; two Weirs side by side; nothing set at all.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build, freePort, run, startUpstream, startWeir, test } from './harness.mjs';
import { assertStream } from './shapes.mjs';

const weirProgram = path.join(build, 'weir');

for (const [name, config, env, words] of [
  ['no JSON', '{"http": {', {}, [/weir\.json/]],
  ['an unknown key', { htpp: { port: 1 } }, {}, [/weir\.json/, /htpp/]],
  ['a port out of range', { http: { port: 99999 } }, {}, [/weir\.json/, /http\.port/, /99999/, /65535/]],
  ['a number as text', { queue: { max_size: 'many' } }, {}, [/queue\.max_size/, /many/]],
  ['a negative limit', { upstreams: [{ name: 'openai', base_url: 'http://127.0.0.1:9/v1', limits: { requests_per_minute: -1 } }] }, {}, [/requests_per_minute/, /-1/]],
  ['a URL that is none', { upstreams: [{ name: 'x', base_url: 'ftp://x' }] }, {}, [/base_url/, /ftp:\/\/x/]],
  ['two of one name', { upstreams: [{ name: 'x', base_url: 'http://127.0.0.1:9/v1' }, { name: 'x', base_url: 'http://127.0.0.1:9/v1' }] }, {}, [/name/, /x/]],
  ['a wrong environment value', {}, { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1', OPENAI_REQUESTS_PER_MINUTE: 'lots' }, [/OPENAI_REQUESTS_PER_MINUTE/, /lots/]],
  ['a wrong log level', { log: { level: 'loud' } }, {}, [/log\.level/, /loud/, /info/]],
])
  test(`${name} stops the start with exit 78 and a sentence`, async () => {
    const state = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-e2e-'));
    fs.writeFileSync(path.join(state, 'weir.json'), typeof config === 'string' ? config : JSON.stringify(config));
    const all = { PATH: process.env.PATH, HOME: state, WEIR_STATE: state, WEIR_CONFIG: path.join(state, 'weir.json'), WEIR_HTTP_PORT: String(await freePort()), ...env };
    if (config.http?.port) delete all.WEIR_HTTP_PORT;
    for (const args of [['serve'], ['config', 'check']]) {
      const r = await run(weirProgram, args, { env: all, cwd: state });
      assert.equal(r.code, 78, `${args}: ${r.output}`);
      for (const word of words) assert.match(r.output, word, args.join(' '));
    }
    fs.rmSync(state, { recursive: true });
  });

test('config check of a good configuration says so and shows no key', async () => {
  const state = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-e2e-'));
  const r = await run(weirProgram, ['config', 'check'], { cwd: state, env: { PATH: process.env.PATH, WEIR_STATE: state, OPENAI_API_KEY: 'sk-e2e-canary' } });
  assert.equal(r.code, 0, r.output);
  assert.doesNotMatch(r.output, /sk-e2e-canary/);
  fs.rmSync(state, { recursive: true });
});

test('with nothing set the built-in model answers, free and named as what it is', async () => {
  const weir = await startWeir({ config: { builtin: { words_per_second: 200 } } });
  const models = (await weir.get('/chat/models')).json;
  assert.deepEqual((models.items ?? models.models).map((m) => m.id), ['builtin/eliza']);
  const s = await (await weir.stream({ message: 'I am worried about the river' })).end();
  assertStream(s);
  assert.equal(s.terminals()[0].event, 'done', s.text);
  assert.ok(s.all('delta').length > 2, 'word by word');
  const { cost, usage } = s.first('usage');
  assert.deepEqual(cost, { input_usd: 0, output_usd: 0, total_usd: 0, priced: true });
  assert.ok(usage.completion_tokens > 2 && usage.prompt_tokens > 4);
  assert.equal(s.first('start').model, 'builtin/eliza');
  await weir.stop();
});

test('the seed names of the environment bind the upstream named openai', async () => {
  const up = await startUpstream();
  const weir = await startWeir({ env: {
    OPENAI_BASE_URL: up.url, OPENAI_API_KEY: 'sk-env', OPENAI_REQUESTS_PER_MINUTE: '70', OPENAI_REQUESTS_PER_HOUR: '0',
    OPENAI_TOKENS_PER_MINUTE: '90000', OPENAI_OUTPUT_TOKENS_PER_MINUTE: '8000', WEIR_MAX_CONCURRENT: '3', OPENAI_MAX_RETRIES: '0',
  } });
  const { upstreams } = (await weir.get('/monitoring/rate-limits')).json;
  const u = upstreams.find((x) => x.name === 'openai');
  assert.equal(u.dimensions.requests_per_minute.limit, 70);
  assert.equal(u.dimensions.requests_per_hour, null);
  assert.equal(u.dimensions.tokens_per_minute.limit, 90000);
  assert.equal(u.dimensions.tokens_per_hour.limit, 1000000);
  assert.equal(u.dimensions.output_tokens_per_minute.limit, 8000);
  assert.equal((await weir.get('/monitoring/queue-status')).json.now.max_concurrent, 3 * upstreams.length);
  const r = await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: 'by environment' });
  assert.equal(r.status, 200, r.text);
  assert.match((await up.calls('by environment'))[0].auth, /sk-env$/);
  assert.equal((await weir.post('/chat/complete', { model: 'gpt-4o-mini', message: '#fault-500 not again' })).status, 502);
  assert.equal((await up.calls('#fault-500 not again')).length, 1);
  await weir.stop();
  await up.stop();
});

test('two Weirs run side by side and know nothing of each other', async () => {
  const up = await startUpstream();
  const [a, b] = await Promise.all([startWeir({ upstream: up }), startWeir({ upstream: up })]);
  assert.notEqual(a.token, b.token);
  const r = (await a.post('/chat/complete', { model: 'gpt-4o-mini', message: 'only in a' })).json;
  assert.equal((await b.get(`/chat/sessions/${r.session_id}`)).status, 404);
  assert.equal((await b.get('/monitoring/live', { Authorization: `Bearer ${a.token}` })).status, 401);
  assert.equal((await b.get('/monitoring/cost-breakdown')).json.total.requests, 0);
  await Promise.all([a.stop(), b.stop()]);
  await up.stop();
});
