// shots.mjs - what a page looks like, kept and compared. A sheet is one small grey picture with several screenshots of a
// state side by side, each reduced to the mean lightness of squares of 16 px: letters and figures blur, so that another
// version's rendering of type passes, and a panel that is lost, moved or without its colours does not.
//
// The sheets of tests/browser/shots are what the pages are meant to look like. A change of look renews those that differ:
//   WEIR_RENEW=1 WEIR_BUILD=build-test node --test tests/browser/look_*.test.mjs
// and whoever commits them has looked at the screenshots in <build>/browser.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { build, top } from '../e2e/harness.mjs';

const SIDE = 16;                // px of a square
const LIGHTER = 12;             // of 255: squares that differ by more count
const MOST = 0.01;              // so many of a screenshot's squares may
const KEPT = path.join(top, 'tests/browser/shots');
const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const CHANNELS = { 0: 1, 2: 3, 6: 4 };      // by colour type: grey, RGB, RGBA

// The pixels of a PNG of eight bits a channel: {width, height, channels, data}.
function decode(png) {
  const parts = [];
  let head;
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at), type = png.toString('latin1', at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') head = { width: body.readUInt32BE(0), height: body.readUInt32BE(4), depth: body[8], channels: CHANNELS[body[9]], interlaced: body[12] };
    if (type === 'IDAT') parts.push(body);
    at += 12 + length;
  }
  assert.ok(head.depth === 8 && head.channels && !head.interlaced, `a PNG of another kind: ${JSON.stringify(head)}`);
  const { width, height, channels } = head, stride = width * channels;
  const raw = zlib.inflateSync(Buffer.concat(parts)), data = Buffer.alloc(stride * height);
  const nothing = Buffer.alloc(stride);
  for (let y = 0, above = nothing; y < height; y++) {
    const line = data.subarray(y * stride, (y + 1) * stride);
    raw.copy(line, 0, y * (stride + 1) + 1, (y + 1) * (stride + 1));
    unfilter(raw[y * (stride + 1)], line, above, channels);
    above = line;
  }
  return { width, height, channels, data };
}

// Undo a line's filter, in place.
function unfilter(filter, line, above, channels) {
  const n = line.length;
  if (filter === 1) for (let i = channels; i < n; i++) line[i] += line[i - channels];
  if (filter === 2) for (let i = 0; i < n; i++) line[i] += above[i];
  if (filter === 3) for (let i = 0; i < n; i++) line[i] += ((i < channels ? 0 : line[i - channels]) + above[i]) >> 1;
  if (filter === 4) for (let i = 0; i < n; i++) line[i] += i < channels ? above[i] : nearest(line[i - channels], above[i], above[i - channels]);
}

function nearest(left, up, corner) {
  const a = Math.abs(up - corner), b = Math.abs(left - corner), c = Math.abs(left + up - 2 * corner);
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function chunk(type, body) {
  const all = Buffer.concat([Buffer.alloc(4), Buffer.from(type, 'latin1'), body, Buffer.alloc(4)]);
  all.writeUInt32BE(body.length, 0);
  all.writeUInt32BE(zlib.crc32(all.subarray(4, -4)), all.length - 4);
  return all;
}

// A grey PNG of `data`, a byte a pixel.
function encode({ width, height, data }) {
  const head = Buffer.alloc(13), raw = Buffer.alloc((width + 1) * height);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 8;
  for (let y = 0; y < height; y++) data.copy(raw, y * (width + 1) + 1, y * width, (y + 1) * width);
  return Buffer.concat([SIGNATURE, chunk('IHDR', head), chunk('IDAT', zlib.deflateSync(raw, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

// The mean lightness of each square of a screenshot.
function reduce(png) {
  const { width, height, channels, data } = decode(png);
  const columns = Math.ceil(width / SIDE), rows = Math.ceil(height / SIDE);
  const sums = new Uint32Array(columns * rows), counts = new Uint32Array(columns * rows);
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  for (let y = 0, i = 0; y < height; y++) {
    const row = Math.floor(y / SIDE) * columns;
    for (let x = 0; x < width; x++, i += channels) {
      const at = row + (x / SIDE | 0);
      sums[at] += (77 * data[i] + 150 * data[i + green] + 29 * data[i + blue]) >> 8;
      counts[at]++;
    }
  }
  return { width: columns, height: rows, data: Buffer.from(sums.map((s, i) => Math.round(s / counts[i]))) };
}

// Pictures side by side; below the shorter ones is nothing, 0.
function beside(pictures) {
  const width = pictures.reduce((sum, p) => sum + p.width, 0), height = Math.max(...pictures.map((p) => p.height));
  const data = Buffer.alloc(width * height);
  let left = 0;
  for (const p of pictures) {
    for (let y = 0; y < p.height; y++) p.data.copy(data, y * width + left, y * p.width, (y + 1) * p.width);
    left += p.width;
  }
  return { width, height, data };
}

// How much of the screenshot at columns `left` … `left + width` looks otherwise, 0 to 1.
function otherwise(a, b, left, { width, height }) {
  const at = (p, x, y) => (x < p.width && y < p.height ? p.data[y * p.width + x] : 0);
  const rows = Math.max(height, Math.min(a.height, b.height));
  let differ = 0;
  for (let y = 0; y < rows; y++)
    for (let x = left; x < left + width; x++) if (Math.abs(at(a, x, y) - at(b, x, y)) > LIGHTER) differ++;
  return differ / (width * rows);
}

// Which of the screenshots look otherwise than on the sheet that is kept.
function wrong(kept, sheet, pictures, labels) {
  let left = 0;
  return labels.filter((label, i) => {
    const share = otherwise(sheet, kept, left, pictures[i]);
    left += pictures[i].width;
    if (share > MOST) console.log(`# ${label}: ${(100 * share).toFixed(1)} % of it looks otherwise`);
    return share > MOST;
  });
}

// Throws unless the screenshots ({label: PNG}) look as the kept sheet `name` does; or keeps them as what is meant.
export function compare(name, shots) {
  const file = path.join(KEPT, `${name}.png`), there = fs.existsSync(file);
  const pictures = Object.values(shots).map(reduce), sheet = beside(pictures);
  const differ = there ? wrong(decode(fs.readFileSync(file)), sheet, pictures, Object.keys(shots)) : Object.keys(shots);
  if (process.env.WEIR_RENEW && differ.length) {
    fs.mkdirSync(KEPT, { recursive: true });
    fs.writeFileSync(file, encode(sheet));
    return;
  }
  assert.ok(there, `there is no ${path.relative(top, file)}; shots.mjs says how it is made`);
  assert.deepEqual(differ, [], `${name} looks otherwise than ${path.relative(top, file)}; the screenshots are in ${path.join(build, 'browser')}`);
}
