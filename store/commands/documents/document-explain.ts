/** How a read finds its entries: EXPLAIN of DOC.GET and DOC.COUNT. It tells, and does not read. Source: docs/json-documents.md "Indexes". */
import type { ByteString } from "../../../protocol/byte-string.js";
import { bulk, bulks, integer, map, type Reply } from "../../../protocol/reply.js";
import type { Document } from "../../values/documents/document.js";
import { countingAccess, type Selection, sortIndex, worthwhile } from "./document-selection.js";

/** By an index, by remembered marks of a member's values, by looking at all; or nothing is read. */
type Way = "index" | "marks" | "all" | "none";

export function explained(document: Document, selection: Selection): Reply {
  const { sort, condition, alike } = selection;
  const access = worthwhile(document, condition);
  const ordering = sortIndex(document, selection);
  const fields =
    access?.parts.map(({ index }) => index.field) ?? (ordering === undefined ? [] : [ordering.field]);
  const way: Way = fields.length > 0 ? "index" : alike === undefined ? "all" : "marks";
  const order = sort.length === 0 ? "document" : ordering === undefined ? "sorted" : "index";
  return told(document, { way, fields, entries: access?.count ?? document.size, order });
}

/** Where an index knows how many there are, or all are counted, no entry is looked at. */
export function explainedCount(document: Document, at: number, selection: Selection): Reply {
  const { condition } = selection;
  const isAll = condition.kind === "all" && condition.parts.length === 0;
  const access = countingAccess(document, at, selection);
  if (!isAll && access === null) return explained(document, selection);
  const fields = access?.parts.map(({ index }) => index.field) ?? [];
  return told(document, { way: isAll ? "none" : "index", fields, entries: 0, order: "document" });
}

interface Told {
  readonly way: Way;
  readonly fields: readonly ByteString[];
  /** How many are looked at. */
  readonly entries: number;
  readonly order: "document" | "index" | "sorted";
}

function told({ size }: Document, { way, fields, entries, order }: Told): Reply {
  return map([
    ...[bulk("reads"), bulk(way), bulk("indexes"), bulks([...new Set(fields)])],
    ...[bulk("entries"), integer(entries), bulk("of"), integer(size), bulk("order"), bulk(order)],
  ]);
}
