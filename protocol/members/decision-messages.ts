/**
 * The votes and messages by which members decide conditional units, and what a member stores about its promises and
 * votes. Each message is a RESP2 array of bulk strings. Source: docs/protocol-v2.md "Decisions".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { RespReader } from "../resp/resp-reader.js";
import { type DecisionPosition, positionBytes, readPosition, SLOT_MAX } from "../version-2/decision-body.js";
import { HASH_BYTES } from "../version-2/envelope.js";
import { readNumber } from "./member-elements.js";

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
 * The evidence that two members have checked a decision: the keeper of the vote's ballot has proposed it, and another
 * member has voted for it. In a list with one member, both are the same.
 */
export interface Evidence {
  readonly vote: Vote;
  /** The keeper's signature of its proposal in the ballot of the vote. */
  readonly proposal: MemberSignature;
}

/**
 * The votes of a majority of a member list for one decision in one ballot. They are the signature of the decision's
 * entry.
 */
export interface Certificate {
  readonly ballot: Ballot;
  readonly votes: readonly MemberSignature[];
}

const VOTE_DOMAIN = "dbsync2\0decision\0";
const PROPOSAL_DOMAIN = "dbsync2\0proposal\0";
const ROUND_BYTES = 6;
/** list (4) ‖ hash of the list (32) ‖ round (6) ‖ member (32) ‖ attempt (4). */
const BALLOT_BYTES = 4 + HASH_BYTES + ROUND_BYTES + HASH_BYTES + 4;
/**
 * The maximum round, which `ROUND_BYTES` can contain. Members accept no round that is far above the present date in
 * milliseconds since 1970, so that no member can use up the rounds.
 */
export const ROUND_MAX = 2 ** 48 - 1;
/** The maximum attempt in a round. A ballot above it is malformed. */
export const ATTEMPT_MAX = 0x7fffffff;

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
  at = bytes.writeUIntBE(round, at, ROUND_BYTES);
  at += bytes.write(member, at, "latin1");
  bytes.writeUInt32BE(attempt, at);
  return bytes;
}

/** @returns null if the bytes are too short, or a number is too large */
export function readBallot(bytes: Buffer, offset = 0): Ballot | null {
  if (offset + BALLOT_BYTES > bytes.length) return null;
  const round = offset + 4 + HASH_BYTES;
  const attempt = round + ROUND_BYTES + HASH_BYTES;
  const ballot = {
    list: bytes.readUInt32BE(offset),
    listHash: bytesOf(bytes, offset + 4, round),
    round: bytes.readUIntBE(round, ROUND_BYTES),
    member: bytesOf(bytes, round + ROUND_BYTES, attempt),
    attempt: bytes.readUInt32BE(attempt),
  };
  return ballot.attempt <= ATTEMPT_MAX ? ballot : null;
}

/** Packs a signature as length (1) ‖ SubjectPublicKeyInfo ‖ length (1) ‖ signature. */
function writeMemberSignature({ spki, signature }: MemberSignature): Buffer {
  const lengths = [spki, signature].map((part) => String.fromCharCode(part.length));
  return Buffer.from(`${lengths[0]}${spki}${lengths[1]}${signature}`, "latin1");
}

