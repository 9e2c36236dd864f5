/**
 * What this daemon has promised and voted, which it must never forget. A promise or a vote is stored before any other
 * member learns of it.
 */

import {
  type Ballot,
  compareBallots,
  type Evidence,
  type LastDecision,
  NO_PROMISES,
  proposalBytes,
  type Vote,
  voteBytes,
} from "../../../../protocol/members/decision-messages.js";
import type { MemberSignature } from "../../../../protocol/members/member-signature.js";
import type {
  Accepted,
  DecisionPorts,
  Objection,
  PromiseOf,
  Proposal,
  VoterState,
} from "./decision-types.js";
import type { Timeouts } from "./timeouts.js";

/** What a promise contains that is not an objection. */
export const NO_OBJECTION: Objection = { notBefore: 0, objected: [] };
/** The number of decisions after which the last one is stored without a promise or a vote. */
const UNSTORED_MAX = 1_024;

export class Voter {
  readonly #ports: DecisionPorts;
  readonly #timeouts: Timeouts;
  #state: VoterState;
  /** The slot of the last decision, as it is stored. */
  #storedSlot: number;
  /** How often this daemon has promised a ballot of another keeper, or of another round, since the start. */
  keeperChanges = 0;
  /** Whether earlier promises may be lost: then this daemon promises nothing and does not vote. */
  isAmnesic: boolean;

  /** @param stored  the stored state, or null if it was lost */
  constructor(ports: DecisionPorts, timeouts: Timeouts, stored: VoterState | null) {
    this.#ports = ports;
    this.#timeouts = timeouts;
    const { last } = NO_PROMISES;
    this.#state = stored ?? { promised: null, accepted: null, last };
    this.#storedSlot = this.#state.last.slot;
    this.isAmnesic = stored === null;
  }

  get promised(): Ballot | null {
    return this.#state.promised;
  }

  get last(): LastDecision {
    return this.#state.last;
  }

  /** The vote for decisions that may not have been made; null if there is none. */
  get open(): Accepted | null {
    const { accepted, last } = this.#state;
    return accepted !== null && accepted.proposal.slot > last.slot ? accepted : null;
  }

  /**
   * Called when all decisions up to this one are part of the state. It is stored with the next promise or vote. A
   * member that does not vote stores it rarely, so that it has few decisions to find after a restart.
   */
  follow(last: LastDecision): void {
    this.#state = { ...this.#state, last };
    if (!this.isAmnesic && last.slot - this.#storedSlot >= UNSTORED_MAX)
      this.#saveState(this.#state, () => {});
  }

  /** Gives up decisions that were never made. @param last  the last one that was */
  correct(last: LastDecision): void {
    const { accepted } = this.#state;
    const isLater = accepted !== null && accepted.proposal.slot > last.slot + 1;
    this.#state = { ...this.#state, last, accepted: isLater ? null : accepted };
  }

  /**
   * Promises a ballot.
   * @param objection  to the proposal in the attempt before this ballot, or `NO_OBJECTION`
   * @param then  receives the promise once it is stored
   * @returns whether no later ballot has been promised
   */
  promise(ballot: Ballot, objection: Objection, then: (promise: PromiseOf) => void): boolean {
    if (this.isAmnesic || compareBallots(ballot, this.promised) < 0) return false;
    this.#saveState({ ...this.#state, promised: ballot }, () => {
      // A later promise may have been stored in the meantime, but no vote in an earlier ballot.
      then({ ballot, last: this.last, accepted: this.open, ...objection });
    });
    return true;
  }

  /** Signs a proposal in this daemon's own ballot. */
  propose(ballot: Ballot, proposal: Proposal): MemberSignature {
    const { own, cluster, sign } = this.#ports;
    return { spki: own.spki, signature: sign(proposalBytes(cluster, votedIn(ballot, proposal))) };
  }

  /**
   * Votes for a proposal whose first decision has the next slot.
   * @param signed  the keeper's signature of its proposal
   * @param other  a vote of another member in this ballot, if this daemon is the keeper; null: its own is the evidence
   * @param then  receives the vote once it is stored
   * @returns whether no later ballot has been promised
   */
  vote(
    ballot: Ballot,
    proposal: Proposal,
    signed: MemberSignature,
    other: Vote | null,
    then: (vote: Vote) => void,
  ): boolean {
    if (this.isAmnesic || compareBallots(ballot, this.promised) < 0) return false;
    const vote = this.#signedVote(ballot, proposal);
    const evidence: Evidence = { vote: other ?? vote, proposal: signed };
    const accepted = { proposal, evidence };
    this.#saveState({ ...this.#state, promised: ballot, accepted }, () => then(vote));
    return true;
  }

  /** Adopts what the other members have promised and accepted in place of what was lost. */
  recover(promised: Ballot, accepted: Accepted | null, then: () => void): void {
    this.#saveState({ ...this.#state, promised, accepted }, () => {
      this.isAmnesic = false;
      then();
    });
  }

  #saveState(state: VoterState, then: () => void): void {
    const { promised } = this.#state;
    if (promised !== null && !isSameTurn(promised, state.promised)) this.keeperChanges++;

    // It binds this daemon immediately, and is sent once it is stored: a crash must not make it forget what it sent.
    this.#state = state;
    this.#storedSlot = state.last.slot;
    this.#timeouts.saving();
    this.#ports.save(state, () => {
      this.#timeouts.saved();
      then();
    });
  }

  #signedVote(ballot: Ballot, proposal: Proposal): Vote {
    const { own, cluster, sign } = this.#ports;
    const vote = votedIn(ballot, proposal);
    return { ...vote, spki: own.spki, signature: sign(voteBytes(cluster, vote)) };
  }
}

/** Whether two ballots are of the same keeper, in the same round. Its attempts follow each other. */
export const isSameTurn = (one: Ballot | null, other: Ballot | null): boolean =>
  one?.listHash === other?.listHash && one?.round === other?.round && one?.member === other?.member;

/** Returns what a vote for a proposal covers. */
export const votedIn = (
  ballot: Ballot,
  { slot, decisions, root }: Proposal,
): Pick<Vote, "ballot" | "slot" | "count" | "root"> => ({ ballot, slot, count: decisions.length, root });

/** Returns the bodies of a proposal's decisions, as messages and the disk contain them. */
export const bodiesOf = ({ decisions }: Proposal): Buffer[] => decisions.map(({ body }) => body);
