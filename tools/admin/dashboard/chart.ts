/**
 * A chart of one or two figures of the last hour, with axes and a readout of the value that the pointer or the arrow
 * keys select.
 */

import { countOf } from "../../../protocol/figures/amount-texts.js";
import {
  type DashboardHistory,
  SAMPLE_EVERY_MS,
  SAMPLE_SERIES,
  SAMPLES_MAX,
  type SampleName,
} from "../../../protocol/json/dashboard-frame.js";
import { newElement, newSvg, setText } from "./elements.js";
import { timeText } from "./times.js";

type Row = readonly (number | null)[];

const HOUR_MS = SAMPLE_EVERY_MS * SAMPLES_MAX;

/** The samples of the last hour from the daemon. */
export class SampleHistory {
  #rows: Row[] = [];

  /** The samples, newest last. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Adds the daemon's history, and retains older samples from before the daemon was restarted. */
  replace({ samples }: DashboardHistory): void {
    const first = Number(samples[0]?.[0] ?? Number.POSITIVE_INFINITY);
    this.#rows = [...this.#rows.filter(([at]) => Number(at) < first), ...samples].slice(-SAMPLES_MAX);
  }

  /** Adds a sample unless it is already stored. */
  add(row: Row): void {
    if (Number(row[0]) <= Number(this.#rows.at(-1)?.[0] ?? 0)) return;
    this.#rows.push(row);
    if (this.#rows.length > SAMPLES_MAX) this.#rows.shift();
  }

  /** Returns the column of a series in the rows; column 0 is the date. */
  static column(name: SampleName): number {
    return SAMPLE_SERIES.indexOf(name) + 1;
  }
}

const HEIGHT = 126;
const TOP = 8;
const FOOT = 24;
const FULL = HEIGHT - TOP - FOOT;
/** Width of the vertical axis in pixels, and half the width of a label of the time axis. */
const LEFT = 64;
const RIGHT = 8;
const MINUTE_MS = 60_000;
/** The possible spans of the time axis; a daemon that has started recently has samples of only a part of the hour. */
const SPANS = [5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS];
/** The positions of the labels on the time axis, as shares of the span, counted back from the present. */
const SHARES = [1, 0.8, 0.6, 0.4, 0.2, 0];
/** Minimum distance in pixels between two labels of the time axis. On a narrow chart, every other label is hidden. */
const LABEL_DISTANCE_MIN = 52;
/**
 * Time between two samples, in milliseconds, above which the line is interrupted, because the daemon was suspended or
 * restarted.
 */
const GAP_MS = 2.5 * SAMPLE_EVERY_MS;
const LINES = ["one", "two"] as const;

export interface ChartOptions {
  /** The title with the unit. */
  readonly title: string;
  /** The lines; the first one is not shown without values. `daemons` counts the daemons of which a value is the sum. */
  readonly lines: readonly {
    readonly series: SampleName;
    readonly name: string;
    readonly daemons?: SampleName;
  }[];
  readonly text: (value: number) => string;
  /** Whether the axis shows only whole numbers. */
  readonly isCount?: boolean;
  /** The text that explains an empty chart. */
  readonly empty: string;
  /** What a term of the title means, which is shown while no value is selected. */
  readonly term?: string;
}

interface Point {
  readonly at: number;
  readonly values: readonly (number | null)[];
  /** For each line the number of daemons of which its value is the sum, or null. */
  readonly daemons: readonly (number | null)[];
}

export class Chart {
  readonly element = newElement("figure", "", "card chart");
  readonly #options: ChartOptions;
  readonly #columns: readonly number[];
  readonly #daemons: readonly (number | null)[];
  readonly #now = newElement("b");
  /** The names of the lines, in their colours. */
  readonly #names = LINES.map((name) => newElement("span", "", `of-${name}`));
  readonly #highest = newElement("span", "", "quiet");
  readonly #readout = newElement("p", "", "readout");
  readonly #empty = newElement("p", "", "empty quiet");
  readonly #svg = newSvg("svg", { role: "img", tabindex: 0, "aria-label": "" });
  readonly #area = newSvg("path", { class: "area" });
  readonly #paths = LINES.map((name) => newSvg("path", { class: name }));
  readonly #grid = [0, 0.5, 1].map(() => newSvg("line", { class: "grid" }));
  readonly #heights = [0, 0.5, 1].map(() => newSvg("text", { "text-anchor": "end", x: LEFT - 6 }));
  readonly #times = SHARES.map(() => newSvg("text", { y: HEIGHT - 4, "text-anchor": "middle" }));
  readonly #cursor = newSvg("line", { class: "cursor", y1: TOP, y2: HEIGHT - FOOT, visibility: "hidden" });
  #points: readonly Point[] = [];
  #end = 0;
  #span = HOUR_MS;
  /** The date that the pointer or the keys select, or null if there is none. */
  #selected: number | null = null;

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#columns = options.lines.map(({ series }) => SampleHistory.column(series));
    this.#daemons = options.lines.map(({ daemons }) =>
      daemons === undefined ? null : SampleHistory.column(daemons),
    );

    const caption = document.createElement("figcaption");
    const values = newElement("p", "", "values");
    values.append(this.#now, ...this.#names, this.#highest);
    caption.append(newElement("h3", options.title), values);
    this.#svg.append(
      ...this.#grid,
      this.#area,
      ...this.#paths,
      ...this.#heights,
      ...this.#times,
      this.#cursor,
    );
    this.#readout.setAttribute("role", "status");
    setText(this.#empty, options.empty);
    this.element.append(caption, this.#svg, this.#empty, this.#readout);

    this.#svg.addEventListener("pointermove", (event) => {
      this.#select(this.#dateAt(event.clientX - this.#svg.getBoundingClientRect().left));
    });
    this.#svg.addEventListener("pointerleave", () => this.#select(null));
    this.#svg.addEventListener("blur", () => this.#select(null));
    this.#svg.addEventListener("keydown", (event) => this.#step(event));
  }

  /** Draws the chart. @param now  the time of the daemon's clock */
  draw({ rows }: SampleHistory, now: number): void {
    const first = now - HOUR_MS;
    this.#end = now;
    this.#points = rows
      .map((row) => ({
        at: Number(row[0]),
        values: this.#columns.map((column) => row[column] ?? null),
        daemons: this.#daemons.map((column) => (column === null ? null : (row[column] ?? null))),
      }))
      .filter(({ at }) => at >= first);

    const age = now - (this.#points[0]?.at ?? now);
    this.#span = SPANS.find((span) => span >= age) ?? HOUR_MS;
    const known = this.#points.flatMap(({ values }) => values).filter((value) => value !== null);
    this.#svg.toggleAttribute("hidden", known.length === 0);
    this.#empty.hidden = known.length > 0;

    const { text, title, isCount = false } = this.#options;
    const highest = known.reduce((max, value) => Math.max(max, value), 0);
    const top = roundedUp(highest, isCount);
    this.#drawAxes(top);
    for (const [line, path] of this.#paths.entries()) path.setAttribute("d", this.#path(line, top));
    this.#area.setAttribute("d", this.#columns.length === 1 ? this.#areaPath(top) : "");

    const [main = 0, second] = this.#shownLines;
    const newest = (line: number) => valueText(this.#points.at(-1)?.values[line], text);
    const names = this.#options.lines.map(({ name }) => name);
    const others =
      second === undefined ? ["", ""] : [`${names[main]}, `, `${names[second]} ${newest(second)}, `];
    setText(this.#now, newest(main));
    for (const [line, element] of this.#names.entries()) setText(element, others[line] ?? "");
    setText(this.#highest, known.length === 0 ? "" : `highest ${text(highest)}`);
    const label = `${title}, the last hour: now ${newest(main)} ${others.join("")}highest ${text(highest)}. Use the arrow keys to read values.`;
    this.#svg.setAttribute("aria-label", label);
    this.#select(this.#selected);
  }

  /** The lines that have values. */
  get #shownLines(): number[] {
    return [...this.#columns.keys()].filter((line) =>
      this.#points.some(({ values }) => (values[line] ?? null) !== null),
    );
  }

  get #width(): number {
    return Math.max(LEFT + RIGHT + 1, this.#svg.clientWidth);
  }

  #x(at: number): number {
    return LEFT + ((at - this.#end + this.#span) / this.#span) * (this.#width - LEFT - RIGHT);
  }

  #dateAt(x: number): number {
    return this.#end - this.#span + ((x - LEFT) / (this.#width - LEFT - RIGHT)) * this.#span;
  }

  #y(value: number, top: number): number {
    return HEIGHT - FOOT - (FULL * value) / top;
  }

  #drawAxes(top: number): void {
    const width = this.#width;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    for (const [index, share] of [0, 0.5, 1].entries()) {
      const y = this.#y(top * share, top).toFixed(1);
      const line = this.#grid[index];
      for (const [name, value] of Object.entries({ x1: LEFT, x2: width - RIGHT, y1: y, y2: y }))
        line?.setAttribute(name, String(value));
      const label = this.#heights[index];
      label?.setAttribute("y", String(Number(y) + 4));
      if (label !== undefined) setText(label, this.#options.text(top * share));
    }

    const distance = (width - LEFT - RIGHT) / (SHARES.length - 1);
    for (const [index, share] of SHARES.entries()) {
      const label = this.#times[index];
      if (label === undefined) continue;
      label.setAttribute("x", this.#x(this.#end - share * this.#span).toFixed(1));
      if (share === 0) label.setAttribute("text-anchor", "end");
      setText(label, share === 0 ? "now" : `−${(share * this.#span) / MINUTE_MS} min`);
      // The label of the present, the last one, always stays.
      const isShown = distance >= LABEL_DISTANCE_MIN || index % 2 === 1;
      label.setAttribute("visibility", isShown ? "visible" : "hidden");
    }
  }

  #path(line: number, top: number): string {
    let lastAt = Number.NEGATIVE_INFINITY;
    return this.#points
      .map(({ at, values }) => {
        const value = values[line] ?? null;
        if (value === null) return "";
        const step = at - lastAt > GAP_MS ? "M" : "L";
        lastAt = at;
        // A single sample is drawn as a point.
        const dot = step === "M" ? "h.1" : "";
        return `${step}${this.#x(at).toFixed(1)} ${this.#y(value, top).toFixed(1)}${dot}`;
      })
      .join("");
  }

  /** Returns the path of the area below the line. */
  #areaPath(top: number): string {
    const known = this.#points.filter(({ values: [value = null] }) => value !== null);
    const [first] = known;
    const last = known.at(-1);
    if (first === undefined || last === undefined) return "";
    const steps = known.map(
      ({ at, values: [value] }) => `L${this.#x(at).toFixed(1)} ${this.#y(value ?? 0, top).toFixed(1)}`,
    );
    const floor = HEIGHT - FOOT;
    return `M${this.#x(first.at).toFixed(1)} ${floor}${steps.join("")}L${this.#x(last.at).toFixed(1)} ${floor}Z`;
  }

  /** Selects the sample nearest to a date, and shows its values. */
  #select(at: number | null): void {
    this.#selected = at;
    const point = at === null ? null : this.#nearest(at);
    this.#cursor.setAttribute("visibility", point === null ? "hidden" : "visible");
    if (point === null) {
      setText(this.#readout, this.#options.term ?? "");
      return;
    }

    const x = this.#x(point.at).toFixed(1);
    this.#cursor.setAttribute("x1", x);
    this.#cursor.setAttribute("x2", x);
    const { lines, text } = this.#options;
    const shown = this.#shownLines;
    const values = shown.map((line) => {
      const daemons = point.daemons[line] ?? null;
      const of = daemons === null ? "" : ` (${countOf(daemons, "daemon")})`;
      return `${shown.length > 1 ? `${lines[line]?.name} ` : ""}${valueText(point.values[line], text)}${of}`;
    });
    setText(this.#readout, `${timeText(point.at)}: ${values.join(", ")}`);
  }

  #nearest(at: number): Point | null {
    let best: Point | null = null;
    for (const point of this.#points)
      if (best === null || Math.abs(point.at - at) < Math.abs(best.at - at)) best = point;
    return best;
  }

  #step(event: KeyboardEvent): void {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -60, PageDown: 60 }[event.key];
    if (event.key === "Escape") this.#select(null);
    if (by === undefined || this.#points.length === 0) return;
    event.preventDefault();
    const from =
      this.#selected === null
        ? this.#points.length
        : this.#points.findIndex(({ at }) => at >= (this.#selected ?? 0));
    const index = Math.max(0, Math.min(this.#points.length - 1, from + by));
    this.#select(this.#points[index]?.at ?? null);
  }
}

const valueText = (value: number | null | undefined, text: (value: number) => string): string =>
  value === null || value === undefined ? "–" : text(value);

/** Returns the end of an axis: 1, 2 or 5 times a power of ten; for counts a number whose half is also whole. */
function roundedUp(value: number, isCount: boolean): number {
  if (value <= 0) return isCount ? 2 : 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factors = isCount ? [1, 2, 4, 10] : [1, 2, 5, 10];
  const top = (factors.find((factor) => factor * power >= value) ?? 10) * power;
  return isCount ? Math.max(2, top) : top;
}
