// What the page does by itself: drafts, keys, the list, copying, scrolling, and how
// it reads Markdown and writes figures.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test } from '../e2e/harness.mjs';
import { metricsOf, openBrowser, say } from './browser.mjs';
import { kinds, write } from './documents.mjs';

const up = await startUpstream();
const weir = await startWeir({ upstream: up, config: { default_model: 'gpt-4o-mini' } });
const b = await (await openBrowser(weir)).signIn();
const { page } = b;
const fresh = () => page.goto(b.url('/app/'));

test('a draft outlives a reload and goes only when the message is accepted', async () => {
  await fresh();
  await page.fill('#text', 'half a thought');
  const draft = `weir.draft.new.${(await weir.get('/app/me')).json.user_id}`;
  await page.waitForFunction((key) => localStorage.getItem(key) === 'half a thought', draft);
  await page.reload();
  assert.equal(await page.inputValue('#text'), 'half a thought');
  await page.press('#text', 'Enter');
  await metricsOf(page);
  assert.equal(await page.evaluate((key) => localStorage.getItem(key), draft), null);
});

test('Enter that ends a word of an input method does not send', async () => {
  await fresh();
  await page.fill('#text', 'にほん');
  await page.locator('#text').dispatchEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true });
  await page.locator('#text').dispatchEvent('keydown', { key: 'Enter', keyCode: 229, bubbles: true });
  assert.equal(await page.locator('.turn').count(), 0);
  await page.press('#text', 'Shift+Enter');
  assert.equal(await page.inputValue('#text'), 'にほん\n');
});

test('a conversation is renamed, deleted and brought back with keys alone', async () => {
  await fresh();
  await say(page, 'keys only');
  await metricsOf(page);
  const link = page.locator('.session.current a');
  await link.focus();
  await page.keyboard.press('F2');
  await page.locator('.session.current input[aria-label="Title"]').waitFor();
  await page.keyboard.type('Another title');
  await Promise.all([page.waitForResponse((r) => r.request().method() === 'PATCH'), page.keyboard.press('Enter')]);
  await page.waitForFunction(() => document.querySelector('#title').textContent === 'Another title');
  await page.reload();
  assert.equal(await page.innerText('#title'), 'Another title');
  await page.locator('.session.current a').focus();
  await page.keyboard.press('Delete');
  await page.locator('#undo').waitFor();
  await b.sound('undo');
  await page.keyboard.press('Enter');            // Undo has the focus
  await page.locator('.session.current').waitFor({ state: 'visible' });
  await page.locator('.session.current a').focus();
  await page.keyboard.press('Delete');
  await page.goto(b.url('/app/'));               // leaving the page makes it so
  await page.waitForFunction(() => ![...document.querySelectorAll('.session a')].some((a) => a.textContent === 'Another title'));
  await page.reload();
  assert.equal(await page.locator('.session a:text-is("Another title")').count(), 0);
});

test('the list is searched by title, also beyond what is on the page', async () => {
  await fresh();
  await say(page, 'herons stand in shallow water');
  await metricsOf(page);
  await page.fill('#search', 'heron');
  await page.waitForFunction(() => [...document.querySelectorAll('.session:not([hidden])')].length === 1);
  await page.fill('#search', 'no such thing');
  await page.locator('#no-match').waitFor();
  assert.match(await page.innerText('#no-match'), /No conversation matches/);
});

test('copying works where the clipboard interface does not exist', async () => {
  await fresh();
  await say(page, 'copy **this**');
  await metricsOf(page);
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
  const button = page.locator('.assistant [data-part="copy"]').last();
  const heard = page.evaluate(() => new Promise((resolve) => document.addEventListener('copy', () => resolve(getSelection().toString() || document.activeElement.value), { once: true })));
  await button.click();
  await page.locator('.assistant [data-part="copy-label"]', { hasText: 'Copied' }).waitFor();
  assert.match(await heard, /copy \*\*this\*\*/);
});

