/** Counts the commands in all lanes, so that a command can wait for all earlier ones. */

/** The commands that arrived between two calls of `CommandBarrier.passed`. */
export class Crowd {
  #count = 0;
  #whenGone: (() => void) | null = null;

  enter(): void {
    this.#count++;
  }

  leave(): void {
    if (--this.#count === 0) this.#whenGone?.();
  }

  /** Resolves once all commands have left. */
  gone(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenGone = resolve;
    });
  }
}

export class CommandBarrier {
  #crowd = new Crowd();
  #before: Promise<void> = Promise.resolve();

  /** Adds a command, which must call `leave` once. */
  enter(): Crowd {
    this.#crowd.enter();
    return this.#crowd;
  }

  /** Resolves when all commands so far are answered. */
  async passed(): Promise<void> {
    const crowd = this.#crowd;
    this.#crowd = new Crowd();
    const before = this.#before;
    // Do not return the results of the promises: each one would keep the previous one alive.
    this.#before = crowd.gone().then(() => before);
    await this.#before;
  }
}
