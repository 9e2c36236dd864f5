/** Runs steps one after the other, in the order of the calls. */
export class SerialWork {
  /** Resolves when all earlier steps are done. */
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Whether no step runs or waits. */
  get isIdle(): boolean {
    return this.#waiting === 0;
  }

  /** Runs a step after the earlier ones. @param step  must not reject @returns its result */
  async run<A>(step: () => Promise<A>): Promise<A> {
    this.#waiting++;
    const done = this.#last.then(step);
    this.#last = done;
    const result = await done;
    this.#waiting--;
    return result;
  }
}
