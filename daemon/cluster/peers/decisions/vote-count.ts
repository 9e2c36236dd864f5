/** Counts the votes for the decisions that are not made yet. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Ballot, compareBallots, type Vote } from "../../../../protocol/members/decision-messages.js";
import { PROPOSAL_UNITS_MAX } from "../../../../protocol/version-2/decision-body.js";
import type { Proposal, Votes, VotingList, VotingLists } from "./decision-types.js";

/** The maximum number of open slots for which votes are counted: a member may be behind the others. */
const SLOTS_AHEAD = 8 * PROPOSAL_UNITS_MAX;
/** The maximum number of bytes of all stored proposals. */
const PROPOSAL_BYTES_MAX = 64 * 1024 * 1024;
/** The maximum number of votes and of proposals that are stored for each slot and member. */
const EACH_MAX = 8;
/** The maximum number of proposals of each member in all slots, because each request searches them. */
const PROPOSALS_MAX = 64;

interface KnownProposal {
  readonly proposal: Proposal;
  /** The members that have proposed it. */
  readonly keepers: Set<ByteString>;
}

export class VoteCount {
  /** Proposals by slot and root. */
  readonly #proposals = new Map<number, Map<ByteString, KnownProposal>>();
  /** Members that have voted for two decisions in one ballot. */
  readonly #liars = new Set<ByteString>();
  /** Votes by slot and member, the oldest first. */
  readonly #votes = new Map<number, Map<ByteString, Vote[]>>();

