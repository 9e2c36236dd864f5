/** The terms of decisions: docs/protocol-v2.md "Decisions" defines them. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type {
  Ballot,
  DecisionMessage,
  Evidence,
  LastDecision,
} from "../../../../protocol/members/decision-messages.js";
import type { MemberSignature } from "../../../../protocol/members/member-signature.js";
import type { OrderKey } from "../../../timeline/entries/entry.js";

/** A client's signed envelope that waits for its decision. */
export interface WaitingUnit {
  /** The id of the envelope. */
  readonly id: ByteString;
  /** The id of the key that has signed it. Keys have shares of the room for waiting units, and take turns. */
  readonly caller: ByteString;
  readonly body: Buffer;
  readonly signature: Buffer;
  /** The earliest date of a decision on it; milliseconds since 1970. */
  readonly earliest: number;
  /** When the wait ends; `uptime` milliseconds. */
  readonly until: number;
}

/**
 * Called when a client no longer waits for the decision on its unit, although none is known here.
 * @param wasSent  whether it was proposed, or another member may have received it, so that it may still be decided
 * @param reason  a clause, as from `Decisions.obstacle`
 */
export type GiveUp = (wasSent: boolean, reason: string) => void;

/** A proposed decision: the position and the outcomes of one envelope. `at`, `seq` and `id` are the position. */
export interface ProposedDecision extends OrderKey {
  /** Its number. Each decision follows the previous one, in the order of the slots and in that of the entries. */
  readonly slot: number;
  /** Its index in its proposal. */
  readonly index: number;
  /** The number of decisions in its proposal. */
  readonly count: number;
  /** The position of the previous decision; null for the first one. */
  readonly previous: OrderKey | null;
  /** The id of the envelope that it decides; null: none, because the decision only closes earlier member lists. */
  readonly unit: ByteString | null;
  /** The body of the decision's entry, which contains all of this. */
  readonly body: Buffer;
}

/** The decisions that a keeper proposes together, in consecutive slots. Members vote for all of them, or for none. */
export interface Proposal {
  /** The slot of the first decision. */
  readonly slot: number;
  /** At least one, in the order of their slots. */
  readonly decisions: readonly [ProposedDecision, ...ProposedDecision[]];
  /** The root of the decisions' ids. */
  readonly root: ByteString;
}

/** The votes of a majority for a proposal, which are the certificate of each of its decisions. */
export interface Votes {
  readonly ballot: Ballot;
  readonly votes: readonly MemberSignature[];
}

/** A decision whose entry is part of the state. */
export interface FoldedDecision extends Pick<ProposedDecision, "slot" | "previous"> {
  /** The slot of the last decision of its proposal. */
  readonly endSlot: number;
  /** The number of the member list that made it. */
  readonly list: number;
}

/** The decisions for which a member has voted last. */
export interface Accepted {
  readonly proposal: Proposal;
  /** From the ballot in which the member has voted. */
  readonly evidence: Evidence;
}

/** What a member must not forget. */
export interface VoterState {
  /** The member votes in no earlier ballot; null: in any. */
  readonly promised: Ballot | null;
  readonly accepted: Accepted | null;
  readonly last: LastDecision;
}

/** A member list that votes. */
export interface VotingList {
  readonly number: number;
  readonly hash: ByteString;
  readonly members: ReadonlySet<ByteString>;
}

export interface VotingLists {
  readonly current: VotingList;
  /**
   * Earlier lists in which a decision may have been made that is not known here: those from the list of the last
   * decision on.
   */
  readonly earlier: readonly VotingList[];
  /** The ids of the daemons that may be members of earlier lists that are not known here; empty: all are known. */
  readonly unknown: ReadonlySet<ByteString>;
}

/** A promise whose decision has been parsed. */
export interface PromiseOf {
  readonly ballot: Ballot;
  readonly last: LastDecision;
  readonly accepted: Accepted | null;
  /** That of the objection; 0 if it is none. */
  readonly notBefore: number;
  /** If it is an objection: the indexes of the decisions that it concerns; empty: the proposal as a whole. */
  readonly objected: readonly number[];
}

/** Why a member does not vote for a proposal. */
export interface Objection {
  /**
   * The earliest date of another proposal. If it is before the date of this one, that is too far ahead of the member's
   * clock, which is named here. 0: any date.
   */
  readonly notBefore: number;
  /** The indexes of the decisions that it concerns; empty: the proposal as a whole. */
  readonly objected: readonly number[];
}

/** Returns waiting units. @param hasToWait  whether a unit cannot be proposed now */
export type Servable = (hasToWait: (unit: WaitingUnit) => boolean) => Iterable<WaitingUnit>;

