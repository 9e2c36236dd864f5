/**
 * DOC.GET and DOC.COUNT, which return and count entries. DOC.GET can sort them, return parts of them and add details.
 * Source: docs/json-documents.md.
 */

import { custom } from "../../../../daemon/store/arguments/command-errors.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import { type ByteString, bytesOfText, detached } from "../../../../protocol/byte-string.js";
import { DocumentEntriesReply, keyIn } from "../../../../protocol/document-replies.js";
import {
  isContainer,
  type JsonContainer,
  JsonNumber,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../../../protocol/json/json-value.js";
import { phpNumberOf, phpNumeric } from "../../../../protocol/json/php-number.js";
import { array, bulk, bulks, integer, map, NIL, type Reply, ZERO } from "../../../../protocol/reply.js";
import { unlimitedWork, type Work } from "../../../mongo/store/queries/mongo-failure.js";
import { Document } from "../values/document.js";
import { type Alike, alikeTo } from "../values/document-columns.js";
import type { Span } from "../values/document-index.js";
import { endOfValue, type MemberName, memberName, memberValueOf, valueAt } from "../values/member-value.js";
import { documentOf, keyOf, revisionOf, valueOfEntry } from "./document-entries.js";
import { type Options, onlyOptions } from "./document-options.js";
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
import { conjunction, equalTo, type IndexCondition } from "./index-conditions.js";
import { isLooselyEqual, isTrue } from "./loose-equality.js";
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
  const { sort, condition, alike, numbers } = selection;
  const access = worthwhileAccess(document, condition);
  const ordering = sortIndex(document, selection);
  const fields =
    access?.parts.map(({ index }) => index.field) ?? (ordering === undefined ? [] : [ordering.field]);
  const usesColumns = alike !== undefined || numbers !== null;
  const way: SearchMethod = fields.length > 0 ? "index" : usesColumns ? "marks" : "all";
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

/** One member that a query names. */
interface QueriedMember {
  readonly name: MemberName;
  readonly value: JsonValue;
  /** The JSON text of the only scalar, apart from `true`, that equals the value, or null if several scalars do. */
  readonly only: ByteString | null;
  /**
   * Results of earlier comparisons, by the JSON text of an entry's value: whether that value equals the value of the
   * query.
   */
  readonly judged: Map<ByteString, boolean>;
}

/**
 * Maximum number of comparison results that a query remembers for each member. Most members have few different values;
 * further values are compared each time.
 */
const JUDGED_MAX = 4096;
/** Maximum length of a value whose comparison result is remembered. */
const JUDGED_CHARS_MAX = 64;
/** The first character of a list. */
const LIST = 0x5b;
/** The first character of `true`. */
const TRUE = 0x74;

/** A compiled query. */
interface Query {
  readonly test: (text: ByteString) => boolean;
  /** The condition that an index can use. It holds for all matching entries, and possibly for more. */
  readonly condition: IndexCondition;
  /** A value that all matching entries have, or undefined if none is known. */
  readonly alike?: Alike | undefined;
  /** Number of the members. */
  readonly tests: number;
}

/**
 * Compiles a query: all members that it names must be equal, by PHP's `==`, and only the text of these members is
 * parsed. A query without members matches nothing. A member that is null in an entry equals nothing, not even null in
 * the query, which equals the other values that PHP considers equal to null. Source:
 * test/vectors/json/differences.json.
 */
function queryOf(query: JsonValue): Query {
  const values = isContainer(query) ? memberValues(query) : [];
  const members = isContainer(query)
    ? memberNames(query).map((name, at) => askedFor(name, values[at] as JsonValue))
    : [];
  if (members.length === 0) return { test: () => false, condition: { kind: "any", parts: [] }, tests: 0 };

  const test = (text: ByteString) => {
    // The text of a list does not contain its members' names.
    if (text.charCodeAt(0) === LIST) return hasAll(valueOfEntry(text) as JsonContainer, members);
    for (const one of members) if (!hasSame(text, one)) return false;
    return true;
  };

  const parts = members.map(({ name, value }): IndexCondition => {
    // An index contains the values at a path, but a point in a query is a part of the name.
    const spans = name.name.includes(".") ? undefined : spansOf(value);
    if (spans === undefined) return { kind: "unknown" };
    return { kind: "member", field: bytesOfText(name.name), spans, isExact: false, isExactForNumbers: true };
  });
  const scalar = members.find(({ value }) => typeof value === "string" || value instanceof JsonNumber);
  return {
    test,
    condition: conjunction(parts),
    alike: scalar && alikeTo(scalar.name, memberValueOf(scalar.value), false),
    tests: members.length,
  };
}

/**
 * Returns spans that contain all values that PHP considers equal to the given value, or undefined if no narrow spans
 * contain them.
 */
function spansOf(value: JsonValue): readonly Span[] | undefined {
  if (typeof value !== "string" && !(value instanceof JsonNumber)) return undefined;
  if (value === "") return undefined;
  const same = equalTo(memberValueOf(isTrue(value)));
  const number = typeof value === "string" ? phpNumeric(value) : phpNumberOf(value.text);
  if (number === undefined) return [same, equalTo(bytesOfText(value as string))];
  if (typeof number === "bigint" || Math.abs(number) > Number.MAX_SAFE_INTEGER) return undefined;
  return [same, equalTo(number), NUMERIC_STRINGS];
}

/** The strings that may look like numbers: those that begin with a digit, a sign, a point or a space. */
const NUMERIC_STRINGS: Span = {
  from: { value: "\t", isAfter: false },
  to: { value: ":", isAfter: false },
};

function askedFor(name: string, value: JsonValue): QueriedMember {
  const isWord = typeof value === "string" && value !== "" && phpNumeric(value) === undefined;
  const only = isWord ? bytesOfText(JSON.stringify(value)) : null;
  return { name: memberName(bytesOfText(name)), value, only, judged: new Map() };
}

function hasAll(entry: JsonContainer, members: readonly QueriedMember[]): boolean {
  return members.every(({ name, value }) => {
    const member = memberOf(entry, name.name) ?? null;
    return member !== null && isLooselyEqual(member, value);
  });
}

/** Whether an entry that is not a list has a member with this name and an equal value. */
function hasSame(text: ByteString, { name, value, only, judged }: QueriedMember): boolean {
  const at = valueAt(text, name);
  if (at < 0) return false;
  if (only !== null) return text.charCodeAt(at) === TRUE || text.startsWith(only, at);
  const written = text.slice(at, endOfValue(text, at));
  const remembered = judged.get(written);
  if (remembered !== undefined) return remembered;
  const member = valueOfEntry(written);
  const isSame = member !== null && isLooselyEqual(member, value);
  if (judged.size < JUDGED_MAX && written.length <= JUDGED_CHARS_MAX) judged.set(detached(written), isSame);
  return isSame;
}
