/**
 * The body of a decision: a client's signed envelope with the position and the outcome that the members have decided.
 * Only members make decisions; a client's envelope never has this form. Source: docs/protocol-v2.md "Decisions".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { MalformedFrame } from "../errors.js";
import { RespReader } from "../resp/resp-reader.js";
import { writeArrayHead, writeBulk } from "../resp/resp-writer.js";
import {
  DECIDED_UNITS_MAX,
  type Decided,
  type DecidedOutcome,
  ENTRY_ORDER_KEY_BYTES,
  type Envelope,
  type EnvelopeHead,
  envelopeOf,
  HASH_BYTES,
  NO_KEY,
  NONCE_BYTES,
  readBody,
  SEQ_MAX,
  signedBytes,
  signerOf,
  unitsIn,
} from "./envelope.js";
import { readHead } from "./envelope-head.js";

/** The first element of a decision's body. */
const DECISION_MAGIC = "dbsync2-decision";
const ELEMENTS = 10;
const START = Buffer.from(`*${ELEMENTS}\r\n$${DECISION_MAGIC.length}\r\n${DECISION_MAGIC}\r\n`, "latin1");

/** The position of a decision. */
export interface DecisionPosition {
  readonly at: number;
  readonly seq: number;
  readonly id: ByteString;
}

export interface Decision {
  /** Its number; the first decision is number 1. */
  readonly slot: number;
  /** Its index among the decisions for which the members have voted together. They have consecutive slots. */
  readonly index: number;
  /** The number of these decisions; at most `PROPOSAL_UNITS_MAX`. */
  readonly count: number;
  /** The position of the previous decision, or null if there is none. */
  readonly previous: DecisionPosition | null;
  readonly at: number;
  readonly seq: number;
  readonly outcomes: Decided["outcomes"];
  /** The client's envelope; null: none, because the decision only closes earlier member lists. */
  readonly unit: { readonly body: Buffer; readonly signature: Buffer } | null;
}

/** The maximum number of a decision. */
export const SLOT_MAX = 2 ** 48;
/** The maximum number of decisions for which members vote together. */
export const PROPOSAL_UNITS_MAX = 64;
/** Between the outcomes of a decision. */
const SEPARATOR = ",";
/** The command of a decision without a unit, which no table contains. */
const NO_COMMAND = "DECISION";
const EMPTY = Buffer.alloc(0);

/** Whether a body is that of a decision. */
export const isDecision = (body: Buffer): boolean =>
  body.length > START.length && body.compare(START, 0, START.length, 0, START.length) === 0;

export function writeDecision({ slot, index, count, previous, at, seq, outcomes, unit }: Decision): Buffer {
  const numbers = [slot, index, count].map(String);
  const head =
    writeArrayHead(ELEMENTS) +
    [DECISION_MAGIC, ...numbers, positionBytes(previous), String(at), String(seq), outcomes.join(SEPARATOR)]
      .map(writeBulk)
      .join("");
  const { body, signature } = unit ?? { body: EMPTY, signature: EMPTY };
  const parts: Buffer[] = [Buffer.from(head, "latin1")];
  for (const part of [body, signature])
    parts.push(Buffer.from(`$${part.length}\r\n`, "latin1"), part, Buffer.from("\r\n", "latin1"));
  return Buffer.concat(parts);
}

/**
 * Parses a decision. Its unit is a view, and is not parsed.
 * @throws MalformedFrame  the offset counts from the start of the body
 */
export function readDecision(body: Buffer): Decision {
  const reader = new RespReader(body);
  if (reader.readArrayHead() !== ELEMENTS || !reader.readIfEqual(DECISION_MAGIC))
    throw reader.malformed("expected a decision");

  const slot = readNumber(reader, SLOT_MAX);
  const [index, count] = [readNumber(reader, SLOT_MAX), readNumber(reader, PROPOSAL_UNITS_MAX)];
  const previous = readPosition(reader);
  const [at, seq] = [readNumber(reader, Number.MAX_SAFE_INTEGER), readNumber(reader, SEQ_MAX)];
  const outcomes = reader.readBulk().split(SEPARATOR, DECIDED_UNITS_MAX + 1);
  const unit = { body: reader.readBulkView(), signature: reader.readBulkView() };
  reader.expectEnd();

  if (outcomes.length > (unit.body.length === 0 ? 1 : DECIDED_UNITS_MAX) || !outcomes.every(isOutcome))
    throw reader.malformed("expected the outcome of each unit");
  if (slot === 0 || (slot === 1) !== (previous === null))
    throw reader.malformed("expected the position of the previous decision, except in the first one");
  if (index >= count || index >= slot) throw reader.malformed("expected the index of a decision");
  return { slot, index, count, previous, at, seq, outcomes, unit: unit.body.length === 0 ? null : unit };
}

