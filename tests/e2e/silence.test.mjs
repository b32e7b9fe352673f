// silence.test.mjs - a stream is never silent for more than 15 s, whoever is silent: the provider before its first word, the provider
// between two, or the queue. Else proxies and clients on the way give it up.
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { startUpstream, startWeir, test, unlimited, waitFor } from './harness.mjs';

const up = await startUpstream();
const own = (name, more) => ({ name, base_url: `http://127.0.0.1:${up.port}`, api_key: 'sk-e2e-canary', limits: unlimited, ...more });
const weir = await startWeir({ config: { drain: 0.2, queue: { max_wait: 600 }, upstreams: [
  own('openai', { base_url: up.url, models: ['gpt-4o-mini'] }), own('narrow', { base_url: up.url, models: ['gpt-4o'], max_concurrent: 1 }), own('anthropic', { protocol: 'anthropic', models: ['claude-sonnet-4-6'] })] } });
const chat = (model, content) => [{ model, stream: true, messages: [{ role: 'user', content }] }, { path: '/v1/chat/completions' }];
const messages = (model, content) => [{ model, stream: true, max_tokens: 50, messages: [{ role: 'user', content }] }, { path: '/v1/messages' }];

test('no stream is silent for more than 15 seconds', async () => {
  const late = monitorEventLoopDelay({ resolution: 5 });      // of a machine that is busy: what is sent in time is heard later
  late.enable();
  const holder = await weir.stream(...chat('gpt-4o', '#slow-0-500-1000 holds the place'));
  const asked = {
    'before the first word': chat('gpt-4o-mini', '#slow-60000-0-5 first'), 'between two words': chat('gpt-4o-mini', '#fault-hang-2 between'),
    'translated, before': messages('gpt-4o-mini', '#slow-60000-0-5 first'), 'translated, between': messages('gpt-4o-mini', '#fault-hang-2 between'),
    'Anthropic\'s, before': messages('claude-sonnet-4-6', '#slow-60000-0-5 first'), 'Anthropic\'s, between': messages('claude-sonnet-4-6', '#fault-hang-2 between'),
    'in the queue': chat('gpt-4o', 'waits'), 'the chat page\'s': [{ model: 'gpt-4o-mini', message: '#slow-60000-0-5 page' }],
  };
  await Promise.all(Object.entries(asked).map(async ([what, [body, options]]) => {
    const began = performance.now();
    const s = await weir.stream(body, options);              // its headers are held back as long as nothing is to be told
    let length = 0, last = began, longest = 0;
    await waitFor(`a comment: ${what}`, () => {
      longest = Math.max(longest, performance.now() - last);
      if (s.text.length > length) [length, last] = [s.text.length, performance.now()];
      return what === 'in the queue' ? last - began > 12000 : s.comments.includes('ping');       // its place moves
    }, 20000);
    const heard = 15000 + late.max / 1e6;
    assert.ok(longest < heard, `${what}: silent for ${longest} of ${heard} ms`);
    if (what === 'in the queue') assert.match(s.text, /^: queued position=1 eta_ms=\d+\n\n/);
    else assert.ok(longest > 10000, 'it was silent, or this shows nothing');
    s.leave();
  }));
  holder.leave();
});
