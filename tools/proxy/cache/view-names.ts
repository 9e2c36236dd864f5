/** Reads the names of a database's views from the server's answer. */

import type { SqlFrame } from "../../../faces/sql/bytes/sql-frames.js";
import type { ByteString } from "../../../protocol/byte-string.js";

/** The statement that lists views, which dbsyncd and the original support. */
export const VIEWS = "asehoy ny jery";
const PAGE = /^RELATION_JSON_PAGE .*\n(.*)$/gm;

/** Returns the names in a frame; null if it contains none. */
export function viewNamesIn({ bytes, isError }: SqlFrame): ReadonlySet<ByteString> | null {
  if (isError) return null;
  const names = new Set<ByteString>();
  let pages = 0;
  for (const [, page = ""] of bytes.matchAll(PAGE)) {
    const rows = rowsOf(page);
    if (rows === null) return null;
    pages++;
    for (const row of rows) {
      const [name] = Array.isArray(row) ? row : [];
      if (typeof name !== "string") return null;
      names.add(name);
    }
  }
  return pages === 0 ? null : names;
}

/** Returns the rows of a page. @param page  the bytes of a page, whose JSON does not escape non-ASCII characters */
function rowsOf(page: ByteString): readonly unknown[] | null {
  try {
    const { rows } = JSON.parse(page) as { rows?: unknown };
    return Array.isArray(rows) ? rows : null;
  } catch {
    return null;
  }
}
