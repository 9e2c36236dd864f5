/** Checks the signatures of the keeper's proposals and of the members' votes. docs/glossary.md explains the keeper. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  type Ballot,
  type Evidence,
  proposalBytes,
  type Vote,
  voteBytes,
} from "../../../../protocol/members/decision-messages.js";
import type { MemberSignature } from "../../../../protocol/members/member-signature.js";
import type { DecisionPorts, Proposal, VotingList, VotingLists } from "./decision-types.js";
import { votedIn } from "./voter.js";

type SigningPorts = Pick<DecisionPorts, "cluster" | "hash" | "verify">;

export class SignatureChecks {
  readonly #ports: SigningPorts;
  readonly #lists: () => VotingLists | null;

  /** @param lists  returns the lists whose members may have voted; null: this daemon may not vote now */
  constructor(ports: SigningPorts, lists: () => VotingLists | null) {
    this.#ports = ports;
    this.#lists = lists;
  }

  /** Returns the member that has signed a vote; null if the signature is not valid, or not a listed member's. */
  voterOf(vote: Vote): ByteString | null {
    const { cluster, verify } = this.#ports;
    const id = this.#idOf(vote);
    if (this.#listOf(vote.ballot)?.members.has(id) !== true) return null;
    return verify(vote.spki, voteBytes(cluster, vote), vote.signature) ? id : null;
  }

  /** Whether the keeper of a ballot has signed a proposal. */
  isSignedByKeeper(ballot: Ballot, proposal: Proposal, signed: MemberSignature): boolean {
    const { cluster, verify } = this.#ports;
    const bytes = proposalBytes(cluster, votedIn(ballot, proposal));
    return this.#idOf(signed) === ballot.member && verify(signed.spki, bytes, signed.signature);
  }

  /**
   * Whether signatures prove that two members have checked a proposal: the keeper, which signed it, and another member,
   * which voted for it. In a list of one member, the keeper's vote is enough. One of several members may lie about the
   * outcome, or about the ballot in which it has voted.
   */
  isEvidence({ vote, proposal: signed }: Evidence, proposal: Proposal): boolean {
    const { ballot } = vote;
    const members = this.#listOf(ballot)?.members;
    const { slot, decisions, root } = proposal;
    const isSame = vote.slot === slot && vote.count === decisions.length && vote.root === root;
    if (!isSame || members?.has(ballot.member) !== true) return false;
    const voter = this.voterOf(vote);
    if (voter === null || (voter === ballot.member && members.size > 1)) return false;
    return this.isSignedByKeeper(ballot, proposal, signed);
  }

  #idOf({ spki }: MemberSignature): ByteString {
    return this.#ports.hash(Buffer.from(spki, "latin1"));
  }

  #listOf({ listHash }: Ballot): VotingList | undefined {
    const lists = this.#lists();
    return [lists?.current, ...(lists?.earlier ?? [])].find((list) => list?.hash === listHash);
  }
}
