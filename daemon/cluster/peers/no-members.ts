/**
 * A daemon with a timeline that has no members: without peers and without a member list. It agrees with no other
 * daemon, so each date is final once its own watermark has passed it, and its own snapshots permit it to prune. When it
 * gets a peer or a list, Peering continues in its place (../node/open-peering.ts), and takes over its state and waits.
 */
import { FINALITY_CAUSES } from "../../../protocol/figures/finality-causes.js";
import { noMessages } from "../../../protocol/figures/message-figures.js";
import type { DaemonState } from "../../../protocol/version-2/messages-v2.js";
import type { AddedEntry, Entry, OrderKey } from "../../timeline/entries/entry.js";
import { containsData } from "../../timeline/entries/recorded-envelopes.js";
import type { Timeline } from "../../timeline/timeline.js";
import type { Delay } from "./finality/finality-delay.js";
import type { Members } from "./members-interface.js";
import type { Admitted } from "./shared/cluster-state.js";
import type { NamedDaemon } from "./shared/named-daemon.js";
import type { PeeringLimits } from "./shared/peering-limits.js";

interface Parts {
  readonly timeline: Timeline;
  /** Milliseconds; never jumps. */
  readonly uptime: () => number;
  readonly limits: Pick<PeeringLimits, "reportEveryMs" | "catchUpStuckMs" | "waitMaxMs">;
  /** Whether this daemon was admitted before this start. */
  readonly admitted: Admitted;
  readonly named: NamedDaemon | null;
}

/** A caller that waits until a date is final, or until an entry is on the disks of a number of daemons. */
interface Wait {
  readonly until: number | Replication;
  readonly resolve: () => void;
  /** When the wait is dropped; `uptime` milliseconds. */
  readonly droppedAt: number;
}

interface Replication {
  readonly orderKey: OrderKey;
  /** The number of daemons, including this one. */
  readonly daemons: number;
}

const NONE = { waiting: 0, dropped: 0 } as const;

export class NoMembers implements Members {
  readonly admission = {
    admitted: null as Admitted,
    refusalText: null,
    isRefused: false,
    accepts: () => false,
    noteWrite: (entries: readonly Entry[]) => {
      if (this.state === "live" && containsData(entries)) this.admission.admitted ??= "alone";
    },
  };
  readonly states = { differences: { all: [] }, comparedAt: 0 };
  readonly decisions = {
    undecided: null,
    figures: { keeper: null, slots: 0, units: 0, lastAt: 0, waiting: 0, waitingKeys: [] },
    disturbing: [],
    keeperChanges: 0,
    contradicting: new Set<never>(),
    missingPromises: [],
    obstacle: () => "it is not a voting member yet",
    isKnown: () => false,
    submit: () => {},
    commonClock: 0,
    hasAllUpTo: () => false,
    beginnings: { ready: [] },
  };
  readonly channelMessages = { figures: noMessages() };
  readonly closing: Members["closing"];
  readonly standstill = { mayBeStale: false, isCutOff: false };
  readonly snapshots = { progress: null, taken: 0, orphaned: 0, possiblyOrphaned: 0 };
  readonly reason = "it has started, and has not yet applied all entries of its data folder";
  readonly isAlone = true;
  readonly isJoining = false;
  readonly isSkewed = false;
  readonly removalReport = null;
  readonly order = null;
  readonly members = [];
  /** Changes once, when the entries that were stored before the start are part of the state. */
  state: DaemonState = "catching-up";
  stablePoint = 0;
  readonly #parts: Parts;
  #waits: Wait[] = [];
  #isRunning = false;
  /** The number of entries that waited to be folded at the last tick, and when it last changed. */
  #unfolded = -1;
  #progressAt = 0;
  #nextAt = Number.NEGATIVE_INFINITY;
  /** When damaged entries were found, as `uptime` milliseconds; null if none are. */
  #damagedSince: number | null = null;

  constructor(parts: Parts) {
    const { timeline, admitted } = parts;
    this.#parts = parts;
    this.admission.admitted = admitted;

    this.closing = {
      gaps: 0,
      get newest() {
        return timeline.newest.at;
      },
      closedTo: () => Number.POSITIVE_INFINITY,
      close: (_, done) => done(),
      folded: () => {},
    };
  }

