/** Steps that run in later turns of the event loop, until they are stopped: what is under way then is left as it is. */
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