test('whoever scrolls up stays there while the answer grows and when it ends', async () => {
  await page.setViewportSize({ width: 1000, height: 500 });
  await fresh();
  await say(page, '#chunks-600-200 long');
  const log = page.locator('#log');
  await page.waitForFunction(() => { const l = document.getElementById('log'); return l.scrollHeight > l.clientHeight + 400; });
  await log.hover();
  await page.mouse.wheel(0, -200);
  await page.locator('#jump').waitFor();
  const at = await log.evaluate((l) => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(l.scrollTop)))));
  await metricsOf(page);
  assert.equal(await log.evaluate((l) => l.scrollTop), at);
  await page.click('#jump');
  await page.waitForFunction(() => { const l = document.getElementById('log'); return l.scrollHeight - l.clientHeight - l.scrollTop < 2; });
  await page.setViewportSize({ width: 1400, height: 900 });
});

test('Markdown that comes in pieces ends as if it had come at once', async () => {
  await fresh();
  const differing = await page.evaluate(async (long) => {
    const { render } = await import('/static/js/markdown.js');
    const { Growing } = await import('/static/js/growing.js');
    const texts = [
      '# A\n\ntext *b* **c** `d`\n\n- one\n- two\n\n  more\n\n1. x\n2. y\n\n> quote\n> more\n\n---\n\nend',
      'before\n\n```c\nint a; // **no**\n\nint b;\n```\n\nafter [link][r]\n\n[r]: https://example.org\n',
      '| a | b |\n|:--|--:|\n| 1 | 2 |\n| 3 | 4 |\n\nafter\n===\n\n- [x] done\n- [ ] not\n',
      'a <b>bold</b> <script>x</script> &amp; &lt; ![p](http://e.org/p.png) <https://e.org> $5 and $6\n\n    code by indent\n\nlast',
      '~~~\nunclosed **fence**\n\n# still code',
      '  ```c\n  int a;\n\n    int b;\n\n\n  ```\nafter\n\n````\n```\nin\n```\n````\n',
      '- a\n- b\n- c\n- d\n- e\n\n- f\n- g\n\nafter\n\n3. x\n4. y\n5. z\n6. - [ ] q\n---\n* a\n* b\n* c\n* d\n- e\n- f\n- g\n-\n---\n',
      '| a | b |\n|--|--|\n| 1 | 2 |\n| 3 |\n4 | 5\n| 6 | 7 |\nend\n# x\n| a | b |\n|--|--|\n\nlast',
      ...long,
    ];
    let seed = 7;
    const random = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };
    const shape = (root) => { const copy = root.cloneNode(true); for (const s of copy.querySelectorAll('code span')) s.replaceWith(...s.childNodes); copy.normalize(); return copy.innerHTML; };
    const wrong = [];
    for (const text of texts) {
      const whole = document.createElement('div');
      render(whole, text);
      for (let run = 0; run < (text.length < 1000 ? 40 : 3); run++) {
        const root = document.createElement('div');
        const growing = new Growing(root);
        for (let i = 0; i < text.length;) {
          const n = 1 + random(text.length < 1000 ? 9 : 900);
          growing.append(text.slice(i, i + n));
          i += n;
        }
        growing.finish();
        if (shape(root) !== shape(whole)) wrong.push(`${JSON.stringify(text.slice(0, 30))}: ${shape(root)} instead of ${shape(whole)}`);
      }
    }
    return wrong;
  }, [...kinds.map((kind) => write(kind, 9000)), `A *mark ${write('one paragraph', 9000)} that* ends late\n===\n`, `${write('one list', 3000)}\n- the only empty line`,
    `[a][r] ${write('one paragraph', 9000)}\n\n${write('one table', 3000)}\n[r]: https://example.org\n`]);
  assert.deepEqual(differing.slice(0, 3), []);
});

test('what a model writes as markup stays text', async () => {
  await fresh();
  const found = await page.evaluate(async () => {
    const { render } = await import('/static/js/markdown.js');
    const root = document.createElement('div');
    document.body.append(root);
    render(root, '<img src=x onerror="alert(1)"> <script>alert(1)</script> [a](javascript:alert(1)) [b](data:text/html,x) ![c](http://e.org/c.png) [d](https://e.org)\n\n<iframe src="http://e.org"></iframe>\n\n<style>*{display:none}</style>');
    const tags = [...root.querySelectorAll('*')].map((n) => n.localName);
    const links = [...root.querySelectorAll('a')].map((a) => a.href);
    const text = root.textContent;
    root.remove();
    return { tags, links, text };
  });
  for (const tag of ['img', 'script', 'iframe', 'style']) assert.ok(!found.tags.includes(tag), tag);
  assert.deepEqual(found.links, ['http://e.org/c.png', 'https://e.org/']);
  assert.match(found.text, /<script>alert\(1\)<\/script>/);
  await b.sound('markup as text');
});

