/** Names of the keys of collections, one key for each collection. A database exists while it has collections. */

import { isExpired } from "../../../../daemon/store/keyspace/keyspace.js";
import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { MongoFailure } from "../queries/mongo-failure.js";
import { Collection } from "../values/collection.js";
import { isCollectionName, isDatabaseName, PREFIX, SEPARATOR } from "../values/collection-key.js";

export const databaseBeginning = (database: ByteString): ByteString => `${PREFIX}${database}${SEPARATOR}`;
export const collectionKey = (database: ByteString, name: ByteString): ByteString =>
  databaseBeginning(database) + name;

/** The collection that a command names. */
export interface Namespace {
  readonly database: ByteString;
  readonly name: ByteString;
  /** The name in MongoDB's notation. */
  readonly text: ByteString;
  readonly key: ByteString;
}

/** @throws CommandFailure if the name is invalid */
export function namespaceOf(database: ByteString, name: ByteString): Namespace {
  checkDatabase(database);
  const text = `${database}${SEPARATOR}${name}`;
  if (!isCollectionName(database, name)) throw new MongoFailure(73, `Invalid namespace specified '${text}'`);
  return { database, name, text, key: collectionKey(database, name) };
}

/** @throws CommandFailure */
export function checkDatabase(database: ByteString): void {
  if (!isDatabaseName(database)) throw new MongoFailure(73, `Invalid database name: '${database}'`);
}

/** @throws CommandFailure if the key has a value of another type */
export function collectionAt(data: Data, { key }: Namespace): Typed<Collection> | undefined {
  return data.getAs(Collection, key);
}

/**
 * Returns the names of a database's collections, sorted by their bytes. If `database` is null, returns those of all
 * databases as `database.collection`.
 */
export function collectionsOf(
  data: Data,
  { at }: Unit,
  database: ByteString | null,
): readonly (readonly [name: ByteString, collection: Collection])[] {
  const start = database === null ? PREFIX : databaseBeginning(database);
  const collections: [ByteString, Collection][] = [];
  for (const entry of data.walked())
    if (entry.key.startsWith(start) && entry.content instanceof Collection && !isExpired(entry, at))
      collections.push([entry.key.slice(start.length), entry.content]);
  return collections.sort(([a], [b]) => (a < b ? -1 : 1));
}
