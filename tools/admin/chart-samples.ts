/** Stores the figures of the last hour, for the charts of --admin, in a ring buffer of fixed size. */
import { SAMPLE_SERIES, SAMPLES_MAX, type SampleValues } from "../../protocol/json/dashboard-frame.js";

/** Number of values of a sample, including its date. */
const WIDTH = 1 + SAMPLE_SERIES.length;
/** Significant digits of a value, enough for a chart. */
const DIGITS = 4;

export class Samples {
  /** The samples, each with its date and values. Unknown values are NaN. */
  readonly #ring = new Float64Array(WIDTH * SAMPLES_MAX);
  /** Number of samples that were ever added. */
  #count = 0;
  /** The samples as JSON, or null if they have not been formatted since the last sample. */
  #text: string | null = null;

  add(at: number, values: SampleValues): void {
    const from = (this.#count % SAMPLES_MAX) * WIDTH;
    this.#ring[from] = Math.round(at);
    for (const [index, name] of SAMPLE_SERIES.entries())
      this.#ring[from + 1 + index] = values[name] ?? Number.NaN;
    this.#count++;
    this.#text = null;
  }

  /** The newest sample, or null if there is none yet. */
  get last(): readonly (number | null)[] | null {
    return this.#count === 0 ? null : this.#row(this.#count - 1);
  }

  /** All samples as a JSON array, oldest first. */
  get json(): string {
    if (this.#text !== null) return this.#text;
    const rows: (readonly (number | null)[])[] = [];
    for (let index = Math.max(0, this.#count - SAMPLES_MAX); index < this.#count; index++)
      rows.push(this.#row(index));
    this.#text = JSON.stringify(rows);
    return this.#text;
  }

  #row(index: number): (number | null)[] {
    const from = (index % SAMPLES_MAX) * WIDTH;
    return Array.from(this.#ring.subarray(from, from + WIDTH), (value, column) => {
      if (Number.isNaN(value)) return null;
      return column === 0 ? value : Number(value.toPrecision(DIGITS));
    });
  }
}