test('the page writes figures as the server does', async () => {
  const said = await page.evaluate(async () => {
    const f = await import('/static/js/format.js');
    return {
      money: [0, 0.0000003, 0.0001746, 0.1795, 12.4, 1234567.891].map(f.money),
      span: [0, 420, 1800, 14000, 59800, 200000, 7500000].map(f.span),
      none: [f.money(null), f.span(undefined), f.count(NaN), f.cost({ priced: false, total_usd: null })],
      free: f.cost({ priced: true, total_usd: 0 }),
    };
  });
  assert.deepEqual(said.money, ['$0.00', '< $0.000001', '$0.000175', '$0.1795', '$12.40', '$1,234,567.89']);
  assert.deepEqual(said.span, ['0.00 s', '0.42 s', '1.8 s', '14 s', '1 min', '3 min 20 s', '2 h 5 min']);
  assert.deepEqual(said.none, ['—', '—', '—', '—']);
  assert.equal(said.free, 'free');
});

test('colours for code arrive with its language, and the block can be copied', async () => {
  await fresh();
  await say(page, 'here\n\n```python\ndef f(x):\n    return x  # one\n```\n');
  await page.locator('.assistant .code .hljs-keyword').first().waitFor();
  assert.match(await page.locator('.assistant .code pre').innerText(), /def f\(x\):\n    return x  # one/);
  await b.sound('code');
});

test('the chat page loads at most 60 KB of script and style, the dashboard 50 KB', async () => {
  for (const [where, most] of [['/app/', 60], ['/app/dashboard', 50]]) {
    let bytes = 0;
    const cdp = await b.context.newCDPSession(page);
    await cdp.send('Network.enable');
    await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
    const kinds = new Map();
    cdp.on('Network.responseReceived', (e) => kinds.set(e.requestId, e.response.url));
    cdp.on('Network.dataReceived', (e) => { if (/\.(js|css)$/.test(kinds.get(e.requestId) ?? '')) bytes += e.encodedDataLength; });
    await page.goto(b.url(where));
    await page.waitForLoadState('networkidle');
    await cdp.detach();
    assert.ok(bytes > 1000 && bytes < most * 1024, `${where}: ${(bytes / 1024).toFixed(1)} KB`);
  }
});

test('formulas are drawn, amounts of money are not', async () => {
  await fresh();
  await say(page, 'It is $x^2$ and \\(a_1\\) but $5 and $6, or $20$; `$y$` stays.\n\n$$\\frac{1}{2}$$\n\nand $\\href{javascript:1}{x}$');
  await metricsOf(page);
  await page.waitForFunction(() => document.querySelectorAll('.assistant .math math').length === 3);
  const text = await page.locator('.assistant .body').last().innerText();
  assert.match(text, /but \$5 and \$6, or \$20\$; \$y\$ stays/);
  assert.equal(await page.locator('.assistant .math.unread').count(), 1);
  await b.sound('formulas');
  await b.shot('state-math');
});

test('a piece of a long answer builds no more than one of a short answer, whatever block does not end in it', async () => {
  await fresh();
  const built = await page.evaluate(async (texts) => {
    const { Growing } = await import('/static/js/growing.js');
    const most = (list) => Math.max(...list);
    return texts.map((text) => {
      const root = document.createElement('div');
      const growing = new Growing(root);
      const seen = new MutationObserver(() => {});
      seen.observe(root, { childList: true, subtree: true });
      const nodes = [];
      for (let at = 0; at < text.length; at += 100) {
        growing.append(text.slice(at, at + 100));
        nodes.push(seen.takeRecords().flatMap((r) => [...r.addedNodes]).reduce((sum, n) => sum + 1 + (n.querySelectorAll?.('*').length ?? 0), 0));
      }
      const fifth = Math.floor(nodes.length / 5);
      return { early: most(nodes.slice(0, fifth)), late: most(nodes.slice(-fifth)) };
    });
  }, kinds.map((kind) => write(kind, 60 * 1024)));
  for (const [i, kind] of kinds.entries()) {
    const { early, late } = built[i];
    assert.ok(early > 0 && late <= early * 1.25, `${kind}: ${JSON.stringify(built[i])}`);
  }
});

test('code that is still being written is as high, and selected the same, as code that is whole', async () => {
  await fresh();
  const [open, whole] = await page.evaluate(async (text) => {
    const { Growing } = await import('/static/js/growing.js');
    const answer = document.getElementById('t-answer').content.firstElementChild.cloneNode(true);
    const body = answer.querySelector('.body');
    document.getElementById('column').append(answer);
    const growing = new Growing(body);
    for (let at = 0; at < text.length; at += 100) growing.append(text.slice(at, at + 100));
    const look = () => {
      getSelection().selectAllChildren(body.querySelector('code'));
      return { height: body.getBoundingClientRect().height, text: getSelection().toString(), parts: body.querySelectorAll('code > div').length };
    };
    const found = [look()];
    growing.finish();
    found.push(look());
    answer.remove();
    return found;
  }, write('one open fence', 20000).trimEnd());
  assert.ok(open.parts > 2, String(open.parts));
  assert.equal(whole.parts, 0);
  assert.equal(open.height, whole.height);
  assert.equal(open.text, whole.text);
});

test('a piece of a long answer styles no more elements than one of a short answer', async () => {
  await fresh();
  const cdp = await b.context.newCDPSession(page);
  for (const kind of kinds) {
    const styled = [];
    const collect = ({ value }) => styled.push(...value.filter((e) => e.name === 'UpdateLayoutTree' && e.args.elementCount >= 0));
    cdp.on('Tracing.dataCollected', collect);
    await cdp.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['devtools.timeline'], excludedCategories: ['*'] } });
    await page.evaluate(async (text) => {
      const { Growing } = await import('/static/js/growing.js');
      const answer = document.getElementById('t-answer').content.firstElementChild.cloneNode(true);
      const root = answer.querySelector('[data-part="body"]');
      root.classList.remove('raw');
      document.getElementById('column').append(answer);
      const growing = new Growing(root);
      for (let at = 0; at < text.length; at += 400) {
        growing.append(text.slice(at, at + 400));
        root.getBoundingClientRect();
      }
      answer.remove();
    }, write(kind, 40 * 1024));
    const complete = new Promise((resolve) => cdp.once('Tracing.tracingComplete', resolve));
    await cdp.send('Tracing.end');
    await complete;
    cdp.off('Tracing.dataCollected', collect);
    const counts = styled.sort((x, y) => x.ts - y.ts).map((e) => e.args.elementCount);
    const fifth = Math.floor(counts.length / 5), most = (list) => Math.max(...list);
    const early = most(counts.slice(0, fifth)), late = most(counts.slice(-fifth));
    assert.ok(counts.length > 80 && early > 0 && late <= early * 2, `${kind}: ${late} elements late, ${early} early, ${counts.length} times`);
  }
  await cdp.detach();
});

