/** The tags of the data that answers depend on and that statements change. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { AffectedObjects } from "../routing/statement-kind.js";

/** The tag of all answers. A statement that may have changed any data removes all of them. */
const SERVER = "server";
/** The tag of answers whose data are unknown. Any write removes them. */
const ANY_WRITE = "any write";
/** Returns the tag of a database's answers that depend on its objects: its tables, views and domains. */
const database = (name: ByteString) => `database ${name}`;
/** Returns the tag of a database's answers that any write to one of its tables may change. */
const anyTable = (name: ByteString) => `tables of ${name}`;
/** Returns the tag of a table. Names contain no spaces. */
const table = (name: ByteString, of: ByteString) => `table ${of} ${name}`;

/** Returns the tags of the list of a database's views. */
export const tagsOfViews = (name: ByteString): readonly string[] => [SERVER, database(name)];

/**
 * Returns the tags of the answer to a read.
 * @param views  the names of the database's views, which may depend on any of its tables, or null if not known
 */
export function tagsOfRead(
  affected: AffectedObjects,
  name: ByteString,
  views: ReadonlySet<ByteString> | null,
): readonly string[] {
  switch (affected.kind) {
    case "server":
      return [SERVER, ANY_WRITE];
    case "database":
      return [SERVER, database(name), anyTable(name)];
    case "tables": {
      const names = [...affected.names];
      if (names.length === 0) return [SERVER];
      const isKnown = views !== null && !names.some((each) => views.has(each));
      const tables = isKnown ? names.map((each) => table(each, name)) : [anyTable(name)];
      return [SERVER, database(name), ...tables];
    }
  }
}

/** Returns the tags of the data that a write changes. The tag of the server means all data. */
export function tagsOfWrite(affected: AffectedObjects, name: ByteString): readonly string[] {
  switch (affected.kind) {
    case "server":
      return [SERVER];
    case "database":
      return [database(name), ANY_WRITE];
    case "tables":
      return [...[...affected.names].map((each) => table(each, name)), anyTable(name), ANY_WRITE];
  }
}
