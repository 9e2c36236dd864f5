/** The commands that arrived between two calls of `CommandBarrier.passed`. */
export class CommandGroup {
  #count = 0;
  #whenDrained: (() => void) | null = null;

  enter(): void {
    this.#count++;
  }

  leave(): void {
    if (--this.#count === 0) this.#whenDrained?.();
  }

  /** Resolves once all commands have left. */
  drained(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenDrained = resolve;
    });
  }
}

/** The number of commands in all lanes, so that a command can wait for all earlier ones. */
export class CommandBarrier {
  #group = new CommandGroup();
  #before: Promise<void> = Promise.resolve();

  /** Adds a command. The caller must call `leave` of the result once, when the command is answered. */
  enter(): CommandGroup {
    this.#group.enter();
    return this.#group;
  }

  /** Resolves when all commands that were added before this call are answered. */
  async passed(): Promise<void> {
    const group = this.#group;
    this.#group = new CommandGroup();
    const before = this.#before;
    // Do not use Promise.all: each result would contain the previous one, so that no result could be freed.
    this.#before = group.drained().then(() => before);
    await this.#before;
  }
}
