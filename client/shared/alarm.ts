/**
 * One timer for all deadlines of a client. A deadline that is met costs no timer: the alarm is set for the earliest
 * known time, and looks for the next one when it rings. It also decides whether the process stays alive; sockets do
 * not.
 */
import type { Environment, Timer } from "./environment.js";

export class Alarm {
  readonly #environment: Environment;
  readonly #ring: () => void;
  #timer: Timer | null = null;
  #time = Number.POSITIVE_INFINITY;
  #held = false;

  /** @param ring  called at the time set, or a little later; the alarm is then not set */
  constructor(environment: Environment, ring: () => void) {
    this.#environment = environment;
    this.#ring = ring;
  }

  /** Rings at `time` at the latest. */
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

  /** Sets whether the alarm keeps the process alive; it does not set a time. */
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
