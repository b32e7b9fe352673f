// update-prices.mjs - make data/prices.json from two npm packages; run by `make update-prices`.
//
//     node tools/update-prices.mjs data/prices.json [pi-ai version] [genai-prices version]
//
// pi-ai leads (all current models, tiers, output limits); genai-prices adds older models, prices of
// one-hour cache writes, real context windows and other names. npm checks each package's integrity,
// and pi-ai's manifest each of its files. A price that is not a whole number of picodollars per token
// stops the run. What changed is printed, to be read before it is committed.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [target, leadVersion = '1.5.2', overlayVersion = '0.1.8'] = process.argv.slice(2);
const LEAD = { package: '@earendil-works/pi-ai', version: leadVersion, license: 'MIT' };
const OVERLAY = { package: '@pydantic/genai-prices', version: overlayVersion, license: 'MIT' };

// Who sets prices of their own: our name (and pi-ai's), the other package's where it differs.
const PROVIDERS = [
  ['anthropic'], ['cerebras'], ['deepseek'], ['fireworks'], ['google'], ['groq'], ['meta'], ['minimax'],
  ['mistral'], ['moonshotai'], ['openai'], ['together'], ['xai', 'x-ai'], ['zai'],
];

// Weir's own model: free, and known to be.
const OWN = [{ provider: 'builtin', id: 'eliza', in: 0, out: 0, max_out: 512 }];

const ORDER = ['provider', 'id', 'aliases', 'in', 'out', 'cache_read', 'cache_write', 'cache_write_1h', 'ctx', 'max_out',
  'reasoning', 'vision', 'no_temperature', 'tiers', 'services'];
const RATES = { in: 'input_mtok', out: 'output_mtok', cache_read: 'cache_read_mtok', cache_write: 'cache_write_mtok',
  cache_write_1h: 'cache_write_1h_mtok' };

