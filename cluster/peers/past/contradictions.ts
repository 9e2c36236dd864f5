/** Who has signed two states of one date, with both votes as the proof: it is let in no more, after a restart either. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CutVote } from "../../../protocol/members/cut-votes.js";

/** Members whose proof is kept: those that have a voice are few, and one has to be given a new folder to come back. */
export const PROOFS_MOST = 64;

export class Contradictions {
  readonly #proofs = new Map<ByteString, readonly [CutVote, CutVote]>();

  has(id: ByteString): boolean {
    return this.#proofs.has(id);
  }

  /** The oldest gives way where there is no room. */
  add(id: ByteString, one: CutVote, other: CutVote): void {
    this.#proofs.set(id, [one, other]);
    const [oldest] = this.#proofs.keys();
    if (this.#proofs.size > PROOFS_MOST && oldest !== undefined) this.#proofs.delete(oldest);
  }

  /** Both of each, as they are kept beside other votes: whoever reads them finds the contradiction again. */
  get votes(): CutVote[] {
    return [...this.#proofs.values()].flat();
  }
}
