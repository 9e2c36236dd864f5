/** The key that a write is placed by: equal keys go to the same server. Source: test/vectors/sql/GRAMMAR.md, "Session and routing". */
import type { ByteString } from "../../protocol/byte-string.js";
import type { PlacedObject } from "./statement-kind.js";

/** Whether each object of a database is placed by itself, or all of them together. */
export type Partition = "database" | "object";

/** @param database  the connection's; empty: none */
export function placementKey(
  object: PlacedObject | null,
  database: ByteString,
  partition: Partition,
): ByteString {
  if (object?.kind === "database") return keyOfDatabase(object.name);
  const whole = keyOfDatabase(database);
  return object === null || partition === "database"
    ? whole
    : `${whole}|${object.kind.toUpperCase()}:${object.name}`;
}

export const keyOfDatabase = (name: ByteString): ByteString => `DB:${name}`;

/**
 * Matches a statement as the original reads it: one space between words, and of DELETE only the form with `#`. Byte A0 may be a part of a
 * letter.
 */
const OF_DATABASE = /^(?:manamboara|ravao ny) tahiry[ \t\r\n]+([^ \t\r\n;(]+)/i;
const OF_OBJECT = /^(?:manamboara|ravao ny) (tabilao|jery|efitra)[ \t\r\n]+([^ \t\r\n;(@]+)/i;
const OF_ROWS = /^(?:manampia ao@|fafao #ao@)[ \t\r\n]*([^ \t\r\n;(#]+)/i;
const OF_UPDATE = /^havaozy\b/i;
const KINDS: Readonly<Record<string, string>> = { tabilao: "TABLE", jery: "VIEW", efitra: "DOMAIN" };

/** The key by which the original places a write, with the names that it cuts wrongly; null: it has none, the first server takes it. */
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
  // The original takes the last two letters of the verb for the table.
  return OF_UPDATE.test(statement) ? "TABLE:zy" : null;
}
