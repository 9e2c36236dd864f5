/** Defines the names of databases and collections, and the keys that contain collections. */
import { type ByteString, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";

export const PREFIX = "mongo:";
/** A character that no database name contains. The keys of two databases therefore never have the same prefix. */
export const SEPARATOR = ".";
/** The maximum length of a database name in bytes, as in MongoDB. */
const DATABASE_NAME_MAX = 63;
/** The maximum length of a name in the form `database.collection` in bytes, as in MongoDB. */
const NAMESPACE_MAX = 255;

/** Whether a name is valid UTF-8, as all texts of a reply must be. */
const isText = (name: ByteString): boolean => bytesOfText(textOfBytes(name)) === name;

export const isDatabaseName = (database: ByteString): boolean =>
  database !== "" &&
  database.length <= DATABASE_NAME_MAX &&
  !/[/\\. "$\0:]/.test(database) &&
  isText(database);

/** Whether a collection of a database may have a name. */
export const isCollectionName = (database: ByteString, name: ByteString): boolean =>
  name !== "" &&
  !name.startsWith(".") &&
  !name.endsWith(".") &&
  !/[$\0]/.test(name) &&
  isText(name) &&
  !name.startsWith("system.") &&
  database.length + SEPARATOR.length + name.length <= NAMESPACE_MAX;

/** Whether a key can contain a collection: it names a valid one, or it does not begin like the key of a collection. */
export function isCollectionKey(key: ByteString): boolean {
  if (!key.startsWith(PREFIX)) return true;
  const [database = "", ...name] = key.slice(PREFIX.length).split(SEPARATOR);
  return isDatabaseName(database) && isCollectionName(database, name.join(SEPARATOR));
}
