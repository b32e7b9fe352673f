// A conversation is a tree: another answer, another question, and what each of them was told before.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from './harness.mjs';
import { assertError } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini' } });
const ask = async (body) => { const r = await weir.post('/chat/complete', body); assert.equal(r.status, 200, r.text); return r.json; };
const path = async (session, leaf) => (await weir.get(`/chat/sessions/${session}/messages${leaf ? `?leaf=${leaf}` : ''}`)).json.items;

test('another answer hangs on the same question, and nothing is thrown away', async () => {
  const first = await ask({ message: 'of herons' });
  const [question] = await path(first.session_id);
  const second = await ask({ session_id: first.session_id, parent_id: question.message_id });
  assert.equal(second.message.content, 'of herons');
  const now = await path(first.session_id);
  assert.deepEqual(now.map((m) => m.role), ['user', 'assistant']);
  assert.deepEqual(now[1].siblings, [first.message_id, second.message_id]);
  assert.equal(now[1].message_id, second.message_id);
  assert.equal((await path(first.session_id, first.message_id))[1].message_id, first.message_id);
  assert.equal(second.usage.prompt_tokens, first.usage.prompt_tokens);
});

test('an edited question knows what came before it and nothing of what came after', async () => {
  const a = await ask({ message: 'one' });
  const b = await ask({ session_id: a.session_id, message: 'two two two two two two' });
  const c = await ask({ session_id: a.session_id, message: 'three' , parent_id: a.message_id });
  const items = await path(a.session_id);
  assert.deepEqual(items.map((m) => m.content), ['one', 'one', 'three', 'three']);
  assert.equal(items[2].siblings.length, 2);
  assert.ok(c.usage.prompt_tokens < b.usage.prompt_tokens, 'what was asked instead is not in the prompt');
  await ask({ session_id: a.session_id, message: 'other beginning', parent_id: 'root' });
  const other = await path(a.session_id);
  assert.deepEqual(other.map((m) => m.content), ['other beginning', 'other beginning']);
  assert.equal(other[0].siblings.length, 2);
});

test('the page of a version shows the newest that hangs on it', async () => {
  const a = await ask({ message: 'left' });
  const [question] = await path(a.session_id);
  const b = await ask({ session_id: a.session_id, message: 'left again' });
  await ask({ session_id: a.session_id, message: 'right', parent_id: 'root' });
  const made = await weir.post('/app/login', { token: weir.token });
  const cookie = [made.headers['set-cookie']].flat()[0].split(';')[0];
  const page = async (at) => (await fetch(`http://127.0.0.1:${weir.port}/app/c/${a.session_id}${at ? `?at=${at}` : ''}`, { headers: { cookie } })).text();
  assert.match(await page(), />right</);
  const left = await page(question.message_id);
  assert.match(left, />left again</);
  assert.ok(left.includes(`data-id="${b.message_id}"`));
  assert.match(left, /href="\?at=msg_\w+"/);
});

test('what is no question of this session is refused by name', async () => {
  const a = await ask({ message: 'x' });
  const other = await ask({ message: 'y' });
  const refused = async (body, status) => assertError(await weir.post('/chat/complete', body), status, status === 404 ? 'not_found' : 'invalid_request_error').param;
  assert.equal(await refused({ session_id: a.session_id, parent_id: a.message_id }, 400), 'parent_id');
  assert.equal(await refused({ session_id: a.session_id, parent_id: other.message_id, message: 'z' }, 404), 'parent_id');
  assert.equal(await refused({ parent_id: a.message_id, message: 'z' }, 400), 'parent_id');
  assert.equal(await refused({ session_id: a.session_id, parent_id: a.message_id, messages: [{ role: 'user', content: 'z' }] }, 400), 'parent_id');
  assert.equal(await refused({ session_id: a.session_id }, 400), 'message');
});

test('a conversation is found by what was said in it', async () => {
  const a = await ask({ message: 'Bitterns boom in the reeds at dusk' });
  await weir.request('PATCH', `/chat/sessions/${a.session_id}`, { title: 'Birds' });
  const find = async (words) => (await weir.get(`/chat/sessions?query=${encodeURIComponent(words)}`)).json.items;
  const found = await find('bittern reeds');
  assert.deepEqual(found.map((s) => s.session_id), [a.session_id]);
  assert.match(found[0].found, /Bitterns boom/);
  assert.equal((await find('birds'))[0].found, null);
  await weir.request('DELETE', `/chat/sessions/${a.session_id}`);
  assert.deepEqual(await find('bittern'), []);
});
