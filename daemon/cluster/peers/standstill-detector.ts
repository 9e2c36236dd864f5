/**
 * Detects that this process did nothing for a while, because it was stopped, its machine was suspended, or a garbage
 * collection took long. Until the daemon has compared its entries with most of the cluster again, its state may be
 * stale. Also detects that most members have been silent, before the daemon counts as cut off. Source:
 * docs/decisions/0045-a-daemon-that-did-not-run-is-out-of-date.md.
 */
import type { Member } from "./member.js";
import type { Roster } from "./roster.js";
import type { ClusterState } from "./shared/cluster-state.js";

export class StandstillDetector {
  /**
   * Whether most of the cluster has been silent for so long that this daemon may be cut off, as of the last tick. Only
   * this class sets it.
   */
  isCutOff = false;
  readonly #cluster: ClusterState<Member>;
  readonly #roster: Roster;
  readonly #clock: StandstillClock;
  /**
   * The end of the last standstill, in milliseconds of uptime. Null if there was none, or if this daemon has since
   * compared its entries with most members.
   */
  #wokeAt: number | null = null;
  #isMarked = false;

  constructor(cluster: ClusterState<Member>, roster: Roster) {
    this.#cluster = cluster;
    this.#roster = roster;
    this.#clock = new StandstillClock(cluster);
  }

  /**
   * Whether this daemon's state may be stale because of a standstill. Callers check this before each answer, because
   * after a standstill sockets are read before timers run.
   */
  get mayBeStale(): boolean {
    this.#measure(this.#cluster.uptime());
    return this.#wokeAt !== null;
  }

  tick(now: number): void {
    this.#measure(now);
    const { standstillMs, statusEveryMs, catchUpMs } = this.#cluster.limits;
    this.isCutOff = this.#roster.majorityHeardAt(now) < now - standstillMs - statusEveryMs;

    if (this.#wokeAt === null) return;
    const compared = this.#roster.voters.filter((member) => member.compared !== null).length;
    if (2 * (1 + compared) > this.#roster.size && this.#isFolded()) this.#done(now, "compared");
    // Stop waiting if too few members are reachable. The state `isolated` then reports that.
    else if (now - this.#wokeAt > catchUpMs) this.#done(now, "alone");
  }

  #measure(now: number): void {
    const { limits, log } = this.#cluster;
    const stoodFor = this.#clock.elapsed(now);
    // A daemon without members cannot have missed any entry.
    if (stoodFor <= limits.standstillMs || this.#roster.size === 1) return;

    log.warn({ milliseconds: Math.round(stoodFor) }, STOOD_STILL);
    this.#wokeAt = now;
    this.#isMarked = false;
    for (const member of this.#roster.members.values()) {
      // The member does not count as silent, because the messages that it sent in the meantime may still be in the
      // socket.
      member.connection.lastSeenAt = now;
      member.compareAgain();
    }
  }

  /**
   * Whether the state includes all entries that this daemon had when it had completed the comparison with most members.
   */
  #isFolded(): boolean {
    const { waiting } = this.#cluster.timeline;
    if (!this.#isMarked) waiting.mark();
    this.#isMarked = true;
    return waiting.areMarkedFolded;
  }

  #done(now: number, how: "compared" | "alone"): void {
    const { log } = this.#cluster;
    log.info({ milliseconds: Math.round(now - (this.#wokeAt ?? now)) }, DONE[how]);
    this.#wokeAt = null;
  }
}

const STOOD_STILL =
  "this process was suspended, or its clock was set ahead: until it has compared itself with most of its peers it answers like a daemon that is catching up";
const DONE = {
  compared: "this daemon has received the entries that its peers accepted during the suspension",
  alone: "too few peers were reached after the suspension: serving with the data on this daemon",
} as const;

/**
 * The time for which this process did nothing, because it was stopped, its machine was suspended, or a garbage
 * collection took long. Source: docs/decisions/0045-a-daemon-that-did-not-run-is-out-of-date.md.
 */
export class StandstillClock {
  readonly #clocks: Readonly<Record<"uptime" | "clock", () => number>>;
  /** The last reading of each clock, in milliseconds, or infinity before the first reading. */
  #uptime = Number.POSITIVE_INFINITY;
  #clock = Number.POSITIVE_INFINITY;

  constructor(clocks: Readonly<Record<"uptime" | "clock", () => number>>) {
    this.#clocks = clocks;
  }

  /** Returns the milliseconds since the last call, by the clock that shows more. @param now  uptime, in milliseconds */
  elapsed(now: number): number {
    const clock = this.#clocks.clock();
    // Use both clocks: the monotonic clock may stop while the machine is suspended, and an administrator may set the
    // system clock back.
    const elapsed = Math.max(now - this.#uptime, clock - this.#clock);
    this.#uptime = now;
    this.#clock = clock;
    return elapsed;
  }
}
