/** One thing after the other, in the order in which they were asked for. */
export class SerialWork {
  /** Resolves when everything before is done. */
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Whether nothing is being done, and nothing waits. */
  get isIdle(): boolean {
    return this.#waiting === 0;
  }

  /** @param step  must not reject @returns what it returns */
  async run<A>(step: () => Promise<A>): Promise<A> {
    this.#waiting++;
    const done = this.#last.then(step);
    this.#last = done;
    const result = await done;
    this.#waiting--;
    return result;
  }
}
