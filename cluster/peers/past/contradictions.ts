/**
 * Members that have signed two states of one date, with both votes as the proof: they are banned permanently, after a
 * restart too.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CutVote } from "../../../protocol/members/cut-votes.js";

/** Members whose proof is kept: voters are few, and one needs a new folder to come back. */
export const PROOFS_MAX = 64;

export class Contradictions {
  readonly #proofs = new Map<ByteString, readonly [CutVote, CutVote]>();

  has(id: ByteString): boolean {
    return this.#proofs.has(id);
  }

  /** Adds a proof. If there is no room the oldest one is dropped. */
  add(id: ByteString, one: CutVote, other: CutVote): void {
    this.#proofs.set(id, [one, other]);
    const [oldest] = this.#proofs.keys();
    if (this.#proofs.size > PROOFS_MAX && oldest !== undefined) this.#proofs.delete(oldest);
  }

  /** Both votes of each, as they are stored with other votes: a daemon that reads them finds the contradiction again. */
  get votes(): CutVote[] {
    return [...this.#proofs.values()].flat();
  }
}
