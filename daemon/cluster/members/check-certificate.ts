/** Checks the certificate of a decision: the votes of a majority of a member list. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { type Certificate, voteBytes } from "../../../protocol/members/decision-votes.js";
import type { MemberList } from "../../../protocol/members/member-list.js";
import { hashOf } from "../../engine/trust/identity.js";

type Verify = (spki: ByteString, bytes: Buffer, signature: Buffer) => boolean;

/**
 * Returns what is wrong with a certificate, or null if it is valid.
 * @param decision  the slot and the id of the decision
 * @param list  the list that the certificate names
 */
export function certificateProblem(
  { ballot, votes }: Certificate,
  { slot, id }: { readonly slot: number; readonly id: ByteString },
  { members, cluster, number }: MemberList,
  verify: Verify,
): string | null {
  if (number !== ballot.list) return "its votes name another number of the member list";
  const bytes = voteBytes(cluster, { ballot, slot, decision: id });
  if (votes.length > members.length) return "it has more votes than the list has members";
  const voters = new Set<ByteString>();
  for (const { spki, signature } of votes) {
    const voter = hashOf(Buffer.from(spki, "latin1"));
    if (!members.includes(voter)) return "a vote is not that of a member";
    if (voters.has(voter)) return "a member has two votes, and they are not those of a majority";
    if (!verify(spki, bytes, Buffer.from(signature, "latin1"))) return "the signature of a vote is not valid";
    voters.add(voter);
  }
  return 2 * voters.size > members.length ? null : "its votes are not those of a majority";
}
