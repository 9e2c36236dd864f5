/** Recognizes that the members make no decisions although one is required. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { UndecidedCause } from "../../../../protocol/figures/undecided-causes.js";

/** Why the members make no decisions, and the members to which the cause refers. */
export interface Obstacle {
  readonly cause: UndecidedCause;
  readonly members: readonly ByteString[];
}

export interface Undecided extends Obstacle {
  /** The time since the last decision, or since a decision was first required; milliseconds. */
  readonly milliseconds: number;
}

/** Milliseconds without a required decision after which it is reported. */
const REPORTED_MS = 10_000;
/** Milliseconds for which it is still reported after the last unit was given up, or refused. */
const REMEMBERED_MS = 60_000;
/** Milliseconds after which it is forgotten if a majority was missing and has returned, and nothing is required. */
const RETURNED_MS = 10_000;

export class UndecidedTime {
  #since: number | null = null;
  #neededAt = 0;
  /** Whether a majority was missing since then. */
  #hasLacked = false;
  /** Since when the majority has returned while nothing is required; null: this is not so. */
  #returnedAt: number | null = null;

  /**
   * Called at each tick.
   * @param isNeeded  whether a decision is required
   * @param lacksMajority  whether a majority is missing or silent
   */
  tick(isNeeded: boolean, lacksMajority: boolean, now: number): void {
    if (isNeeded) this.#need(now);
    else if (now - this.#neededAt >= REMEMBERED_MS) this.decided();
    if (lacksMajority) this.#hasLacked = true;

    // What was required was given up or refused. Nothing shows that it would still not be decided.
    const hasReturned = this.#hasLacked && !lacksMajority && !isNeeded;
    this.#returnedAt = hasReturned ? (this.#returnedAt ?? now) : null;
    if (this.#returnedAt !== null && now - this.#returnedAt >= RETURNED_MS) this.decided();
  }

  /** Called when a unit is refused because a majority is missing or silent. */
  refused(now: number): void {
    this.#need(now);
    this.#hasLacked = true;
  }

  #need(now: number): void {
    this.#since ??= now;
    this.#neededAt = now;
  }

  /** Called when a decision has become part of the state. */
  decided(): void {
    this.#since = null;
    this.#hasLacked = false;
  }

  /** Returns the milliseconds without a decision, or null while they are not worth a report. */
  at(now: number): number | null {
    const milliseconds = now - (this.#since ?? now);
    return milliseconds >= REPORTED_MS && this.#returnedAt === null ? milliseconds : null;
  }
}
