/**
 * Work that no client waits for, of all parts of a daemon: in the order in which it was added, some milliseconds a turn of
 * the event loop in total. If each part had a slice in each turn, a client's command would wait for the sum of them.
 */
import { BACKGROUND_TURN_MS } from "../../protocol/steps.js";
import { Queue } from "./queue.js";

/** Yields wherever it may be interrupted. If it yields a promise, which never rejects, it continues when that has settled. */
export type Work = Generator<Promise<unknown> | undefined, void, undefined>;

export interface TurnsOptions {
  /** Milliseconds since some moment; never jumps. */
  readonly uptime: () => number;
  /** Runs a function after the event loop has received data from the network. */
  readonly defer: (run: () => void) => void;
  /** Milliseconds after which the rest waits for the next turn; a longer step is a turn of its own. */
  readonly milliseconds?: number;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #waiting = new Queue<(() => void) | Work>();
  #isDeferred = false;
  /** Calls of `clear`: work that awaited a promise before one does not go on. */
  #cleared = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Runs a step in a later turn. */
  readonly soon = (step: () => void): void => this.#add(step);

  /** Runs long work in later turns. */
  add(work: Work): void {
    this.#add(work);
  }

  /** Drops all that waits. */
  clear(): void {
    while (this.#waiting.shift() !== undefined);
    this.#cleared++;
  }

  #add(step: (() => void) | Work): void {
    this.#waiting.push(step);
    this.#defer();
  }

  #defer(): void {
    if (this.#isDeferred || this.#waiting.first === undefined) return;
    this.#isDeferred = true;
    this.#options.defer(() => {
      this.#isDeferred = false;
      this.#run();
    });
  }

  /** Runs the steps. Steps that are added meanwhile run in the next turn at the earliest. */
  #run(): void {
    const { uptime, milliseconds = BACKGROUND_TURN_MS } = this.#options;
    const until = uptime() + milliseconds;
    for (let left = this.#waiting.size; left > 0; left--) {
      const step = this.#waiting.shift();
      if (typeof step === "function") step();
      else if (step !== undefined) this.#goOn(step, until);
      if (uptime() >= until) break;
    }
    this.#defer();
  }

  #goOn(work: Work, until: number): void {
    for (let step = work.next(); !step.done; step = work.next()) {
      if (step.value !== undefined) {
        this.#await(work, step.value);
        return;
      }
      if (this.#options.uptime() < until) continue;
      this.#waiting.push(work);
      return;
    }
  }

  #await(work: Work, until: Promise<unknown>): void {
    const cleared = this.#cleared;
    void until.then(() => {
      if (cleared === this.#cleared) this.add(work);
    });
  }
}
