/** The face of MongoDB's drivers (--mongo). */
import type { UserFace } from "../users/user-face.js";
import { messageBytes, refusedAnswer } from "./bytes/mongo-answers.js";
import { MONGO_LIMITS, MONGO_OPTIONS } from "./options.js";
import { collections } from "./store/commands/mdb-commands.js";
import { COLLECTION_KIND } from "./store/values/collection.js";

/**
 * The layout of a MongoDB message header: length, two ids, and the kind. Source: MongoDB's wire protocol, "Standard
 * Message Header".
 */
const MONGO_HEAD_BYTES = 16;
const MONGO_ID_AT = 4;
const MONGO_KIND_AT = 12;
/** The kind of the first message that drivers send to an unknown server. */
const MONGO_QUERY = 2004;
const MONGO_BYTES_MAX = 48_000_000;
/** MongoDB's error code for a protocol error. */
const PROTOCOL_ERROR = 17;
const MONGO_KINDS: readonly number[] = [MONGO_QUERY, 2012, 2013];

export const mongo: UserFace = {
  options: MONGO_OPTIONS,
  limits: MONGO_LIMITS,
  speaks: {
    ports: { mongo: "MongoDB's drivers (--mongo)" },
    protocols: [
      {
        protocol: "mongo",
        begins: (_, chunk) => isMongo(chunk),
        served: "a MongoDB driver; --mongo serves MongoDB's drivers",
        answer: mongoAnswer,
      },
    ],
  },
  families: { "mongo/collections": { rows: collections, kinds: [COLLECTION_KIND] } },
  listener: "mongo",
  usesSecrets: true,
  load: async () => (await import("./mongo-listener.js")).MongoListener,
};

/** Returns an error reply to the message at the beginning of `chunk`. */
function mongoAnswer(sentence: string, chunk: Buffer): string {
  const isQuery = chunk.readInt32LE(MONGO_KIND_AT) === MONGO_QUERY;
  const request = { id: chunk.readInt32LE(MONGO_ID_AT), kind: isQuery ? "query" : "message" } as const;
  const failure = { code: PROTOCOL_ERROR, codeName: "ProtocolError", sentence, details: "" };
  return messageBytes(request.id, request.kind, refusedAnswer(failure, request.kind));
}

function isMongo(chunk: Buffer): boolean {
  if (chunk.length < MONGO_HEAD_BYTES) return false;
  const length = chunk.readInt32LE(0);
  const isLong = length >= MONGO_HEAD_BYTES && length <= MONGO_BYTES_MAX;
  return isLong && MONGO_KINDS.includes(chunk.readInt32LE(MONGO_KIND_AT));
}
