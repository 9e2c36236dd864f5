/**
 * The wait after a failure to connect to a daemon. It doubles, with full jitter, so that the clients of a recovered
 * daemon do not all connect at the same moment. During the wait, calls fail immediately with the last failure.
 */
import type { Stage } from "./errors.js";

/** The maximum wait after the first failure. */
const FIRST_MS = 50;

/** The maximum wait after any failure. A call may take this long to notice that a daemon has recovered. */
const LONGEST_MS = 2_000;

/** The failure of an attempt to connect. */
export interface ConnectFailure {
  readonly stage: Stage;
  readonly detail: string;
}

export class Backoff {
  /** The failure of the last attempt; null after a success. */
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

  /** Returns the milliseconds until the next attempt. */
  wait(now: number): number {
    return Math.max(0, this.#until - now);
  }

  /** Returns the failure to report without an attempt, or null if the caller may try. */
  refusal(now: number): ConnectFailure | null {
    return now < this.#until ? this.failure : null;
  }
}