test('of a long thought a piece changes its last line only, and it reads and looks as if it had come at once', async () => {
  await fresh();
  const seen = await page.evaluate(async (text) => {
    const { Turn } = await import('/static/js/turn.js');
    const turn = new Turn(document.getElementById('column'), 'Think.', 'gpt-4o-mini', { act() {}, grew() {} });
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    for (let at = 0; at < text.length; at += 37) {
      turn.delta({ reasoning: text.slice(at, at + 37) });
      await frame();
    }
    const thought = turn.node.querySelector('.thinking');
    const whole = thought.cloneNode();
    whole.append(thought.firstElementChild.cloneNode(true), document.createElement('div'));
    whole.lastElementChild.textContent = text;
    thought.after(whole);
    const read = (box) => {
      box.open = true;
      getSelection().selectAllChildren(box.lastElementChild);
      return { height: box.getBoundingClientRect().height, selected: getSelection().toString(), source: box.lastElementChild.textContent };
    };
    const found = { grown: read(thought), whole: read(whole), blocks: thought.lastElementChild.childElementCount, lines: text.match(/.*\n/g).length };
    turn.node.remove();
    return found;
  }, `\nFirst *of* all,\n  the river.\n\n\n${write('one paragraph of lines', 3000)}\n- then the gate\n`);
  assert.deepEqual(seen.grown, seen.whole);
  assert.equal(seen.blocks, seen.lines);
});

