/** Commands on their way through lanes, counted, so that one can wait for those that came before it. */

/** Those that came between two who waited. */
export class Crowd {
  #count = 0;
  #whenGone: (() => void) | null = null;

  enter(): void {
    this.#count++;
  }

  leave(): void {
    if (--this.#count === 0) this.#whenGone?.();
  }

  /** Once no more come. */
  gone(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenGone = resolve;
    });
  }
}

export class Traffic {
  #crowd = new Crowd();
  #before: Promise<void> = Promise.resolve();

  /** To be left once. */
  enter(): Crowd {
    this.#crowd.enter();
    return this.#crowd;
  }

  /** Until all that have come so far are answered. */
  async passed(): Promise<void> {
    const crowd = this.#crowd;
    this.#crowd = new Crowd();
    const before = this.#before;
    // Not the promises' own results, each of which would hold the one before.
    this.#before = crowd.gone().then(() => before);
    await this.#before;
  }
}
