/** How a read finds its entries: EXPLAIN of DOC.GET. It tells, and does not read. Source: docs/json-documents.md "How a query is answered". */
import { bulk, bulks, integer, map, type Reply } from "../../../protocol/reply.js";
import type { Document } from "../../values/documents/document.js";
import { type Selection, sortIndex, worthwhile } from "./document-selection.js";

/** By an index, by remembered marks of a member's values, or by looking at all. */
type Way = "index" | "marks" | "all";

export function explained(document: Document, selection: Selection): Reply {
  const { sort, condition, alike } = selection;
  const access = worthwhile(document, condition);
  const ordering = sortIndex(document, selection);
  const fields =
    access?.parts.map(({ index }) => index.field) ?? (ordering === undefined ? [] : [ordering.field]);
  const way: Way = fields.length > 0 ? "index" : alike === undefined ? "all" : "marks";
  const order = sort.length === 0 ? "document" : ordering === undefined ? "sorted" : "index";
  return map([
    ...[bulk("reads"), bulk(way), bulk("indexes"), bulks([...new Set(fields)])],
    ...[bulk("entries"), integer(access?.count ?? document.size), bulk("of"), integer(document.size)],
    ...[bulk("order"), bulk(order)],
  ]);
}
