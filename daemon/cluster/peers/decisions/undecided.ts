/** Recognizes that the members make no decisions although units wait. */
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
/** Milliseconds for which it is still reported after the last waiting unit was given up. */
const REMEMBERED_MS = 60_000;

export class UndecidedTime {
  #since: number | null = null;
  #neededAt = 0;

  /** Called at each tick. @param isNeeded  whether a decision is required */
  tick(isNeeded: boolean, now: number): void {
    if (isNeeded) {
      this.#since ??= now;
      this.#neededAt = now;
    } else if (now - this.#neededAt >= REMEMBERED_MS) this.#since = null;
  }

  /** Called when a decision has become part of the state, and when none is required after a silence of the members. */
  reset(): void {
    this.#since = null;
  }

  /** Returns the milliseconds without a decision, or null while they are not worth a report. */
  at(now: number): number | null {
    const milliseconds = now - (this.#since ?? now);
    return milliseconds >= REPORTED_MS ? milliseconds : null;
  }
}
