/** What daemons have said, and whether it holds: the oracles of the model. */
import type { Envelopes } from "./envelopes.js";

/** Above that a watermark is ahead of the time. */
export const AHEAD_MS = 1500;

export class Ledger {
  readonly problems: string[] = [];
  readonly #envelopes: Envelopes;
  /** Of all marks that were ever told the latest, and what was final then. */
  #final = { at: 0, envelopes: 0 };
  /** By daemon. */
  readonly onDisk: number[] = [];
  onAll = 0;
  /** As the fates of a left out daemon's writes were told. */
  toldHeld = 0;
  toldDead = 0;
  stableMoves = 0;
  tick = 0;

  constructor(envelopes: Envelopes) {
    this.#envelopes = envelopes;
  }

  problem(daemon: number, sentence: string): void {
    this.problems.push(`tick ${this.tick}, daemon ${daemon}: ${sentence}`);
  }

  /** A daemon tells that everything dated before a time is final. */
  mark(daemon: number, at: number, held: number): void {
    this.stableMoves++;
    const envelopes = held & this.#envelopes.before(at);
    const final = this.#final;
    const common = this.#envelopes.before(Math.min(at, final.at));
    if ((envelopes & common) !== (final.envelopes & common))
      this.problem(daemon, "calls another set final than was called final before");
    if (at > final.at) this.#final = { at, envelopes };
  }

  /** Whether what a daemon has called final before a time is what it holds. */
  recall(daemon: number, at: number, held: number): void {
    const mask = this.#envelopes.before(Math.min(at, this.#final.at));
    if ((held & mask) !== (this.#final.envelopes & mask))
      this.problem(daemon, "does not hold what it has called final");
  }

  acknowledge(daemon: number, envelopes: number): void {
    this.onDisk[daemon] = (this.onDisk[daemon] ?? 0) | envelopes;
  }
}
