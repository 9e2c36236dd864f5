/**
 * The data for the page of --admin: a frame a second while the page is open, and the figures of the last hour, which
 * are always sampled. Any client that can connect to --admin may read both, so they must not reveal which key wrote
 * what.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { ReplicaFigures } from "../../daemon/cluster/history/replica-figures.js";
import { DiskSpace } from "../../daemon/net/process/disk.js";
import type { Histogram } from "../../daemon/net/process/histogram.js";
import { isHealthy, type Sources } from "../../daemon/program/inspection/inspected-daemon.js";
import type { KeyRing } from "../../daemon/store/key-ring.js";
import { rowOfState } from "../../protocol/daemon-states.js";
import {
  databaseProblems,
  isDescribedElsewhere,
  ORDER_RULES,
  stateProblems,
} from "../../protocol/figures/daemon-problems.js";
import type { ClientTotals } from "../../protocol/figures/figure.js";
import { type Problem, problemsBy, type Severity } from "../../protocol/figures/problem.js";
import type { MemberReport } from "../../protocol/figures/timeline-figures.js";
import { addressOf, publicProblems } from "../../protocol/figures/timeline-problems.js";
import {
  ARRIVAL_BIN_MS,
  ARRIVALS_AHEAD_MS,
  ARRIVALS_PAST_MS,
  type Arrival,
  type DashboardFrame,
  FRAME_FIGURES,
  type FrameListener,
  type FrameRefusal,
  type FrameTimeline,
  MEMBER_FRAME_FIGURES,
  SAMPLE_EVERY_MS,
  SAMPLE_SERIES,
  SAMPLES_MAX,
  type SampleValues,
} from "../../protocol/json/dashboard-frame.js";
import type { EventSource } from "./http/event-stream.js";

/** Time between two checks of the event loop's delay, in milliseconds. Each value of the histogram includes it. */
const LOOP_EVERY_MS = 50;
const NANOSECONDS = 1e6;
const SECOND_MS = 1000;

export interface FrameSources extends Sources {
  readonly clock: () => number;
  /** Memory in bytes; `limit` 0: no limit. */
  readonly memory: () => { readonly used: number; readonly limit: number };
  /** The key ring, or null if commands are unsigned. */
  readonly ring: () => KeyRing | null;
  /** Sets the watcher that is notified of recorded entries, or removes it (null). */
  readonly watchRecorded: (watcher: RecordedWatcher | null) => void;
  readonly ws: () => DashboardFrame["ws"];
  /** The data folder, or null if there is none. */
  readonly folder: string | null;
}

type RecordedWatcher = (entries: readonly { readonly at: number }[], isFromClients: boolean) => void;

/** Sums since the start, at the time of a sample. */
interface Sums {
  readonly at: number;
  readonly units: number;
  readonly recorded: number | null;
  readonly refused: number;
  readonly decidedSlots: number | null;
  readonly decidedUnits: number | null;
}

