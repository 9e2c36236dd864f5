import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";

/**
 * A signal that there is work. It wakes the waiting task or, if no task waits, makes the next wait return immediately.
 */
export class WakeSignal {
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

  /** Ends all current and future waits. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
    this.endPause();
  }

  /** Ends the current pause early. */
  endPause(): void {
    this.#wakePause();
  }

  /** Waits for the signal. @param max  maximum milliseconds */
  async wait(max: number): Promise<void> {
    if (!this.#isSet && !this.#hasEnded) {
      await this.#timed(max, (wake) => {
        this.#wake = wake;
      });
    }
    this.#isSet = false;
  }

  /** Pauses even if there is work. Only `endPause` and `end` end the pause early. */
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
