// The dashboard's test of streaming, at Weir itself and behind proxies that hold streams back or end them.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after } from 'node:test';
import { startUpstream, startWeir, test } from '../e2e/harness.mjs';
import { openBrowser } from './browser.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up });
const b = await (await openBrowser(weir)).signIn();

// A proxy in front: `pass` sends the stream's bytes on in its way, all else goes through.
let pass;
const proxy = http.createServer((req, res) => {
  const to = http.request({ host: '127.0.0.1', port: weir.port, method: req.method, path: req.url, headers: req.headers }, (from) => {
    res.writeHead(from.statusCode, from.headers);
    if (req.url === '/monitoring/stream-test') pass(from, res);
    else from.pipe(res);
  });
  req.pipe(to);
});
await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
after(() => { proxy.closeAllConnections(); proxy.close(); });

const whole = async (from) => {
  const parts = [];
  for await (const part of from) parts.push(part);
  return Buffer.concat(parts);
};
const WAYS = [
  [async (from, res) => res.end(await whole(from)), /^Arrived in one lump after \d+\.\d\d s: .*proxy_buffering off/],
  [async (from, res) => {
    let pieces = 0;
    for await (const part of from) {
      res.write(part);
      pieces += part.toString().split('event: piece').length - 1;
      if (pieces >= 5) break;
    }
    setImmediate(() => res.destroy());
  }, /^Cut after \d of 20 pieces: /],
  [async (from, res) => { await whole(from); res.end('<h1>Please sign in</h1>'); }, /^What came is no stream of Weir’s/],
];

async function tested({ page, url }) {
  const found = page.locator('#smooth'), button = page.locator('[data-do="smooth"]');
  await page.goto(url);
  await button.focus();
  await page.keyboard.press('Enter');
  await found.filter({ hasNotText: /^(Not tested yet|Testing)/ }).waitFor();
  assert.ok(await button.evaluate((n) => n === document.activeElement), 'the focus stays where it was');
  return found.innerText();
}
const straight = { page: b.page, url: b.url('/app/dashboard/performance') };

test('streams that arrive as they are sent are smooth', async () => {
  assert.match(await tested(straight), /^Smooth: 20 pieces, the longest gap 0\.\d\d s\.$/);
  await b.sound('streams arrive');
  await b.shot('smooth');
});

test('what holds a stream back, ends it or answers in its place is told apart', async () => {
  const far = await (await openBrowser(Object.create(weir, { port: { value: proxy.address().port } }))).signIn();
  for (const [way, words] of WAYS) {
    pass = way;
    assert.match(await tested({ page: far.page, url: far.url('/app/dashboard/performance') }), words);
  }
  await far.close();
});

test('while somebody tests already, that is said', async () => {
  const s = await weir.stream(undefined, { path: '/monitoring/stream-test', method: 'GET' });
  assert.match(await tested(straight), /^You, or several others, test streaming right now/);
  s.leave();
});
