// browser.mjs - a real Chromium with a fresh profile, signed in to a running Weir,
// that writes down every content-policy report, script error and foreign request.
//
//   const b = await openBrowser(weir, { width: 390, scheme: 'dark' });
//   await b.page.goto(b.url('/app/'));
//   await b.sound('chat');          // axe, reflow, no reports
//   await b.everywhere('chat');     // the same in both themes and at four widths, and it looks as in tests/browser/shots
//
// Screenshots lie in <build>/browser; shots.mjs says how the sheets that they are compared with are renewed.
// No fixed sleeps: everything waits for a condition.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import playwright from 'playwright-core';
import { build } from '../e2e/harness.mjs';
import { compare } from './shots.mjs';

const { chromium } = playwright;
const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
export const shots = path.join(build, 'browser');
fs.mkdirSync(shots, { recursive: true });

const executablePath = ['/usr/lib/chromium/chromium', '/usr/bin/chromium'].find((f) => fs.existsSync(f));
const opened = new Set();
after(async () => { for (const b of [...opened]) await b.close(); });

class Browser {
  constructor(weir, context, profile) {
    this.weir = weir;
    this.context = context;
    this.profile = profile;
    this.page = context.pages()[0];
    this.reports = [];          // what must never be: policy reports, script errors, requests elsewhere, the end of Chromium
    opened.add(this);
    context.on('close', () => { if (opened.has(this)) this.ended('Chromium ended by itself'); });
  }

  url(where) { return `http://127.0.0.1:${this.weir.port}${where}`; }

  // Said at once, since all that the test then says is that its page is gone.
  ended(how) {
    this.reports.push(how);
    process.stderr.write(`\n${how}, at ${this.page.url()}\n`);
  }

  async watch() {
    const { page } = this;
    page.on('crash', () => this.ended('Chromium crashed'));
    await page.exposeFunction('weirReport', (text) => { this.reports.push(text); });
    await page.addInitScript(() => addEventListener('securitypolicyviolation', (e) =>
      globalThis.weirReport(`policy: ${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`)));
    page.on('pageerror', (e) => this.reports.push(`script: ${e.stack}`));
    page.on('console', (m) => { if (/content security policy|trusted/i.test(m.text())) this.reports.push(`console: ${m.text()}`); });
    page.on('request', (r) => {
      const { host, protocol } = new URL(r.url());
      if (protocol !== 'data:' && host !== `127.0.0.1:${this.weir.port}`) this.reports.push(`elsewhere: ${r.url()}`);
    });
  }

  // Sign in with a token, the administrator's unless told, as a person would.
  async signIn(token = this.weir.token) {
    const { page } = this;
    await page.goto(this.url('/app/login'));
    await page.fill('#token', token);
    await page.click('#enter');
    await page.waitForURL(this.url('/app/'));
    await page.waitForSelector('#text');
    return this;
  }

  async shot(name, options = {}) {
    const file = path.join(shots, `${name}.png`);
    await this.page.screenshot({ path: file, ...options });
    return file;
  }

  // Nothing to complain about on this page as it stands.
  async sound(name) {
    if (!(await this.page.evaluate(() => 'axe' in globalThis))) await this.page.evaluate(AXE);
    const found = await this.page.evaluate(async (rules) => {
      const { violations } = await globalThis.axe.run({ runOnly: rules, resultTypes: ['violations'] });
      return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`);
    }, RULES);
    assert.deepEqual(found, [], `${name}: axe`);
    await this.calm(name);
  }

  // The same without axe.
  async calm(name) {
    const over = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${name}: ${over} px wider than the window`);
    const cut = await this.page.evaluate(() => [...document.querySelectorAll('.status .btn, #note .notice > span')].filter((n) => n.checkVisibility()
      && (n.scrollWidth > n.clientWidth + 1 || n.getBoundingClientRect().right > n.closest('.status, .notice').getBoundingClientRect().right)).map((n) => n.textContent));
    assert.deepEqual(cut, [], `${name}: cut off`);
    assert.deepEqual(this.reports, [], `${name}: reports`);
  }

  // This state in both themes and at four widths: sound in each, and as it is meant to look.
  async everywhere(name) {
    const { page } = this;
    const before = page.viewportSize();
    const looks = {};
    for (const colorScheme of ['light', 'dark'])
      for (const width of [1400, 768, 390, 320]) {
        const label = `${colorScheme}-${width}`;
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: width < 700 ? 844 : 900 });
        await this.sound(`${name}, ${label}`);
        looks[label] = fs.readFileSync(await this.shot(`${name}-${label}`, { fullPage: true }));
      }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize(before);
    compare(name, looks);
  }

  async close() {
    opened.delete(this);
    await this.context.close();
    fs.rmSync(this.profile, { recursive: true, force: true });
  }
}

// Chromium itself, with a profile that nobody has used.
async function launch(options) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-browser-'));
  try {
    return { context: await chromium.launchPersistentContext(profile, options), profile };
  } catch (error) {
    fs.rmSync(profile, { recursive: true, force: true });
    throw error;
  }
}

// A Chromium that does not start says nothing of Weir: it is started a second time. What fails later is never tried again.
export async function openBrowser(weir, { width = 1400, height = width < 700 ? 844 : 900, scheme = 'light', hosts = '', args = [], touch = false, scripts = true } = {}) {
  const options = {
    executablePath, headless: true, timeout: 60000, viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce', hasTouch: touch, isMobile: touch,
    javaScriptEnabled: scripts,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', `--host-resolver-rules=${hosts}MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`, ...args],
  };
  const { context, profile } = await launch(options).catch((error) => {
    process.stderr.write(`\nChromium did not start, and is started once more: ${error.message.split('\n').filter((l) => !/dbus/.test(l)).join('\n')}\n`);
    return launch(options);
  });
  const b = new Browser(weir, context, profile);
  await b.watch();
  return b;
}

// Write `text` and send it, once the page's scripts listen; gives the newest turn.
export async function say(page, text) {
  await page.waitForLoadState('domcontentloaded');
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
  return page.locator('.turn').last();
}

// The newest turn's line of figures, once the answer is finished.
export async function metricsOf(page) {
  const line = page.locator('.turn').last().locator('.metrics');
  await line.waitFor({ state: 'visible', timeout: 20000 });
  return (await line.innerText()).replace(/\s+/g, ' ').trim();
}
