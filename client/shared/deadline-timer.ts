/**
 * One timer for all deadlines of a client, so a call that settles in time needs no separate timer. It is set for the
 * earliest known time; when it expires, its owner sets it for the next one. It also decides whether the process stays
 * alive; sockets do not.
 */
import type { Environment, Timer } from "./client-environment.js";

export class DeadlineTimer {
  readonly #environment: Environment;
  readonly #wake: () => void;
  #timer: Timer | null = null;
  #time = Number.POSITIVE_INFINITY;
  #held = false;

  /**
   * Creates a timer that is not set.
   * @param wake  called at the time set or slightly later, after which the timer is not set
   */
  constructor(environment: Environment, wake: () => void) {
    this.#environment = environment;
    this.#wake = wake;
  }

  /** Sets the timer to `time`, unless it expires earlier. */
  wakeBy(time: number, now = this.#environment.now()): void {
    if (time >= this.#time) return;
    this.#timer?.cancel();
    this.#time = time;
    this.#timer = this.#environment.setTimer(Math.max(0, Math.ceil(time - now)), () => {
      this.#timer = null;
      this.#time = Number.POSITIVE_INFINITY;
      this.#wake();
    });
    this.#timer.hold(this.#held);
  }

  /** Sets whether the timer, while it is set, keeps the process alive. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    this.#timer?.hold(held);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#time = Number.POSITIVE_INFINITY;
  }
}
