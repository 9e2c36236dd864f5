/**
 * DOC.GET and DOC.COUNT, which return and count entries. DOC.GET can sort them, return parts of them and add details.
 * Source: docs/json-documents.md.
 */

import { custom } from "../../../../daemon/store/arguments/command-errors.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { DocumentEntriesReply, keyIn } from "../../../../protocol/document-entries-reply.js";
import { array, bulk, bulks, integer, map, NIL, type Reply, ZERO } from "../../../../protocol/reply.js";
import { unlimitedWork, type Work } from "../../../mongo/store/queries/mongo-failure.js";
import { Document } from "../values/document.js";
import { documentOf, keyOf } from "./document-entries.js";
import { type Options, onlyOptions } from "./document-options.js";
import { queryOf } from "./document-queries.js";
import { revisionOf } from "./document-revisions.js";
import {
  countAll,
  countingAccess,
  countSelected,
  isPresent,
  isScan,
  presentEntries,
  type Selection,
  selected,
  sortIndex,
  worthwhileAccess,
} from "./document-selection.js";
import { entryCondition } from "./entry-conditions.js";
import { EntryPart } from "./entry-parts.js";
import { conjunction } from "./index-conditions.js";
import { numberTestsOf } from "./number-tests.js";

/** `DOC.COUNT document [QUERY json] [WHERE json] [EXPLAIN]` */
export function count(data: Data, argv: readonly ByteString[], { at }: Unit): Reply {
  const options = onlyOptions(argv, { from: 2, allowed: ["QUERY", "WHERE", "EXPLAIN"], name: "doc.count" });
  if (options.explain === true)
    return explainedCount(documentOf(data, argv[1]!).value, at, selectionOf(options));
  const document = data.getAs(Document, argv[1]!)?.value;
  if (document === undefined) return ZERO;
  const isAll = options.query === undefined && options.where === undefined;
  if (isAll) return integer(countAll(document, at));
  const selection = selectionOf(options);
  countScan(data, document, selection);
  return countSelected(document, at, selection);
}

/**
 * `DOC.GET document [ID id | QUERY json, WHERE json, SORT json, LIMIT offset count] [FIELDS json] [DETAILS] [EXPLAIN]`
 */
export function get(data: Data, argv: readonly ByteString[], { at }: Unit): Reply {
  const options = onlyOptions(argv, {
    from: 2,
    allowed: ["ID", "QUERY", "WHERE", "SORT", "LIMIT", "FIELDS", "DETAILS", "EXPLAIN"],
    name: "doc.get",
  });
  const { id, query, where, sort, limit } = options;
  if (id !== undefined && (query ?? where ?? sort ?? limit) !== undefined)
    throw custom("ERR ID names one entry: it cannot be combined with QUERY, WHERE, SORT and LIMIT");
  const { value: document } = documentOf(data, argv[1]!);
  if (options.explain === true) {
    if (id !== undefined) throw custom("ERR ID names one entry: there is nothing to EXPLAIN");
    return explained(document, selectionOf(options));
  }
  const isAll = (query ?? where ?? sort ?? limit) === undefined;
  if (id === undefined) {
    const selection = isAll ? null : selectionOf(options);
    countScan(data, document, selection);
    return shaped(
      selection === null ? presentEntries(document, at) : selected(document, at, selection),
      document,
      options,
    );
  }
  const key = keyOf(document, id);
  if (key === undefined || !isPresent(document, at, key)) return map([]);
  return shaped(
    new DocumentEntriesReply({ keys: [key], texts: [document.get(key) as ByteString] }),
    document,
    options,
  );
}

/** Cost in steps of each entry that a read checks and returns. */
const READ_STEPS = 12;

/**
 * Counts all entries of the document if the read must check all of them. Nothing is counted if an index finds the
 * entries.
 * @param selection null means all entries
 * @throws BudgetExceeded
 */
function countScan({ effort }: Data, document: Document, selection: Selection | null): void {
  if (selection === null || isScan(document, selection))
    effort.work(Math.max(READ_STEPS, selection?.tests ?? 0) * document.size);
}

/** @param counted  counts the work of the conditions; null for reads, which run in steps, in which no test may fail */
export function selectionOf(
  { query, where, sort = [], limit }: Options,
  counted: Work | null = null,
): Selection {
  const work = counted ?? unlimitedWork();
  const parts = [
    ...(query === undefined ? [] : [queryOf(query)]),
    ...(where === undefined ? [] : [entryCondition(where, work)]),
  ];
  const condition = conjunction(parts.map((part) => part.condition));
  const [only] = parts;
  return {
    test:
      parts.length === 1 && only !== undefined ? only.test : (text) => parts.every(({ test }) => test(text)),
    condition,
    isExact: query === undefined,
    alike: parts.find((part) => part.alike !== undefined)?.alike,
    // Such tests would change the work that a write counts.
    numbers: counted === null ? numberTestsOf(condition) : null,
    tests: parts.reduce((sum, { tests }) => sum + tests, 0),
    work,
    sort,
    limit: limit ?? null,
  };
}

/** Returns the requested fields of each entry. */
function shaped(
  reply: DocumentEntriesReply,
  document: Document,
  { fields, details = false }: Options,
): Reply {
  const part = fields === undefined ? null : new EntryPart(fields);
  if (!details) return part === null ? reply : new DocumentEntriesReply(part.ofEntries(reply));
  const { found: entries } = reply;
  const items: Reply[] = [];
  for (const [at, text] of entries.texts.entries()) {
    const key = keyIn(entries, at);
    const shown = bulk(part === null ? text : part.of(text));
    items.push(bulk(key), array([shown, bulk(revisionOf(text)), expiryOf(document, key)]));
  }
  return map(items);
}

function expiryOf(document: Document, key: ByteString): Reply {
  const expire = document.expireOf(key);
  return expire === undefined ? NIL : integer(expire);
}

/**
 * How a read searches for entries: by an index; by marks, which are short checksums of a member's values; by checking
 * all entries; or without checking any entry.
 */
type SearchMethod = "index" | "marks" | "all" | "none";

/**
 * EXPLAIN of DOC.GET and DOC.COUNT: reports how a read would find its entries, without reading them. Source:
 * docs/json-documents.md "Indexes".
 */
function explained(document: Document, selection: Selection): Reply {
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
function explainedCount(document: Document, at: number, selection: Selection): Reply {
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
