/** The oracles of the model: what daemons have reported, and whether it is true. */
import type { Envelopes } from "./envelopes.js";

/** Milliseconds by which a watermark may be ahead of the time. */
export const AHEAD_MS = 1500;

export class Ledger {
  readonly problems: string[] = [];
  readonly #envelopes: Envelopes;
  /** The latest mark that was ever published, and the envelopes that were final then. */
  #final = { at: 0, envelopes: 0 };
  /** Envelopes on each daemon's disk. */
  readonly onDisk: number[] = [];
  onAll = 0;
  /** The writes of removed daemons that were reported as held (this field) or as dead letters (the next field). */
  reportedHeld = 0;
  reportedDead = 0;
  stableMoves = 0;
  tick = 0;

  constructor(envelopes: Envelopes) {
    this.#envelopes = envelopes;
  }

  problem(daemon: number, sentence: string): void {
    this.problems.push(`tick ${this.tick}, daemon ${daemon}: ${sentence}`);
  }

  /** Records that a daemon has reported everything dated before a time as final. */
  mark(daemon: number, at: number, held: number): void {
    this.stableMoves++;
    const envelopes = held & this.#envelopes.before(at);
    const final = this.#final;
    const common = this.#envelopes.before(Math.min(at, final.at));
    if ((envelopes & common) !== (final.envelopes & common))
      this.problem(daemon, "calls a different set final than a daemon did before");
    if (at > final.at) this.#final = { at, envelopes };
  }

  /** Checks that a daemon still holds what it has called final before a time. */
  recall(daemon: number, at: number, held: number): void {
    const mask = this.#envelopes.before(Math.min(at, this.#final.at));
    if ((held & mask) !== (this.#final.envelopes & mask))
      this.problem(daemon, "no longer holds an entry that it has called final");
  }

  acknowledge(daemon: number, envelopes: number): void {
    this.onDisk[daemon] = (this.onDisk[daemon] ?? 0) | envelopes;
  }
}
