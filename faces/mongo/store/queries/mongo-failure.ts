/** Errors of the MDB.* commands: MongoDB's number and name of the error, and a message. */

import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  type Bson,
  type BsonDocument,
  BsonFault,
  DEPTH_MAX,
  DocumentTooLarge,
  Int32,
} from "../values/bson.js";
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

/** The failure of a command, or of one of its documents or statements. */
export class MongoFailure extends CommandFailure {
  /** MongoDB's number of the error. */
  readonly code: number;
  /** The message for the client. */
  readonly sentence: ByteString;
  /** Fields of the error in addition to the message. */
  readonly details: BsonDocument;

  constructor(code: number, sentence: ByteString, details: BsonDocument = new Map()) {
    super(`MONGO ${code} ${NAMES.get(code) ?? `Location${code}`} ${sentence}`);
    this.code = code;
    this.sentence = sentence;
    this.details = details;
  }

  /** Returns the error of a complete command, whose reply has the details as bytes for MongoDB clients. */
  withDetails(): CommandFailure {
    if (this.details.size === 0) return this;
    const bytes = writeBson(this.details, { bytes: Number.POSITIVE_INFINITY, depth: DETAILS_DEPTH });
    return new CommandFailure(this.reply.text, bytes.slice(LENGTH_BYTES, -1));
  }

  /** Returns an element of `writeErrors` with an empty message. @param index  that of the document or statement */
  shortWriteError(index: number): BsonDocument {
    return new Map<ByteString, Bson>([
      ["index", new Int32(index)],
      ["code", new Int32(this.code)],
      ["errmsg", ""],
    ]);
  }

  /** Returns an element of a reply's `writeErrors`. @param index  that of the document or statement */
  writeError(index: number): BsonDocument {
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
 * Runs a step, and converts the errors of reading and writing BSON to command errors.
 * @param tooLarge  MongoDB's number of the error for a document that is too large
 * @throws CommandFailure
 */
export function guarded<T>(step: () => T, tooLarge = TOO_LARGE): T {
  try {
    return step();
  } catch (fault) {
    throw commandFailureOf(fault, tooLarge);
  }
}

/** Returns the command error for an error of reading or writing BSON, and any other error unchanged. */
export function commandFailureOf(fault: unknown, tooLarge = TOO_LARGE): unknown {
  if (fault instanceof DocumentTooLarge) return new MongoFailure(tooLarge, fault.message);
  return fault instanceof BsonFault ? badValue(fault.message) : fault;
}
