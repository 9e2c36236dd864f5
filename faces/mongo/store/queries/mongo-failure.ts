/** Errors of the MDB.* commands: MongoDB's number and name of the error, and a message. */

import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { EffortBudget } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  type Bson,
  type BsonDocument,
  BsonFault,
  DEPTH_MAX,
  DocumentTooLarge,
  Int32,
} from "../values/bson.js";
import { countedBson } from "../values/bson-reader.js";
import { writeBson } from "../values/bson-writer.js";

/** The names of MongoDB's error numbers. Any other error is named `Location` followed by its number. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [2, "BadValue"],
  [9, "FailedToParse"],
  [14, "TypeMismatch"],
  [26, "NamespaceNotFound"],
  [27, "IndexNotFound"],
  [28, "PathNotViable"],
  [40, "ConflictingUpdateOperators"],
  [48, "NamespaceExists"],
  [52, "DollarPrefixedFieldName"],
  [53, "InvalidIdField"],
  [54, "NotSingleValueField"],
  [56, "EmptyFieldName"],
  [66, "ImmutableField"],
  [67, "CannotCreateIndex"],
  [72, "InvalidOptions"],
  [73, "InvalidNamespace"],
  [85, "IndexOptionsConflict"],
  [86, "IndexKeySpecsConflict"],
  [111, "NotExactValueField"],
  [115, "CommandNotSupported"],
  [146, "ExceededMemoryLimit"],
  [168, "InvalidPipelineOperator"],
  [171, "CannotIndexParallelArrays"],
  [201, "CannotBuildIndexKeys"],
  [238, "NotImplemented"],
  [10334, "BSONObjectTooLarge"],
  [11000, "DuplicateKey"],
]);

/** Length of the size field that precedes a document's elements. */
const LENGTH_BYTES = 4;
/** Maximum depth of an error's details, which wrap values of the maximum depth. */
const DETAILS_DEPTH = DEPTH_MAX + 8;

export class MongoFailure extends CommandFailure {
  readonly code: number;
  readonly sentence: ByteString;
  /** Fields of the error in addition to the message. */
  readonly details: BsonDocument;

  constructor(code: number, sentence: ByteString, details: BsonDocument = new Map()) {
    super(`MONGO ${code} ${NAMES.get(code) ?? `Location${code}`} ${sentence}`);
    this.code = code;
    this.sentence = sentence;
    this.details = details;
  }

  /** Returns the error of a complete command, with details for MongoDB clients. */
  alone(): CommandFailure {
    if (this.details.size === 0) return this;
    const bytes = writeBson(this.details, { bytes: Number.POSITIVE_INFINITY, depth: DETAILS_DEPTH });
    return new CommandFailure(this.reply.text, bytes.slice(LENGTH_BYTES, -1));
  }

  /** Returns the error without message and details. @param index index of the document or statement */
  numbered(index: number): BsonDocument {
    return new Map<ByteString, Bson>([
      ["index", new Int32(index)],
      ["code", new Int32(this.code)],
      ["errmsg", ""],
    ]);
  }

  /** Returns the error as an element of a reply's `writeErrors`. @param index index of the document or statement */
  written(index: number): BsonDocument {
    return new Map<ByteString, Bson>([
      ["index", new Int32(index)],
      ["code", new Int32(this.code)],
      ["errmsg", this.sentence],
      ...this.details,
    ]);
  }
}

export const badValue = (sentence: ByteString): MongoFailure => new MongoFailure(2, sentence);
export const failedToParse = (sentence: ByteString): MongoFailure => new MongoFailure(9, sentence);
export const typeMismatch = (sentence: ByteString): MongoFailure => new MongoFailure(14, sentence);
export const notImplemented = (sentence: ByteString): MongoFailure => new MongoFailure(238, sentence);

const TOO_LARGE = 10334;

