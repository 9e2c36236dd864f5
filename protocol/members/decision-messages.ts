/**
 * The votes and messages by which members decide conditional units, and what a member stores about its promises and
 * votes. Each message is a RESP2 array of bulk strings. Source: docs/member-protocol.md "Decisions".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { RespReader } from "../resp/resp-reader.js";
import {
  type DecisionPosition,
  PROPOSAL_UNITS_MAX,
  positionBytes,
  readPosition,
  SLOT_MAX,
} from "../version-2/decision-body.js";
import { HASH_BYTES } from "../version-2/envelope.js";
import { readNumber } from "./member-elements.js";
import {
  type MemberSignature,
  readMemberSignature,
  readMemberSignatures,
  writeMemberSignature,
} from "./member-signature.js";

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

/** A member's vote for the decisions of a proposal. */
export interface Vote extends MemberSignature {
  readonly ballot: Ballot;
  /** The slot of the first decision. The others have the slots after it. */
  readonly slot: number;
  /** The number of decisions. */
  readonly count: number;
  /** The root of the ids of the decisions' entries, 32 bytes. */
  readonly root: ByteString;
}

/**
 * The evidence that two members have checked a proposal: the keeper of the vote's ballot has proposed it, and another
 * member has voted for it. In a list with one member, both are the same.
 */
export interface Evidence {
  readonly vote: Vote;
  /** The keeper's signature of its proposal in the ballot of the vote. */
  readonly proposal: MemberSignature;
}

/**
 * The votes of a majority of a member list for one proposal in one ballot. They are the signature of the entry of each
 * of its decisions.
 */
