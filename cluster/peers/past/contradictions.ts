/**
 * Members that have signed two different states of one date, with both votes as the proof. They are banned permanently,
 * even across restarts.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CutVote } from "../../../protocol/members/cut-votes.js";

/** Members whose proof is stored: voters are few, and a banned one needs a new folder to return. */
export const PROOFS_MAX = 64;

export class Contradictions {
  readonly #proofs = new Map<ByteString, readonly [CutVote, CutVote]>();

  has(id: ByteString): boolean {
    return this.#proofs.has(id);
  }

  /** Adds a proof. If there are too many, the oldest one is dropped. */
  add(id: ByteString, one: CutVote, other: CutVote): void {
    this.#proofs.set(id, [one, other]);
    const [oldest] = this.#proofs.keys();
    if (this.#proofs.size > PROOFS_MAX && oldest !== undefined) this.#proofs.delete(oldest);
  }

  /**
   * Both votes of each member. They are stored with the other votes: a daemon that reads them finds the contradiction
   * again.
   */
  get votes(): CutVote[] {
    return [...this.#proofs.values()].flat();
  }
}
