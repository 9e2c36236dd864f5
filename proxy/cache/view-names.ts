/** The names of a database's views, out of the server's answer to the question for them. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { SqlFrame } from "../../protocol/sql-frames.js";

/** Known to dbsyncd and the original. */
export const VIEWS = "asehoy ny jery";
const PAGE = /^RELATION_JSON_PAGE .*\n(.*)$/gm;

/** @returns null: the frame contains no names */
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

/** @param page  bytes; JSON does not escape those that are not ASCII */
function rowsOf(page: ByteString): readonly unknown[] | null {
  try {
    const { rows } = JSON.parse(page) as { rows?: unknown };
    return Array.isArray(rows) ? rows : null;
  } catch {
    return null;
  }
}