test('what is selected in an answer stays selected while it grows', async () => {
  await fresh();
  const kept = await page.evaluate(async () => {
    const { Growing } = await import('/static/js/growing.js');
    const root = document.createElement('div');
    document.getElementById('column').append(root);
    const growing = new Growing(root);
    growing.append('This one is read and marked.\n\nThe next one begins here\n\n');
    getSelection().selectAllChildren(root.querySelector('p'));
    for (let i = 0; i < 200; i++) growing.append(`and goes on ${i}${i % 7 ? ' ' : '\n\n'}`);
    growing.finish();
    const text = getSelection().toString();
    root.remove();
    return text;
  });
  assert.equal(kept, 'This one is read and marked.');
});

test('what is selected in a list, a table, code or a paragraph that goes on stays selected', async () => {
  await fresh();
  const kept = await page.evaluate(async (texts) => {
    const { Growing } = await import('/static/js/growing.js');
    return texts.map(([part, text]) => {
      const root = document.createElement('div');
      document.getElementById('column').append(root);
      const growing = new Growing(root);
      growing.append(text.slice(0, 5000));
      const marked = [...root.querySelector(part).childNodes].find((n) => n.data?.length > 4);
      getSelection().setBaseAndExtent(marked, 0, marked, 4);
      const before = getSelection().toString();
      for (let at = 5000; at < text.length; at += 200) growing.append(text.slice(at, at + 200));
      const during = getSelection().toString();
      if (part !== 'code > div') growing.finish();               /* its colours are other nodes */
      const selected = [before, during, getSelection().toString()];
      root.remove();
      return selected;
    });
  }, [['li', 'one list'], ['td', 'one table'], ['code > div', 'one open fence'], ['p', 'one paragraph']].map(([part, kind]) => [part, write(kind, 20000)]));
  for (const [before, ...after] of kept) {
    assert.ok(before.length > 3, JSON.stringify(kept));
    assert.deepEqual(after, [before, before], JSON.stringify(kept));
  }
});

test('a long conversation opens at its newest 50 messages, and the earlier ones are a click away', async () => {
  let session;
  for (let i = 0; i < 60; i++) session = (await weir.post('/chat/complete', { message: `message ${i}`, session_id: session })).json.session_id;
  await page.goto(b.url(`/app/c/${session}`));
  assert.equal(await page.locator('.msg').count(), 50);
  await page.click('.earlier a');
  await page.waitForFunction(() => document.querySelectorAll('.msg').length === 120);
});

test('a formula is one only where it can be no amount of money, never in code, and single dollars can be left alone', async () => {
  await fresh();
  const formulas = (text, off) => page.evaluate(async ([source, alone]) => {
    const { render } = await import('/static/js/markdown.js');
    if (alone) localStorage.setItem('weir.dollars', 'off'); else localStorage.removeItem('weir.dollars');
    const root = document.createElement('div');
    render(root, source);
    localStorage.removeItem('weir.dollars');
    return [...root.querySelectorAll('.math')].map((n) => n.textContent || n.querySelector('annotation')?.textContent).length;
  }, [text, off]);
  for (const [text, many] of [['$x$', 1], ['\\(x\\) and \\[y\\]', 2], ['$$x$$', 1], ['$ x$', 0], ['$x $', 0], ['$x$5', 0], ['$x\ny$', 0], ['$5$', 0], ['$1,200.50$', 0], ['$5 and $6', 0],
    ['costs $5, then $x$', 1], ['`$x$` and `\\(y\\)`', 0], ['```\n$$x$$\n```', 0]]) assert.equal(await formulas(text), many, text);
  for (const [text, many] of [['$x$', 0], ['$$x$$ and \\(y\\)', 2]]) assert.equal(await formulas(text, true), many, `${text}, single dollars left alone`);
});

test('links open elsewhere and tell nothing, only where one can go; a picture is its words; a block of code says what it is', async () => {
  await fresh();
  await say(page, '[a](https://example.org) [b](mailto:a@example.org) [c](ftp://example.org) [d](/app/logout) ![a cat](https://example.org/cat.png)\n\n```python\n' + `print("${'long '.repeat(100)}")` + '\n```');
  await metricsOf(page);
  const answer = page.locator('.turn .assistant .body');
  const links = await answer.locator('a').evaluateAll((all) => all.map((a) => [a.textContent, a.getAttribute('href'), a.target, a.rel]));
  assert.deepEqual(links, [['a', 'https://example.org/'], ['b', 'mailto:a@example.org'], ['[image: a cat]', 'https://example.org/cat.png']].map((l) => [...l, '_blank', 'noopener noreferrer nofollow']));
  assert.match(await answer.innerText(), /a b c d \[image: a cat\]/);
  const code = answer.locator('.code'), pre = code.locator('pre');
  assert.match(await code.locator('.code-head').innerText(), /^python\s+Wrap\s+Copy$/);
  assert.ok(await pre.evaluate((n) => n.scrollWidth > n.clientWidth), 'it scrolls inside');
  await code.locator('button', { hasText: 'Wrap' }).click();
  assert.ok(await pre.evaluate((n) => n.scrollWidth <= n.clientWidth));
  await b.calm('a long line of code');
});