const isOutcome = (text: string): text is DecidedOutcome =>
  text === "applied" || text === "unmet" || text === "too-much";

/** Parses the body of an entry: an envelope, or the envelope of a decision with its position. @throws MalformedFrame */
export function readEntryBody(body: Buffer): Envelope {
  if (!isDecision(body)) return readBody(body);
  const decision = readDecision(body);
  const { slot, at, seq, outcomes, unit } = decision;
  if (unit !== null) return decidedEnvelope(decision, readBody(unit.body));
  const header = { key: NO_KEY, cluster: NO_KEY, at, seq, nonce: "\0".repeat(NONCE_BYTES) };
  return Object.assign(envelopeOf(header, [[NO_COMMAND]]), { decided: { slot, outcomes, signed: null } });
}

/**
 * Turns a client's parsed envelope into that of the decision on it. Changes the object, because all envelopes should
 * have the same shape in the engine.
 * @param unit  the id of the client's envelope, if it is known
 * @throws MalformedFrame  the decision has not one outcome for each of its units
 */
export function decidedEnvelope(
  { slot, at, seq, outcomes }: Pick<Decision, "slot" | "at" | "seq" | "outcomes">,
  envelope: Envelope,
  unit?: ByteString,
): Envelope {
  const signed = { at: envelope.at, seq: envelope.seq };
  // An envelope that does not request a decision is only placed: its conditions are evaluated at its position.
  const count = envelope.decide ? unitsIn(envelope).length : 1;
  const isImpossible = (outcome: DecidedOutcome): boolean =>
    outcome === "unmet" ? !envelope.decide : outcome === "too-much" && count > 1;
  if (outcomes.length !== count || outcomes.some(isImpossible))
    throw new MalformedFrame("expected an outcome for each unit of the envelope", 0);
  const decided: Decided = unit === undefined ? { slot, outcomes, signed } : { slot, outcomes, signed, unit };
  return Object.assign(envelope, { at, seq, decided });
}

/**
 * Returns the id of the client's envelope in a decision; null: the entry is no decision, or one without a unit. The
 * envelope stores it, because it is needed repeatedly.
 * @param hash  SHA-256
 */
export function unitIdOf(
  { body, envelope: { decided } }: { readonly body: Buffer; readonly envelope: Envelope },
  hash: (bytes: Buffer) => ByteString,
): ByteString | null {
  if (decided === null) return null;
  if (decided.unit === undefined) {
    const { unit } = readDecision(body);
    decided.unit = unit === null ? null : hash(signedBytes(unit.body));
  }
  return decided.unit;
}

/** Reads the signer's id and the position of an entry, like `readHead`. @throws MalformedFrame */
export function readEntryHead(body: Buffer): EnvelopeHead {
  if (!isDecision(body)) return readHead(body);
  const { at, seq, unit } = readDecision(body);
  return { key: unit === null ? NO_KEY : signerOf(unit.body), at, seq };
}

/** Writes a position as at (8, big-endian) ‖ seq (2) ‖ id (32); empty: none. */
export function positionBytes(position: DecisionPosition | null): ByteString {
  if (position === null) return "";
  const head = Buffer.alloc(10);
  head.writeBigUInt64BE(BigInt(position.at));
  head.writeUInt16BE(position.seq, 8);
  return bytesOf(head) + position.id;
}

/** @throws MalformedFrame */
export function readPosition(reader: RespReader): DecisionPosition | null {
  const bytes = reader.readBulkView();
  if (bytes.length === 0) return null;
  const at = bytes.length === ENTRY_ORDER_KEY_BYTES ? Number(bytes.readBigUInt64BE()) : Number.NaN;
  if (!Number.isSafeInteger(at)) throw reader.malformed("expected a position");
  return { at, seq: bytes.readUInt16BE(8), id: bytesOf(bytes, ENTRY_ORDER_KEY_BYTES - HASH_BYTES) };
}

function readNumber(reader: RespReader, max: number): number {
  const value = reader.readBulkDecimal();
  if (!(value <= max)) throw reader.malformed(`expected a canonical decimal of at most ${max}`);
  return value;
}
