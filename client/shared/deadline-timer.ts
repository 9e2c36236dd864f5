/**
 * One timer for all deadlines of a client, so a call that settles in time needs no separate timer. The alarm is set for
 * the earliest known time; when it rings, its owner sets it for the next one. The alarm also decides whether the
 * process stays alive; sockets do not.
 */
import type { Environment, Timer } from "./client-environment.js";

export class Alarm {
  readonly #environment: Environment;
  readonly #ring: () => void;
  #timer: Timer | null = null;
  #time = Number.POSITIVE_INFINITY;
  #held = false;

  /**
   * Creates an alarm that is not set.
   * @param ring  called at the time set or slightly later, after which the alarm is not set
   */
  constructor(environment: Environment, ring: () => void) {
    this.#environment = environment;
    this.#ring = ring;
  }

  /** Sets the alarm to ring at `time`, unless it rings earlier. */
  ringBy(time: number, now = this.#environment.now()): void {
    if (time >= this.#time) return;
    this.#timer?.cancel();
    this.#time = time;
    this.#timer = this.#environment.setTimer(Math.max(0, Math.ceil(time - now)), () => {
      this.#timer = null;
      this.#time = Number.POSITIVE_INFINITY;
      this.#ring();
    });
    this.#timer.hold(this.#held);
  }

  /** Sets whether the alarm, while it is set, keeps the process alive. */
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
