/**
 * Computes the placement key of a write. Writes with equal keys are sent to the same server. Source:
 * test/vectors/sql/GRAMMAR.md, "Session and routing".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { PlacedObject } from "./statement-kind.js";

/** Whether the objects of a database are placed together or separately. */
export type Partition = "database" | "object";

/** Returns the placement key of a write. @param database  the connection's database; empty if there is none */
export function placementKey(
  object: PlacedObject | null,
  database: ByteString,
  partition: Partition,
): ByteString {
  if (object?.kind === "database") return keyOfDatabase(object.name);
  const databaseKey = keyOfDatabase(database);
  return object === null || partition === "database"
    ? databaseKey
    : `${databaseKey}|${object.kind.toUpperCase()}:${object.name}`;
}

export const keyOfDatabase = (name: ByteString): ByteString => `DB:${name}`;

/**
 * Matches statements as the original does: with one space between words, and for DELETE only the form with `#`. Byte A0
 * may be a part of a letter.
 */
const OF_DATABASE = /^(?:manamboara|ravao ny) tahiry[ \t\r\n]+([^ \t\r\n;(]+)/i;
const OF_OBJECT = /^(?:manamboara|ravao ny) (tabilao|jery|efitra)[ \t\r\n]+([^ \t\r\n;(@]+)/i;
const OF_ROWS = /^(?:manampia ao@|fafao #ao@)[ \t\r\n]*([^ \t\r\n;(#]+)/i;
const OF_UPDATE = /^havaozy\b/i;
const KINDS: Readonly<Record<string, string>> = { tabilao: "TABLE", jery: "VIEW", efitra: "DOMAIN" };

/**
 * Returns the placement key that the original computes for a write, even where the original parses a name wrongly.
 * Returns null if the original computes no key; such a write is sent to the first server.
 */
export function originalKey(statement: ByteString, database: ByteString): ByteString | null {
  const [, made] = OF_DATABASE.exec(statement) ?? [];
  if (made !== undefined) return keyOfDatabase(made);
  const object = objectOf(statement);
  return object === null ? null : `${keyOfDatabase(database)}|${object}`;
}

function objectOf(statement: ByteString): ByteString | null {
  const [, kind, name] = OF_OBJECT.exec(statement) ?? [];
  if (kind !== undefined) return `${KINDS[kind.toLowerCase()]}:${name}`;
  const [, table] = OF_ROWS.exec(statement) ?? [];
  if (table !== undefined) return `TABLE:${table}`;
  // The original uses the last two letters of the verb as the table's name.
  return OF_UPDATE.test(statement) ? "TABLE:zy" : null;
}
