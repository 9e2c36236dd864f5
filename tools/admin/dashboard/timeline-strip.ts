/**
 * The timeline of the last minute: the number of recorded entries by date. Late entries appear at their dates and are
 * marked. Entries in the shaded area are final.
 */

import { countText, spanText } from "../../../protocol/figures/amount-texts.js";
import {
  ARRIVAL_BIN_MS,
  ARRIVALS_AHEAD_MS,
  ARRIVALS_PAST_MS,
  type Arrival,
  type FrameTimeline,
} from "../../../protocol/json/dashboard-frame.js";
import { newSvg, setText } from "./elements.js";

const HEIGHT = 144;
/** Pixels above the columns, for names, and below them, for times. */
const HEAD = 22;
const FOOT = 18;
const FULL = HEIGHT - HEAD - FOOT;
const EVERY_MS = 10_000;
/** Approximate width of a name in pixels. */
const NAME_WIDTH = 56;

interface Column {
  clients: number;
  members: number;
  late: number;
  /** The mark of a column with late entries, or null if there are none. */
  mark: SVGElement | null;
}

export class TimelineStrip {
  readonly #svg: SVGElement;
  readonly #words: Element;
  /** The visible columns by bin. */
  readonly #columns = new Map<number, Column>();
  readonly #final = newSvg("rect", { class: "final", x: 0, y: HEAD, height: FULL });
  readonly #clients = newSvg("path", { class: "clients" });
  readonly #members = newSvg("path", { class: "members" });
  readonly #marks = newSvg("g", {});
  readonly #edges: Readonly<Record<"now" | "watermark" | "final", Edge>>;
  readonly #times = Array.from({ length: ARRIVALS_PAST_MS / EVERY_MS }, (_, index) => {
    const text = newSvg("text", { y: HEIGHT - 4, "text-anchor": "middle" });
    setText(text, `−${((index + 1) * EVERY_MS) / 1000} s`);
    return text;
  });

  constructor(svg: SVGElement, words: Element) {
    this.#svg = svg;
    this.#words = words;
    this.#edges = {
      final: new Edge("final", "end"),
      watermark: new Edge("closed", "end"),
      now: new Edge("now", "start"),
    };
    svg.append(this.#final, this.#clients, this.#members, this.#marks, ...this.#times);
    for (const edge of Object.values(this.#edges)) svg.append(edge.line, edge.name);
  }

  /** Adds arrivals. Each arrival contains the complete counts of its bin, so the highest counts are the newest. */
  add(arrivals: readonly Arrival[], now: number): void {
    for (const [bin, clients, members, late] of arrivals) {
      const column = this.#columns.get(bin) ?? { clients: 0, members: 0, late: 0, mark: null };
      column.clients = Math.max(column.clients, clients);
      column.members = Math.max(column.members, members);
      column.late = Math.max(column.late, late);
      this.#columns.set(bin, column);
    }

    const first = (now - ARRIVALS_PAST_MS) / ARRIVAL_BIN_MS - 1;
    for (const [bin, { mark }] of this.#columns) {
      if (bin >= first) continue;
      mark?.remove();
      this.#columns.delete(bin);
    }
  }

  /** Removes all columns, because a restarted daemon counts from 0. */
  clear(): void {
    for (const { mark } of this.#columns.values()) mark?.remove();
    this.#columns.clear();
  }

  draw(timeline: FrameTimeline, now: number): void {
    const { stable, published: watermark } = timeline;
    const width = Math.max(1, this.#svg.clientWidth);
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const x = (at: number) =>
      ((at - now + ARRIVALS_PAST_MS) / (ARRIVALS_PAST_MS + ARRIVALS_AHEAD_MS)) * width;
    const max = Math.max(1, ...[...this.#columns.values()].map(sumOf));
    // The square root keeps small counts visible next to large ones.
    const heightOf = (count: number) => FULL * Math.sqrt(count / max) * 0.85;
    const barWidth = Math.max(1.5, x(ARRIVAL_BIN_MS) - x(0) - 1);
    const paths = ["", ""];
    for (const [bin, column] of this.#columns) {
      const left = x(bin * ARRIVAL_BIN_MS);
      const total = heightOf(sumOf(column));
      const clientHeight = (total * column.clients) / sumOf(column);
      const bar = (from: number, height: number) =>
        `M${left.toFixed(1)} ${(HEIGHT - FOOT - from).toFixed(1)}h${barWidth.toFixed(1)}v${(-height).toFixed(1)}h${(-barWidth).toFixed(1)}z`;
      if (column.clients > 0) paths[0] += bar(0, clientHeight);
      if (column.members > 0) paths[1] += bar(clientHeight, total - clientHeight);
      if (column.late > 0) this.#mark(column, left + barWidth / 2, HEIGHT - FOOT - total - 4);
    }

    this.#clients.setAttribute("d", paths[0] ?? "");
    this.#members.setAttribute("d", paths[1] ?? "");
    this.#final.setAttribute("width", String(Math.max(0, Math.min(width, stable === 0 ? 0 : x(stable)))));
    this.#edges.final.place(stable === 0 ? -1 : x(stable), width);
    const closed = x(watermark);
    this.#edges.watermark.place(closed - Math.max(0, x(stable)) < NAME_WIDTH ? -1 : closed, width);
    this.#edges.now.place(x(now), width);

    const isNarrow = x(now) - x(now - EVERY_MS) < NAME_WIDTH;
    for (const [index, text] of this.#times.entries()) {
      text.setAttribute("x", String(Math.max(18, x(now - (index + 1) * EVERY_MS))));
      text.setAttribute("visibility", isNarrow && index % 2 === 0 ? "hidden" : "visible");
    }
    this.#describe(timeline, now);
  }

  /** Draws the mark of a column. The style sheet animates a new mark unless the user prefers reduced motion. */
  #mark(column: Column, x: number, y: number): void {
    if (column.mark === null) {
      column.mark = newSvg("circle", { r: 3.5, class: "falls" });
      this.#marks.append(column.mark);
    }
    column.mark.setAttribute("cx", x.toFixed(1));
    column.mark.setAttribute("cy", y.toFixed(1));
  }

  #describe({ outsideWindow, stable }: FrameTimeline, now: number): void {
    const all = [...this.#columns.values()];
    const late = all.reduce((sum, column) => sum + column.late, 0);
    const sum = all.reduce((sum, column) => sum + sumOf(column), 0);
    const outside =
      outsideWindow === 0
        ? ""
        : `; since the start ${countText(outsideWindow)} had dates outside the last minute`;
    const final = stable === 0 ? "" : ` Final up to ${spanText(now - stable)} ago.`;
    const words = `${countText(sum)} recorded in the last minute, ${countText(late)} of them late${outside}.${final}`;
    setText(this.#words, words);
    this.#svg.setAttribute("aria-label", `Timeline: ${words}`);
  }
}

function sumOf({ clients, members }: Column): number {
  return clients + members;
}

/** A vertical line at a time, with a name. */
class Edge {
  readonly line = newSvg("line", { class: "mark", y1: HEAD - 6, y2: HEIGHT - FOOT });
  readonly name: SVGElement;
  readonly #anchor: "start" | "end";

  constructor(name: string, anchor: "start" | "end") {
    this.#anchor = anchor;
    this.name = newSvg("text", { y: HEAD - 10, "text-anchor": anchor });
    setText(this.name, name);
  }

  /** Moves the edge. @param x  the position; the edge is hidden if it is outside the strip */
  place(x: number, width: number): void {
    const isVisible = x >= 0 && x <= width;
    for (const part of [this.line, this.name])
      part.setAttribute("visibility", isVisible ? "visible" : "hidden");
    this.line.setAttribute("x1", x.toFixed(1));
    this.line.setAttribute("x2", x.toFixed(1));
    this.name.setAttribute("x", (this.#anchor === "end" ? x - 3 : x + 3).toFixed(1));
  }
}
