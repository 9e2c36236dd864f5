/**
 * The messages by which members decide conditional units, and what a member stores about its promises and votes. Each is
 * a RESP2 array of bulk strings. Source: docs/protocol-v2.md "Decisions".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { RespReader } from "../resp/resp-reader.js";
import { type DecisionPosition, positionBytes, readPosition, SLOT_MAX } from "../version-2/decision-body.js";
import { HASH_BYTES } from "../version-2/envelope.js";
import {
  BALLOT_BYTES,
  type Ballot,
  type Evidence,
  type MemberSignature,
  readBallot,
  readMemberSignature,
  type Vote,
  writeBallot,
  writeMemberSignature,
} from "./decision-votes.js";
import { readNumber } from "./member-elements.js";

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