export interface Certificate {
  readonly ballot: Ballot;
  /** The path from the decision's id to the root; empty if the proposal has only one decision. */
  readonly path: readonly ByteString[];
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

type Voted = Pick<Vote, "ballot" | "slot" | "count" | "root">;

/** Returns the bytes that a vote's signature covers. @param cluster  32 bytes */
export const voteBytes = (cluster: ByteString, vote: Voted): Buffer =>
  votedBytes(VOTE_DOMAIN + cluster, vote);

/** Returns the bytes that the keeper's signature of its proposal covers. @param cluster  32 bytes */
export const proposalBytes = (cluster: ByteString, proposal: Voted): Buffer =>
  votedBytes(PROPOSAL_DOMAIN + cluster, proposal);

const votedBytes = (domain: string, voted: Voted): Buffer =>
  Buffer.concat([Buffer.from(domain, "latin1"), writeVoted(voted)]);

/** Packs what a vote is for as ballot ‖ slot (8) ‖ count (1) ‖ root (32). */
function writeVoted({ ballot, slot, count, root }: Voted): Buffer {
  const numbers = Buffer.alloc(9);
  numbers.writeBigUInt64BE(BigInt(slot));
  numbers.writeUInt8(count, 8);
  return Buffer.concat([writeBallot(ballot), numbers, Buffer.from(root, "latin1")]);
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

/** Packs a certificate as ballot ‖ number of nodes in the path (1) ‖ path ‖ votes. */
export const writeCertificate = ({ ballot, path, votes }: Certificate): Buffer =>
  Buffer.concat([
    writeBallot(ballot),
    Buffer.of(path.length),
    Buffer.from(path.join(""), "latin1"),
    ...votes.map(writeMemberSignature),
  ]);

/** Unpacks a certificate. @returns null if the bytes are not a certificate */
export function readCertificate(bytes: Buffer): Certificate | null {
  const ballot = readBallot(bytes);
  if (ballot === null) return null;
  let offset = BALLOT_BYTES + 1;
  const path: ByteString[] = [];
  for (let nodes = bytes[BALLOT_BYTES] ?? 0; nodes > 0; nodes--, offset += HASH_BYTES)
    path.push(bytesOf(bytes, offset, offset + HASH_BYTES));
  if (offset > bytes.length) return null;

  const votes = readMemberSignatures(bytes, offset);
  return votes === null ? null : { ballot, path, votes };
}

/** The last decision that is part of a member's state, like all before it. */
export interface LastDecision {
  /** 0: there is none. */
  readonly slot: number;
  readonly orderKey: DecisionPosition | null;
  /** The number of the member list that made it. */
  readonly list: number;
}

/** The decisions for which a member has voted last. */
export interface AcceptedBodies {
  /** At least one. */
  readonly bodies: readonly Buffer[];
  /** From the ballot in which the member has voted. */
  readonly evidence: Evidence;
}

/** The promise to vote in no ballot before this one. */
export interface PromiseMessage {
  readonly kind: "promise";
  readonly ballot: Ballot;
  readonly last: LastDecision;
  readonly accepted: AcceptedBodies | null;
  /**
   * If the message is an objection to the proposal in the previous attempt: the date from which the sender may vote for
   * another one. Otherwise 0.
   */
  readonly notBefore: number;
  /** The indexes of the decisions to which the sender objects; empty: to the proposal as a whole, or to none. */
  readonly objected: readonly number[];
}

export type DecisionMessage =
  /** A unit that a client has sent to the sender. */
  | { readonly kind: "unit"; readonly body: Buffer; readonly signature: Buffer }
  | { readonly kind: "promise-request"; readonly ballot: Ballot }
  | PromiseMessage
  | {
      readonly kind: "propose";
      readonly ballot: Ballot;
      /** The bodies of the decisions, at least one. */
      readonly bodies: readonly Buffer[];
      readonly signed: MemberSignature;
      /** From an earlier ballot; null if the keeper has evaluated the units. */
      readonly evidence: Evidence | null;
    }
  | { readonly kind: "vote"; readonly vote: Vote }
  /** The sender has promised this ballot, and so does not vote in the one that the receiver has named. */
  | { readonly kind: "outvoted"; readonly ballot: Ballot }
  /**
   * The sender waits for a decision, and requests an answer, to find out whether the receiver runs and is connected.
   */
  | { readonly kind: "answer-request"; readonly number: number }
  /** The answer to the request with this number. */
  | { readonly kind: "answer"; readonly number: number };

/** What a member must not forget. */
export interface StoredPromises {
  readonly promised: Ballot | null;
  readonly accepted: AcceptedBodies | null;
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

/** How messages of one kind are written and read. */
interface MessageForm<Message extends DecisionMessage> {
  /** The number of elements, including the name of the kind, without the bodies of decisions at the end. */
  readonly length: number;
  /** The maximum number of these bodies. */
  readonly bodiesMax: number;
  /** Returns the elements after the name. */
  write(message: Message): Element[];
  /** Reads these elements. @param bodies  the number of bodies @throws MalformedFrame */
  read(reader: RespReader, bodies: number): Omit<Message, "kind">;
}

type Kind = DecisionMessage["kind"];
type OfKind<One extends Kind> = Extract<DecisionMessage, { readonly kind: One }>;

const FORMS: { readonly [One in Kind]: MessageForm<OfKind<One>> } = {
  unit: {
    length: 3,
    bodiesMax: 0,
    write: ({ body, signature }) => [body, signature],
    read: (reader) => ({ body: reader.readBulkView(), signature: reader.readBulkView() }),
  },
  "promise-request": {
    length: 2,
    bodiesMax: 0,
    write: ({ ballot }) => [writeBallot(ballot)],
    read: (reader) => ({ ballot: expectBallot(reader) }),
  },
  promise: {
    length: 8,
    bodiesMax: PROPOSAL_UNITS_MAX,
    write: ({ ballot, notBefore, objected, accepted, last }) => [
      writeBallot(ballot),
      String(notBefore),
      Buffer.from(objected),
      ...stateElements(accepted, last),
    ],
    read: readPromise,
  },
  propose: {
    length: 4,
    bodiesMax: PROPOSAL_UNITS_MAX,
    write: ({ ballot, signed, evidence, bodies }) => [
      writeBallot(ballot),
      writeMemberSignature(signed),
      writeEvidence(evidence),
      ...bodies,
    ],
    read: (reader, bodies) => ({
      ballot: expectBallot(reader),
      signed: readSigned(reader),
      evidence: readEvidence(reader),
      bodies: expectBodies(reader, bodies),
    }),
  },
  vote: {
    length: 2,
    bodiesMax: 0,
    write: ({ vote }) => [writeVote(vote)],
    read: (reader) => ({ vote: readVote(reader, reader.readBulkView()) }),
  },
  outvoted: {
    length: 2,
    bodiesMax: 0,
    write: ({ ballot }) => [writeBallot(ballot)],
    read: (reader) => ({ ballot: expectBallot(reader) }),
  },
  "answer-request": {
    length: 2,
    bodiesMax: 0,
    write: ({ number }) => [String(number)],
    read: (reader) => ({ number: readNumber(reader) }),
  },
  answer: {
    length: 2,
    bodiesMax: 0,
    write: ({ number }) => [String(number)],
    read: (reader) => ({ number: readNumber(reader) }),
  },
};

const isKind = (kind: string): kind is Kind => Object.hasOwn(FORMS, kind);

/** Returns the form of a kind. The caller passes it only messages of this kind. */
const formOf = (kind: Kind): MessageForm<DecisionMessage> => FORMS[kind];

export function writeDecisionMessage(message: DecisionMessage): Buffer {
  const { kind } = message;
  return writeElements([kind, ...formOf(kind).write(message)]);
}

/** Parses a message. Its buffers are views. @throws MalformedFrame */
export function readDecisionMessage(bytes: Buffer): DecisionMessage {
  const reader = new RespReader(bytes);
  const length = reader.readArrayHead();
  const kind = reader.readBulk();
  if (!isKind(kind)) throw reader.malformed("expected a message about decisions");

  const form = formOf(kind);
  const bodies = length - form.length;
  if (bodies < 0 || bodies > form.bodiesMax) throw reader.malformed("expected a message about decisions");
  const message = { kind, ...form.read(reader, bodies) };
  reader.expectEnd();
  return message as DecisionMessage;
}

function readPromise(reader: RespReader, bodies: number): Omit<PromiseMessage, "kind"> {
  const ballot = expectBallot(reader);
  const notBefore = readNumber(reader);
  const objected = [...reader.readBulkView()];
  if (objected.length > PROPOSAL_UNITS_MAX) throw reader.malformed("expected indexes of decisions");
  return { ballot, notBefore, objected, ...readState(reader, bodies) };
}

export function writeStoredPromises({ promised, accepted, last }: StoredPromises): Buffer {
  const ballot = promised === null ? EMPTY : writeBallot(promised);
  return writeElements([ballot, ...stateElements(accepted, last)]);
}

/** @throws MalformedFrame */
export function readStoredPromises(bytes: Buffer): StoredPromises {
  const reader = new RespReader(bytes);
  const bodies = reader.readArrayHead() - 5;
  if (bodies < 0 || bodies > PROPOSAL_UNITS_MAX) throw reader.malformed("expected promises");
  const promised = readOptionalBallot(reader);
  return { promised, ...readState(reader, bodies) };
}

const stateElements = (
  accepted: AcceptedBodies | null,
  { slot, orderKey, list }: LastDecision,
): Element[] => [
  writeEvidence(accepted?.evidence ?? null),
  String(slot),
  positionBytes(orderKey),
  String(list),
  ...(accepted?.bodies ?? []),
];

/** @param count  the number of bodies */
function readState(reader: RespReader, count: number): Pick<StoredPromises, "accepted" | "last"> {
  const evidence = readEvidence(reader);
  const last = { slot: readNumber(reader), orderKey: readPosition(reader), list: readNumber(reader) };
  if (last.slot >= SLOT_MAX) throw reader.malformed("expected a slot");
  if (evidence === null && count > 0) throw reader.malformed("expected evidence of the decisions");
  return { accepted: evidence === null ? null : { evidence, bodies: expectBodies(reader, count) }, last };
}

function expectBodies(reader: RespReader, count: number): Buffer[] {
  if (count === 0) throw reader.malformed("expected a decision");
  return Array.from({ length: count }, () => reader.readBulkView());
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

/** Writes a vote as ballot ‖ slot (8) ‖ count (1) ‖ root (32) ‖ length (1) ‖ SubjectPublicKeyInfo ‖ signature. */
function writeVote(vote: Vote): Buffer {
  const { spki, signature } = vote;
  const texts = [String.fromCharCode(spki.length), spki, signature];
  return Buffer.concat([writeVoted(vote), Buffer.from(texts.join(""), "latin1")]);
}

function readVote(reader: RespReader, bytes: Buffer): Vote {
  const ballot = readBallot(bytes);
  const start = BALLOT_BYTES + 9 + HASH_BYTES;
  if (ballot === null || start >= bytes.length) throw reader.malformed("expected a vote");
  const slot = Number(bytes.readBigUInt64BE(BALLOT_BYTES));
  if (slot > SLOT_MAX) throw reader.malformed("expected a slot");
  const count = bytes[BALLOT_BYTES + 8] as number;
  if (count === 0 || count > PROPOSAL_UNITS_MAX) throw reader.malformed("expected a number of decisions");
  const root: ByteString = bytesOf(bytes, BALLOT_BYTES + 9, start);
  const end = start + 1 + (bytes[start] as number);
  return { ballot, slot, count, root, spki: bytesOf(bytes, start + 1, end), signature: bytesOf(bytes, end) };
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
