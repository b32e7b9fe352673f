/* charts.js - draws the table the server wrote: first column time, further columns
 * the series. Without this script the table is there to read. A box says what
 * it wants: data-kind bars (stacked), lines, or band (was, expected, low, high);
 * data-unit; data-nothing for when there is nothing to draw. */
import { byId, el, svg } from "./dom.js";
import { count, money, percent, span } from "./format.js";

const HEIGHT = 220;
const thousands = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });     /* 33K: beside an axis */
const compact = (n) => thousands.format(n);
const SHOW = { count, usd: money, ms: span, percent };
const SHORT = { count: compact, usd: (v) => (v === 0 ? "0" : `$${Number(v.toPrecision(2))}`), ms: (v) => `${Number((v / 1000).toPrecision(2))} s`, percent };
const SERIES = 9;
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];

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
/* The quiet one is for what has no colour of its own. */
const QUIET = 8, token = (i) => (i < QUIET ? `s${i + 1}` : "text-3");
const place = (name, i) => (name === "Other" ? QUIET : i);

/* {time, label, names, values: a list for each series, marks} of a table. */
function columns(table) {
  const rows = [...table.tBodies[0].rows], heads = [...table.tHead.rows[0].cells].slice(1);
  const cells = rows.map((r) => [...r.querySelectorAll("[data-v]")].map((c) => (c.dataset.v === "" ? null : Number(c.dataset.v))));
  return {
    time: rows.map((r) => Number(r.dataset.t)), label: rows.map((r) => r.cells[0].firstChild.textContent.trim()),
    names: heads.map((h) => h.textContent), values: heads.map((_, i) => cells.map((c) => c[i])), marks: rows.map((r) => r.dataset.mark ?? ""),
  };
}

/* Room for the longest label of an axis. */
const wide = (_, labels) => Math.max(40, 16 + 7 * Math.max(0, ...(labels ?? []).map((l) => l.length)));

/* Each series plus those before it, the highest first, so that the lower ones are drawn over it. No bar for nothing. */
function stacked(values) {
  const sums = [];
  for (const list of values) sums.push(list.map((v, i) => (v ?? 0) + (sums.at(-1)?.[i] ?? 0)));
  return sums.reverse().map((list) => list.map((v) => v || null));
}

/* The clock within a day, the date beyond; 24 hours, in the table's zone. */
function ticks(zone) {
  const parts = new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
  return (_, times, __, ___, step) => times.map((t) => {
    const p = Object.fromEntries(parts.formatToParts(t * 1000).map(({ type, value }) => [type, value]));
    return step < 86400 && (p.hour !== "00" || p.minute !== "00") ? `${p.hour}:${p.minute}` : `${p.month}-${p.day}`;
  });
}

export class Chart {
  #plot = null; #box; #table; #read; #legend; #zone; #drawn = "";

