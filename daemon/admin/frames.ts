/**
 * What the page of --admin is told once a second while somebody looks: the numbers of /metrics, and the dates of what is recorded.
 * Whoever reaches --admin may read it, so nothing in it says who wrote what.
 */
import { statfs } from "node:fs/promises";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { ReplicaFigures } from "../../cluster/history/replica-figures.js";
import type { EventSource } from "../../net/admin/event-stream.js";
import type { MemberReport } from "../../protocol/figures/timeline-figures.js";
import type {
  DashboardFrame,
  FrameListener,
  FrameMember,
  FrameRefusal,
  FrameTimeline,
  FrameTimes,
} from "../../protocol/json/dashboard-frame.js";
import type { KeyRing } from "../../store/key-ring.js";
import { Arrivals } from "./arrivals.js";
import type { Sources } from "./metric-row.js";
import type { Metrics } from "./metrics.js";
import { TimesSince } from "./times-since.js";

/** Milliseconds between two looks of the watch on the event loop; it tells them as part of what it found. */
const LOOP_EVERY_MS = 20;
const NANOSECONDS = 1e6;

export interface FrameSources extends Sources {
  readonly clock: () => number;
  /** Bytes; `limit` 0: there is none. */
  readonly memory: () => { readonly used: number; readonly limit: number };
  /** null: unsigned commands. */
  readonly ring: () => KeyRing | null;
  /** Tells somebody what is recorded from now on; null: nobody. */
  readonly watchRecorded: (watcher: RecordedWatcher | null) => void;
  readonly ws: () => DashboardFrame["ws"];
  /** --data; null: there is none. */
  readonly folder: string | null;
}

type RecordedWatcher = (entries: readonly { readonly at: number }[], isFromClients: boolean) => void;

/** What is only there while somebody looks. */
interface Watching {
  readonly arrivals: Arrivals;
  readonly verify: TimesSince;
  readonly loop: IntervalHistogram;
}

export class Frames implements EventSource {
  readonly #sources: FrameSources;
  #watching: Watching | null = null;
  #disk: DashboardFrame["disk"] = null;
  /** A disk that hangs is asked once: each question holds a thread. */
  #isDiskAsked = false;

  constructor(sources: FrameSources) {
    this.#sources = sources;
  }

  begin(): void {
    const { clock, metrics, replica, watchRecorded } = this.#sources;
    const arrivals = new Arrivals(clock, replica()?.newest ?? 0);
    const loop = monitorEventLoopDelay({ resolution: LOOP_EVERY_MS });
    loop.enable();
    this.#watching = { arrivals, loop, verify: new TimesSince(metrics.verify) };
    watchRecorded((entries, isFromClients) => arrivals.add(entries, isFromClients));
  }

  end(): void {
    this.#watching?.loop.disable();
    this.#watching = null;
    this.#sources.watchRecorded(null);
  }

  next(): string {
    const { clock, health, metrics, replica, ws } = this.#sources;
    const { version, state, backends } = health();
    const now = clock();
    this.#lookAtDisk();
    const figures = replica();
    const frame: DashboardFrame = {
      now,
      startedAt: performance.timeOrigin,
      version,
      state,
      backends,
      listeners: listenersOf(metrics),
      refusals: refusalsOf(metrics),
      verify: this.#watching?.verify.take() ?? null,
      delay: this.#delay(),
      memory: this.#memory(),
      disk: this.#disk,
      keys: this.#keys(now),
      ws: ws(),
      timeline: figures === null ? null : this.#timeline(figures),
    };
    return JSON.stringify(frame);
  }

  #memory(): DashboardFrame["memory"] {
    const { memory, bufferedBytes } = this.#sources;
    const heap = process.memoryUsage().heapUsed;
    return { resident: process.memoryUsage.rss(), heap, buffered: bufferedBytes(), ...memory() };
  }

  #delay(): FrameTimes | null {
    const loop = this.#watching?.loop;
    if (loop === undefined || loop.count === 0) return null;
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / NANOSECONDS - LOOP_EVERY_MS);
    const times = { count: loop.count, half: late(loop.percentile(50)), most: late(loop.percentile(99)) };
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
      isFailed: figures.failure !== null,
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
      ...(this.#watching?.arrivals.take() ?? { arrivals: [], elsewhere: 0 }),
      members: figures.members.filter(({ connection }) => connection !== "self").map(shownMember),
    };
  }

  /** Told with the next frame. */
  #lookAtDisk(): void {
    const { folder } = this.#sources;
    if (folder === null || this.#isDiskAsked) return;
    this.#isDiskAsked = true;
    const asked = statfs(folder).then(
      ({ bavail, blocks, bsize }) => {
        this.#disk = { free: bavail * bsize, size: blocks * bsize };
      },
      () => {
        this.#disk = null;
      },
    );
    void asked.finally(() => {
      this.#isDiskAsked = false;
    });
  }
}

function listenersOf({ listeners }: Metrics): FrameListener[] {
  return [...listeners].map(([name, { ok, errors, connections }]) => ({ name, ok, errors, connections }));
}

function refusalsOf({ listeners }: Metrics): FrameRefusal[] {
  return [...listeners].flatMap(([listener, { refusals }]) =>
    Object.entries(refusals)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => ({ listener, reason, count })),
  );
}

function shownMember({ id, trouble, ...shown }: MemberReport): FrameMember {
  return shown;
}