/** @returns the signature and the offset of its end, or null if the bytes are too short */
function readMemberSignature(
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

/** The last decision that is part of a member's state, like all before it. */
export interface LastDecision {
  /** 0: there is none. */
  readonly slot: number;
  readonly orderKey: DecisionPosition | null;
  /** The number of the member list that made it. */
  readonly list: number;
}

/** The decision for which a member has voted last. */
export interface AcceptedBody {
  readonly body: Buffer;
  /** From the ballot in which the member has voted. */
  readonly evidence: Evidence;
}

/** The promise to vote in no ballot before this one. */
export interface PromiseMessage {
  readonly kind: "promise";
  readonly ballot: Ballot;
  readonly last: LastDecision;
  readonly accepted: AcceptedBody | null;
  /**
   * If the message is an objection to the proposal in the previous attempt: the date from which the sender may vote for
   * another one. Otherwise 0.
   */
  readonly notBefore: number;
}

export type DecisionMessage =
  /** A unit that a client has sent to the sender. */
  | { readonly kind: "unit"; readonly body: Buffer; readonly signature: Buffer }
  | { readonly kind: "promise-request"; readonly ballot: Ballot }
  | PromiseMessage
  | {
      readonly kind: "propose";
      readonly ballot: Ballot;
      readonly body: Buffer;
      readonly signed: MemberSignature;
      /** From an earlier ballot; null if the keeper has evaluated the unit. */
      readonly evidence: Evidence | null;
    }
  | { readonly kind: "vote"; readonly vote: Vote }
  /** The sender has promised this ballot, and so does not vote in the one that the receiver has named. */
  | { readonly kind: "outvoted"; readonly ballot: Ballot };

/** What a member must not forget. */
export interface StoredPromises {
  readonly promised: Ballot | null;
  readonly accepted: AcceptedBody | null;
  readonly last: LastDecision;
}

/** What a member stores before its first promise. */
export const NO_PROMISES: StoredPromises = {
  promised: null,
  accepted: null,
  last: { slot: 0, orderKey: null, list: 0 },
};

type Element = string | Buffer;

const EMPTY = Buffer.alloc(0);

export function writeDecisionMessage(message: DecisionMessage): Buffer {
  const { kind } = message;
  switch (kind) {
    case "unit":
      return writeElements([kind, message.body, message.signature]);
    case "promise": {
      const { ballot, accepted, last, notBefore } = message;
      return writeElements([kind, writeBallot(ballot), ...stateElements(accepted, last), String(notBefore)]);
    }
    case "propose":
      return writeElements([
        kind,
        writeBallot(message.ballot),
        message.body,
        writeMemberSignature(message.signed),
        writeEvidence(message.evidence),
      ]);
    case "vote":
      return writeElements([kind, writeVote(message.vote)]);
    default:
      return writeElements([kind, writeBallot(message.ballot)]);
  }
}

/** Parses a message. Its buffers are views. @throws MalformedFrame */
export function readDecisionMessage(bytes: Buffer): DecisionMessage {
  const reader = new RespReader(bytes);
  const length = reader.readArrayHead();
  const kind = reader.readBulk();
  if (LENGTHS.get(kind) !== length) throw reader.malformed("expected a message about decisions");
  const message = readRest(kind as DecisionMessage["kind"], reader);
  reader.expectEnd();
  return message;
}

/** The number of elements of a message of each kind, including the name of the kind. */
const LENGTHS: ReadonlyMap<string, number> = new Map([
  ["unit", 3],
  ["promise-request", 2],
  ["promise", 8],
  ["propose", 5],
  ["vote", 2],
  ["outvoted", 2],
]);

function readRest(kind: DecisionMessage["kind"], reader: RespReader): DecisionMessage {
  switch (kind) {
    case "unit":
      return { kind, body: reader.readBulkView(), signature: reader.readBulkView() };
    case "promise": {
      const ballot = expectBallot(reader);
      return { kind, ballot, ...readState(reader), notBefore: readNumber(reader) };
    }
    case "propose":
      return {
        kind,
        ballot: expectBallot(reader),
        body: reader.readBulkView(),
        signed: readSigned(reader),
        evidence: readEvidence(reader),
      };
    case "vote":
      return { kind, vote: readVote(reader, reader.readBulkView()) };
    default:
      return { kind, ballot: expectBallot(reader) };
  }
}

export function writeStoredPromises({ promised, accepted, last }: StoredPromises): Buffer {
  const ballot = promised === null ? EMPTY : writeBallot(promised);
  return writeElements([ballot, ...stateElements(accepted, last)]);
}

/** @throws MalformedFrame */
export function readStoredPromises(bytes: Buffer): StoredPromises {
  const reader = new RespReader(bytes);
  if (reader.readArrayHead() !== 6) throw reader.malformed("expected promises");
  const promised = readOptionalBallot(reader);
  return { promised, ...readState(reader) };
}

const stateElements = (accepted: AcceptedBody | null, { slot, orderKey, list }: LastDecision): Element[] => [
  accepted?.body ?? EMPTY,
  writeEvidence(accepted?.evidence ?? null),
  String(slot),
  positionBytes(orderKey),
  String(list),
];

function readState(reader: RespReader): Pick<StoredPromises, "accepted" | "last"> {
  const [body, evidence] = [reader.readBulkView(), readEvidence(reader)];
  const last = { slot: readNumber(reader), orderKey: readPosition(reader), list: readNumber(reader) };
  if (last.slot >= SLOT_MAX) throw reader.malformed("expected a slot");
  return { accepted: evidence === null ? null : { body, evidence }, last };
}

function expectBallot(reader: RespReader): Ballot {
  const ballot = readOptionalBallot(reader);
  if (ballot === null) throw reader.malformed("expected a ballot");
  return ballot;
}

function readOptionalBallot(reader: RespReader): Ballot | null {
  const bytes = reader.readBulkView();
  if (bytes.length === 0) return null;
  const ballot = bytes.length === BALLOT_BYTES ? readBallot(bytes) : null;
  if (ballot === null) throw reader.malformed("expected a ballot");
  return ballot;
}

/** Writes a vote as ballot ‖ slot (8) ‖ decision (32) ‖ length (1) ‖ SubjectPublicKeyInfo ‖ signature. */
function writeVote(vote: Vote): Buffer {
  const { ballot, slot, decision, spki, signature } = vote;
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(slot));
  const texts = [decision, String.fromCharCode(spki.length), spki, signature];
  return Buffer.concat([writeBallot(ballot), number, Buffer.from(texts.join(""), "latin1")]);
}