export class Frames implements EventSource {
  readonly #sources: FrameSources;
  readonly #arrivals: Arrivals;
  readonly #samples = new Samples();
  readonly #verify: TimesSince;
  readonly #loop: IntervalHistogram;
  readonly #disk: DiskSpace;
  readonly #cluster = new ClusterSums();
  #sums: Sums | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(sources: FrameSources) {
    this.#sources = sources;
    this.#arrivals = new Arrivals(sources.clock);
    this.#verify = new TimesSince(sources.metrics.verify);
    this.#loop = monitorEventLoopDelay({ resolution: LOOP_EVERY_MS });
    this.#disk = new DiskSpace(sources.folder);
  }

  get ws(): DashboardFrame["ws"] {
    return this.#sources.ws();
  }

  /** The figures of the last hour and the arrivals of the last minute as JSON: see DashboardHistory. */
  get history(): string {
    return `{"samples":${this.#samples.json},"arrivals":${JSON.stringify(this.#arrivals.all)}}`;
  }

  start(): void {
    this.#loop.enable();
    this.#sources.watchRecorded((entries, isFromClients) => this.#arrivals.add(entries, isFromClients));
    const { replica, folder } = this.#sources;
    const sums = this.#sumsNow(replica());
    // A daemon with a folder now loads it: the entries that it contains were not recorded since the start.
    this.#sums = folder === null ? sums : { ...sums, recorded: null, decidedSlots: null, decidedUnits: null };
    this.#timer = setInterval(() => this.#sample(), SAMPLE_EVERY_MS).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#loop.disable();
    this.#sources.watchRecorded(null);
  }

  begin(): void {
    this.#arrivals.takeChanged();
  }

  end(): void {}

  next(): string {
    const { clock, health, metrics, replica, ws } = this.#sources;
    const state = health();
    const now = clock();
    const figures = replica();
    const frame: DashboardFrame = {
      now,
      startedAt: performance.timeOrigin,
      version: state.version,
      state: state.state,
      stateSeverity: severityOf(state.state),
      isHealthy: isHealthy(state),
      problems: this.#problems(figures, now),
      sample: this.#samples.last,
      totals: metrics.totals,
      listeners: listenersOf(metrics),
      refusals: refusalsOf(metrics),
      memory: this.#memory(),
      disk: this.#disk.check(),
      keys: this.#keys(now),
      ws: ws(),
      timeline: figures === null ? null : this.#timeline(figures),
    };
    return JSON.stringify(frame);
  }

  #problems(figures: ReplicaFigures | null, now: number): Problem[] {
    const { health, order } = this.#sources;
    const { backends, state } = health();
    const stream = order();
    const down = backends.filter(({ up }) => !up);

    const reports = {
      hasTimeline: figures !== null,
      isRefusalNamed: figures !== null && figures.notAdmitted !== null,
      isDatabaseNamed: down.length > 0,
      isStreamNamed: stream !== null && stream.trouble !== null,
    };

    return [
      ...down.flatMap(({ name }) => databaseProblems(name)),
      ...(isDescribedElsewhere(state, reports) ? [] : stateProblems(state)),
      ...(stream === null ? [] : problemsBy(ORDER_RULES, stream)),
      ...(figures === null ? [] : publicProblems(figures, now)),
    ];
  }

  #sample(): void {
    const { clock, metrics, replica } = this.#sources;
    const figures = replica();
    const { clientConnections: connections } = metrics.totals;
    const sums = this.#sumsNow(figures);
    const [units, refused] = [rate(sums, this.#sums, "units"), rate(sums, this.#sums, "refused")];
    const own = { units: units ?? 0, refused: refused ?? 0, connections };

    const verify = this.#verify.take();
    const delay = this.#delay();

    this.#samples.add(clock(), {
      units,
      recorded: rate(sums, this.#sums, "recorded"),
      refused,
      verifyP50: verify?.p50 ?? null,
      verifyP99: verify?.p99 ?? null,
      delayP50: delay?.p50 ?? null,
      delayP99: delay?.p99 ?? null,
      memory: process.memoryUsage.rss(),
      connections,
      ...this.#cluster.take(own, othersOf(figures), sums.at),
      lag: figures === null ? null : lagOf(figures.members),
      decidedSlots: rate(sums, this.#sums, "decidedSlots"),
      decidedUnits: rate(sums, this.#sums, "decidedUnits"),
    });

    this.#sums = sums;
    this.#arrivals.forget();
  }

  #sumsNow(figures: ReplicaFigures | null): Sums {
    const { metrics } = this.#sources;
    return {
      at: performance.now(),
      units: metrics.totals.clientAnswers,
      recorded: figures === null ? null : figures.ringEntries + figures.dataEntries,
      refused: metrics.totals.clientRefusals,
      decidedSlots: figures?.decidedSlots ?? null,
      decidedUnits: figures?.decidedUnits ?? null,
    };
  }

  #memory(): DashboardFrame["memory"] {
    const { memory, bufferedBytes } = this.#sources;
    const heap = process.memoryUsage().heapUsed;
    return { resident: process.memoryUsage.rss(), heap, buffered: bufferedBytes(), ...memory() };
  }

  #delay(): { readonly p50: number; readonly p99: number } | null {
    const loop = this.#loop;
    if (loop.count === 0) return null;
    const delayOf = (nanoseconds: number) => Math.max(0, nanoseconds / NANOSECONDS - LOOP_EVERY_MS);
    const times = { p50: delayOf(loop.percentile(50)), p99: delayOf(loop.percentile(99)) };
    loop.reset();
    return times;
  }

  #keys(now: number): DashboardFrame["keys"] {
    const ring = this.#sources.ring();
    if (ring === null) return null;
    const counts: Record<string, number> = {};
    for (const record of ring.all()) {
      const kind = ring.validity(record, now) === "valid" ? record.role : ring.validity(record, now);
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  }

  #timeline(figures: ReplicaFigures): FrameTimeline {
    return {
      ...picked(figures, FRAME_FIGURES),
      keeperAddress: keeperAddressOf(figures),
      arrivals: this.#arrivals.takeChanged(),
      outsideWindow: this.#arrivals.outsideWindow,
      members: othersOf(figures).map((member) => picked(member, MEMBER_FRAME_FIGURES)),
    };
  }
}

const keeperAddressOf = ({ keeper, isKeeper, members }: ReplicaFigures): string | null =>
  keeper === null || isKeeper ? null : addressOf(keeper, members);

/**
 * Returns the rate per second since the previous sample, or null if it is unknown. The rate is 0 if the sum has
 * decreased because the timeline was pruned or replaced.
 */
