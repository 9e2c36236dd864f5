/** Runs steps in later turns of the event loop until `stop` is called. Unfinished work is then abandoned. */
export class LaterSteps {
  readonly #soon: (step: () => void) => void;
  #isStopped = false;

  /** @param soon  runs a step in a later turn */
  constructor(soon: (step: () => void) => void) {
    this.#soon = soon;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  stop(): void {
    this.#isStopped = true;
  }

  readonly soon = (step: () => void): void => {
    if (!this.#isStopped) this.#soon(step);
  };
}
