/**
 * Matches entries against a query: all members that the query names must be equal, by PHP's `==`. Only the text of
 * these members is parsed. Source: test/vectors/json; docs/json-documents.md.
 */
import { type ByteString, bytesOfText, detached } from "../../../../protocol/byte-string.js";
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
import { type Alike, alikeTo } from "../values/document-columns.js";
import type { Span } from "../values/document-index.js";
import { endOfValue, type MemberName, memberName, memberValueOf, valueAt } from "../values/member-value.js";
import { valueOfEntry } from "./document-entries.js";
import { conjunction, type IndexCondition } from "./index-conditions.js";
import { isLooselyEqual, isTrue } from "./loose-equality.js";
import { equalTo } from "./value-spans.js";

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
export interface Query {
  readonly test: (text: ByteString) => boolean;
  /** The condition that an index can use. It holds for all matching entries, and possibly for more. */
  readonly condition: IndexCondition;
  /** A value that all matching entries have, or undefined if none is known. */
  readonly alike?: Alike | undefined;
  /** Number of the members. */
  readonly tests: number;
}

/**
 * Compiles a query. A query without members matches nothing. A member that is null in the query matches no entry, not
 * even one in which the member is null.
 */
export function queryOf(query: JsonValue): Query {
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