function rate(now: Sums, before: Sums | null, name: Exclude<keyof Sums, "at">): number | null {
  const [last, first] = [now[name], before?.[name] ?? null];
  if (before === null || last === null || first === null) return null;
  return (Math.max(0, last - first) * SECOND_MS) / Math.max(1, now.at - before.at);
}

function lagOf(members: readonly MemberReport[]): number {
  return members.reduce((max, { lag, behind }) => Math.max(max, lag + behind), 0);
}

/** The listeners of the main port in metrics: `dbsync` counts connections, and each version counts its answers. */
const MAIN_PORT = ["dbsync", "dbsync-v2", "dbsync-v1"];
const VERSION_1 = "dbsync-v1";

/** Returns a row for each port, and one for the answers of version 1 if there are any. */
export function listenersOf({ listeners }: Sources["metrics"]): FrameListener[] {
  const rows = [...listeners].map(([name, { ok, errors, connections }]) => ({
    name,
    ok,
    errors,
    connections,
  }));

  const main = rows.filter(({ name }) => MAIN_PORT.includes(name));
  const sum = (figure: "ok" | "errors" | "connections") => main.reduce((all, row) => all + row[figure], 0);
  const version1 = main.find(({ name }) => name === VERSION_1);

  return [
    ...(main.length === 0
      ? []
      : [{ name: "dbsync", ok: sum("ok"), errors: sum("errors"), connections: sum("connections") }]),
    ...(version1 === undefined || version1.ok + version1.errors === 0
      ? []
      : [{ ...version1, name: "of these, version 1", connections: null }]),
    ...rows.filter(({ name }) => !MAIN_PORT.includes(name)),
  ];
}

function refusalsOf({ listeners }: Sources["metrics"]): FrameRefusal[] {
  return [...listeners].flatMap(([listener, { refusals }]) =>
    Object.entries(refusals)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => ({ listener, reason, count })),
  );
}

/** Returns the severity of a state; null: nothing is wrong. A state without a row is a problem. */
export function severityOf(state: string): Severity | null {
  const row = rowOfState(state);
  return row === null ? "problem" : (row.problem?.severity ?? null);
}

const othersOf = (figures: ReplicaFigures | null): readonly MemberReport[] =>
  figures?.members.filter(({ connection }) => connection !== "self") ?? [];

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

function picked<Report, Name extends keyof Report>(
  report: Report,
  names: readonly Name[],
): Pick<Report, Name> {
  return Object.fromEntries(names.map((name) => [name, report[name]])) as Pick<Report, Name>;
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

type Counts = [clients: number, members: number, late: number];

/**
 * Counts of envelopes by date, limited to dates around the present: about 260 bins. Older bins remain until the next
 * call of `forget`.
 */
export class Arrivals {
  readonly #clock: () => number;
  readonly #bins = new Map<number, Counts>();
  readonly #changed = new Set<number>();
  /** The newest date of an envelope so far. */
  #newest = 0;
  /** Number of envelopes since the start whose dates were outside the counted range. */
  outsideWindow = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  add(entries: Iterable<{ readonly at: number }>, isFromClients: boolean): void {
    const now = this.#clock();
    for (const { at } of entries) {
      if (at < now - ARRIVALS_PAST_MS || at > now + ARRIVALS_AHEAD_MS) this.outsideWindow++;
      else this.#count(at, isFromClients);
      // An entry with a future date is applied on that date; until then it makes no other entry late.
      if (at <= now && at > this.#newest) this.#newest = at;
    }
  }

  /** Returns all bins of the last minute. */
  get all(): Arrival[] {
    return [...this.#bins].map(([bin, counts]) => [bin, ...counts]);
  }

  /** Returns the bins that have changed since the last call, with their complete counts. */
  takeChanged(): Arrival[] {
    const changed = [...this.#changed].flatMap((bin): Arrival[] => {
      const counts = this.#bins.get(bin);
      return counts === undefined ? [] : [[bin, ...counts]];
    });
    this.#changed.clear();
    return changed;
  }

  /** Drops the bins that are older than a minute. */
  forget(): void {
    const first = (this.#clock() - ARRIVALS_PAST_MS) / ARRIVAL_BIN_MS - 1;
    for (const bin of this.#bins.keys()) if (bin < first) this.#bins.delete(bin);
    for (const bin of this.#changed) if (!this.#bins.has(bin)) this.#changed.delete(bin);
  }

  #count(at: number, isFromClients: boolean): void {
    const bin = Math.floor(at / ARRIVAL_BIN_MS);
    let counts = this.#bins.get(bin);
    if (counts === undefined) {
      counts = [0, 0, 0];
      this.#bins.set(bin, counts);
    }
    counts[isFromClients ? 0 : 1]++;
    if (at < this.#newest - ARRIVAL_BIN_MS) counts[2]++;
    this.#changed.add(bin);
  }
}