test('ok, near and full are the same shares everywhere', async () => {
  const said = await page.evaluate(async () => {
    const { level } = await import('/static/js/format.js');
    return [0, 0.799, 0.8, 0.949, 0.95, 1.2].map(level);
  });
  assert.deepEqual(said, ['ok', 'ok', 'warn', 'warn', 'err', 'err']);
});

test('letters, controls and the width one reads at are as they are meant to be, and large enough for a finger', async () => {
  await fresh();
  await say(page, 'measured');
  await metricsOf(page);
  const sizes = () => page.evaluate(() => {
    const of = (s) => getComputedStyle(document.querySelector(s)), high = (s) => document.querySelector(s).getBoundingClientRect().height;
    return { box: of('#text').fontSize, answer: [of('.assistant .body').fontSize, of('.assistant .body').lineHeight], figures: of('.assistant .metrics').fontSize,
      column: document.getElementById('column').getBoundingClientRect().width, send: high('#send'), newChat: high('#new-chat'), figuresOf: of('.assistant .metrics').fontVariantNumeric,
      app: high('#app') - innerHeight, fonts: document.fonts.size, viewport: document.querySelector('meta[name="viewport"]').content };
  });
  assert.deepEqual(await sizes(), { box: '16px', answer: ['16px', '25.6px'], figures: '12px', column: 736, send: 36, newChat: 36, figuresOf: 'tabular-nums', app: 0, fonts: 0,
    viewport: 'width=device-width, initial-scale=1, interactive-widget=resizes-content' });
  const c = await (await openBrowser(weir, { width: 390, touch: true })).signIn();
  await say(c.page, 'touched');
  await c.page.tap('#send');
  await metricsOf(c.page);
  const small = await c.page.evaluate(() => [...document.querySelectorAll('button, a:not(.skip), select, textarea, summary, .check, input:not([type="checkbox"])')].filter((n) => n.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && n.getBoundingClientRect().width > 3)
    .map((n) => [n.id || n.className || n.localName, Math.round(n.getBoundingClientRect().height)]).filter(([, high]) => high < 44));
  assert.deepEqual(small, []);
  await c.shot('touch-answer');
  assert.equal(await c.page.evaluate(() => getComputedStyle(document.getElementById('text')).fontSize), '16px', 'smaller, a telephone enlarges the page');
  await c.close();
});

test('a conversation is there before any script is, and reads without them', async () => {
  const { session_id } = (await weir.post('/chat/complete', { message: 'read me without scripts' })).json;
  let go;
  const gate = new Promise((resolve) => { go = resolve; });
  await page.route('**/*.js', async (route) => { await gate; await route.continue(); });
  await page.goto(b.url(`/app/c/${session_id}`), { waitUntil: 'commit' });
  await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length === 1);
  assert.match(await page.locator('.msg.assistant .body').innerText(), /read me without scripts/);
  go();
  await page.waitForLoadState('networkidle');
  await page.unroute('**/*.js');
  const c = await openBrowser(weir, { scripts: false });
  await c.context.addCookies(await b.context.cookies());
  await c.page.goto(c.url(`/app/c/${session_id}`));
  assert.match(await c.page.locator('.msg.assistant .body').innerText(), /read me without scripts/);
  assert.match(await c.page.locator('.msg.assistant .metrics').innerText(), /Tokens .* in/);
  assert.ok(await c.page.locator('.session', { hasText: 'read me without scripts' }).isVisible());
  await c.page.goto(c.url('/app/'));
  assert.match(await c.page.locator('main').innerText(), /Sending and streaming need JavaScript\./);
  await c.close();
});