  /** Removes what concerns decisions that are made. @param slot  the last decision */
  dropUpTo(slot: number): void {
    for (const bySlot of [this.#proposals, this.#votes])
      for (const key of bySlot.keys()) if (key <= slot) bySlot.delete(key);
  }

  /**
   * Adds a proposal. A member's proposals replace only its own earlier ones.
   * @param keeper  the member that has proposed it
   * @param last  the slot of the last decision
   */
  addProposal(proposal: Proposal, keeper: ByteString, last: number): void {
    if (!isOpen(proposal.slot, last)) return;
    const known = this.#proposals.get(proposal.slot) ?? new Map<ByteString, KnownProposal>();
    this.#proposals.set(proposal.slot, known);
    const added = known.get(proposal.root) ?? { proposal, keepers: new Set() };
    known.set(proposal.root, added);
    const others = [...known.values()].filter((one) => one !== added && one.keepers.has(keeper));
    added.keepers.add(keeper);

    const [oldest] = others;
    if (oldest !== undefined && others.length >= EACH_MAX) this.#removeProposal(oldest, keeper);
    const all = [...this.#proposals.values()].flatMap((bySlot) =>
      [...bySlot.values()].filter(({ keepers }) => keepers.has(keeper)),
    );
    if (all.length > PROPOSALS_MAX)
      this.#removeProposal(
        all.reduce((one, other) => (other.proposal.slot > one.proposal.slot ? other : one)),
        keeper,
      );
    // The next decision is needed first.
    const slots = [...this.#proposals.keys()].sort((a, b) => b - a);
    for (const slot of slots)
      if (slot > last + 1 && this.#proposalBytes > PROPOSAL_BYTES_MAX) this.#proposals.delete(slot);
  }

  /**
   * Whether a vote is known, or concerns a slot for which no votes are counted, or is a further vote of a member that
   * is known to contradict itself.
   */
  has(vote: Vote, voter: ByteString, last: number): boolean {
    if (!isOpen(vote.slot, last)) return true;
    const votes = this.#votes.get(vote.slot)?.get(voter) ?? [];
    const same = votes.find((other) => isSameBallot(other, vote));
    return same !== undefined && (isSameChoice(same, vote) || this.#liars.has(voter));
  }

  /**
   * Adds a vote whose signature is valid.
   * @returns whether the voter has voted for another proposal in the same ballot
   */
  add(vote: Vote, voter: ByteString): boolean {
    const votes = this.#of(vote.slot, voter);
    if (votes.some((other) => isSameBallot(other, vote))) {
      this.#liars.add(voter);
      return true;
    }
    votes.push(vote);
    if (votes.length > EACH_MAX) votes.shift();
    return false;
  }

  #removeProposal({ proposal, keepers }: KnownProposal, keeper: ByteString): void {
    keepers.delete(keeper);
    if (keepers.size === 0) this.#proposals.get(proposal.slot)?.delete(proposal.root);
  }

  get #proposalBytes(): number {
    let bytes = 0;
    for (const bySlot of this.#proposals.values())
      for (const { proposal } of bySlot.values())
        for (const { body } of proposal.decisions) bytes += body.length;
    return bytes;
  }

  /** Whether a decision on a unit was proposed that is not made yet. @param unit  the id of the envelope */
  hasProposalOf(unit: ByteString): boolean {
    for (const bySlot of this.#proposals.values())
      for (const { proposal } of bySlot.values())
        if (proposal.decisions.some((decision) => decision.unit === unit)) return true;
    return false;
  }

  /** Yields the ids of the envelopes on which decisions were proposed that are not made yet. */
  *proposedUnits(): Generator<ByteString> {
    for (const bySlot of this.#proposals.values())
      for (const { proposal } of bySlot.values())
        for (const { unit } of proposal.decisions) if (unit !== null) yield unit;
  }

  /** Whether a member has voted for a proposal. */
  isVotedFor(proposal: Proposal): boolean {
    for (const votes of this.#votes.get(proposal.slot)?.values() ?? [])
      if (votes.some((vote) => isFor(vote, proposal))) return true;
    return false;
  }

  /** Returns the members that have voted for a proposal in a ballot, and their votes. */
  votesFor(proposal: Proposal, ballot: Ballot): ReadonlyMap<ByteString, Vote> {
    const found = new Map<ByteString, Vote>();
    for (const [voter, votes] of this.#votes.get(proposal.slot) ?? []) {
      const vote = votes.find((one) => isFor(one, proposal) && compareBallots(one.ballot, ballot) === 0);
      if (vote !== undefined) found.set(voter, vote);
    }
    return found;
  }

  /**
   * Returns the proposal that a majority has voted for, with its votes, or null if it is not known.
   * @param slot  that of the first decision
   */
  decisionsFrom(slot: number, list: VotingList): { proposal: Proposal; votes: Votes } | null {
    const proposals = this.#proposals.get(slot);
    if (proposals === undefined) return null;

    for (const votes of this.#votes.get(slot)?.values() ?? []) {
      for (const { ballot, root } of votes) {
        const proposal = proposals.get(root)?.proposal;
        if (proposal === undefined || ballot.listHash !== list.hash) continue;
        const found = this.votesFor(proposal, ballot);
        if (!isMajority(list, found)) continue;

        const listed = [...found].filter(([id]) => list.members.has(id)).map(([, vote]) => vote);
        return { proposal, votes: { ballot, votes: listed.slice(0, majorityOf(list)) } };
      }
    }
    return null;
  }

  #of(slot: number, voter: ByteString): Vote[] {
    const bySlot = this.#votes.get(slot) ?? new Map<ByteString, Vote[]>();
    this.#votes.set(slot, bySlot);
    const votes = bySlot.get(voter) ?? [];
    bySlot.set(voter, votes);
    return votes;
  }
}

const isOpen = (slot: number, last: number): boolean => slot > last && slot <= last + SLOTS_AHEAD;

const isSameBallot = (one: Vote, other: Vote): boolean => compareBallots(one.ballot, other.ballot) === 0;

/** Whether two votes of a slot are for the same proposal. */
const isSameChoice = (one: Vote, other: Vote): boolean =>
  one.root === other.root && one.count === other.count;

/** Whether a vote is for a proposal. One that names another number of decisions would not be valid in a certificate. */
const isFor = (vote: Vote, { decisions, root }: Proposal): boolean =>
  vote.root === root && vote.count === decisions.length;

type Ids = { has(id: ByteString): boolean };

const count = ({ members }: VotingList, ids: Ids): number => [...members].filter((id) => ids.has(id)).length;

/** The number of members of a list that decide. */
export const majorityOf = ({ members }: VotingList): number => Math.floor(members.size / 2) + 1;

export const isMajority = (list: VotingList, ids: Ids): boolean => count(list, ids) >= majorityOf(list);

/** Whether decisions of earlier lists may be missing here, because no decision of the current list is known. */
export const followsOthers = ({ earlier, unknown }: VotingLists): boolean =>
  earlier.length > 0 || unknown.size > 0;

/**
 * Whether the promises of these members permit proposals: they are a majority of the list, so that two keepers do not
 * both have them, and one of them is in every majority of each earlier list. If too few members of an earlier list have
 * remained, all of these have to promise: what only the removed members decided is lost, like their other entries. All
 * that may have remained of a list that is not known have to promise, too.
 */
export const isPromised = ({ current, earlier, unknown }: VotingLists, ids: Ids): boolean =>
  isMajority(current, ids) &&
  [...current.members].every((id) => !unknown.has(id) || ids.has(id)) &&
  earlier.every((list) => {
    const overlapping = list.members.size - majorityOf(list) + 1;
    return count(list, ids) >= Math.min(overlapping, count(list, current.members));
  });
