/**
 * Steps of work that can wait, of all parts of a daemon: in the order they were asked for, for some milliseconds a turn
 * of the event loop. If each part had a slice in each turn, a client's command would wait for the sum of them.
 */
import { Queue } from "./queue.js";

/** Milliseconds after which the rest waits for the next turn. A step that is longer is a turn of its own. */
const TURN_MS = 2;

export interface TurnsParts {
  readonly uptime: () => number;
  /** Runs something behind the next look for what has come over the network. */
  readonly defer: (run: () => void) => void;
}

export class Turns {
  readonly #parts: TurnsParts;
  readonly #steps = new Queue<() => void>();
  #isDeferred = false;

  constructor(parts: TurnsParts) {
    this.#parts = parts;
  }

  /** Runs a step in a later turn. */
  soon(step: () => void): void {
    this.#steps.push(step);
    this.#defer();
  }

  #defer(): void {
    if (this.#isDeferred || this.#steps.first === undefined) return;
    this.#isDeferred = true;
    this.#parts.defer(() => {
      this.#isDeferred = false;
      this.#run();
    });
  }

  /** What the steps ask for meanwhile comes in the next turn at the earliest. */
  #run(): void {
    const { uptime } = this.#parts;
    const until = uptime() + TURN_MS;
    for (let left = this.#steps.size; left > 0; left--) {
      this.#steps.shift()?.();
      if (uptime() >= until) break;
    }
    this.#defer();
  }
}
