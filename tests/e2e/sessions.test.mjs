// Sessions: made, listed, renamed, pinned, archived, deleted; their messages.
import assert from 'node:assert/strict';
import { addUser, startUpstream, startWeir, test } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const model = 'gpt-4o-mini';
const id = (s) => s.session_id ?? s.id;

test('a session is made, read, changed and deleted', async () => {
  const made = await weir.post('/chat/sessions', { title: 'Of weirs' });
  assert.equal(made.status, 201, made.text);
  const sid = id(made.json);
  assert.match(sid, /^ses_\w{22}$/);
  const read = await weir.get(`/chat/sessions/${sid}`);
  assert.equal(read.status, 200);
  assert.equal(read.json.title, 'Of weirs');
  assert.equal(read.json.pinned, false);
  const patched = await weir.request('PATCH', `/chat/sessions/${sid}`, { title: 'Of mills', pinned: true, archived: true });
  assert.equal(patched.status, 200, patched.text);
  const again = (await weir.get(`/chat/sessions/${sid}`)).json;
  assert.deepEqual([again.title, again.pinned, again.archived], ['Of mills', true, true]);
  const gone = await weir.request('DELETE', `/chat/sessions/${sid}`);
  assert.ok([200, 204].includes(gone.status), gone.text);
  assertError(await weir.get(`/chat/sessions/${sid}`), 404, 'not_found', 'not_found');
  assertError(await weir.request('DELETE', `/chat/sessions/${sid}`), 404, 'not_found', 'not_found');
});

test('a session says what is being answered in it', async () => {
  const s = await weir.stream({ model, message: '#slow-0-20-3000 long' });
  await s.next('delta');
  const { request_id, session_id } = s.first('accepted');
  assert.equal((await weir.get(`/chat/sessions/${session_id}`)).json.running_request_id, request_id);
  await weir.post('/chat/cancel', { request_id });
  await s.end();
  assert.equal((await weir.get(`/chat/sessions/${session_id}`)).json.running_request_id, null);
});

test('several sessions are exported as one file, one\'s own only', async () => {
  const ids = [];
  for (const message of ['of oak', 'of elm', 'of ash']) ids.push((await weir.post('/chat/complete', { model, message })).json.session_id);
  const get = (query, more) => weir.get(`/chat/sessions/${ids[0]}/export?${query}`, more);
  const one = await get('format=json');
  assert.deepEqual(Object.keys(one.json), ['session', 'messages']);
  assert.match(one.headers['content-disposition'], new RegExp(`"weir-${ids[0]}\\.json"`));
  const all = await get(`format=json&also=${ids[1]},${ids[2]}`);
  assert.deepEqual(all.json.items.map((i) => [i.session.session_id, i.messages.items[0].content]), [[ids[0], 'of oak'], [ids[1], 'of elm'], [ids[2], 'of ash']]);
  assert.deepEqual(all.json.items[0], one.json);
  assert.match(all.headers['content-disposition'], /"weir-3-conversations\.json"/);
  const md = await get(`format=md&also=${ids[2]}`);
  assert.match(md.headers['content-type'], /^text\/markdown/);
  assert.deepEqual(md.text.match(/^# .*$/gm), ['# of oak', '# of ash']);
  for (const also of [',', `${ids[1]},,${ids[2]}`, 'x'.repeat(65), Array(100).fill(ids[1]).join()]) assertError(await get(`also=${also}`), 400, 'invalid_request_error', 'invalid_field');
  assert.equal((await get(`also=${Array(99).fill(ids[1]).join()}`)).json.items.length, 100);
  const ann = await addUser(weir, 'ann');
  const hers = (await weir.request('POST', '/chat/complete', { model, message: 'hers' }, ann)).json.session_id;
  assertError(await get(`also=${hers}`), 404, 'not_found', 'not_found');
  const large = id((await weir.post('/chat/complete', { model, message: `#lorem-1 ${`${'-'.repeat(64)} `.repeat(10500)}` })).json);
  assertError(await get(`format=md&also=${Array(99).fill(large).join()}`), 400, 'invalid_request_error', 'out_of_range');
});

test('the list has the newest first, finds by title and pages without gaps', async () => {
  const made = [];
  for (let i = 0; i < 5; i++) made.push(id((await weir.post('/chat/sessions', { title: `page ${i}` })).json));
  const all = (await weir.get('/chat/sessions?query=page')).json;
  assert.equal(all.next_cursor, null);
  assert.deepEqual(all.items.map(id), [...made].reverse());
  const seen = [];
  let before = '';
  do {
    const page = (await weir.get(`/chat/sessions?query=page&limit=2${before && `&before=${encodeURIComponent(before)}`}`)).json;
    assert.ok(page.items.length <= 2);
    seen.push(...page.items.map(id));
    before = page.next_cursor;
  } while (before && seen.length < 20);
  assert.deepEqual(seen, [...made].reverse());
});

test('a wildcard in the search is only a character', async () => {
  await weir.post('/chat/sessions', { title: 'plain' });
  const r = await weir.get('/chat/sessions?query=%25%25');
  assert.equal(r.status, 200, r.text);
  assert.deepEqual(r.json.items, []);
});

test('messages form a tree; deleting one takes what hangs on it', async () => {
  const a = (await weir.post('/chat/complete', { model, message: 'root' })).json;
  const b = (await weir.post('/chat/complete', { model, message: 'branch', session_id: a.session_id })).json;
  const items = (await weir.get(`/chat/sessions/${a.session_id}/messages`)).json.items;
  assert.equal(items.length, 4);
  assert.equal(items[0].parent_id, null);
  for (let i = 1; i < 4; i++) assert.equal(items[i].parent_id, items[i - 1].message_id);
  assert.equal(items[3].message_id, b.message_id);
  const gone = await weir.request('DELETE', `/chat/sessions/${a.session_id}/messages/${items[2].message_id}`);
  assert.ok([200, 204].includes(gone.status), gone.text);
  const left = (await weir.get(`/chat/sessions/${a.session_id}/messages`)).json.items;
  assert.deepEqual(left.map((m) => m.content), ['root', 'root']);
});

test('a deleted session\'s cost stays in the books', async () => {
  const before = (await weir.get('/monitoring/cost-breakdown')).json.total;
  const a = (await weir.post('/chat/complete', { model, message: 'soon gone' })).json;
  await weir.request('DELETE', `/chat/sessions/${a.session_id}`);
  const total = (await weir.get('/monitoring/cost-breakdown')).json.total;
  assert.equal(total.requests, before.requests + 1);
  assert.equal(total.prompt_tokens, before.prompt_tokens + a.usage.prompt_tokens);
});

test('a session or message that is not there is a 404, also one with an odd id', async () => {
  for (const where of ['ses_0000000000000000000000', 'ses_x', '-1', '%2e%2e', "'", 'ses_0000000000000000000000/messages'])
    assert.equal((await weir.get(`/chat/sessions/${where}`)).status, 404, where);
  const r = await weir.post('/chat/complete', { model, message: 'x', session_id: 'ses_0000000000000000000000' });
  assertError(r, 404, 'not_found');
});

test('wrong fields of a session are named', async () => {
  assert.equal(assertError(await weir.post('/chat/sessions', { titel: 'x' }), 400, 'invalid_request_error', 'unknown_field').param, 'titel');
  assert.equal(assertError(await weir.post('/chat/sessions', { title: 7 }), 400, 'invalid_request_error', 'invalid_field').param, 'title');
});
