/**
 * The data for the page of --admin: a frame a second while the page is open, and the figures of the last hour, which
 * are always sampled. Any client that can connect to --admin may read both, so they must not reveal which key wrote
 * what.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { ReplicaFigures } from "../../daemon/cluster/history/replica-figures.js";
import { DiskSpace } from "../../daemon/net/process/disk.js";
import { isHealthy, type MetricSources } from "../../daemon/program/inspection/inspected-daemon.js";
import type { KeyRing } from "../../daemon/store/key-ring.js";
import { rowOfState } from "../../protocol/daemon-states.js";
import {
  databaseProblems,
  isDescribedElsewhere,
  ORDER_RULES,
  stateProblems,
} from "../../protocol/figures/daemon-problems.js";
import { type Problem, problemsBy } from "../../protocol/figures/problem.js";
import type { MemberReport } from "../../protocol/figures/timeline-figures.js";
import { addressOf, publicProblems } from "../../protocol/figures/timeline-problems.js";
import {
  type DashboardFrame,
  FRAME_FIGURES,
  type FrameListener,
  type FrameRefusal,
  type FrameTimeline,
  MEMBER_FRAME_FIGURES,
  SAMPLE_EVERY_MS,
} from "../../protocol/json/dashboard-frame.js";
import { ClusterSums, Samples, TimesSince } from "./dashboard-samples.js";
import type { EventProducer } from "./http/event-stream.js";
import { RecordedArrivals } from "./recorded-arrivals.js";

/** Time between two checks of the event loop's delay, in milliseconds. Each value of the histogram includes it. */
const LOOP_EVERY_MS = 50;
const NANOSECONDS = 1e6;
const SECOND_MS = 1000;

export interface FrameSources extends MetricSources {
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

export class Frames implements EventProducer {
  readonly #sources: FrameSources;
  readonly #arrivals: RecordedArrivals;
  readonly #samples = new Samples();
  readonly #verify: TimesSince;
  readonly #loop: IntervalHistogram;
  readonly #disk: DiskSpace;
  readonly #cluster = new ClusterSums();
  #sums: Sums | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(sources: FrameSources) {
    this.#sources = sources;
    this.#arrivals = new RecordedArrivals(sources.clock);
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
      stateSeverity: rowOfState(state.state)?.problem?.severity ?? null,
      isHealthy: isHealthy(state),
      problems: this.#problems(figures, now),
      sample: this.#samples.last,
      totals: metrics.totals,
      listeners: listenersOf(metrics),
      refusals: refusalsOf(metrics),
      memory: this.#memory(),
      disk: this.#disk.startCheck(),
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
    const units = rate(sums, this.#sums, "units");
    const refused = rate(sums, this.#sums, "refused");
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
  const last = now[name];
  const first = before?.[name] ?? null;
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
function listenersOf({ listeners }: MetricSources["metrics"]): FrameListener[] {
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

function refusalsOf({ listeners }: MetricSources["metrics"]): FrameRefusal[] {
  return [...listeners].flatMap(([listener, { refusals }]) =>
    Object.entries(refusals)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => ({ listener, reason, count })),
  );
}

const othersOf = (figures: ReplicaFigures | null): readonly MemberReport[] =>
  figures?.members.filter(({ connection }) => connection !== "self") ?? [];

function picked<Report, Name extends keyof Report>(
  report: Report,
  names: readonly Name[],
): Pick<Report, Name> {
  return Object.fromEntries(names.map((name) => [name, report[name]])) as Pick<Report, Name>;
}
