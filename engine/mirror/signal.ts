/** Something to do: what waits for it is woken, also by what came before. */
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

  /** Nothing waits any more. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
    this.hurry();
  }

  /** Ends a pause. */
  hurry(): void {
    this.#wakePause();
  }

  /** @param most  milliseconds */
  async wait(most: number): Promise<void> {
    if (!this.#isSet && !this.#hasEnded) {
      await this.#timed(most, (wake) => {
        this.#wake = wake;
      });
    }
    this.#isSet = false;
  }

  /** Whatever there is to do. */
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
