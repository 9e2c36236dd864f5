/** Long work beside others: generators that are run some milliseconds a turn of the event loop, each in its turn. */

/** Yields wherever it may be interrupted; a promise, which never rejects: it goes on behind that. */
export type Work = Generator<Promise<unknown> | undefined, void, undefined>;

export class Slices {
  readonly #uptime: () => number;
  readonly #soon: (step: () => void) => void;
  readonly #sliceMs: number;
  readonly #works: Work[] = [];
  #isScheduled = false;
  /** Counted at each `clear`: what waited then does not go on. */
  #cleared = 0;

  constructor(parts: { uptime: () => number; soon: (step: () => void) => void; sliceMs: number }) {
    this.#uptime = parts.uptime;
    this.#soon = parts.soon;
    this.#sliceMs = parts.sliceMs;
  }

  add(work: Work): void {
    this.#works.push(work);
    this.#schedule();
  }

  clear(): void {
    this.#works.length = 0;
    this.#cleared++;
  }

  #await(work: Work, until: Promise<unknown>): void {
    const cleared = this.#cleared;
    void until.then(() => {
      if (cleared === this.#cleared) this.add(work);
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#works.length === 0) return;
    this.#isScheduled = true;
    this.#soon(() => {
      this.#isScheduled = false;
      this.#run();
      this.#schedule();
    });
  }

  #run(): void {
    const endsAt = this.#uptime() + this.#sliceMs;
    for (let work = this.#works.shift(); work !== undefined; work = this.#works.shift()) {
      for (let step = work.next(); !step.done; step = work.next()) {
        if (step.value !== undefined) {
          this.#await(work, step.value);
          break;
        }
        if (this.#uptime() < endsAt) continue;
        this.#works.push(work);
        return;
      }
      if (this.#uptime() >= endsAt) return;
    }
  }
}
