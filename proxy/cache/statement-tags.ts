/** What answers to statements depend on, and what statements change, as tags. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reach } from "../routing/statement-kind.js";

/** Of all answers: whatever may have changed anything empties it. */
const SERVER = "server";
/** Of answers that nothing is known of: any write empties them. */
const ANY_WRITE = "any write";
/** Of a database's answers that depend on what it has: its tables, views and domains. */
const database = (name: ByteString) => `database ${name}`;
/** Of a database's answers that any write to one of its tables may change. */
const anyTable = (name: ByteString) => `tables of ${name}`;
/** Names have no blanks. */
const table = (name: ByteString, of: ByteString) => `table ${of} ${name}`;

/** What the list of a database's views depends on. */
export const tagsOfViews = (name: ByteString): readonly string[] => [SERVER, database(name)];

/**
 * What the answer to a read depends on.
 * @param views  names of the database's views, which depend on any of its tables; null: they are not known
 */
export function tagsOfRead(
  reach: Reach,
  name: ByteString,
  views: ReadonlySet<ByteString> | null,
): readonly string[] {
  switch (reach.kind) {
    case "server":
      return [SERVER, ANY_WRITE];
    case "database":
      return [SERVER, database(name), anyTable(name)];
    case "tables": {
      const names = [...reach.names];
      if (names.length === 0) return [SERVER];
      const isKnown = views !== null && !names.some((each) => views.has(each));
      const tables = isKnown ? names.map((each) => table(each, name)) : [anyTable(name)];
      return [SERVER, database(name), ...tables];
    }
  }
}

/** What a write has changed; that of the server means everything. */
export function tagsOfWrite(reach: Reach, name: ByteString): readonly string[] {
  switch (reach.kind) {
    case "server":
      return [SERVER];
    case "database":
      return [database(name), ANY_WRITE];
    case "tables":
      return [...[...reach.names].map((each) => table(each, name)), anyTable(name), ANY_WRITE];
  }
}
