// hide_budget_sums: who is no operator is told which budget of all is used up and until when, and its sums nowhere.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { build, request, startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

const routes = JSON.parse(execFileSync(path.join(build, 'tests/routes/routes'), { encoding: 'utf8' }));
const up = await startUpstream();
const model = 'gpt-4o-mini', dear = 1000;        // dollars for a million tokens
const messages = [{ role: 'user', content: 'what is left?' }];
const asked = {
  '/chat/complete': { model, message: 'what is left?' }, '/chat/stream': { model, message: 'what is left?' },
  '/v1/chat/completions': { model, messages }, '/v1/messages': { model, max_tokens: 10, messages }, '/v1/responses': { model, input: 'what is left?' },
  '/operations/acquire': { name: 'find', upstream: 'search', units: 1 },
};
const SUMS = /7,?348[.]7/;             // the limit of all, and what of it the operator has spent

async function start(config) {
  const weir = await startWeir({ upstream: up, openai: { responses: 'on' }, config,
    others: [{ name: 'search', protocol: 'operation', price: { unit_usd: 10 } }], nginx: (conf) => conf.replaceAll(/^.*limit_req zone=.*$/gm, '') });
  const made = async (where, body) => {
    const r = await weir.post(where, body);
    assert.ok(r.status < 300, `${where}: ${r.text}`);
    return r.json;
  };
  await made('/admin/prices', { provider: 'openai', model, input_per_million_usd: dear, output_per_million_usd: dear });
  const all = await made('/admin/budgets', { scope: 'all', window: 'day', limit_usd: 7348.735 });
  await made('/usage/events', { request_id: 'before', at: new Date().toISOString(), model, usage: { prompt_tokens: 7348731, completion_tokens: 0, total_tokens: 7348731 } });
  const person = async (name, role) => {
    const { user_id } = await made('/admin/users', { name, role });
    const { token } = await made('/admin/tokens', { user_id, name });
    const send = (method, where, body, more) => request({ port: weir.port, method, path: where, body, headers: { Authorization: `Bearer ${token}`, ...more } });
    return { user_id, role, ask: send, upload: (where, body) => send('POST', where, body, { 'Content-Type': 'multipart/form-data; boundary=XX' }) };
  };
  return { weir, all, made, person };
}

// Every list, figure and page that this person may read, the refusals of every door, the estimate and what a batch says.
async function readings(p) {
  const lists = routes.filter((r) => r.method === 'GET' && !r.open && r.roles.includes(p.role) && !/[{]/.test(r.pattern)).map((r) => r.pattern);
  const out = new Map();
  for (const where of lists) out.set(where, (await p.ask('GET', where)).text);
  if (p.role === 'monitor') return out;
  for (const [where, body] of Object.entries(asked)) {
    const r = await p.ask('POST', where, body);
    assert.equal(r.status, 402, `${where}: ${r.text}`);
    out.set(where, r.text);
  }
  out.set('estimate', (await p.ask('POST', '/chat/estimate', asked['/chat/complete'])).text);
  return out;
}
const shown = (read) => [...read].filter(([, text]) => SUMS.test(text)).map(([where]) => where);
const lines = (name, text) => `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${text}\r\n`;

const s = await start({ hide_budget_sums: true });
const ada = await s.person('ada', 'user'), mona = await s.person('mona', 'monitor'), boss = await s.person('boss', 'admin');
const own = await s.made('/admin/budgets', { scope: 'user', key: ada.user_id, window: 'month', limit_usd: 8642.13 });

test('a user is told which budget of all is used up and until when, without its sums', async () => {
  const e = assertError(await ada.ask('POST', '/chat/complete', asked['/chat/complete']), 402, 'budget_exceeded', 'budget_exceeded');
  assert.deepEqual(Object.keys(e.budget), ['id', 'scope', 'window', 'resets_at']);
  assert.deepEqual([e.budget.id, e.budget.scope, e.budget.window], [s.all.budget_id, 'all', 'day']);
  assert.equal(e.message, `This would pass the daily budget of everything, which resets at ${e.budget.resets_at}. Nothing was sent or charged.`);
  const { fits, budget } = (await ada.ask('POST', '/chat/estimate', asked['/chat/complete'])).json;
  assert.deepEqual([fits, budget], [false, e.budget]);
});

test('nothing that a user may read has the sums; an administrator and a monitor see them where they stood', async () => {
  assert.deepEqual(shown(await readings(ada)), []);
  const boss_sees = shown(await readings(boss));
  for (const where of [...Object.keys(asked), 'estimate', '/monitoring/live', '/monitoring/cost-breakdown', '/monitoring/forecast', '/admin/budgets', '/app/dashboard/budgets'])
    assert.ok(boss_sees.includes(where), `${where} is not among ${boss_sees}`);
  assert.ok(shown(await readings(mona)).includes('/monitoring/live'));
});

test('a batch of theirs waits for the budget without telling its sums', async () => {
  const body = `${lines('purpose', 'batch')}${lines('file"; filename="f', JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body: asked['/v1/chat/completions'] }))}--XX--`;
  const file = await ada.upload('/v1/files', body);
  const batch = await ada.ask('POST', '/v1/batches', { input_file_id: file.json.id, endpoint: '/v1/chat/completions', completion_window: '24h' });
  assert.equal(batch.status, 200, batch.text);
  const held = await waitFor('the batch to be held', async () => {
    const text = [(await ada.ask('GET', `/v1/batches/${batch.json.id}`)).text, (await ada.ask('GET', '/app/batches')).text].join();
    return /budget[_ ]exceeded/.test(text) && text;
  });
  assert.doesNotMatch(held, SUMS);
});

test('of a budget that counts their calls alone a user sees the sums, and they are refused with them', async () => {
  const [b] = (await ada.ask('GET', '/monitoring/live')).json.budgets;
  assert.deepEqual([b?.id, b?.limit_usd], [own.budget_id, 8642.13]);
  await s.made('/admin/budgets', { scope: 'user', key: ada.user_id, window: 'day', limit_usd: 0.0005 });
  const e = assertError(await ada.ask('POST', '/chat/complete', asked['/chat/complete']), 402, 'budget_exceeded', 'budget_exceeded');
  assert.deepEqual([e.budget.scope, e.budget.limit_usd, e.budget.spent_usd], ['user', 0.0005, 0]);
  assert.match(e.message, /of \$0\.0005 there are/);
});

test('a budget of a model is one of all; its sums are hidden too, and without the setting neither', async () => {
  await s.made('/admin/budgets', { scope: 'model', key: model, window: 'total', limit_usd: 0.25 });
  const bea = await s.person('bea', 'user');
  const e = (await bea.ask('POST', '/chat/complete', asked['/chat/complete'])).json.error;
  assert.deepEqual([Object.keys(e.budget), e.budget.scope, e.budget.resets_at], [['id', 'scope', 'window', 'resets_at'], 'model', null]);
  assert.equal(e.message, 'This would pass the total budget of this model. Nothing was sent or charged.');
  await s.weir.stop();
  const open = await start({});
  assert.ok(shown(await readings(await open.person('cyd', 'user'))).includes('/chat/complete'));
  await open.weir.stop();
});
