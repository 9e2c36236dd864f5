/** A figure with a line of its last two minutes. */
import { drawn, say } from "./elements.js";

/** Values, one a second. */
const VALUES_MOST = 120;
const HEIGHT = 64;

export interface ChartParts {
  readonly name: string;
  readonly text: (value: number) => string;
  /** What the second line is, where there is one. */
  readonly second?: string;
}

type Value = number | null;

export class Chart {
  readonly element = document.createElement("figure");
  readonly #parts: ChartParts;
  readonly #values: (readonly Value[])[] = [];
  readonly #now = document.createElement("b");
  readonly #more = document.createElement("span");
  readonly #svg = drawn("svg", { role: "img", "aria-label": "" });
  readonly #paths = [
    drawn("path", { class: "area" }),
    drawn("path", { class: "one" }),
    drawn("path", { class: "two" }),
  ];

  constructor(parts: ChartParts) {
    this.#parts = parts;
    const caption = document.createElement("figcaption");
    const name = document.createElement("span");
    say(name, parts.name);
    this.#more.className = "quiet";
    caption.append(this.#now, name, this.#more);
    this.#svg.append(...this.#paths);
    this.element.className = "card";
    this.element.append(caption, this.#svg);
  }

  /** One value for each line. */
  add(values: readonly Value[]): void {
    this.#values.push(values);
    if (this.#values.length > VALUES_MOST) this.#values.shift();
  }

  draw(): void {
    const { name, text, second } = this.#parts;
    const width = Math.max(1, this.#svg.clientWidth);
    const most = Math.max(...this.#values.flat().map((value) => value ?? 0));
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const [one, two] = [this.#path(0, width, most), this.#path(1, width, most)];
    for (const [index, path] of [second === undefined ? this.#area(width, most) : "", one, two].entries())
      this.#paths[index]?.setAttribute("d", path);
    const [now, high] = this.#values.at(-1) ?? [];
    const shown = now == null ? "–" : text(now);
    say(this.#now, shown);
    const other = second === undefined ? "" : `${second} ${high == null ? "–" : text(high)}, `;
    say(this.#more, `${other}highest ${text(most)}`);
    this.#svg.setAttribute(
      "aria-label",
      `${name}: now ${shown}, ${other}highest of two minutes ${text(most)}`,
    );
  }

  #x(index: number, width: number): number {
    return width - ((this.#values.length - 1 - index) * width) / (VALUES_MOST - 1);
  }

  #path(line: number, width: number, most: number): string {
    let isOn = false;
    const steps: string[] = [];
    for (const [index, values] of this.#values.entries()) {
      const value = values[line] ?? null;
      if (value !== null) {
        const y = HEIGHT - 2 - ((HEIGHT - 6) * value) / (most || 1);
        steps.push(`${isOn ? "L" : "M"}${this.#x(index, width).toFixed(1)} ${y.toFixed(1)}`);
      }
      isOn = value !== null;
    }
    return steps.join("");
  }

  /** What is below the line. */
  #area(width: number, most: number): string {
    const first = this.#values.findIndex(([value]) => value !== null);
    if (first < 0) return "";
    const points = this.#values.slice(first).map(([value], index) => {
      const y = HEIGHT - 2 - ((HEIGHT - 6) * (value ?? 0)) / (most || 1);
      return `L${this.#x(index + first, width).toFixed(1)} ${y.toFixed(1)}`;
    });
    return `M${this.#x(first, width).toFixed(1)} ${HEIGHT}${points.join("")}V${HEIGHT}Z`;
  }
}
