import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";

const RETRY_MS = 1000;

/** The pauses before commands that put back elements are sent again. They end when the listener stops. */
export class PutBackRetries {
  readonly #environment: Pick<Environment, "setTimer">;
  readonly #pauses = new Set<() => void>();
  #isStopped = false;

  constructor(environment: Pick<Environment, "setTimer">) {
    this.#environment = environment;
  }

  /** Waits until a command may be sent again. @returns false if the listener has stopped */
  async next(): Promise<boolean> {
    if (this.#isStopped) return false;
    await new Promise<void>((resolve) => {
      const cancel = this.#environment.setTimer(RETRY_MS, () => end());
      const end = () => {
        cancel();
        this.#pauses.delete(end);
        resolve();
      };
      this.#pauses.add(end);
    });
    return !this.#isStopped;
  }

  stop(): void {
    this.#isStopped = true;
    for (const end of [...this.#pauses]) end();
  }
}
