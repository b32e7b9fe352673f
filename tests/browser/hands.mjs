// hands.mjs - a person with a keyboard and no mouse. Wherever Tab leads, what has the focus must be seen, lie under
// nothing, and show that it has the focus; a step that leads into nowhere ends the test.
//
//   const keys = hands(page);
//   await keys.to('#filter summary');         // Tab, as often as it takes
//   await keys.press('Enter');
//   await keys.to('[name="model"]');
//   await keys.write('gpt-4.1');
import assert from 'node:assert/strict';

const MOST = 250;               // more steps than any page has stops

// What has the focus, and what is wrong with how that looks: {name, wrong}; {} for the page itself.
function look() {
  const e = document.activeElement;
  if (!e || e === document.body) return {};
  const seen = [e, ...(e.labels ?? [])].find((n) => n.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && n.getClientRects()[0]?.width > 3);
  const name = `${e.localName}${e.id ? `#${e.id}` : ''}${e.className && typeof e.className === 'string' ? `.${e.className.split(' ').join('.')}` : ''} “${(e.ariaLabel || e.innerText || e.title || e.name || '').trim().slice(0, 40)}”`;
  if (!seen) return { name, wrong: 'cannot be seen' };
  const box = seen.getClientRects()[0];
  const left = Math.max(0, box.left), right = Math.min(innerWidth, box.right), y = (Math.max(0, box.top) + Math.min(innerHeight, box.bottom)) / 2;
  if (left >= right || y < box.top || y > box.bottom) return { name, wrong: 'is outside of the window' };
  const over = (at) => { const n = document.elementFromPoint(left + (right - left) * at, y); return seen.contains(n) || n?.contains(seen) ? null : n; };
  const above = over(0.5);
  if (above && (box.width < 200 || over(0.05))) return { name, wrong: `lies under ${above.localName}.${above.className}` };      // a panel may cover part of a wide one
  const ring = (n, pseudo) => { const s = getComputedStyle(n, pseudo); return (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2) || (n !== e && s.boxShadow !== 'none'); };
  const around = [e, seen, e.closest('label'), e.closest('form:focus-within')].filter(Boolean);
  if (e.localName === 'input' && !e.matches(':focus')) return { name };       // its own button, which the browser marks
  if (!around.some((n) => ring(n)) && !ring(e, '::after')) return { name, wrong: 'does not show that it has the focus' };
  return { name };
}

export function hands(page) {
  // What has the focus, which must look so. `may` be nowhere: on the way around, Tab leads through the browser's own bar.
  async function focus(may = false) {
    const { name = '', wrong } = await page.evaluate(look);
    assert.ok(may || name, 'the focus is nowhere');
    assert.equal(wrong, undefined, `${name} ${wrong}`);
    return name;
  }
  const on = (selector) => page.evaluate((s) => Boolean(document.activeElement?.matches(s)), selector);
  const hands = {
    focus,
    // A page that was just opened listens once its scripts have run.
    async press(key) { await page.waitForLoadState('domcontentloaded'); await page.keyboard.press(key); },
    async write(text) { await page.waitForLoadState('domcontentloaded'); await page.keyboard.type(text); },
    // What is in a field gives way to `text`.
    async over(text) { await page.keyboard.press('Control+a'); await page.keyboard.type(text); },
    // Until what `selector` says has the focus; with Shift, backwards.
    async to(selector, { back = false } = {}) {
      const way = [];
      while (!(await on(selector))) {
        assert.ok(way.length < MOST, `Tab never comes to ${selector}; it comes to ${[...new Set(way)].join(', ')}`);
        await page.keyboard.press(back ? 'Shift+Tab' : 'Tab');
        way.push(await focus(true));
      }
      return focus();
    },
    // There, and Enter.
    async use(selector, options) { await hands.to(selector, options); await page.keyboard.press('Enter'); },
    // Until it stands there without a key, as after a dialog is closed.
    async back(selector) {
      await page.waitForFunction((s) => document.activeElement?.matches(s), selector).catch(async () => assert.fail(`${selector} does not get the focus back; ${await page.evaluate(look).then((l) => l.name ?? 'nothing')} has it`));
      return focus();
    },
  };
  return hands;
}
