/**
 * The time for which a daemon is not tried after a failure to connect: doubling, with full jitter, so that many
 * clients of a daemon that comes back do not all arrive in the same moment. Meanwhile a call fails immediately with
 * the last failure, at no cost.
 */
import type { Stage } from "./errors.js";

/** The longest wait after the first failure. */
const FIRST_MS = 50;

/** The longest wait at all: so late may a call notice that a daemon is back. */
const LONGEST_MS = 2_000;

/** The failure of the last attempt. */
export interface ConnectFailure {
  readonly stage: Stage;
  readonly detail: string;
}

export class BackOff {
  /** The last attempt's failure; null after a success. */
  failure: ConnectFailure | null = null;
  #failures = 0;
  #until = 0;

  failed(failure: ConnectFailure, now: number, random: number): void {
    this.failure = failure;
    const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    this.#until = now + random * longest;
  }

  succeeded(): void {
    this.failure = null;
    this.#failures = 0;
  }

  /** The time of the next attempt. */
  get until(): number {
    return this.#until;
  }

  /** Milliseconds until then. */
  wait(now: number): number {
    return Math.max(0, this.#until - now);
  }

  /** The failure to report without trying; null: try. */
  refusal(now: number): ConnectFailure | null {
    return now < this.#until ? this.failure : null;
  }
}
