/** Writes the replies of an envelope's units as the bytes of its result. Source: docs/protocol-v2.md "Units". */
import type { ByteString } from "../../../protocol/byte-string.js";
import { LazyBulkReply } from "../../../protocol/lazy-replies.js";
import { array, type ErrorReply, error, OK, type Reply, status } from "../../../protocol/reply.js";
import { formatDouble } from "../../../protocol/resp/double-text.js";
import { isTooLong, writeBulk, writeReply } from "../../../protocol/resp/resp-writer.js";
import type { UnitAnswer } from "../../timeline/fold/fold.js";
import type { Result } from "./request.js";

const OK_BYTES = writeReply(OK);
const NO_FLAGS = "$0\r\n\r\n";
const TOO_LONG = writeReply(
  error("TOOLONG the command was executed, but the answer would be longer than --max-output-bytes"),
);

/**
 * The average reply size, in bytes, up to which the replies are copied into one string. V8 represents a concatenated
 * string by pairs, two objects for each unit, until the string is read. If replies are short, the pairs of a stored
 * answer take more memory than the copy.
 */
const COPIED_BYTES_PER_UNIT = 64;

/** The flag that is added to every unit of an answer: `isolated`, `catching-up` or, usually, an empty string. */
export type ReadStatus = ByteString;

export class ResultWriter {
  readonly #readStatus: ReadStatus;
  /** The encoded flags of units that have no flags of their own. */
  readonly #usualFlags: ByteString;
  readonly #maxReplyBytes: number;
  #left: number;
  /** The reply and the flags of each unit. */
  readonly #pieces: ByteString[] = [];
  #units = 0;
  #errors = 0;

  /** @param maxReplyBytes  maximum bytes of all replies together */
  constructor(maxReplyBytes: number, readStatus: ReadStatus) {
    this.#maxReplyBytes = maxReplyBytes;
    this.#left = maxReplyBytes;
    this.#readStatus = readStatus;
    this.#usualFlags = readStatus === "" ? NO_FLAGS : writeBulk(readStatus);
  }