/** What other members have objected to dates. Neither makes a date possible that would not be possible without it. */
export interface DateBounds {
  /** The earliest date. */
  readonly notBefore: number;
  /** The clock of a member for which an earlier date was too far ahead; infinity: there is none. */
  readonly clock: number;
}

/** A member's judgement on a proposal. */
export type Judgement = "yes" | Objection;

/** What the decisions need of a daemon. */
export interface DecisionPorts {
  /** This daemon's id and SubjectPublicKeyInfo. */
  readonly own: { readonly id: ByteString; readonly spki: ByteString };
  /** The cluster's id. */
  readonly cluster: ByteString;
  readonly sign: (bytes: Buffer) => ByteString;
  readonly verify: (spki: ByteString, bytes: Buffer, signature: ByteString) => boolean;
  readonly hash: (bytes: Buffer) => ByteString;
  /** `uptime` milliseconds. */
  readonly uptime: () => number;
  /** Returns a number of at least 0 and below 1. */
  readonly random: () => number;
  /** Runs a step after the units and messages that have arrived in this turn of the event loop. */
  readonly nextTurn: (step: () => void) => void;
  /**
   * Returns the lists under which this daemon may vote, or null if it may not vote now.
   * @param since  the number of the list that made the last known decision
   */
  readonly lists: (since: number) => VotingLists | null;
  readonly isConnected: (member: ByteString) => boolean;
  /**
   * Returns when so many members had sent something that they and this daemon are a majority; `uptime` milliseconds, or
   * minus infinity.
   */
  readonly majorityHeardAt: () => number;
  /** Milliseconds without a message after which a member counts as silent. */
  readonly silentAfterMs: number;
  /** Whether a message to a member is sent: it is connected, and has sent its first status. */
  readonly isReady: (member: ByteString) => boolean;
  /** Returns the milliseconds of the last round trip to a member; null if it is unknown, or not connected. */
  readonly roundTrip: (member: ByteString) => number | null;
  /** Sends a message to one other member. A message to a member that is not ready is lost. */
  readonly send: (to: ByteString, message: DecisionMessage) => void;
  /** Calls `then` when the state is on the disk. States are stored in the order of the calls. */
  readonly save: (state: VoterState, then: () => void) => void;
  /**
   * Whether a unit is part of the state, so that the members object to it: by a decision, or recorded without one.
   * @param body  that of the unit, which is well-formed
   */
  readonly isPart: (unit: ByteString, body: Buffer) => boolean;
  /**
   * Returns the decision with a position, or null if no such entry is part of the state. Earlier ones may be missing.
   */
  readonly findDecision: (orderKey: OrderKey) => FoldedDecision | null;
  /** Whether all other members of the list are connected, and have the same entries up to a date as this daemon. */
  readonly areLevel: (upTo: number) => boolean;
  /** Returns the date up to which everything is part of the state, although its entries were removed. */
  readonly prunedTo: () => number;
  /**
   * Creates the decisions on the first of some units, or one on no unit, on this daemon's state; null: not now.
   * @param units  returns them in the order in which they are served, without those that have to wait; null: the
   * decision only closes earlier member lists
   */
  readonly propose: (units: Servable | null, last: LastDecision, bounds: DateBounds) => Proposal | null;
  /** Returns the latest date of clients' entries, which no round is above. */
  readonly latestDate: () => number;
  /** Judges the outcomes and positions of a proposal on this daemon's state, which contains all earlier decisions. */
  readonly judge: (proposal: Proposal) => Judgement;
  /** Parses the decisions of a proposal and checks their units' signatures. @returns null if they are not valid */
  readonly read: (bodies: readonly Buffer[]) => Proposal | null;
  /** Returns a unit's id and the key that it names as its signer, or null if it is malformed. Checks no signature. */
  readonly unitHead: (body: Buffer) => Pick<WaitingUnit, "id" | "caller"> | null;
  /** Returns the latest date that a proposal can have now, by this daemon's median clock; milliseconds since 1970. */
  readonly proposableTo: () => number;
  /** Parses a unit that another member has received, and checks its signature. @returns null if it is not valid */
  readonly readUnit: (body: Buffer, signature: Buffer) => WaitingUnit | null;
  /**
   * Records the decisions of a proposal. The daemon calls `Decisions.folded` for each once it is part of the state.
   * @param votes  those of a majority
   */
  readonly decided: (proposal: Proposal, votes: Votes) => void;
  /** Reports a member that has voted for two decisions in one ballot. */
  readonly contradicted: (member: ByteString) => void;
}
