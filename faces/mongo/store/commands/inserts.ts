/** MDB.INSERT: adds documents to a collection. */

import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { pushDocuments } from "../keyspace/collection-mutators.js";
import { withId } from "../queries/bson-update.js";
import { documentOf, isJson } from "../queries/command-fields.js";
import { MongoFailure } from "../queries/mongo-failure.js";
import { type Bson, type BsonDocument, isArray, Regex, typeOf } from "../values/bson.js";
import { Collection } from "../values/collection.js";
import { collectionAt, namespaceOf } from "./collection-names.js";
import { bytesOf, collectFailures, count, documentReply } from "./mdb-replies.js";
import { removeExpired } from "./ttl-indexes.js";
import { addWarnings, UniqueIndexCheck } from "./unique-indexes.js";

/** `MDB.INSERT db collection ordered document …` */
export function insert(data: Data, argv: readonly ByteString[], { at }: Unit): Reply {
  const [, database = "", name = "", ordered = "", ...documents] = argv;
  const namespace = namespaceOf(database, name);
  const entry = collectionAt(data, namespace);
  removeExpired(data, entry, at);
  const uniqueness = new UniqueIndexCheck({ namespace, at }, entry?.value ?? new Collection());
  const added: ByteString[] = [];
  const failures = collectFailures(ordered, documents.length, (i) => {
    const bytes = storedBytes(documents[i] as ByteString);
    uniqueness.addDocument(bytes);
    added.push(bytes);
  });
  if (added.length > 0) pushDocuments(data, entry ?? data.getOrPut(Collection, namespace.key), added);
  const reply = new Map<ByteString, Bson>([["n", count(added.length)]]);
  if (failures.length > 0) reply.set("writeErrors", failures);
  addWarnings(reply, entry?.value);
  return documentReply(reply, documents[0] ?? "");
}

/** Returns the document in its stored form, with `_id` first. */
function storedBytes(argument: ByteString): ByteString {
  const document = documentOf(argument);
  const id = checkedId(document);
  const [first] = document.keys();
  return first === "_id" && !isJson(argument) ? argument : bytesOf(withId(document, id));
}

/** @throws CommandFailure if the _id is missing or invalid */
export function checkedId(document: BsonDocument): Bson {
  const id = document.get("_id");
  if (id === undefined) throw new MongoFailure(53, "a document needs an _id from its sender");
  if (isArray(id) || id instanceof Regex)
    throw new MongoFailure(53, `The '_id' value cannot be of type ${typeOf(id).name}`);
  return id;
}