  /** @param flags  words separated by spaces */
  add(reply: Reply, flags: ByteString): void {
    const bytes = reply === OK ? OK_BYTES : replyWithin(reply, this.#left);
    this.#left -= bytes.length;
    this.#units++;
    if (reply.kind === "error" || bytes === TOO_LONG) this.#errors++;
    this.#pieces.push(bytes, flags === "" ? this.#usualFlags : this.#flagsOf(flags));
  }

  done(id: ByteString): Result {
    const isCopied = this.#maxReplyBytes - this.#left <= COPIED_BYTES_PER_UNIT * this.#units;
    const replies = isCopied ? this.#pieces.join("") : this.#pieces.reduce((all, piece) => all + piece, "");
    return { kind: "result", id, units: this.#units, errors: this.#errors, replies };
  }

  #flagsOf(flags: ByteString): ByteString {
    return writeBulk(this.#readStatus === "" ? flags : `${flags} ${this.#readStatus}`);
  }
}

/** The limit of a reply's bytes, and the flag that is added to every unit. */
interface ResultOptions {
  readonly maxReplyBytes: number;
  readonly readStatus: ReadStatus;
}

/** Returns the result of an envelope from the fold's answers to its units. @param flags  returns the flags of a unit */
function resultBy(
  flags: (answer: UnitAnswer) => ByteString,
  id: ByteString,
  answers: readonly UnitAnswer[],
  { maxReplyBytes, readStatus }: ResultOptions,
): Result {
  const result = new ResultWriter(maxReplyBytes, readStatus);
  for (const answer of answers) result.add(answer.reply, flags(answer));
  return result.done(id);
}

/** Writes the result of an envelope. */
type WriteResult = (id: ByteString, answers: readonly UnitAnswer[], options: ResultOptions) => Result;

/** Returns the result of an envelope that is recorded. */
export const resultOf: WriteResult = (id, answers, options) => resultBy(flagsOf, id, answers, options);

/**
 * Returns the result of a unit on which the members have decided: no other unit can change whether it is applied. If
 * its commands failed, an earlier unit may still arrive and remove the cause.
 */
export const decidedResultOf: WriteResult = (id, answers, options) =>
  resultBy(decidedFlagsOf, id, answers, options);

/**
 * Returns the result of an envelope that the members have placed, although its client did not request a decision. The
 * flag states that a daemon that has received the envelope has it only when it knows the decision.
 */
export const placedResultOf: WriteResult = (id, answers, options) =>
  resultBy(placedFlagsOf, id, answers, options);

/** Returns the result of units whose answers are final, because no earlier unit can arrive any longer. */
export const finalResultOf: WriteResult = (id, answers, options) =>
  resultBy(finalFlagsOf, id, answers, options);

/**
 * Returns the flags of a unit. `provisional` marks an answer that may still change: a unit that failed, was not
 * permitted, or whose condition did not hold may succeed if an earlier unit arrives late.
 */
function flagsOf({ reply, outcome, late }: UnitAnswer): ByteString {
  if (outcome === "unmet") return late ? "late unmet provisional" : "unmet provisional";
  if (reply.kind === "error" && !isCertain(outcome)) return late ? "late provisional" : "provisional";
  return late ? "late" : "";
}

function decidedFlagsOf({ reply, outcome }: UnitAnswer): ByteString {
  const mayChange = reply.kind === "error" && outcome !== "unmet" && !isCertain(outcome);
  return outcome === "unmet" ? "decided unmet" : mayChange ? "decided provisional" : "decided";
}

/** Whether an error depends solely on the command's bytes, or on what the members have decided. */
const isCertain = (outcome: UnitAnswer["outcome"]): boolean =>
  outcome === "malformed" || outcome === "too-much";

const placedFlagsOf = (answer: UnitAnswer): ByteString => `placed ${flagsOf(answer)}`.trimEnd();

const finalFlagsOf = ({ outcome }: UnitAnswer): ByteString => (outcome === "unmet" ? "unmet" : "");

/** Returns the result of an envelope of which no unit is permitted. It is not recorded and has no effect here. */
export function denialOf(
  id: ByteString,
  denials: readonly ErrorReply[],
  { maxReplyBytes, readStatus }: ResultOptions,
): Result {
  const result = new ResultWriter(maxReplyBytes, readStatus);
  for (const denial of denials) result.add(denial, "");
  return { ...result.done(id), isUnrecorded: true };
}

/**
 * Returns the bytes of a reply. A reply that is too long is replaced by an error, so that the other units still receive
 * their replies.
 */
function replyWithin(reply: Reply, maxReplyBytes: number): ByteString {
  if (isTooLong(reply, maxReplyBytes)) return TOO_LONG;
  try {
    const bytes = writeReply(resultReply(reply));
    return bytes.length <= maxReplyBytes ? bytes : TOO_LONG;
  } catch (problem) {
    // The reply exceeds V8's maximum string length.
    if (problem instanceof RangeError) return TOO_LONG;
    throw problem;
  }
}

/**
 * Returns the reply to write in RESP2, where a number in a relation is a simple string, to distinguish it from a text,
 * which is a bulk string.
 */
export function resultReply(reply: Reply): Reply {
  if (reply.kind === "map") return reply.isRelation ? array(reply.items.map(withNumbers)) : reply;
  // These are the replies of a transaction.
  if (reply.kind === "array" && !(reply instanceof LazyBulkReply) && reply.items.some(isRelation))
    return array(reply.items.map(resultReply));
  return reply;
}

const isRelation = (reply: Reply): boolean => reply.kind === "map" && reply.isRelation === true;

function withNumbers(reply: Reply): Reply {
  if (reply.kind === "double") return status(reply.text ?? formatDouble(reply.value));
  return reply.kind === "array" ? array(reply.items.map(withNumbers)) : reply;
}
