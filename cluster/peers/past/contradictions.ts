/**
 * The members that have signed two different states of one date, with both votes as the proof. These members are banned
 * permanently, even after a restart of this daemon.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CutVote } from "../../../protocol/members/cut-votes.js";

/**
 * The maximum number of members whose proofs are stored. There are few voters, and a banned voter can return only with
 * a new folder.
 */
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
   * Both votes of each member. They are stored with all other votes, so that this daemon finds the contradiction again
   * after a restart.
   */
  get votes(): CutVote[] {
    return [...this.#proofs.values()].flat();
  }
}
