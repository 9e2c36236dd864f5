/**
 * One timer for all deadlines of a client, so a call that settles in time needs no separate timer. It is set for the
 * earliest known deadline. When it expires, the client calls `wakeBy` again with the next deadline. The timer also
 * decides whether the process stays alive; sockets do not.
 */
import type { ClientEnvironment, Timer } from "./client-environment.js";

export class DeadlineTimer {
  readonly #environment: ClientEnvironment;
  readonly #wake: () => void;
  #timer: Timer | null = null;
  #time = Number.POSITIVE_INFINITY;
  #isKeepingAlive = false;

  /**
   * Creates a timer that is not set.
   * @param wake  called at the time set or slightly later, after which the timer is not set
   */
  constructor(environment: ClientEnvironment, wake: () => void) {
    this.#environment = environment;
    this.#wake = wake;
  }

  /** Makes the timer expire at `time`, in milliseconds by `environment.now()`, or earlier if it was set to. */
  wakeBy(time: number, now = this.#environment.now()): void {
    if (time >= this.#time) return;
    this.#timer?.cancel();
    this.#time = time;
    this.#timer = this.#environment.setTimer(Math.max(0, Math.ceil(time - now)), () => {
      this.#timer = null;
      this.#time = Number.POSITIVE_INFINITY;
      this.#wake();
    });
    this.#timer.keepProcessAlive(this.#isKeepingAlive);
  }

  /** Sets whether the timer, while it is set, keeps the process alive. */
  keepProcessAlive(isKeepingAlive: boolean): void {
    if (isKeepingAlive === this.#isKeepingAlive) return;
    this.#isKeepingAlive = isKeepingAlive;
    this.#timer?.keepProcessAlive(isKeepingAlive);
  }

  /** Cancels the timer, which can be set again. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#time = Number.POSITIVE_INFINITY;
  }
}
