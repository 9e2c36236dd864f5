/** The samples of the last hour, as the daemon's ring has them. */
import {
  type DashboardHistory,
  SAMPLE_EVERY_MS,
  SAMPLE_SERIES,
  SAMPLES_MAX,
  type SampleName,
} from "../protocol/json/dashboard-frame.js";

type Row = readonly (number | null)[];

export const HOUR_MS = SAMPLE_EVERY_MS * SAMPLES_MAX;

export class Series {
  #rows: Row[] = [];

  /** The newest last. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Takes the daemon's ring; what is older, of a daemon before it was started again, stays. */
  replace({ samples }: DashboardHistory): void {
    const first = Number(samples[0]?.[0] ?? Number.POSITIVE_INFINITY);
    this.#rows = [...this.#rows.filter(([at]) => Number(at) < first), ...samples].slice(-SAMPLES_MAX);
  }

  /** Adds the daemon's newest sample if it is new here. */
  add(row: Row): void {
    if (Number(row[0]) <= Number(this.#rows.at(-1)?.[0] ?? 0)) return;
    this.#rows.push(row);
    if (this.#rows.length > SAMPLES_MAX) this.#rows.shift();
  }

  /** Returns the column of a series in each row; the date is in column 0. */
  static column(name: SampleName): number {
    return SAMPLE_SERIES.indexOf(name) + 1;
  }
}
