/**
 * The data for the page of --admin: a frame a second while the page is open, and the figures of the last hour, which
 * are always sampled. Any client that can connect to --admin may read both, so they must not reveal which key wrote
 * what.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { ReplicaFigures } from "../../daemon/cluster/history/replica-figures.js";
import { DiskSpace } from "../../daemon/net/process/disk-space.js";
import type { KeyRing } from "../../daemon/store/key-ring.js";
import {
  backendProblem,
  isDescribedElsewhere,
  orderProblems,
  stateProblems,
} from "../../protocol/figures/daemon-problems.js";
import type { Problem } from "../../protocol/figures/problem.js";
import { publicProblems } from "../../protocol/figures/public-problems.js";
import type { MemberReport } from "../../protocol/figures/timeline-figures.js";
import {
  type DashboardFrame,
  type FrameListener,
  type FrameMember,
  type FrameRefusal,
  type FrameTimeline,
  SAMPLE_EVERY_MS,
} from "../../protocol/json/dashboard-frame.js";
import { Samples } from "./chart-samples.js";
import { Arrivals } from "./envelope-arrivals.js";
import { isHealthy } from "./health.js";
import type { EventSource } from "./http/event-stream.js";
import type { Sources } from "./metric-row.js";
import { TimesSince } from "./recent-quantiles.js";

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
}

export class Frames implements EventSource {
  readonly #sources: FrameSources;
  readonly #arrivals: Arrivals;
  readonly #samples = new Samples();
  readonly #verify: TimesSince;
  readonly #loop: IntervalHistogram;
  readonly #disk: DiskSpace;
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
      isHealthy: isHealthy(state),
      problems: this.#problems(figures, now),
      sample: this.#samples.last,
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
      isDatabaseNamed: down.length > 0,
      isStreamNamed: stream !== null && stream.trouble !== null,
    };
    return [
      ...down.map(({ name }) => backendProblem(name)),
      ...(isDescribedElsewhere(state, reports) ? [] : stateProblems(state)),
      ...(stream === null ? [] : orderProblems(stream)),
      ...(figures === null ? [] : publicProblems(figures, now)),
    ];
  }

  #sample(): void {
    const { clock, metrics, replica } = this.#sources;
    const figures = replica();
    const listeners = [...metrics.listeners.values()];
    const sums: Sums = {
      at: performance.now(),
      units: listeners.reduce((sum, { ok, errors }) => sum + ok + errors, 0),
      recorded: figures === null ? null : figures.ringEntries + figures.dataEntries,
      refused: refusalsOf(metrics).reduce((sum, { count }) => sum + count, 0),
    };
    const verify = this.#verify.take();
    const delay = this.#delay();
    this.#samples.add(clock(), {
      units: rate(sums, this.#sums, "units"),
      recorded: rate(sums, this.#sums, "recorded"),
      refused: rate(sums, this.#sums, "refused"),
      verifyHalf: verify?.p50 ?? null,
      verifyMost: verify?.p99 ?? null,
      delayHalf: delay?.p50 ?? null,
      delayMost: delay?.p99 ?? null,
      memory: process.memoryUsage.rss(),
      connections: listeners.reduce((sum, { connections }) => sum + connections, 0),
      lag: figures === null ? null : lagOf(figures.members),
    });
    this.#sums = sums;
    this.#arrivals.forget();
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
      durable: figures.durable,
      skewed: figures.skewed,
      ringEntries: figures.ringEntries,
      dataEntries: figures.dataEntries,
      bytes: figures.bytes,
      tailUnits: figures.tailUnits,
      tailBytes: figures.tailBytes,
      redone: figures.redone,
      waiting: figures.waiting,
      quarantined: figures.quarantined,
      published: figures.published,
      newest: figures.newest,
      stable: figures.stable,
      arrivals: this.#arrivals.takeChanged(),
      outsideWindow: this.#arrivals.outsideWindow,
      members: figures.members.filter(({ connection }) => connection !== "self").map(shownMember),
    };
  }
}

/**
 * Returns the rate per second since the previous sample, or null if it is unknown. The rate is 0 if the sum has
 * decreased because the timeline was pruned or replaced.
 */
function rate(now: Sums, before: Sums | null, name: "units" | "recorded" | "refused"): number | null {
  const [last, first] = [now[name], before?.[name] ?? null];
  if (before === null || last === null || first === null) return null;
  return (Math.max(0, last - first) * SECOND_MS) / Math.max(1, now.at - before.at);
}

function lagOf(members: readonly MemberReport[]): number {
  return members.reduce((max, { lag, behind }) => Math.max(max, lag + behind), 0);
}

function listenersOf({ listeners }: Sources["metrics"]): FrameListener[] {
  return [...listeners].map(([name, { ok, errors, connections }]) => ({ name, ok, errors, connections }));
}

function refusalsOf({ listeners }: Sources["metrics"]): FrameRefusal[] {
  return [...listeners].flatMap(([listener, { refusals }]) =>
    Object.entries(refusals)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => ({ listener, reason, count })),
  );
}

function shownMember(member: MemberReport): FrameMember {
  return {
    address: member.address,
    connection: member.connection,
    state: member.state,
    skew: member.skew,
    roundTrip: member.roundTrip,
    lastHeard: member.lastHeard,
    lag: member.lag,
    behind: member.behind,
    equal: member.equal,
    refusals: member.refusals,
    software: member.software,
    pagePort: member.pagePort,
    pageLocal: member.pageLocal,
    diskFree: member.diskFree,
    diskSize: member.diskSize,
    problems: member.problems,
  };
}
