/** Stores the samples of the last hour from the daemon. */
import {
  type DashboardHistory,
  SAMPLE_EVERY_MS,
  SAMPLE_SERIES,
  SAMPLES_MAX,
  type SampleName,
} from "../../../protocol/json/dashboard-frame.js";

type Row = readonly (number | null)[];

export const HOUR_MS = SAMPLE_EVERY_MS * SAMPLES_MAX;

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
