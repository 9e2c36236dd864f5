/**
 * The figures of the last hour, for the charts of --admin. A sample contains rates and quantiles since the previous
 * sample, which the classes of this file calculate from the daemon's counts.
 */
import type { Histogram } from "../../daemon/net/process/histogram.js";
import type { ClientTotals } from "../../protocol/figures/figure.js";
import type { MemberReport } from "../../protocol/figures/timeline-figures.js";
import { SAMPLE_SERIES, SAMPLES_MAX, type SampleValues } from "../../protocol/json/dashboard-frame.js";

const SECOND_MS = 1000;

/** Number of values of a sample, including its date. */
const WIDTH = 1 + SAMPLE_SERIES.length;
/** Significant digits of a value, enough for a chart. */
const DIGITS = 4;

/** The figures of the last hour, for the charts of --admin, in a ring buffer of fixed size. */
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

/** The number of times, and the milliseconds that 50 % (`p50`) and 99 % (`p99`) of them do not exceed. */
interface Times {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

const MS_PER_SECOND = 1000;

/** The quantiles of the times that a histogram has counted since it was last read. */
export class TimesSince {
  readonly #histogram: Histogram;
  #before: Float64Array;

  constructor(histogram: Histogram) {
    this.#histogram = histogram;
    this.#before = histogram.counts.slice();
  }

  /** Returns the quantiles since the last call, or null if nothing was counted. */
  take(): Times | null {
    const { counts } = this.#histogram;
    const since = counts.map((count, bucket) => count - (this.#before[bucket] ?? 0));
    this.#before = counts.slice();
    const count = since.reduce((sum, one) => sum + one, 0);
    if (count === 0) return null;
    return { count, p50: this.#end(since, count * 0.5), p99: this.#end(since, count * 0.99) };
  }

  /** Returns the upper end, in milliseconds, of the bucket in which the given count is reached. */
  #end(counts: Float64Array, target: number): number {
    const { bounds } = this.#histogram;
    let sum = 0;
    const bucket = counts.findIndex((count) => (sum += count) >= target);
    return (bounds[Math.min(bucket, bounds.length - 1)] ?? 0) * MS_PER_SECOND;
  }
}

interface ClusterRates {
  readonly units: number;
  readonly refused: number;
  readonly connections: number;
}

type ReportedFigures = "id" | "connection" | "aboutAge" | keyof ClientTotals;
type ReportedMember = Pick<MemberReport, ReportedFigures>;

/** The counts that a member reported, and when. */
interface ReportedCounts {
  readonly at: number;
  readonly answers: number;
  readonly refusals: number;
}

/** Sums of the rates and the connections of this daemon and of the members that report theirs. */
export class ClusterSums {
  /** The counts of each member by its id at the previous call. */
  #before: ReadonlyMap<string, ReportedCounts> = new Map();
  #takenAt = Number.NEGATIVE_INFINITY;

  /** Returns the sums since the previous call. @param now  milliseconds of the process's uptime */
  take(
    own: ClusterRates,
    members: readonly ReportedMember[],
    now: number,
  ): Pick<SampleValues, "clusterUnits" | "clusterRefused" | "clusterConnections" | "daemons"> {
    const sums = { ...own };
    let daemons = 1;
    const reports = new Map<string, ReportedCounts>();

    for (const { id, connection, aboutAge, ...member } of members) {
      const { clientAnswers: answers, clientRefusals: refusals, clientConnections: connections } = member;
      if (id === null || connection !== "connected" || aboutAge === null || answers === null) continue;
      const report = { at: now - aboutAge, answers, refusals: refusals ?? 0 };
      reports.set(id, report);

      const before = this.#before.get(id);
      // A member reports every 2 s. Without a report since the previous call, its rates are not known.
      if (before === undefined || report.at < this.#takenAt) continue;
      const perSecond = SECOND_MS / Math.max(1, report.at - before.at);
      sums.units += Math.max(0, report.answers - before.answers) * perSecond;
      sums.refused += Math.max(0, report.refusals - before.refusals) * perSecond;
      sums.connections += connections ?? 0;
      daemons++;
    }

    this.#before = reports;
    this.#takenAt = now;
    if (members.length === 0)
      return { clusterUnits: null, clusterRefused: null, clusterConnections: null, daemons: null };
    return {
      clusterUnits: sums.units,
      clusterRefused: sums.refused,
      clusterConnections: sums.connections,
      daemons,
    };
  }
}
