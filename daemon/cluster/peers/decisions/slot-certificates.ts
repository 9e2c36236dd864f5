/**
 * Finds members that have voted for two decisions of one slot in one ballot, although each other member has received
 * only one of the two votes: both decisions become part of the state, and their certificates contain the votes.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Certificate, compareBallots } from "../../../../protocol/members/decision-messages.js";

/** The number of slots whose decisions are compared with later ones. */
const SLOTS_MAX = 1_024;

/** The first decision of a slot that became part of the state. */
interface KnownDecision {
  readonly id: ByteString;
  /** The slot of the first decision of its proposal. */
  readonly first: number;
  readonly certificate: Certificate;
}

export class SlotCertificates {
  /** By slot; the decision that was added first is the first one. */
  readonly #decisions = new Map<number, KnownDecision>();

  /**
   * Adds a decision, which is part of the state. A member votes once in each ballot for a proposal from a slot on. It
   * may vote for decisions of one slot in two ballots, and in proposals with different first slots: it may have learned
   * in the meantime that the first decisions of a proposal were replaced. Then no member is known to lie.
   * @param index  the place of the decision in its proposal, from 0 on
   * @param id  that of its entry
   * @returns null if no other decision of its slot is known; otherwise the public keys (SPKI) of the members that have
   * voted for both, and lie
   */
  add(slot: number, index: number, id: ByteString, certificate: Certificate): readonly ByteString[] | null {
    const first = slot - index;
    const known = this.#decisions.get(slot);
    if (known === undefined) {
      this.#decisions.set(slot, { id, first, certificate });
      if (this.#decisions.size > SLOTS_MAX) this.#removeOldest();
      return null;
    }
    if (known.id === id) return null;

    const { ballot, votes } = known.certificate;
    if (known.first !== first || compareBallots(ballot, certificate.ballot) !== 0) return [];
    const voters = votes.map(({ spki }) => spki);
    return certificate.votes.flatMap(({ spki }) => (voters.includes(spki) ? spki : []));
  }

  #removeOldest(): void {
    for (const slot of this.#decisions.keys()) {
      this.#decisions.delete(slot);
      return;
    }
  }
}