test('every label under an answer and on a card has its meaning in the help, and says it where it stands', async () => {
  await fresh();
  await say(page, 'what does it mean');
  await metricsOf(page);
  const line = await page.locator('.turn .metrics span').evaluateAll((all) => all.map((n) => [n.firstChild.data.trim(), n.title]));
  assert.deepEqual(line.map(([label]) => label), ['Tokens', 'Cost', 'Efficiency', 'First token', 'Queued', 'Retries'].toSpliced(4, 0, ...line.some(([label]) => label === 'Speed') ? ['Speed'] : []));
  for (const [label, title] of line) assert.ok(title.length > 10, `${label}: ${title}`);
  assert.match(line[1][1], /^0\.\d+ US dollars$/, 'the exact sum');
  await page.goto(b.url('/app/help/metrics'));
  const terms = await page.locator('[aria-labelledby="figures"] dt').allInnerTexts();
  for (const label of ['Tokens in', 'Tokens out', 'Cost', 'Efficiency', 'Queued', 'Retries', 'First token', 'Speed', 'Total', 'Queue wait p95', 'Held', 'Reserve', 'Error rate', 'Level', 'Position', 'Expected start'])
    assert.ok(terms.includes(label), `${label} in ${terms}`);
  for (const meaning of await page.locator('[aria-labelledby="figures"] dd').allInnerTexts()) assert.ok(meaning.length > 20, meaning);
});

test('the line of figures is whole, short, or not there, in messages that come with the page and in new ones', async () => {
  const url = b.url('/');
  for (const [mode, seen] of [['short', ['Tokens', 'Cost']], ['off', []]]) {
    await b.context.addCookies([{ name: 'weir_metrics', value: mode, url }]);
    await fresh();
    await say(page, `figures ${mode}`);
    await page.locator('.turn .metrics b').first().waitFor({ state: 'attached' });
    const labels = () => page.locator('.metrics span:visible').evaluateAll((all) => all.map((n) => n.firstChild.data.trim()));
    assert.deepEqual(await labels(), seen);
    await page.reload();
    assert.deepEqual(await labels(), seen);
  }
  await b.context.clearCookies({ name: 'weir_metrics' });
});

test('where nothing may be copied the button says which keys do it', async () => {
  await fresh();
  await say(page, 'by hand');
  await metricsOf(page);
  await page.evaluate(() => { Object.defineProperty(navigator, 'clipboard', { value: undefined }); document.execCommand = () => false; });
  await page.locator('.assistant [data-part="copy"]').click();
  await page.locator('.assistant [data-part="copy-label"]', { hasText: 'Press Ctrl+C' }).waitFor();
  assert.equal(await page.textContent('#say'), 'Press Ctrl+C');
  await page.locator('.assistant [data-part="copy-label"]', { hasText: /^Copy$/ }).waitFor();
});

test('with the keys alone one sends, hears how it goes, stops, finds and opens; what is said is short and in the quiet regions', async () => {
  await fresh();
  await page.evaluate(() => {
    globalThis.heard = [];
    for (const id of ['say', 'alert']) {
      const region = document.getElementById(id);
      new MutationObserver(() => globalThis.heard.push(`${region.getAttribute('role')}: ${region.textContent}`)).observe(region, { childList: true });
    }
  });
  const heard = (text) => page.waitForFunction((t) => globalThis.heard.includes(t), text);
  await page.keyboard.press('Shift+Escape');
  await page.keyboard.type('egrets nest in willows');
  await page.keyboard.press('Enter');
  await heard('status: Answer started');
  await heard('status: Answer finished');
  await page.keyboard.type('#slow-0-20-3000 on and on');
  await page.keyboard.press('Enter');
  await page.locator('.status', { hasText: 'Writing' }).last().waitFor();
  await page.keyboard.press('Escape');
  await heard('status: Stopped');
  await page.keyboard.type('#fault-400 no');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => globalThis.heard.some((t) => t.startsWith('alert: ')));
  assert.equal(await page.locator('#log[aria-live]').count(), 0);
  assert.ok((await page.evaluate(() => globalThis.heard)).every((t) => t.length < 200 && !t.includes('the water')));
  const where = page.url();
  await fresh();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('egrets');
  await page.waitForFunction(() => document.querySelectorAll('.session:not([hidden])').length === 1);
  await page.keyboard.press('Enter');
  await page.waitForURL(where);
});