function readVote(reader: RespReader, bytes: Buffer): Vote {
  const ballot = readBallot(bytes);
  const start = BALLOT_BYTES + 8 + HASH_BYTES;
  if (ballot === null || start >= bytes.length) throw reader.malformed("expected a vote");
  const slot = Number(bytes.readBigUInt64BE(BALLOT_BYTES));
  if (slot > SLOT_MAX) throw reader.malformed("expected a slot");
  const decision: ByteString = bytesOf(bytes, BALLOT_BYTES + 8, start);
  const end = start + 1 + (bytes[start] as number);
  return { ballot, slot, decision, spki: bytesOf(bytes, start + 1, end), signature: bytesOf(bytes, end) };
}

/** Writes evidence as the keeper's signature ‖ vote. */
const writeEvidence = (evidence: Evidence | null): Buffer =>
  evidence === null
    ? EMPTY
    : Buffer.concat([writeMemberSignature(evidence.proposal), writeVote(evidence.vote)]);

function readEvidence(reader: RespReader): Evidence | null {
  const bytes = reader.readBulkView();
  if (bytes.length === 0) return null;
  const proposal = readMemberSignature(bytes);
  if (proposal === null) throw reader.malformed("expected a signature");
  return { proposal: proposal.signed, vote: readVote(reader, bytes.subarray(proposal.end)) };
}

function readSigned(reader: RespReader): MemberSignature {
  const bytes = reader.readBulkView();
  const found = readMemberSignature(bytes);
  if (found?.end !== bytes.length) throw reader.malformed("expected a signature");
  return found.signed;
}

function writeElements(elements: readonly Element[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${elements.length}\r\n`, "latin1")];
  for (const element of elements) {
    const bytes = typeof element === "string" ? Buffer.from(element, "latin1") : element;
    parts.push(Buffer.from(`$${bytes.length}\r\n`, "latin1"), bytes, Buffer.from("\r\n", "latin1"));
  }
  return Buffer.concat(parts);
}