/**
 * Runs a step and converts the error for an invalid value to a command error.
 * @param tooLarge the number of the error for a document that is too large
 * @throws CommandFailure
 */
export function guarded<T>(step: () => T, tooLarge = TOO_LARGE): T {
  try {
    return step();
  } catch (fault) {
    throw commandFailureOf(fault, tooLarge);
  }
}

/** Returns the command error for an invalid value, and any other error unchanged. */
export function commandFailureOf(fault: unknown, tooLarge = TOO_LARGE): unknown {
  if (fault instanceof DocumentTooLarge) return new MongoFailure(tooLarge, fault.message);
  return fault instanceof BsonFault ? badValue(fault.message) : fault;
}

/** The cost of a command so far. */
export interface Work {
  units: number;
  /** The effort of the unit, to which the command's cost is added. */
  readonly effort: EffortBudget;
}

export const workOf = (effort: EffortBudget): Work => ({ units: 0, effort });

/** Returns a count without a limit, for reads whose cost was counted before, and which yield. */
export const unlimitedWork = (): Work => ({ units: Number.NEGATIVE_INFINITY, effort: new EffortBudget() });

/**
 * Maximum number of documents that a command may check, including other work of the same cost. Checking that many
 * takes a few seconds.
 */
export const WORK_MAX = 5_000_000;
/** Number of bytes in a document that cost as much as the document itself. */
const BYTES_PER_UNIT = 256;
/**
 * Number of array elements that cost as much as checking one document, for each condition; a power of two, so fractions
 * add up exactly.
 */
export const ELEMENTS_PER_UNIT = 16;
/** Number of values in a document that cost as much as checking one document; also a power of two. */
const VALUES_PER_UNIT = 4;

/** Cost in steps of each document that is checked. */
const STEPS_PER_UNIT = 10;

/** Counts elements and bytes that are about to be created. @throws BudgetExceeded */
export function produce({ effort }: Work, elements: number, bytes = 0): void {
  effort.produce(elements, bytes);
}

/** Approximate memory of a document in addition to its fields, and of each field. */
const DOCUMENT_BYTES = 100;
const FIELD_BYTES = 32;
/** Number of bytes of memory for each byte of a document that is read. */
const READ_FACTOR = 3;

/**
 * Reserves the memory of a document that was read from a stored one.
 * @param roots  the fields that are read, or null for all
 */
export function holdRead({ effort }: Work, bytes: ByteString, roots: ReadonlySet<ByteString> | null): void {
  const fields = roots === null ? READ_FACTOR * bytes.length : FIELD_BYTES * roots.size;
  effort.hold(DOCUMENT_BYTES + fields);
}

/** Reserves the memory of a document whose values belong to another document, and returns it. */
export function heldCopy({ effort }: Work, document: BsonDocument): BsonDocument {
  effort.hold(DOCUMENT_BYTES + FIELD_BYTES * document.size);
  return document;
}

/**
 * Counts work that is about to be done.
 * @throws CommandFailure if the command exceeds its limit
 * @throws BudgetExceeded
 */
export function spend(work: Work, units: number): void {
  work.units += units;
  work.effort.work(units * STEPS_PER_UNIT);
  if (work.units > WORK_MAX)
    throw new MongoFailure(
      146,
      `a command checks at most ${WORK_MAX} documents, or does other work of the same cost: request less, or create an index`,
    );
}

/**
 * Reads a stored document and counts the work.
 * @param only names of the required fields; null means all fields
 * @throws CommandFailure if the command exceeds its limit
 */
export function readCounted(
  bytes: ByteString,
  work: Work,
  only: ReadonlySet<ByteString> | null = null,
): BsonDocument {
  const { document, values } = countedBson(bytes, only);
  spend(work, Math.floor(values / VALUES_PER_UNIT));
  return document;
}

export const costOf = (bytes: ByteString): number => 1 + Math.floor(bytes.length / BYTES_PER_UNIT);