  /* Of a box c-NAME; t-NAME is its table, r-NAME its read-out, l-NAME its legend. */
  constructor(box, zone) {
    const name = box.id.slice(2);
    this.#box = box;
    this.#table = `t-${name}`;
    this.#read = byId(`r-${name}`);
    this.#legend = byId(`l-${name}`);
    this.#zone = zone;
    this.refresh();
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(box);
    document.addEventListener("weir:theme", () => this.#draw());
    for (const what of ["(prefers-color-scheme: dark)", "print"]) matchMedia(what).addEventListener("change", () => this.#draw());
  }

  #size() { return { width: Math.max(240, this.#box.clientWidth), height: HEIGHT }; }

  /* Draw what the table holds now, if that is something else than before. */
  refresh() {
    const now = byId(this.#table).innerText + byId(this.#table).rows.length;
    if (now === this.#drawn) return;
    this.#drawn = now;
    this.#draw();
  }

  #draw() {
    const { kind, unit, nothing } = this.#box.dataset;
    const data = columns(byId(this.#table)), { time, values, names } = data;
    this.#plot?.destroy();
    this.#plot = null;
    const blank = !values.some((list) => list.some((v) => v > 0));
    this.#box.classList.toggle("blank", blank);
    this.#box.replaceChildren(...(blank ? [el("p", { class: "none" }, nothing)] : []));
    if (blank) return;
    this.#legend.replaceChildren(...(names.length < 2 ? [] : this.#key(kind, names)));
    const grid = { stroke: colour("line"), width: 1 };
    const axis = { stroke: colour("text-3"), grid, ticks: { ...grid, size: 4 }, font: "12px system-ui, sans-serif" };
    const half = time.length > 1 ? (time[1] - time[0]) / 2 : 1800;
    const top = (_, low, high) => [0, high * 1.1];
    this.#plot = new uPlot({
      ...this.#size(),
      tzDate: (t) => uPlot.tzDate(new Date(t * 1000), this.#zone === "UTC" ? "Etc/UTC" : this.#zone),
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { range: (_, low, high) => [low - half, high + half] }, y: { range: top } },
      padding: [12, 16, 0, 0],
      axes: [{ ...axis, grid: { show: false }, values: ticks(this.#zone), space: 70, size: 32 }, { ...axis, size: wide, values: (_, list) => list.map((v) => SHORT[unit](v)) }],
      series: [{}, ...this.#series(kind, values, names)],
      bands: kind === "band" ? [{ series: [4, 3], fill: faint(colour("s1")) }] : [],
      hooks: { setCursor: [(u) => this.#say(u.cursor.idx, data, unit)], draw: [(u) => this.#marks(u, data)] },
    }, [time, ...(kind === "bars" ? stacked(values) : values)], this.#box);
  }

  /* Told apart without colour too: bars alternate between solid and outline, lines by their dashes. */
  #series(kind, values, names) {
    if (kind === "bars")
      return values.map((_, i) => {
        const stroke = colour(token(place(names[i], i)));
        return { stroke, width: 1, fill: i % 2 ? this.#over(stroke) : stroke, paths: uPlot.paths.bars({ size: [0.7, 40] }), points: { show: false } };
      }).reverse();
    if (kind === "band")
      return values.map((_, i) => ({ stroke: i < 2 ? colour("s1") : undefined, width: i < 2 ? 2 : 0, dash: i === 1 ? [6, 4] : [], points: { show: false }, spanGaps: false }));
    return values.map((_, i) => ({ stroke: colour(token(i)), width: 2, dash: DASHES[i % 4], spanGaps: true }));
  }

  /* A faint fill that hides what is drawn under it. */
  #over(rgb) {
    const mix = (a, b) => `rgb(${a.map((v, i) => Math.round(v * 0.3 + b[i] * 0.7)).join(", ")})`;
    const numbers = (s) => s.match(/[\d.]+/g).slice(0, 3).map(Number);
    return mix(numbers(rgb), numbers(colour("bg")));
  }

  #key(kind, names) {
    const shape = (i) => {
      if (kind === "bars") return svg("rect", { class: `b${place(names[i], i) + 1}${i % 2 ? " hollow" : ""}`, x: 0.5, y: 0.5, width: 11, height: 11 });
      if (kind === "band" && i > 1) return svg("rect", { class: "b1 band", width: 12, height: 12 });
      return svg("line", { class: `l${kind === "band" ? 1 : i + 1}`, x1: 0, x2: 24, y1: 6, y2: 6, "stroke-dasharray": (kind === "band" ? (i ? [6, 4] : []) : DASHES[i % 4]).join(" ") });
    };
    return names.slice(0, SERIES).filter((_, i) => kind !== "band" || i < 3)
      .map((name, i) => el("span", {}, svg("svg", { class: kind === "bars" ? "" : "wide" }, shape(i)), kind === "band" && i === 2 ? "80 % band" : name));
  }

  /* A ring around what was out of bounds. */
  #marks(u, { time, values, marks }) {
    const ratio = devicePixelRatio;
    marks.forEach((mark, i) => {
      if (!mark || values[0][i] === null) return;
      u.ctx.beginPath();
      u.ctx.arc(u.valToPos(time[i], "x", true), u.valToPos(values[0][i], "y", true), 5 * ratio, 0, 2 * Math.PI);
      u.ctx.lineWidth = 2 * ratio;
      u.ctx.strokeStyle = colour("err");
      u.ctx.stroke();
    });
  }

  /* What stands under the cursor, in words; nothing when it leaves. */
  #say(at, { label, names, values, marks }, unit) {
    if (at === null || at === undefined) { this.#read.textContent = ""; return; }
    const said = names.map((name, i) => [name, values[i][at]]).filter(([, v], i) => v !== null && (names.length < 5 || v > 0 || i === 0));
    this.#read.textContent = `${label[at]}: ${said.map(([name, v]) => `${SHOW[unit](v)}${names.length > 1 ? ` ${name.toLowerCase()}` : ""}`).join(", ") || "—"}${marks[at] ? ` – ${marks[at]}` : ""}`;
  }
}
