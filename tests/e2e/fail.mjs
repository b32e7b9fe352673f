// fail.mjs - tells a Weir that runs with tests/fail/fail.so which of its calls fail, and what its calendar says.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from './start.mjs';

export const preload = path.join(build, 'tests/fail/fail.so');     // a sanitizer has an allocator of its own: there is none then
const calls = ['malloc', 'write', 'fsync', 'connect', 'thread'];

// struct fail_control of tests/fail/fail.h, shared with the process by a file.
export class Control {
  constructor() {
    this.file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'weir-fail-')), 'control');
    this.fd = fs.openSync(this.file, 'w+');
    fs.writeSync(this.fd, Buffer.alloc(calls.length * 32 + 16));
    this.env = { LD_PRELOAD: preload, FAIL_CONTROL: this.file };
  }

  read(call, member) {
    const b = Buffer.alloc(8);
    fs.readSync(this.fd, b, 0, 8, calls.indexOf(call) * 32 + member * 8);
    return Number(b.readBigInt64LE());
  }

  #put(value, at) {
    const b = Buffer.alloc(8);
    b.writeBigInt64LE(BigInt(value));
    fs.writeSync(this.fd, b, 0, 8, at);
  }

  write(call, member, value) { this.#put(value, calls.indexOf(call) * 32 + member * 8); }
  count(call) { return this.read(call, 0); }
  failed(call) { return this.read(call, 3); }

  // The n-th call from now on fails, and with `forever` all after it.
  arm(call, n, forever) {
    this.write(call, 2, forever ? 1 : 0);
    this.write(call, 1, this.count(call) + n);
  }

  disarm() { for (const call of calls) this.write(call, 1, 0); }

  // The calendar is so many seconds ahead of the true one.
  calendar(seconds) { this.#put(seconds, calls.length * 32); }

  // The machine slept so long: time passed for who asks, but no timer ran.
  sleep(seconds) {
    this.#put(seconds, calls.length * 32 + 8);
    this.calendar(seconds);
  }
}
