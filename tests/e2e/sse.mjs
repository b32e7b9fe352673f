// sse.mjs - a server-sent event stream, read as strictly as a browser reads it,
// with everything kept that a test may want to look at.
import http from 'node:http';
import { waitFor } from './start.mjs';

export class EventStream {
  events = [];          // {id, event, data, at}: data parsed as JSON where it is JSON
  comments = [];
  ended = false;        // the body ended, cleanly or not
  error = null;
  #rest = '';

  static open({ port, path, body, headers = {}, method = 'POST' }) {
    const s = new EventStream();
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const all = { ...headers };
      if (bytes) Object.assign(all, { 'Content-Type': 'application/json', 'Content-Length': bytes.length });
      s.request = http.request({ host: '127.0.0.1', port, method, path, headers: all, agent: false }, (res) => {
        s.response = res;
        s.status = res.statusCode;
        s.headers = res.headers;
        s.text = '';
        res.setEncoding('utf8');
        res.on('data', (d) => s.#take(d));
        res.on('end', () => { s.ended = true; });
        res.on('error', (e) => { s.error = e; s.ended = true; });
        resolve(s);
      });
      s.request.on('error', (e) => { s.error = e; s.ended = true; reject(e); });
      s.request.end(bytes);
    });
  }

  #take(text) {
    this.text += text;
    this.#rest += text;
    for (let end; (end = this.#rest.indexOf('\n\n')) >= 0;) {
      const block = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + 2);
      const e = { at: performance.now(), event: 'message' };
      const data = [];
      for (const line of block.split('\n')) {
        if (line.startsWith(':')) this.comments.push(line.slice(1).trim());
        else if (line.startsWith('event: ')) e.event = line.slice(7);
        else if (line.startsWith('id: ')) e.id = line.slice(4);
        else if (line.startsWith('data: ')) data.push(line.slice(6));
        else if (line !== '') throw new Error(`not a line of an event stream: ${JSON.stringify(line)}`);
      }
      if (!data.length) continue;
      e.data = data.join('\n');
      try { e.data = JSON.parse(e.data); } catch { /* such as [DONE] */ }
      this.events.push(e);
    }
  }

  get json() { return JSON.parse(this.text); }
  names() { return this.events.map((e) => e.event); }
  all(name) { return this.events.filter((e) => e.event === name); }
  first(name) { return this.events.find((e) => e.event === name)?.data; }
  deltas() { return this.all('delta').map((e) => e.data.text ?? '').join(''); }
  terminals() { return this.events.filter((e) => e.event === 'done' || e.event === 'error'); }

  // Wait for an event of this name (the n-th, from 1); gives its data.
  async next(name, n = 1, ms = 10000) {
    await waitFor(`event ${name} (${this.names().join(' ')})`, () => this.all(name).length >= n || this.ended, ms);
    const found = this.all(name)[n - 1];
    if (!found) throw new Error(`the stream ended without ${name}: ${this.names().join(' ')} ${JSON.stringify(this.events.at(-1)) ?? `${this.status} ${this.text}`}`);
    return found.data;
  }

  async end(ms = 15000) {
    await waitFor(`the end of the stream (${this.names().join(' ')})`, () => this.ended, ms);
    return this;
  }

  // Stop reading, so that what comes piles up on the way.
  pause() { this.response.pause(); }
  resume() { this.response.resume(); }

  // Go away, as a closed tab does.
  leave() { this.request.destroy(); }
}
