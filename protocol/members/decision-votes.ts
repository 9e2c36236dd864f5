/**
 * Members' votes on decisions. The votes of a majority of a member list for one decision are its certificate: they are
 * the signature of the decision's entry. Source: docs/protocol-v2.md "Decisions".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { HASH_BYTES } from "../version-2/envelope.js";

/**
 * The right of one member, its keeper, to propose decisions. Members promise to vote in no earlier ballot. Ballots are
 * ordered by their lists' numbers, then by round, member and attempt.
 */
export interface Ballot {
  /** The number and the hash of the member list that votes. */
  readonly list: number;
  readonly listHash: ByteString;
  readonly round: number;
  /** The id of the keeper. */
  readonly member: ByteString;
  /** The keeper's attempts in this round: after an objection, it proposes another decision in the next attempt. */
  readonly attempt: number;
}

/** A member's key, as SubjectPublicKeyInfo in DER, and its signature. */
export interface MemberSignature {
  readonly spki: ByteString;
  readonly signature: ByteString;
}

/** A member's vote for a decision. */
export interface Vote extends MemberSignature {
  readonly ballot: Ballot;
  readonly slot: number;
  /** The id of the decision's entry, 32 bytes. */
  readonly decision: ByteString;
}

/**
 * Shows that two members have checked a decision: the keeper of the vote's ballot has proposed it, and another member
 * has voted for it. In a list with one member, both are the same.
 */
export interface Evidence {
  readonly vote: Vote;
  /** The keeper's signature of its proposal in the ballot of the vote. */
  readonly proposal: MemberSignature;
}

/** The votes of a majority for one decision in one ballot. */
export interface Certificate {
  readonly ballot: Ballot;
  readonly votes: readonly MemberSignature[];
}

const VOTE_DOMAIN = "dbsync2\0decision\0";
const PROPOSAL_DOMAIN = "dbsync2\0proposal\0";
/** list (4) ‖ hash of the list (32) ‖ round (4) ‖ member (32) ‖ attempt (4). */
export const BALLOT_BYTES = 4 + HASH_BYTES + 4 + HASH_BYTES + 4;
/** The maximum number of attempts in a round, and of rounds in a list. A ballot above it is malformed. */
export const ROUND_MAX = 0x7fffffff;

/** Compares two ballots: negative if `a` is earlier. Null is earlier than every ballot. */
export function compareBallots(a: Ballot | null, b: Ballot | null): number {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  return (
    a.list - b.list ||
    compareBytes(a.listHash, b.listHash) ||
    a.round - b.round ||
    compareBytes(a.member, b.member) ||
    a.attempt - b.attempt
  );
}

const compareBytes = (a: ByteString, b: ByteString): number => (a < b ? -1 : a > b ? 1 : 0);

type Voted = Pick<Vote, "ballot" | "slot" | "decision">;

/** Returns the bytes that a vote's signature covers. @param cluster  32 bytes */
export const voteBytes = (cluster: ByteString, vote: Voted): Buffer =>
  votedBytes(VOTE_DOMAIN + cluster, vote);

/** Returns the bytes that the keeper's signature of its proposal covers. @param cluster  32 bytes */
export const proposalBytes = (cluster: ByteString, proposal: Voted): Buffer =>
  votedBytes(PROPOSAL_DOMAIN + cluster, proposal);

function votedBytes(domain: string, { ballot, slot, decision }: Voted): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(slot));
  return Buffer.concat([
    Buffer.from(domain, "latin1"),
    writeBallot(ballot),
    number,
    Buffer.from(decision, "latin1"),
  ]);
}

export function writeBallot({ list, listHash, round, member, attempt }: Ballot): Buffer {
  const bytes = Buffer.alloc(BALLOT_BYTES);
  let at = bytes.writeUInt32BE(list);
  at += bytes.write(listHash, at, "latin1");
  at = bytes.writeUInt32BE(round, at);
  at += bytes.write(member, at, "latin1");
  bytes.writeUInt32BE(attempt, at);
  return bytes;
}

/** @returns null if the bytes are too short, or a number is too large */
export function readBallot(bytes: Buffer, offset = 0): Ballot | null {
  if (offset + BALLOT_BYTES > bytes.length) return null;
  const round = offset + 4 + HASH_BYTES;
  const attempt = round + 4 + HASH_BYTES;
  const ballot = {
    list: bytes.readUInt32BE(offset),
    listHash: bytesOf(bytes, offset + 4, round),
    round: bytes.readUInt32BE(round),
    member: bytesOf(bytes, round + 4, attempt),
    attempt: bytes.readUInt32BE(attempt),
  };
  return ballot.round <= ROUND_MAX && ballot.attempt <= ROUND_MAX ? ballot : null;
}

/** Packs a signature as length (1) ‖ SubjectPublicKeyInfo ‖ length (1) ‖ signature. */
export function writeMemberSignature({ spki, signature }: MemberSignature): Buffer {
  const lengths = [spki, signature].map((part) => String.fromCharCode(part.length));
  return Buffer.from(`${lengths[0]}${spki}${lengths[1]}${signature}`, "latin1");
}

/** @returns the signature and the offset of its end, or null if the bytes are too short */
export function readMemberSignature(
  bytes: Buffer,
  offset = 0,
): { readonly signed: MemberSignature; readonly end: number } | null {
  let end = offset;
  const part = (): ByteString => {
    const start = end + 1;
    end = start + (bytes[end] ?? bytes.length);
    return bytesOf(bytes, start, end);
  };
  const signed = { spki: part(), signature: part() };
  return end > bytes.length ? null : { signed, end };
}

/** Packs a certificate as ballot ‖ votes. */
export const writeCertificate = ({ ballot, votes }: Certificate): Buffer =>
  Buffer.concat([writeBallot(ballot), ...votes.map(writeMemberSignature)]);

/** Unpacks a certificate. @returns null if the bytes are not a certificate */
export function readCertificate(bytes: Buffer): Certificate | null {
  const ballot = readBallot(bytes);
  if (ballot === null) return null;
  const votes: MemberSignature[] = [];
  let offset = BALLOT_BYTES;
  while (offset < bytes.length) {
    const vote = readMemberSignature(bytes, offset);
    if (vote === null) return null;
    votes.push(vote.signed);
    offset = vote.end;
  }
  return { ballot, votes };
}
