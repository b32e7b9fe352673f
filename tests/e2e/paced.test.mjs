// A provider that counts each second by itself, though it says requests a minute: Weir finds that out from the first 429
// and paces. What it found out outlives kill -9 and a restart, also where the pause has left a burst to be used up.
import assert from 'node:assert/strict';
import { startUpstream, startWeir, test, waitFor } from './harness.mjs';

const model = 'gpt-4o-mini';
const EACH_SECOND = 20;

test('a provider that counts single seconds refuses nothing any more once that was found out, also after kill -9 and a restart', async (t) => {
  const up = await startUpstream();
  const weir = await startWeir({
    upstream: up, config: { queue: { max_size: 40, max_wait: 30 }, stabilization_minutes: '1s', retry: { base_delay: 0.05 } },
    openai: { limits: { requests_per_minute: 60 * EACH_SECOND }, reserve: 0 },
  });
  await up.limits({ requests_per_minute: EACH_SECOND, window: 'fixed', window_ms: 1000, headers: 'none' });

  const flood = { wanted: true, n: 0 };
  const clients = Array.from({ length: 40 }, async () => {      // so many always ask, three times what is allowed and more
    while (flood.wanted) await weir.post('/chat/complete', { model, message: `#lorem-1 paced ${flood.n++}` }).catch(() => null);
  });
  const calls = async () => (await up.judge()).log.map((c) => ({ at: c.at_us / 1e6, status: c.status })).sort((a, b) => a.at - b.at);
  const after = (all, n) => all.slice(n);

  // What came to the provider from now on: no 429, and at the pace of a steady flood.
  const paced = async (what) => {
    const before = (await calls()).length, n = 60;
    const got = (await waitFor(`${n} calls ${what}`, async () => {
      const later = after(await calls(), before);
      return later.length > n && later;
    }, 20000)).slice(0, n + 1);
    assert.deepEqual(got.filter((c) => c.status !== 200), [], what);
    const share = n / (got[n].at - got[0].at) / EACH_SECOND;
    t.diagnostic(`${what}: ${(100 * share).toFixed(1)} % used`);
    assert.ok(share >= 0.8 && share <= 1, `${what}: ${share} used`);     // 0.87 at best; the simulation asks for 0.85
  };
  await waitFor('the first 429', async () => (await up.judge()).by_status[429] > 0);
  await waitFor('the cut to be over and kept', async () => !(await weir.get('/monitoring/rate-limits')).json.upstreams[0].stabilization.active
    && weir.sql("SELECT value FROM settings WHERE key = 'admission' AND value LIKE '%\"cut\"%'").length, 20000);
  await paced('once it was found out');
  await weir.kill('SIGKILL');
  await weir.start();
  await paced('after kill -9');
  await weir.restart();
  await paced('after a restart');
  flood.wanted = false;
  await Promise.all(clients);
  await weir.stop();
  await up.stop();
});
