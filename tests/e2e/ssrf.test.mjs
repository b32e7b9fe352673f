// Nobody makes Weir connect where it may not. Clients cannot name a host at all; an administrator's URLs are judged by
// the address at the moment of connecting, however they are spelled. Listeners count who came.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { after } from 'node:test';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';
import { assertError } from './shapes.mjs';

// Everything that reaches this machine at this port, over either protocol.
let came = 0;
const listener = net.createServer((s) => { came++; s.destroy(); });
listener.listen({ host: '::', port: 0, ipv6Only: false });
await once(listener, 'listening').catch(() => once(listener.listen(0, '0.0.0.0'), 'listening'));
const { port } = listener.address();
// The one place that is allowed; what it is asked for is sent on to where nobody may go.
let asked = 0;
const allowed = http.createServer((req, res) => {
  asked++;
  req.resume().on('end', () => { res.writeHead(307, { Location: `http://127.0.0.1:${port}/` }); res.end(); });
}).listen(0, '127.0.0.2');
await once(allowed, 'listening');
after(() => { listener.close(); allowed.close(); });

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { webhooks: { allowed_addresses: ['127.0.0.2'] } } });

const hosts = [
  '127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7f.1', '0x7f.0x0.0x0.0x1', '017700000001', '0177.0.0.1', '0177.1',
  '127.0.0.1.', '127.000.000.001', '127.0.0.3', '127.255.255.254', '0', '0.0.0.0', '0x0', '000.000.000.000', 'localhost', 'LOCALHOST', 'localhost.',
  'localhost.localdomain', 'ip6-localhost', '[::1]', '[0:0:0:0:0:0:0:1]', '[::]', '[::127.0.0.1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]',
  '[0:0:0:0:0:ffff:127.0.0.1]', '[::ffff:0:127.0.0.1]', '[64:ff9b::127.0.0.1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[2001::7f00:1]', '[fe80::1]',
  '[fe80::1%25lo]', '[::1%25lo]', '[fc00::1]', '[ff02::1]', '10.0.0.1', '172.16.0.1', '192.168.0.1', '169.254.169.254', '100.64.0.1', '0xa9fea9fe',
  '2852039166', '%31%32%37.0.0.1', '127%2e0%2e0%2e1', '①②⑦.⓪.⓪.①', '１２７.0.0.1', '127。0。0。1', 'ⓛocalhost', '127.0.0.1.nip.io',
];
const urls = [
  ...hosts.map((h) => `http://${h}:${port}/hook`),
  `http://127.0.0.2@127.0.0.1:${port}/`, `http://127.0.0.1:${port}#@127.0.0.2/`, `http://127.0.0.1:${port}\\@127.0.0.2/`, `http:\\\\127.0.0.1:${port}/`,
  `http:127.0.0.1:${port}/`, `//127.0.0.1:${port}/`, ` http://127.0.0.1:${port}/`, `http://127.0.0.1:${port}\r\nHost: x/`, `http://127.0.0.1\t:${port}/`,
  `file:///etc/passwd`, `gopher://127.0.0.1:${port}/_x`, `dict://127.0.0.1:${port}/`, `ftp://127.0.0.1:${port}/`, `ldap://127.0.0.1:${port}/`,
  `unix:///tmp/x`, `https://127.0.0.1:${port}/`, `HTTP://127.0.0.1:${port}/`, `jar:http://127.0.0.1:${port}/!/`,
];

test(`${urls.length} odd URLs of webhooks lead to no connection`, async () => {
  assert.ok(urls.length >= 60);
  const good = (await weir.post('/admin/webhooks', { url: `http://127.0.0.2:${allowed.address().port}/` })).json.webhook_id;
  const taken = [];
  for (const url of urls) {
    const r = await weir.post('/admin/webhooks', { url });
    if (r.status === 201) taken.push([url, r.json.webhook_id]);
    else {
      assert.ok([400, 422].includes(r.status), `${url}: ${r.text}`);
      // Nor can one that is there be turned into it.
      assert.equal((await weir.request('PATCH', `/admin/webhooks/${good}`, { url })).status, r.status, url);
    }
  }
  for (const [url, id] of taken) {
    await weir.post(`/admin/webhooks/${id}/test`, {});
    await waitFor(`${url} to be tried`, async () => (await weir.get(`/admin/webhooks/${id}/deliveries`)).json.items.some((d) => d.attempts > 0), 30000);
    await weir.request('DELETE', `/admin/webhooks/${id}`);
  }
  assert.equal(came, 0);
});

test('what is allowed is reached, and where it sends on to is not', async () => {
  const { json } = await weir.post('/admin/webhooks', { url: `http://127.0.0.2:${allowed.address().port}/` });
  await weir.post(`/admin/webhooks/${json.webhook_id}/test`, {});
  await waitFor('a delivery', () => asked > 0);
  await waitFor('its end', async () => (await weir.get(`/admin/webhooks/${json.webhook_id}/deliveries`)).json.items.some((d) => d.attempts > 0));
  assert.equal(came, 0);
});

test('a client names no host, by whatever field or header', async () => {
  const url = `http://127.0.0.1:${port}/v1`;
  for (const field of ['base_url', 'api_base', 'api_url', 'endpoint', 'proxy', 'upstream_url', 'image_url', 'callback_url', 'webhook_url', 'url'])
    assertError(await weir.post('/chat/complete', { message: 'x', model: 'gpt-4o-mini', [field]: url }), 400, 'invalid_request_error', 'unknown_field');
  for (const header of ['X-Base-Url', 'X-Api-Base', 'X-Forwarded-Host', 'X-Forwarded-For', 'X-Original-Url', 'X-Rewrite-Url', 'Forwarded', 'Proxy', 'X-Upstream'])
    assert.equal((await weir.post('/chat/complete', { message: 'x', model: 'gpt-4o-mini' }, { [header]: url })).status, 200, header);
  for (const body of [{ base_url: url }, { upstreams: [{ name: 'x', base_url: url }] }]) {
    const r = await weir.post('/admin/reload', body);
    assert.equal(r.status, 400, r.text);
  }
  const message = { role: 'user', content: [{ type: 'image_url', image_url: { url } }] };
  await weir.post('/v1/chat/completions', { model: 'gpt-4o-mini', messages: [message], base_url: url });      // the provider's business, not Weir's
  assert.equal(came, 0);
});

test('the listener does count', async () => {
  for (const host of ['127.0.0.1', '127.0.0.3']) await once(net.connect(port, host).resume(), 'close');
  assert.equal(came, 2);
});
