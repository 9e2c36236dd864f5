/**
 * The part of a condition that an index can find: the values that members of entries may have, as spans in the order of
 * all values. The result never depends on an
 * index, because each entry that an index finds is checked. Source: docs/json-documents.md "Indexes".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Condition, FieldTest } from "../../../mongo/store/queries/filter-compiler.js";
import {
  type Bson,
  Int32,
  isArray,
  isDocument,
  Regex,
  WrittenDouble,
} from "../../../mongo/store/values/bson.js";
import { isNumber } from "../../../mongo/store/values/bson-numbers.js";
import { isArrayIndex } from "../../../mongo/store/values/index-keys.js";
import type { Bound, Span } from "../values/document-index.js";
import {
  compareMembers,
  FALSE,
  FIRST_CONTAINER,
  FIRST_OBJECT,
  LAST,
  type MemberValue,
  MISSING,
  memberValueOf,
  NULL,
  TRUE,
} from "../values/member-value.js";
import { jsonOf } from "./entry-values.js";

/** The values of a member that meet a condition. */
interface MemberCondition {
  readonly kind: "member";
  /** The member's name or path. */
  readonly field: ByteString;
  /** They contain all values that meet the condition. */
  readonly spans: Spans;
  /** Whether they contain no other values, apart from lists. */
  readonly isExact: boolean;
  /** Whether all numbers in them meet the condition. */
  readonly isExactForNumbers: boolean;
}

export type IndexCondition =
  | { readonly kind: "all" | "any"; readonly parts: readonly IndexCondition[] }
  | MemberCondition
  /** A condition that no index can find. */
  | { readonly kind: "unknown" };

const UNKNOWN = { kind: "unknown" } as const;

export function indexConditionOf(condition: Condition): IndexCondition {
  switch (condition.kind) {
    case "member":
      return memberCondition(condition.path, condition.test) ?? UNKNOWN;
    case "not":
      return complementOf(indexConditionOf(condition.part));
    case "any":
      return { kind: "any", parts: condition.parts.map(indexConditionOf) };
    default:
      return conjunction(condition.parts.map(indexConditionOf));
  }
}

/** A list may contain a value that meets the condition and another one that does not, so all lists are checked. */
function complementOf(condition: IndexCondition): IndexCondition {
  if (condition.kind !== "member" || !condition.isExact) return UNKNOWN;
  return { ...condition, spans: union([...outside(condition.spans), LISTS]) };
}

/** Intersects the values of each member. */
export function conjunction(parts: readonly IndexCondition[]): IndexCondition {
  const members = new Map<ByteString, MemberCondition>();
  const others: IndexCondition[] = [];
  for (const part of parts.flatMap((one) => (one.kind === "all" ? one.parts : [one]))) {
    if (part.kind !== "member") {
      others.push(part);
      continue;
    }

    const other = members.get(part.field);
    const spans = other === undefined ? part.spans : inBoth(other.spans, part.spans);
    members.set(part.field, {
      ...part,
      spans,
      isExact: part.isExact && other?.isExact !== false,
      isExactForNumbers: part.isExactForNumbers && other?.isExactForNumbers !== false,
    });
  }

  const result = [...members.values(), ...others];
  const [only] = result;
  return result.length === 1 && only !== undefined ? only : { kind: "all", parts: result };
}

/** @returns null if no index can find the values */
function memberCondition(path: readonly ByteString[], test: FieldTest): MemberCondition | null {
  // A number in a path selects a value of a list, but also a member of the objects in the list.
  if (path.length === 0 || path.slice(1).some(isArrayIndex)) return null;
  const found = valuesOf(test);
  if (found === null) return null;
  const { spans, isExact } = found;
  const all = union([...spans, LISTS]);
  return { kind: "member", field: path.join("."), spans: all, isExact, isExactForNumbers: isExact };
}

interface Values {
  readonly spans: Spans;
  readonly isExact: boolean;
}

/** @returns the values that pass a test, apart from lists, or null if no spans contain them */
function valuesOf({ operator, operand }: FieldTest): Values | null {
  switch (operator) {
    case "$eq":
      return equalValues(operand);
    case "$in": {
      const all = (operand as readonly Bson[]).map(equalValues);
      return { spans: all.flatMap(({ spans }) => spans), isExact: all.every(({ isExact }) => isExact) };
    }
    case "$gt":
    case "$gte":
    case "$lt":
    case "$lte":
      return comparedValues(operator, operand);
    case "$exists":
      return { spans: [PRESENT], isExact: true };
    case "$regex":
      return operand instanceof Regex ? beginningOf(operand) : null;
    case "$size":
    case "$elemMatch":
      return { spans: [], isExact: false };
    default:
      return null;
  }
}

function equalValues(value: Bson): Values {
  if (value === null) return { spans: [NOTHING], isExact: true };
  if (isArray(value)) return { spans: [], isExact: false };
  return { spans: [equalTo(memberValueIn(value))], isExact: !isDocument(value) };
}

function comparedValues(operator: "$gt" | "$gte" | "$lt" | "$lte", operand: Bson): Values {
  if (operand === null) return { spans: operator.endsWith("e") ? [NOTHING] : [], isExact: true };
  if (isArray(operand)) return { spans: [], isExact: false };
  if (isDocument(operand)) return { spans: [OBJECTS], isExact: false };

  const kind = kindOf(operand);
  const value = memberValueIn(operand);
  const spans: Readonly<Record<typeof operator, Span>> = {
    $gt: span(after(value), kind.to),
    $gte: span(before(value), kind.to),
    $lt: span(kind.from, before(value)),
    $lte: span(kind.from, after(value)),
  };
  return { spans: [spans[operator]], isExact: true };
}

