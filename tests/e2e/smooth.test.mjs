// GET /monitoring/stream-test: pieces that come one by one as a chat's do, of no request, and for few at a time.
import assert from 'node:assert/strict';
import { addUser, request, startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertErrorObject } from './shapes.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const where = '/monitoring/stream-test';
const open = (headers) => weir.stream(undefined, { path: where, method: 'GET', headers });

test('20 pieces come in reads of their own, under the heads of a chat\'s stream', async () => {
  const chat = await (await weir.stream({ model: 'builtin/eliza', message: 'hello' })).end();
  const before = weir.records().length, s = await open();
  let reads = 0;
  s.response.on('data', () => { reads++; });
  await s.end();
  assert.deepEqual(s.all('piece').map((e) => [e.id, e.data]), Array.from({ length: 20 }, (_, i) => [`${i + 1}`, { n: i + 1, of: 20 }]));
  assert.deepEqual([s.status, s.comments, s.error, s.events.length], [200, ['weir'], null, 20]);
  assert.ok(reads > 10, `${reads} reads`);        // a busy machine may join two
  const told = ({ headers }) => Object.entries(headers).filter(([k]) => !['date', 'request-id', 'x-request-id'].includes(k)).sort();
  assert.deepEqual(told(s), told(chat));
  assert.equal(weir.records().length, before, 'it is in no record');
});

test('a user has one at a time, and eight are all; who leaves makes room at once', async () => {
  const first = await open();
  assertErrorObject((await (await open()).end()).json.error, 'rate_limited', 'rate_limited');
  await first.next('piece');
  first.leave();
  const again = await waitFor('room for the next', async () => {
    const s = await open();
    return s.status === 200 && s;
  });
  await again.end();
  const people = [];
  for (let i = 0; i < 9; i++) people.push(await addUser(weir, `p${i}`));
  const all = await Promise.all(people.map(open));
  assert.deepEqual(all.map((s) => s.status).sort(), [...Array(8).fill(200), 429]);
  for (const s of all) await s.end();
  assert.ok(all.every((s) => s.status === 429 || s.all('piece').length === 20));
});

test('nobody who is not signed in gets it, and Weir stops without waiting for it', async () => {
  assert.equal((await request({ port: weir.port, path: where })).status, 401);
  const s = await open();
  await s.next('piece');
  await weir.stop();
  await s.end();
  assert.ok(s.all('piece').length < 20);
});
