/** Answers of MDB commands: documents, as BSON, or as Extended JSON where the question was. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, type Reply } from "../../../protocol/reply.js";
import { type BsonDocument, Int32 } from "../../values/collections/bson.js";
import { readKnownBson } from "../../values/collections/bson-reader.js";
import { writeBson } from "../../values/collections/bson-writer.js";
import { writeExtendedJson } from "../../values/collections/extended-json.js";
import { guarded, MongoFailure } from "./queries/mongo-failure.js";
import { isJson } from "./queries/spec.js";

/** @param asked  an argument in the form that is answered in */
export function answered(document: BsonDocument, asked: ByteString): Reply {
  return bulk(isJson(asked) ? writeExtendedJson(document) : guarded(() => writeBson(document)));
}

/** @param documents  as BSON */
export function answeredAll(documents: readonly ByteString[], asked: ByteString): Reply {
  return array(
    documents.map((bytes) => bulk(isJson(asked) ? writeExtendedJson(readKnownBson(bytes)) : bytes)),
  );
}

/** @throws CommandFailure  of a document that has become too large */
export function bytesOf(document: BsonDocument): ByteString {
  return guarded(() => writeBson(document));
}

/**
 * Takes steps one after the other; the failures of some are told beside what the others have done.
 * @param ordered  "1": none is taken behind one that fails
 */
export function stepByStep(ordered: ByteString, count: number, step: (i: number) => void): BsonDocument[] {
  if (ordered !== "0" && ordered !== "1") throw new MongoFailure(9, "ordered has to be 1 or 0");
  const failures: BsonDocument[] = [];
  for (let i = 0; i < count; i++) {
    try {
      step(i);
    } catch (failure) {
      if (!(failure instanceof MongoFailure)) throw failure;
      failures.push(failure.written(i));
      if (ordered === "1") break;
    }
  }
  return failures;
}

export const count = (value: number): Int32 | bigint =>
  value === (value | 0) ? new Int32(value) : BigInt(value);