// What services other than the standard one cost, in thousandths of it. OpenAI's flex and priority are those of pi-ai's own code
// (checked below); a batch is half at each of these providers' price pages.
const SERVICES = {
  openai: (id) => ({ batch: 500, flex: 500, priority: id === 'gpt-5.5' ? 2500 : 2000 }),
  anthropic: () => ({ batch: 500 }), google: () => ({ batch: 500 }), groq: () => ({ batch: 500 }), mistral: () => ({ batch: 500 }),
};
const SERVICES_CODE = /function getServiceTierCostMultiplier\(model, serviceTier\) \{\s*switch \(serviceTier\) \{\s*case "flex":\s*return 0\.5;\s*case "priority":\s*case "fast":\s*return model\.id === "gpt-5\.5" \? 2\.5 : 2;\s*default:\s*return 1;/;

function fail(text) {
  console.error(`update-prices: ${text}`);
  process.exit(1);
}

/** Dollars per million tokens as picodollars per token; undefined for none (`zero`: 0 is a price). */
function pico(dollars, zero) {
  if (dollars === undefined || dollars === null || (dollars === 0 && !zero)) return undefined;
  const n = Math.round(dollars * 1e6);
  if (!(n >= 0) || Math.abs(n - dollars * 1e6) > 1e-6) fail(`${dollars} $/Mtok is not a whole number of picodollars`);
  return n;
}

/** Fetch a package into `dir` and give the folder of its content. */
function fetchPackage(dir, { package: name, version }) {
  const [{ filename, integrity }] = JSON.parse(execFileSync('npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', dir, `${name}@${version}`], { encoding: 'utf8' }));
  const to = mkdtempSync(join(dir, 'x-'));
  execFileSync('tar', ['-xzf', join(dir, filename), '-C', to, '--strip-components=1']);
  console.log(`${name}@${version} ${integrity}`);
  return to;
}

/** One provider's models in pi-ai, by id. */
function leadModels(folder, manifest, provider) {
  const text = readFileSync(join(folder, `${provider}.json`));
  if (createHash('sha256').update(text).digest('hex') !== manifest.files[`${provider}.json`])
    fail(`${provider}.json is not what pi-ai's manifest says`);
  const models = new Map();
  for (const m of Object.values(JSON.parse(text)).flatMap(Object.values)) {
    if (m.type !== 'chat' || models.has(m.id)) continue;
    const rates = (c) => ({ in: pico(c.input, true), out: pico(c.output, true), cache_read: pico(c.cacheRead),
      cache_write: pico(c.cacheWrite) });
    models.set(m.id, {
      provider, id: m.id, ...rates(m.cost), ctx: m.contextWindow, max_out: m.maxTokens,
      reasoning: m.reasoning || undefined, vision: m.input.includes('image') || undefined,
      no_temperature: m.compat?.supportsTemperature === false || undefined,
      tiers: m.cost.tiers?.map((t) => ({ above: t.inputTokensAbove, ...rates(t) })),
    });
  }
  return models;
}

/** The prices in force on `day`; of prices that depend on the hour, the dearest. */
function pricesOn(prices, day) {
  if (!Array.isArray(prices)) return prices;
  const begun = prices.filter((p) => p.constraint?.type !== 'start_date' || p.constraint.start_date <= day);
  const dated = begun.filter((p) => p.constraint?.type === 'start_date');
  if (dated.length) return dated.at(-1).prices;
  const dear = (p) => (base(p.prices.input_mtok) ?? 0) + (base(p.prices.output_mtok) ?? 0);
  return begun.reduce((a, b) => (dear(b) > dear(a) ? b : a)).prices;
}

const base = (price) => (typeof price === 'object' ? price.base : price);

/** {in, out, …} and tiers from genai-prices' form. */
function overlayRates(prices) {
  const rates = {};
  const tiers = new Map();
  for (const [ours, theirs] of Object.entries(RATES)) {
    const price = prices[theirs];
    rates[ours] = pico(base(price), ours === 'in' || ours === 'out');
    for (const t of price?.tiers ?? []) tiers.set(t.start, { ...tiers.get(t.start), [ours]: pico(t.price, true) });
  }
  const list = [...tiers].sort((a, b) => a[0] - b[0]).map(([above, t]) => ({ above, ...rates, ...t }));
  return { ...rates, tiers: list.length ? list : undefined };
}

/** All plain names a match rule accepts. */
function names(match) {
  if (!match) return [];
  if (match.or || match.and) return (match.or ?? match.and).flatMap(names);
  return [match.equals, match.starts_with].filter(Boolean);
}

/** Lay genai-prices' knowledge of one provider over `models`. */
function overlay(models, provider, theirs, day) {
  for (const m of theirs?.models ?? []) {
    const rates = overlayRates(pricesOn(m.prices, day));
    if (rates.in === undefined || rates.out === undefined) continue;
    let ours = models.get(m.id);
    if (!ours) models.set(m.id, (ours = { provider, id: m.id, ...rates, ctx: m.context_window }));
    else if (ours.in === rates.in && !ours.tiers) ours.cache_write_1h ??= rates.cache_write_1h;
    ours.ctx = Math.max(ours.ctx ?? 0, m.context_window ?? 0) || undefined;
    ours.aliases = names(m.match);
  }
  const taken = new Set(models.keys());
  for (const m of models.values()) {
    m.aliases = m.aliases?.filter((a) => !taken.has(a) && !/[-@]\d{4}-?\d\d-?\d\d$/.test(a) && taken.add(a)).sort();
    if (!m.aliases?.length) delete m.aliases;
  }
}

/** The old file against the new, a line each. */
function report(before, after) {
  const index = (list) => new Map(list.map((m) => [`${m.provider}/${m.id}`, m]));
  const old = index(before), now = index(after);
  const rates = (m) => `${m.in}/${m.out}`;
  const added = [...now.keys()].filter((k) => !old.has(k)), gone = [...old.keys()].filter((k) => !now.has(k));
  const same = [...now.keys()].filter((k) => old.has(k));
  for (const k of gone) console.log(`- ${k}`);
  if (old.size) for (const k of added) console.log(`+ ${k} ${rates(now.get(k))}`);
  const changed = same.filter((k) => JSON.stringify(old.get(k)) !== JSON.stringify(now.get(k)));
  for (const k of changed) console.log(`~ ${k} ${rates(old.get(k))} -> ${rates(now.get(k))}`);
  console.log(`${now.size} models: ${added.length} new, ${gone.length} gone, ${changed.length} changed`);
}

if (!target) fail('usage: update-prices.mjs data/prices.json [pi-ai version] [genai-prices version]');
const dir = mkdtempSync(join(tmpdir(), 'prices-'));
try {
  const lead = fetchPackage(dir, LEAD), folder = join(lead, 'dist/providers/data');
  if (!SERVICES_CODE.test(readFileSync(join(lead, 'dist/api/openai-responses.js'), 'utf8')))
    fail("pi-ai's prices of flex and priority are not those of SERVICES any more; compare, and change both");
  const { findProvider } = await import(pathToFileURL(join(fetchPackage(dir, OVERLAY), 'dist/index.js')));
  const manifest = JSON.parse(readFileSync(join(folder, '.manifest.json'), 'utf8'));
  const day = manifest.generatedAt.slice(0, 10);
  const all = [...OWN];
  for (const [provider, theirs = provider] of PROVIDERS) {
    const models = leadModels(folder, manifest, provider);
    overlay(models, provider, findProvider({ providerId: theirs }), day);
    for (const m of models.values()) if (m.in || m.out) m.services = SERVICES[provider]?.(m.id);
    all.push(...models.values());
  }
  const key = (m) => `${m.provider}/${m.id}`;
  all.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const lines = all.map((m) => ' ' + JSON.stringify(Object.fromEntries(ORDER.map((k) => [k, m[k]]))));
  const head = JSON.stringify({ schema: 1, currency: 'USD', unit: 'pico_usd_per_token', as_of: day, sources: [LEAD, OVERLAY] });
  const before = existsSync(target) ? JSON.parse(readFileSync(target, 'utf8')).models : [];
  writeFileSync(`${target}.new`, `${head.slice(0, -1)},"models":[\n${lines.join(',\n')}\n]}\n`);
  report(before, JSON.parse(readFileSync(`${target}.new`, 'utf8')).models);
  renameSync(`${target}.new`, target);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