  start(): void {
    this.#isRunning = true;
    this.#parts.timeline.waiting.mark();
    this.tick();
  }

  stop(): void {
    this.#isRunning = false;
  }

  tick(): void {
    if (!this.#isRunning) return;
    const { timeline, named, uptime, limits } = this.#parts;
    const now = uptime();
    named?.update();
    this.#becomeLive(now);
    const hasServed = this.state === "live" && timeline.index.total("data").count > 0;
    if (hasServed) this.admission.admitted ??= "alone";
    timeline.handover.retainFrom(timeline.published + 1);

    if (now < this.#nextAt) return;
    this.#nextAt = now + limits.reportEveryMs;
    this.stablePoint = Math.max(this.stablePoint, timeline.published + 1);
    if (this.state === "live") this.#certify(Math.max(timeline.published, timeline.prunedTo));
    this.#dropDamaged(now);
    this.#endWaits(({ until }) => typeof until === "number" && until < this.stablePoint);
    this.#waits = this.#waits.filter(({ droppedAt }) => now <= droppedAt);
  }

  #becomeLive(now: number): void {
    if (this.state === "live") return;
    const { timeline } = this.#parts;
    const { waiting } = timeline;
    if (waiting.size !== this.#unfolded) this.#progressAt = now;
    this.#unfolded = waiting.size;
    if (timeline.state === "live" && waiting.areMarkedFolded) this.state = "live";
  }

  /** Permits the timeline to prune the entries of its snapshots up to a date: no other daemon has to agree. */
  #certify(upTo: number): void {
    const { handover } = this.#parts.timeline;
    for (const { at } of handover.cuts) if (at <= upTo) handover.certify(at);
  }

  /** Drops damaged entries, which no member can send. An entry may become readable again for a while. */
  #dropDamaged(now: number): void {
    const { timeline, limits } = this.#parts;
    if (timeline.damagedEntries.lastAt === null) this.#damagedSince = null;
    else if (now - (this.#damagedSince ??= now) > limits.catchUpStuckMs) {
      this.#damagedSince = null;
      timeline.damagedEntries.drop();
    }
  }

  #endWaits(isOver: (wait: Wait) => boolean): void {
    const over = this.#waits.filter(isOver);
    if (over.length === 0) return;
    this.#waits = this.#waits.filter((wait) => !isOver(wait));
    for (const { resolve } of over) resolve();
  }

  /** Passes the waits to the members that this daemon has from now on. */
  passWaits(to: Members): void {
    for (const { until, resolve } of this.#waits) {
      const isOver =
        typeof until === "number" ? to.stable(until) : to.replicated(until.orderKey, until.daemons);
      void isOver.then(resolve);
    }
    this.#waits = [];
  }

  /** The clock has no other one to differ from. */
  watchClock(): void {}

  /** A daemon with a list has members (../node/open-peering.ts). */
  listsChanged(): void {}

  flushed(entries: readonly AddedEntry[]): void {
    if (this.#waits.length === 0) return;
    const ids = new Set(entries.map(({ id }) => id));
    this.#endWaits(
      ({ until }) => typeof until !== "number" && until.daemons <= 1 && ids.has(until.orderKey.id),
    );
  }

  pushOwn(): void {}

  copies(): number {
    return 0;
  }

  replicated(orderKey: OrderKey, daemons: number): Promise<void> {
    const isOnDisk = daemons <= 1 && this.#parts.timeline.read(orderKey) !== null;
    return isOnDisk ? Promise.resolve() : this.#wait({ orderKey, daemons });
  }

  stable(at: number): Promise<void> {
    return at < this.stablePoint ? Promise.resolve() : this.#wait(at);
  }

  #wait(until: Wait["until"]): Promise<void> {
    const { uptime, limits } = this.#parts;
    return new Promise((resolve) => {
      this.#waits.push({ until, resolve, droppedAt: uptime() + limits.waitMaxMs });
    });
  }

  quarantined(): typeof NONE {
    return NONE;
  }

  spkiOf(): null {
    return null;
  }

  get finalityDelay(): Delay | null {
    if (this.state === "live") return null;
    const milliseconds = this.#parts.uptime() - this.#progressAt;
    const isOverdue = milliseconds > FINALITY_CAUSES["own-state"].normalMs;
    return { cause: "own-state", members: [], milliseconds, isOverdue };
  }
}
