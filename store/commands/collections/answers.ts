/** Answers of MDB commands: documents, as BSON, or as Extended JSON if the request was. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, type Reply } from "../../../protocol/reply.js";
import { finish, mappedInSteps } from "../../../protocol/steps.js";
import { BYTES_A_STEP, type Effort } from "../../keyspace/effort.js";
import { guarded, MongoFailure } from "../../queries/bson/mongo-failure.js";
import { isJson } from "../../queries/bson/spec.js";
import type { Handler } from "../../rows/command.js";
import { type BsonDocument, DEPTH_MAX, Int32 } from "../../values/collections/bson.js";
import { readKnownBson } from "../../values/collections/bson-reader.js";
import { writeBson } from "../../values/collections/bson-writer.js";
import { writeExtendedJson } from "../../values/collections/extended-json.js";

/**
 * Maximum depth of an answer: it has levels around documents of maximum depth. It reports what was done, whatever its
 * length.
 */
const ANSWER_DEPTH = DEPTH_MAX + 8;

/** @param asked  an argument in the form that is answered in @param most  bytes @throws CommandFailure  it has more */
export function answered(
  document: BsonDocument,
  asked: ByteString,
  most: number = Number.POSITIVE_INFINITY,
): Reply {
  const bounds = { bytes: most, depth: ANSWER_DEPTH };
  return bulk(isJson(asked) ? writeExtendedJson(document) : guarded(() => writeBson(document, bounds)));
}

/** Steps of a document that is written. */
export const WRITTEN_STEPS = 20;
/** Steps of a document that is answered as Extended JSON, and of `BYTES_A_STEP` bytes of it. */
const JSON_STEPS = 30;

/** Counts and returns documents in the requested form. @param documents  as BSON @throws TooMuch */
export function answeredAll(documents: readonly ByteString[], asked: ByteString, effort: Effort): Reply {
  return finish(answeringAll(documents, asked, effort));
}

/** The same, in steps. */
export function* answeringAll(
  documents: readonly ByteString[],
  asked: ByteString,
  effort: Effort,
): Generator<void, Reply> {
  if (!isJson(asked)) return array(yield* mappedInSteps(documents, bulk));
  const written = (bytes: ByteString) => {
    effort.work(JSON_STEPS * (1 + bytes.length / BYTES_A_STEP));
    return bulk(writeExtendedJson(readKnownBson(bytes)));
  };
  return array(yield* mappedInSteps(documents, written));
}

/** @throws CommandFailure  of a document that has become too large */
export function bytesOf(document: BsonDocument): ByteString {
  return guarded(() => writeBson(document));
}

/** Bytes of failures that are answered in full; later ones consist of their indexes and numbers alone, as in MongoDB. */
const FAILURES_BYTES_MAX = 1024 * 1024;

/**
 * Takes steps one after the other and collects the failures.
 * @param ordered  "1": the first failure is the last step
 */
export function stepByStep(ordered: ByteString, count: number, step: (i: number) => void): BsonDocument[] {
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

/** Returns a command that answers the details of a failure that concerns all of it. */
export const detailed =
  (run: Handler): Handler =>
  (data, argv, unit) => {
    try {
      return run(data, argv, unit);
    } catch (failure) {
      throw failure instanceof MongoFailure ? failure.alone() : failure;
    }
  };
