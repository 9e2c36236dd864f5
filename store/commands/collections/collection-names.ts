/** Names of the keys that hold collections, one key each. A database exists while it has collections. */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { isExpired } from "../../keyspace/keyspace.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import type { Unit } from "../../keyspace/unit.js";
import { MongoFailure } from "../../queries/bson/mongo-failure.js";
import { Collection } from "../../values/collections/collection.js";

export const PREFIX = "mongo:";
/** Occurs in no database name, so no database's keys have the prefix of another one's. */
const SEPARATOR = ".";
/** Bytes; as in MongoDB. */
const DATABASE_NAME_MAX = 63;
const NAMESPACE_MAX = 255;

export const databaseBeginning = (database: ByteString): ByteString => `${PREFIX}${database}${SEPARATOR}`;
export const collectionKey = (database: ByteString, name: ByteString): ByteString =>
  databaseBeginning(database) + name;

/** A collection that a command names. */
export interface Namespace {
  readonly database: ByteString;
  readonly name: ByteString;
  /** The name as MongoDB writes it. */
  readonly text: ByteString;
  readonly key: ByteString;
}

/** @throws CommandFailure  the name is invalid */
export function namespaceOf(database: ByteString, name: ByteString): Namespace {
  checkDatabase(database);
  const text = `${database}${SEPARATOR}${name}`;
  const isGood =
    name !== "" &&
    !name.startsWith(".") &&
    !name.endsWith(".") &&
    !/[$\0]/.test(name) &&
    isText(name) &&
    !name.startsWith("system.");
  if (!isGood || text.length > NAMESPACE_MAX)
    throw new MongoFailure(73, `Invalid namespace specified '${text}'`);
  return { database, name, text, key: collectionKey(database, name) };
}

/** Whether it is UTF-8, as all texts of an answer must be. */
const isText = (name: ByteString): boolean => bytesOfText(textOfBytes(name)) === name;

/** @throws CommandFailure */
export function checkDatabase(database: ByteString): void {
  if (
    database === "" ||
    database.length > DATABASE_NAME_MAX ||
    /[/\\. "$\0:]/.test(database) ||
    !isText(database)
  )
    throw new MongoFailure(73, `Invalid database name: '${database}'`);
}

/** @throws CommandFailure  the key holds something else */
export function collectionAt(data: Data, { key }: Namespace): Typed<Collection> | undefined {
  return data.getAs(Collection, key);
}

/**
 * Returns the names of a database's collections, or with null those of all databases as `database.collection`, in the
 * order of their bytes.
 */
export function collectionsOf(
  data: Data,
  { at }: Unit,
  database: ByteString | null,
): readonly (readonly [name: ByteString, collection: Collection])[] {
  const start = database === null ? PREFIX : databaseBeginning(database);
  const found: [ByteString, Collection][] = [];
  for (const entry of data.walked())
    if (entry.key.startsWith(start) && entry.held instanceof Collection && !isExpired(entry, at))
      found.push([entry.key.slice(start.length), entry.held]);
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}
