// harness.mjs - what a test file needs: everything of start.mjs, and a test()
// that prints the logs of the Weirs that run when it fails, and notes its file in
// the file that WEIR_FAILED names.
//
//   const up = await startUpstream();
//   const weir = await startWeir({ upstream: up });
//   test('…', async () => {
//     const answer = await weir.post('/chat/complete', { message: 'hello' });
//   });
import fs from 'node:fs';
import nodeTest, { after } from 'node:test';
import { alive, stopAll } from './start.mjs';

export * from './start.mjs';

after(stopAll);

export function test(name, fn) {
  nodeTest(name, async (t) => {
    try {
      await fn(t);
    } catch (error) {
      if (process.env.WEIR_FAILED) fs.appendFileSync(process.env.WEIR_FAILED, `${process.argv[1]}\n`);
      for (const weir of alive) process.stderr.write(`\n=== ${name}\n${weir.logs()}\n`);
      throw error;
    }
  });
}
