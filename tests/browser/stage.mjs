// stage.mjs - event streams as a test writes them, so that a state of the chat page stands still and has the same
// figures each time: the page's POST /chat/stream is led here, gets the events, and then silence. That Weir sends such
// events is for states.test.mjs and the tests of tests/e2e.
import http from 'node:http';
import { once } from 'node:events';
import { after } from 'node:test';

export async function startStage(page) {
  let script = null;
  const server = http.createServer((req, res) => {
    const { events = [], status, error, cut } = script ?? {};
    req.resume().on('end', async () => {
      if (req.method === 'GET') return;                 // what was cut off is asked for, and does not come
      if (status) {
        res.writeHead(status, { 'Content-Type': 'application/json' });
        res.end(JSON.stringify({ error }));
        return;
      }
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      let id = 0, last;
      for await (const [name, data] of events) {
        res.write(`id: ${++id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
        last = name;
      }
      if (cut || last === 'done' || last === 'error') res.end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => { server.closeAllConnections(); server.close(); });
  const url = `http://127.0.0.1:${server.address().port}/`;
  await page.route(/\/chat\/stream(\/|$)/, (route) => (script ? route.continue({ url }) : route.continue()));
  return {
    // What the next messages get: {events: [[name, data], …], cut: true to end without their end}, or {status, error}.
    // Events that shall take their time come from an async generator. Nothing: messages go to Weir.
    play(what = null) { script = what; server.closeAllConnections(); },
  };
}
