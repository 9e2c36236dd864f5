/**
 * Finds members that have voted for two decisions of one slot in one ballot, although each other member has received
 * only one of the two votes: both decisions become part of the state, and their certificates contain the votes.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Certificate, compareBallots } from "../../../../protocol/members/decision-messages.js";

/** The number of slots whose decisions are compared with later ones. */
const SLOTS_MAX = 1_024;

/** The first decision of a slot that became part of the state. */
interface KnownDecision extends Pick<Certificate, "ballot"> {
  readonly id: ByteString;
  /** The public keys (SPKI) of the members that have voted for it. */
  readonly voters: readonly ByteString[];
}

export class SlotCertificates {
  /** By slot; the decision that was added first is the first one. */
  readonly #decisions = new Map<number, KnownDecision>();

  /**
   * Adds the first decision of a proposal, which is part of the state.
   * @param id  that of its entry
   * @returns null if no other decision of its slot is known; otherwise the public keys (SPKI) of the members that have
   * voted for both in one ballot. In two ballots a member may vote for both without knowing: then none is returned.
   */
  add(slot: number, id: ByteString, { ballot, votes }: Certificate): readonly ByteString[] | null {
    const voters = votes.map(({ spki }) => spki);
    const known = this.#decisions.get(slot);
    if (known === undefined) {
      this.#decisions.set(slot, { id, ballot, voters });
      if (this.#decisions.size > SLOTS_MAX) this.#removeOldest();
      return null;
    }
    if (known.id === id) return null;

    const isOneBallot = compareBallots(known.ballot, ballot) === 0;
    return isOneBallot ? voters.filter((spki) => known.voters.includes(spki)) : [];
  }

  #removeOldest(): void {
    for (const slot of this.#decisions.keys()) {
      this.#decisions.delete(slot);
      return;
    }
  }
}
