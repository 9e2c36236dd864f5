/** Replies of MDB.* commands: documents as BSON, or as Extended JSON if the request used it. */

import { BYTES_PER_STEP, type EffortBudget } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Handler } from "../../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { array, bulk, type Reply } from "../../../../protocol/reply.js";
import { finish, mappedInSteps, STEP_ITEMS } from "../../../../protocol/steps.js";
import { isJson } from "../queries/command-fields.js";
import { commandFailureOf, guarded, MongoFailure } from "../queries/mongo-failure.js";
import { type BsonDocument, DEPTH_MAX, Int32, isLong } from "../values/bson.js";
import { readKnownBson } from "../values/bson-reader.js";
import { type BsonBounds, bsonInSteps, writeBson } from "../values/bson-writer.js";
import { extendedJsonInSteps, writeExtendedJson } from "../values/extended-json.js";

/** Maximum depth of a reply: a reply wraps documents, which may themselves have the maximum depth. */
const ANSWER_DEPTH = DEPTH_MAX + 8;

/**
 * @param request an argument of the request; the reply has the same form (BSON or Extended JSON)
 * @param max maximum number of bytes
 * @throws CommandFailure if the reply is longer
 */
export function answered(
  document: BsonDocument,
  request: ByteString,
  max: number = Number.POSITIVE_INFINITY,
): Reply {
  const bounds = { bytes: max, depth: ANSWER_DEPTH };
  return bulk(isJson(request) ? writeExtendedJson(document) : guarded(() => writeBson(document, bounds)));
}

/** Returns a reply as `answered` does, a large one in steps. @throws CommandFailure */
export function* answering(document: BsonDocument, request: ByteString, max: number): Generator<void, Reply> {
  return bulk(
    isJson(request)
      ? yield* extendedJsonInSteps(document)
      : yield* bytesInSteps(document, { bytes: max, depth: ANSWER_DEPTH }),
  );
}

/** Cost in steps of writing a document of a reply as BSON. */
export const WRITTEN_STEPS = 20;
/**
 * Cost in steps of each document that is returned as Extended JSON, and of each `BYTES_PER_STEP` bytes of the document.
 */
const JSON_STEPS = 30;

/**
 * Returns the documents in the requested form and counts the cost.
 * @param documents the documents as BSON
 * @throws BudgetExceeded
 */
export function answeredAll(
  documents: readonly ByteString[],
  request: ByteString,
  effort: EffortBudget,
): Reply {
  return finish(answeringAll(documents, request, effort));
}

/** Approximate memory of the reply of a document in addition to its bytes. */
const REPLY_BYTES = 48;

/** Returns the documents in the requested form, in steps. */
export function* answeringAll(
  documents: readonly ByteString[],
  request: ByteString,
  effort: EffortBudget,
): Generator<void, Reply> {
  effort.hold(documents.length * REPLY_BYTES);
  if (!isJson(request)) return array(yield* mappedInSteps(documents, bulk));

  const replies: Reply[] = [];
  for (const bytes of documents) {
    effort.work(JSON_STEPS * (1 + bytes.length / BYTES_PER_STEP));
    const document = readKnownBson(bytes);
    if (isLong(document)) yield;
    const json = yield* extendedJsonInSteps(document);
    effort.hold(json.length);
    if (replies.push(bulk(json)) % STEP_ITEMS === 0 || effort.endsSlice()) yield;
  }

  return array(replies);
}

/** @param tooLarge the number of the error @throws CommandFailure if the document has become too large */
export function bytesOf(document: BsonDocument, tooLarge?: number): ByteString {
  return guarded(() => writeBson(document), tooLarge);
}

/** Returns a document's bytes, a large document's in steps. @throws CommandFailure if it has become too large */
export function* bytesInSteps(document: BsonDocument, bounds?: BsonBounds): Generator<void, ByteString> {
  try {
    return yield* bsonInSteps(document, bounds);
  } catch (fault) {
    throw commandFailureOf(fault);
  }
}

/**
 * Maximum number of bytes of failures that are returned in full. Each further failure consists only of its index and
 * its error code, as in MongoDB.
 */
const FAILURES_BYTES_MAX = 1024 * 1024;

/**
 * Executes steps one after the other and returns the failures.
 * @param ordered "1" to stop after the first failure, "0" to continue
 */
export function collectFailures(
  ordered: ByteString,
  count: number,
  step: (i: number) => void,
): BsonDocument[] {
  if (ordered !== "0" && ordered !== "1") throw new MongoFailure(9, "ordered has to be 1 or 0");
  const failures: BsonDocument[] = [];
  let writtenBytes = 0;
  for (let i = 0; i < count; i++) {
    try {
      step(i);
    } catch (failure) {
      if (!(failure instanceof MongoFailure)) throw failure;
      const written = writtenBytes > FAILURES_BYTES_MAX ? failure.numbered(i) : failure.written(i);
      writtenBytes += writeBson(written, { bytes: Number.POSITIVE_INFINITY, depth: ANSWER_DEPTH }).length;
      failures.push(written);
      if (ordered === "1") break;
    }
  }

  return failures;
}

export const count = (value: number): Int32 | bigint =>
  value === (value | 0) ? new Int32(value) : BigInt(value);

/** Returns a handler that adds the details to a failure of the complete command. */
export const detailed =
  (run: Handler): Handler =>
  (data, argv, unit) => {
    try {
      return run(data, argv, unit);
    } catch (failure) {
      throw failure instanceof MongoFailure ? failure.alone() : failure;
    }
  };
