// canary.mjs - every secret that a test gives a Weir, or gets from it, is a canary: where it is found afterwards, it leaked.
//
// Secrets are providers' keys (weir.json, environment, key files), passwords, tokens, browser sessions, webhooks' secrets.
// None may be in what Weir writes: its log, nginx's, the database with its WAL, the spill file, exports, core files. A
// provider's key and a password may be in no answer either. start.mjs tells each Weir's canaries all that passes, and
// looks through the state folder before it removes it.
import fs from 'node:fs';
import path from 'node:path';

const LEAST = 10;                        // bytes; a shorter secret would be found by chance
// What holds secrets by its nature: configuration, keys, the administrator's token.
const holders = /(^weir\.json|^admin-token|\.key$|^setup|\.pem$)/;

export class Canaries {
  #never = new Map();                    // in no answer and no file
  #stored = new Map();                   // in no file
  #own = new Set();                      // files a test has put secrets into
  leaks = [];

  learn(secret, what, everywhere = false) {
    if (typeof secret === 'string' && secret.length >= LEAST) (everywhere ? this.#never : this.#stored).set(secret, what);
  }

  // What weir.json and the environment say.
  learnConfig(value, env = {}) {
    for (const [k, v] of Object.entries(value ?? {})) {
      if (k === 'api_key') this.learn(v, 'a key of weir.json', true);
      else if (k === 'key_env') this.learn(env[v], 'a key of the environment', true);
      else if (k.endsWith('key_file') && typeof v === 'string' && fs.existsSync(v)) {
        this.#own.add(path.resolve(v));
        this.learn(fs.readFileSync(v, 'utf8').trim(), 'a key file', true);
      } else if (v && typeof v === 'object') this.learnConfig(v, env);
    }
    for (const [k, v] of Object.entries(env)) if (/API_KEY$|^WEIR_OTLP_HEADERS$/.test(k)) this.learn(v, 'a key of the environment', true);
  }

  sent(headers, body) {
    const auth = headers.Authorization ?? headers.authorization ?? headers['x-api-key'];
    if (/weir_/.test(auth ?? '')) this.learn(auth.replace(/^Bearer /i, ''), 'a token');
    for (const [, value] of (headers.Cookie ?? headers.cookie ?? '').matchAll(/weir=([^;]+)/g)) this.learn(value, 'a browser session');
    if (body && typeof body === 'object' && !Buffer.isBuffer(body))
      for (const [k, v] of Object.entries(body)) if (/password/.test(k)) this.learn(v, 'a password', true);
  }

  got(headers, text) {
    for (const cookie of headers['set-cookie'] ?? []) this.learn(/weir=([^;]+)/.exec(cookie)?.[1], 'a browser session');
    for (const [found] of text.matchAll(/whsec_[A-Za-z0-9+/=]{40,}/g)) this.learn(found, "a webhook's secret");
    for (const [found] of text.matchAll(/weir_[A-Za-z0-9]{10}_[A-Za-z0-9_-]{49}/g)) this.learn(found, 'a token');
    for (const [secret, what] of this.#never) if (text.includes(secret)) this.leaks.push(`${what} is in an answer: ${text.slice(0, 200)}`);
  }

  // What Weir or nginx has said.
  said(who, text) {
    for (const all of [this.#never, this.#stored])
      for (const [secret, what] of all) if (text.includes(secret)) this.leaks.push(`${what} is in the output of ${who}`);
  }

  searchFolder(folder) {
    for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      if (!entry.isFile() || holders.test(entry.name) || this.#own.has(file)) continue;
      const bytes = fs.readFileSync(file);
      for (const all of [this.#never, this.#stored])
        for (const [secret, what] of all)
          if (bytes.includes(secret) || bytes.includes(Buffer.from(secret).toString('base64').replace(/=+$/, '')))
            this.leaks.push(`${what} is in ${path.relative(folder, file)}`);
    }
  }

  count() { return this.#never.size + this.#stored.size; }
}
