/** Checks the signatures by which members propose decisions and vote for them. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  type Ballot,
  type Evidence,
  type MemberSignature,
  proposalBytes,
  type Vote,
  voteBytes,
} from "../../../../protocol/members/decision-votes.js";
import type { DecisionPorts, Proposal, VotingList, VotingLists } from "./decision-types.js";

type SigningPorts = Pick<DecisionPorts, "cluster" | "hash" | "verify">;

export class SignatureChecks {
  readonly #ports: SigningPorts;
  readonly #lists: () => VotingLists | null;

  /** @param lists  returns the lists whose members may have voted */
  constructor(ports: SigningPorts, lists: () => VotingLists | null) {
    this.#ports = ports;
    this.#lists = lists;
  }

  /** Returns the member that has signed a vote, or null if its signature is not valid. */
  voterOf(vote: Vote): ByteString | null {
    const { cluster, verify } = this.#ports;
    const id = this.#idOf(vote);
    if (this.#listOf(vote.ballot)?.members.has(id) !== true) return null;
    return verify(vote.spki, voteBytes(cluster, vote), vote.signature) ? id : null;
  }

  /** Whether the keeper of a ballot has signed a proposal. */
  isProposed(ballot: Ballot, { slot, id }: Pick<Proposal, "slot" | "id">, signed: MemberSignature): boolean {
    const { cluster, verify } = this.#ports;
    const bytes = proposalBytes(cluster, { ballot, slot, decision: id });
    return this.#idOf(signed) === ballot.member && verify(signed.spki, bytes, signed.signature);
  }

  /**
   * Whether two members have checked a decision, or the only member of a list. A single one of several members may lie
   * about the outcome, and about the ballot in which it has voted.
   */
  isEvidence({ vote, proposal }: Evidence, { slot, id }: Proposal): boolean {
    const { ballot } = vote;
    const members = this.#listOf(ballot)?.members;
    if (vote.slot !== slot || vote.decision !== id || members?.has(ballot.member) !== true) return false;
    const voter = this.voterOf(vote);
    if (voter === null || (voter === ballot.member && members.size > 1)) return false;
    return this.isProposed(ballot, { slot, id }, proposal);
  }

  #idOf({ spki }: MemberSignature): ByteString {
    return this.#ports.hash(Buffer.from(spki, "latin1"));
  }

  #listOf({ listHash }: Ballot): VotingList | undefined {
    const lists = this.#lists();
    return [lists?.current, ...(lists?.earlier ?? [])].find((list) => list?.hash === listHash);
  }
}