function kindOf(value: Bson): Span {
  if (isNumber(value)) return NUMBERS;
  return typeof value === "boolean" ? span(before(FALSE), after(TRUE)) : STRINGS;
}

/** @param value neither null nor an array */
function memberValueIn(value: Bson): MemberValue {
  if (value instanceof Int32 || value instanceof WrittenDouble) return value.value;
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return value;
  return memberValueOf(jsonOf(value));
}

/** Matches the text with which all strings that a pattern matches begin, and the rest of the pattern. */
const ANCHORED = /^\^([^\\.[\](){}|*+?^$]*)(.*)$/s;

/** Returns the strings with the beginning that a pattern requires. */
function beginningOf({ pattern, options }: Regex): Values | null {
  const [, text = "", rest = ""] = ANCHORED.exec(pattern) ?? [];
  if (text === "" || options.includes("i") || rest.includes("|")) return null;
  // A repetition applies to the last character.
  const isRepeated = /^[*?{]/.test(rest);
  const beginning = isRepeated ? withoutLastCharacter(text) : text;
  return beginning === "" ? null : { spans: [beginningWith(beginning)], isExact: rest === "" };
}

const withoutLastCharacter = (bytes: ByteString): ByteString =>
  bytes.replace(/[^\x80-\xbf][\x80-\xbf]*$/, "");

/**
 * Sets of JSON values as ascending, disjoint spans in the order of all values, by which indexes are searched.
 */
export type Spans = readonly Span[];

const before = (value: MemberValue): Bound => ({ value, isAfter: false });
const after = (value: MemberValue): Bound => ({ value, isAfter: true });
const span = (from: Bound, to: Bound): Span => ({ from, to });
export const equalTo = (value: MemberValue): Span => span(before(value), after(value));

const START = before(MISSING);
const END = before(LAST);
/** Missing members and null, which are equal in conditions. */
const NOTHING = span(START, after(NULL));
const PRESENT = span(after(MISSING), END);
export const NUMBERS = span(after(TRUE), before(""));
const STRINGS = span(before(""), before(FIRST_CONTAINER));
export const LISTS = span(before(FIRST_CONTAINER), before(FIRST_OBJECT));
const OBJECTS = span(before(FIRST_OBJECT), END);

/** Returns the values that are in both sets. */
function inBoth(first: Spans, second: Spans): Spans {
  const both: Span[] = [];
  for (let one = 0, two = 0; one < first.length && two < second.length; ) {
    const [a, b] = [first[one] as Span, second[two] as Span];
    const from = compareBounds(a.from, b.from) < 0 ? b.from : a.from;
    const isFirst = compareBounds(a.to, b.to) < 0;
    const to = isFirst ? a.to : b.to;
    if (compareBounds(from, to) < 0) both.push(span(from, to));
    if (isFirst) one++;
    else two++;
  }

  return both;
}

const compareBounds = (a: Bound, b: Bound) =>
  compareMembers(a.value, b.value) || Number(a.isAfter) - Number(b.isAfter);

/** Returns the values that are not in the set. */
function outside(spans: Spans): Spans {
  const others: Span[] = [];
  let from = START;
  for (const one of [...spans, span(END, END)]) {
    if (compareBounds(from, one.from) < 0) others.push(span(from, one.from));
    from = one.to;
  }
  return others;
}

/** Returns the values that are in one of the spans, which may be in any order and overlap. */
function union(spans: readonly Span[]): Spans {
  const ascending = [...spans].sort((a, b) => compareBounds(a.from, b.from));
  const result: Span[] = [];
  for (const { from, to } of ascending) {
    const last = result.at(-1);
    if (last === undefined || compareBounds(last.to, from) < 0) result.push(span(from, to));
    else if (compareBounds(last.to, to) < 0) result[result.length - 1] = span(last.from, to);
  }
  return result;
}

/** Returns the set of strings that begin with the given text, in UTF-8. */
function beginningWith(bytes: ByteString): Span {
  if (bytes === "") return STRINGS;
  // The last byte of UTF-8 text is never the highest byte, so it can be incremented.
  const next = bytes.slice(0, -1) + String.fromCharCode(bytes.charCodeAt(bytes.length - 1) + 1);
  return span(before(bytes), before(next));
}

/** Returns the only value of a set, apart from lists, or null if there are several values or none. */
export function singleValue(spans: Spans): MemberValue | null {
  const [first, ...others] = spans;
  if (first === undefined || !others.every(isLists)) return null;
  const { from, to } = first;
  const isOne = from.value === to.value && !from.isAfter && to.isAfter;
  return isOne ? from.value : null;
}

/** Whether a span contains the lists and nothing else. */
export const isLists = ({ from, to }: Span): boolean =>
  compareBounds(from, LISTS.from) === 0 && compareBounds(to, LISTS.to) === 0;

export const isWithin = (outer: Span, { from, to }: Span): boolean =>
  compareBounds(outer.from, from) <= 0 && compareBounds(to, outer.to) <= 0;
