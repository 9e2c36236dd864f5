/**
 * EXPLAIN of DOC.GET and DOC.COUNT: reports how a read would find its entries, without reading them. Source:
 * docs/json-documents.md "Indexes".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { bulk, bulks, integer, map, type Reply } from "../../../../protocol/reply.js";
import type { Document } from "../values/document.js";
import { countingAccess, type Selection, sortIndex, worthwhileAccess } from "./document-selection.js";

/**
 * How a read searches for entries: by an index; by marks, which are short checksums of a member's values; by checking
 * all entries; or without checking any entry.
 */
type SearchMethod = "index" | "marks" | "all" | "none";

export function explained(document: Document, selection: Selection): Reply {
  const { sort, condition, alike } = selection;
  const access = worthwhileAccess(document, condition);
  const ordering = sortIndex(document, selection);
  const fields =
    access?.parts.map(({ index }) => index.field) ?? (ordering === undefined ? [] : [ordering.field]);
  const way: SearchMethod = fields.length > 0 ? "index" : alike === undefined ? "all" : "marks";
  const order = sort.length === 0 ? "document" : ordering === undefined ? "sorted" : "index";
  return explanation(document, { way, fields, entries: access?.count ?? document.size, order });
}

/** Explains DOC.COUNT. It checks no entry if an index can count the entries, or if there is no condition. */
export function explainedCount(document: Document, at: number, selection: Selection): Reply {
  const { condition } = selection;
  const isAll = condition.kind === "all" && condition.parts.length === 0;
  const access = countingAccess(document, at, selection);
  if (!isAll && access === null) return explained(document, selection);
  const fields = access?.parts.map(({ index }) => index.field) ?? [];
  return explanation(document, { way: isAll ? "none" : "index", fields, entries: 0, order: "document" });
}

interface Explanation {
  readonly way: SearchMethod;
  readonly fields: readonly ByteString[];
  /** Number of entries to check. */
  readonly entries: number;
  readonly order: "document" | "index" | "sorted";
}

function explanation({ size }: Document, { way, fields, entries, order }: Explanation): Reply {
  return map([
    ...[bulk("reads"), bulk(way), bulk("indexes"), bulks([...new Set(fields)])],
    ...[bulk("entries"), integer(entries), bulk("of"), integer(size), bulk("order"), bulk(order)],
  ]);
}
