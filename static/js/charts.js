/* charts.js - draws the table the server wrote: first column time, further columns
 * the series, stacked as bars. Without this script the table is there to read. */
import { byId, el } from "./dom.js";

/* A token's colour as it is now; light-dark() resolves only on an element. */
function colour(token) {
  const probe = el("span", { hidden: true });
  document.body.append(probe);
  probe.style.color = `var(--${token})`;
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

const faint = (rgb) => rgb.replace(/^rgb\((.*)\)$/, "rgba($1, 0.25)");

/* {time, label, values: a list for each series} of a table's rows. */
function columns(table) {
  const rows = [...table.tBodies[0].rows];
  const cells = rows.map((r) => [...r.querySelectorAll("[data-v]")].map((c) => (c.dataset.v === "" ? null : Number(c.dataset.v))));
  const width = cells[0]?.length ?? 0;
  return { time: rows.map((r) => Number(r.dataset.t)), label: rows.map((r) => r.cells[0].textContent), values: Array.from({ length: width }, (_, i) => cells.map((c) => c[i])) };
}

/* Each series plus those before it, the highest first, so that the lower ones are drawn over it. No bar for nothing. */
function stacked(values) {
  const sums = [];
  for (const list of values) sums.push(list.map((v, i) => (v ?? 0) + (sums.at(-1)?.[i] ?? 0)));
  return sums.reverse().map((list) => list.map((v) => v || null));
}

const two = (n) => String(n).padStart(2, "0");

/* The clock within a day, the date beyond; 24 hours, in UTC as the table. */
function ticks(_, times, __, ___, step) {
  return times.map((t) => {
    const d = new Date(t * 1000);
    return step < 86400 && (d.getUTCHours() || d.getUTCMinutes()) ? `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}` : `${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
  });
}

/* Told apart without colour too: the first is solid, the second an outline. */
const LOOKS = [
  { token: "s1", fill: (c) => c, width: 1 },
  { token: "s2", fill: faint, width: 1 },
];

export class Chart {
  #plot = null; #box; #table; #read;

  /* `name` ties c-name (box), t-name (table) and r-name (read-out). `series` names each; show(v) writes a value,
   * short(v) a value beside the axis; `nothing` stands where all values are 0. */
  constructor(name, { series, show, short, nothing }) {
    this.#box = byId(`c-${name}`);
    this.#read = byId(`r-${name}`);
    this.#table = `t-${name}`;
    Object.assign(this, { series, show, short, nothing });
    this.draw();
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#box);
    document.addEventListener("weir:theme", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  #size() { return { width: Math.max(240, this.#box.clientWidth), height: 220 }; }

  /* Draw what the table holds now. */
  draw() {
    const { time, label, values } = columns(byId(this.#table));
    this.#plot?.destroy();
    this.#plot = null;
    const blank = !values.some((list) => list.some((v) => v > 0));
    this.#box.classList.toggle("blank", blank);
    this.#box.replaceChildren(...(blank ? [el("p", { class: "none" }, this.nothing)] : []));
    if (blank) return;
    const grid = { stroke: colour("line"), width: 1 };
    const axis = { stroke: colour("text-3"), grid, ticks: { ...grid, size: 4 }, font: "12px system-ui, sans-serif" };
    const half = time.length > 1 ? (time[1] - time[0]) / 2 : 1800;
    this.#plot = new uPlot({
      ...this.#size(),
      tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { range: (_, low, high) => [low - half, high + half] }, y: { range: (_, low, high) => [0, high * 1.1] } },
      padding: [12, 16, 0, 0],
      axes: [{ ...axis, grid: { show: false }, values: ticks, space: 70, size: 32 }, { ...axis, size: 64, values: (_, list) => list.map((v) => this.short(v)) }],
      series: [{}, ...this.series.map((s, i) => this.#look(LOOKS[i])).reverse()],
      hooks: { setCursor: [(u) => this.#say(u.cursor.idx, label, values)] },
    }, [time, ...stacked(values)], this.#box);
  }

  #look({ token, fill, width }) {
    const stroke = colour(token);
    return { stroke, width, fill: fill(stroke), paths: uPlot.paths.bars({ size: [0.7, 40] }), points: { show: false } };
  }

  /* What stands under the cursor, in words; nothing when it leaves. */
  #say(at, label, values) {
    this.#read.textContent = at === null || at === undefined ? "" : `${label[at]}: ${this.series.map((s, i) => `${this.show(values[i][at])}${s ? ` ${s}` : ""}`).join(", ")}`;
  }
}
