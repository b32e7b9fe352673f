// The colours of static/css, computed: what is read keeps 4.5 : 1 on every surface it stands on, what is only seen (borders of
// controls, marks, bars) 3 : 1, in both themes (WCAG 1.4.3 and 1.4.11). No browser is needed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test, top } from '../e2e/harness.mjs';

const folder = path.join(top, 'static/css');
const sheets = fs.readdirSync(folder).map((name) => ({ name, text: fs.readFileSync(path.join(folder, name), 'utf8').replaceAll(/\/\*.*?\*\//gs, '') }));
const tokens = new Map([...sheets.find((s) => s.name === 'tokens.css').text.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)]
  .map(([, name, light, dark]) => [name, { light, dark }]));

const lightness = (hex) => {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [low, high] = [lightness(a), lightness(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};

// Which of these pairs of tokens ("one on two") are too close.
function tooClose(pairs, least) {
  return pairs.flatMap((pair) => {
    const [front, back] = pair.split(' on ').map((name) => tokens.get(name) ?? assert.fail(`there is no --${name}`));
    return ['light', 'dark'].map((theme) => [theme, contrast(front[theme], back[theme])]).filter(([, c]) => c < least)
      .map(([theme, c]) => `${pair}, ${theme}: ${c.toFixed(2)} : 1`);
  });
}
const each = (fronts, backs) => fronts.split(' ').flatMap((f) => backs.split(' ').map((b) => `${f} on ${b}`));
const series = 's1 s2 s3 s4 s5 s6 s7 s8';

const READ = [
  ...each('text text-2 text-3', 'bg bg-1 bg-2'),
  ...each('text text-2', 'accent-bg ok-bg warn-bg err-bg info-bg'),
  ...each('accent accent-2 ok warn err info', 'bg bg-1'),
  ...each('on-accent', 'accent accent-2'),
  'ok on ok-bg', 'warn on warn-bg', 'err on err-bg', 'info on info-bg', 'bg on err', 'bg on text',
  ...each('accent ok warn err', 'bg-2'),                     // links in one's own message, words of state where the mouse is
  ...each('s1 s2 s3 s4 s5 s6', 'bg-1'),                      // code
];
const SEEN = [
  ...each('line-2', 'bg bg-1 bg-2'),                         // borders of controls
  ...each('line-2 accent', 'accent-bg ok-bg warn-bg err-bg'),
  ...each(`${series} ok warn err`, 'bg bg-1 bg-2'),          // bars on their track, lines of charts
];

test('what is read stands out from what it stands on, in both themes', () => {
  assert.ok(tokens.size >= 28, `${tokens.size} colours were read`);
  assert.deepEqual(tooClose(READ, 4.5), []);
});

test('what is seen does so too', () => assert.deepEqual(tooClose(SEEN, 3), []));

test('where a rule sets a colour on a ground, the two are one of these pairs, and no colour is used but of the tokens', () => {
  const known = new Set(READ), unknown = [], read = new Set(READ.map((pair) => pair.split(' on ')[0]));
  for (const { name, text } of sheets)
    for (const [, selector, body] of text.matchAll(/([^{}]+)\{([^{}]*)\}/g)) {
      const of = (property) => new RegExp(`(?:^|[;\\s])${property}: var\\(--([\\w-]+)\\)`).exec(body)?.[1];
      const front = of('color'), back = of('background(?:-color)?');
      if (front && !read.has(front)) unknown.push(`${name}: ${selector.trim()} is written in --${front}`);
      if (front && back && !known.has(`${front} on ${back}`)) unknown.push(`${name}: ${selector.trim()}: ${front} on ${back}`);
      if (name !== 'tokens.css' && /#[0-9a-f]{3,8}\b/i.test(body.replaceAll(/url\("[^"]*"\)/g, ''))) unknown.push(`${name}: ${selector.trim()} has a colour of its own`);
    }
  assert.deepEqual(unknown, []);
});

test('the browser’s frame has the colour of the page', () => {
  const head = fs.readFileSync(path.join(top, 'templates/head.mustache'), 'utf8');
  for (const theme of ['light', 'dark']) {
    assert.ok(head.includes(`content="${tokens.get('bg')[theme]}" media="(prefers-color-scheme: ${theme})"`), theme);
    assert.ok(head.includes(`{{#is_${theme}}}<meta name="theme-color" content="${tokens.get('bg')[theme]}">`), `${theme} by choice, whatever the system has`);
  }
});
