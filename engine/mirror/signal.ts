/** A signal that there is work: wakes whatever waits for it, now or later. */
import type { Environment } from "../../net/process/environment.js";

export class Signal {
  readonly #setTimer: Environment["setTimer"];
  #isSet = false;
  #hasEnded = false;
  #wake: () => void = () => {};
  #wakePause: () => void = () => {};

  constructor({ setTimer }: Environment) {
    this.#setTimer = setTimer;
  }

  readonly set = (): void => {
    this.#isSet = true;
    this.#wake();
  };

  /** Ends all waits, now and later. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
    this.hurry();
  }

  /** Ends a pause. */
  hurry(): void {
    this.#wakePause();
  }

  /** Waits for the signal. @param most  milliseconds */
  async wait(most: number): Promise<void> {
    if (!this.#isSet && !this.#hasEnded) {
      await this.#timed(most, (wake) => {
        this.#wake = wake;
      });
    }
    this.#isSet = false;
  }

  /** Waits, even if there is work. */
  async pause(milliseconds: number): Promise<void> {
    if (this.#hasEnded) return;
    await this.#timed(milliseconds, (wake) => {
      this.#wakePause = wake;
    });
  }

  #timed(milliseconds: number, keep: (wake: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#setTimer(milliseconds, resolve);
      keep(() => {
        stop();
        resolve();
      });
    });
  }
}
