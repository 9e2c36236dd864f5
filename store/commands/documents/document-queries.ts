/**
 * Matches entries against a query: all members that it names are equal, by PHP's `==`. Only the text under these names is parsed.
 * Source: test/vectors/json; docs/json-documents.md.
 */
import { type ByteString, bytesOfText, detached } from "../../../protocol/byte-string.js";
import {
  isContainer,
  type JsonContainer,
  JsonNumber,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../../protocol/json/json-value.js";
import { phpNumberOf, phpNumeric } from "../../../protocol/json/php-number.js";
import type { JsonCondition } from "../../queries/json/filter.js";
import { equalTo } from "../../queries/json/spans.js";
import { type Alike, markOf } from "../../values/documents/document-columns.js";
import type { Span } from "../../values/documents/document-index.js";
import {
  endOfValue,
  type MemberName,
  memberName,
  memberValueOf,
  valueAt,
} from "../../values/documents/member-value.js";
import { valueOfEntry } from "./document-entries.js";
import { type EqualityForm, isLooselyEqual, isTrue } from "./loose-equality.js";

/** One member that a query names. */
interface Asked {
  readonly name: MemberName;
  readonly value: JsonValue;
  readonly form: EqualityForm;
  /** The only scalar besides `true` that can be equal; null: there may be more. */
  readonly only: ByteString | null;
  /** Scalars as they are written in texts, and whether each is equal. */
  readonly judged: Map<ByteString, boolean>;
}

/**
 * Maximum scalars whose result a query remembers: most members have few different values; for the remaining ones the
 * comparison is repeated.
 */
const JUDGED_MAX = 4096;
/** Longer values are not remembered. */
const JUDGED_CHARS_MAX = 64;
/** First characters of a list and of `true`. */
const LIST = 0x5b;
const TRUE = 0x74;

/** A compiled query. */
export interface Query {
  readonly test: (text: ByteString) => boolean;
  /** Holds for all entries that match, and perhaps for more: the part that an index can use. */
  readonly condition: JsonCondition;
  /** A value that all matching entries have; undefined: none is known. */
  readonly alike?: Alike | undefined;
}

/** A query that names no member finds nothing. A member that is null never matches, not even null. */
export function queryOf(query: JsonValue, form: EqualityForm = "standard"): Query {
  const values = isContainer(query) ? memberValues(query) : [];
  const asked = isContainer(query)
    ? memberNames(query).map((name, at) => askedFor(name, values[at] as JsonValue, form))
    : [];
  if (asked.length === 0) return { test: () => false, condition: { kind: "any", parts: [] } };
  const test = (text: ByteString) => {
    // A list's members have no names in its text.
    if (text.charCodeAt(0) === LIST) return hasAll(valueOfEntry(text) as JsonContainer, asked);
    for (const one of asked) if (!hasSame(text, one)) return false;
    return true;
  };
  const parts = asked.flatMap(({ name, value }): JsonCondition[] => {
    const spans = spansOf(value);
    if (spans === undefined) return [];
    return [{ kind: "member", path: { field: bytesOfText(name.name), name }, test: { spans } }];
  });
  const scalar = asked.find(({ value }) => typeof value === "string" || value instanceof JsonNumber);
  return { test, condition: { kind: "all", parts }, alike: scalar && alikeTo(scalar) };
}

function alikeTo({ name, value }: Asked): Alike {
  return { name, mark: markOf(memberValueOf(value)) };
}

/** Returns the spans of all values that PHP takes for equal; undefined: nearly all values. */
function spansOf(value: JsonValue): readonly Span[] | undefined {
  if (typeof value !== "string" && !(value instanceof JsonNumber)) return undefined;
  if (value === "") return undefined;
  const same = equalTo(memberValueOf(isTrue(value)));
  const number = typeof value === "string" ? phpNumeric(value) : phpNumberOf(value.text);
  if (number === undefined) return [same, equalTo(bytesOfText(value as string))];
  if (typeof number === "bigint" || Math.abs(number) > Number.MAX_SAFE_INTEGER) return undefined;
  return [same, equalTo(number), NUMERIC_STRINGS];
}

/** Matches the beginning of strings that may look like numbers: a digit, a sign, a point or a blank. */
const NUMERIC_STRINGS: Span = {
  from: { value: "\t", isBehind: false },
  to: { value: ":", isBehind: false },
};

function askedFor(name: string, value: JsonValue, form: EqualityForm): Asked {
  const isWord = typeof value === "string" && value !== "" && phpNumeric(value) === undefined;
  const only = isWord ? bytesOfText(JSON.stringify(value)) : null;
  return { name: memberName(bytesOfText(name)), value, form, only, judged: new Map() };
}

function hasAll(entry: JsonContainer, asked: readonly Asked[]): boolean {
  return asked.every(({ name, value, form }) => {
    const found = memberOf(entry, name.name) ?? null;
    return found !== null && isLooselyEqual(found, value, form);
  });
}

/** Whether an entry that is not a list has a member that is equal. */
function hasSame(text: ByteString, { name, value, form, only, judged }: Asked): boolean {
  const at = valueAt(text, name);
  if (at < 0) return false;
  if (only !== null) return text.charCodeAt(at) === TRUE || text.startsWith(only, at);
  const written = text.slice(at, endOfValue(text, at));
  const known = judged.get(written);
  if (known !== undefined) return known;
  const found = valueOfEntry(written);
  const isSame = found !== null && isLooselyEqual(found, value, form);
  if (judged.size < JUDGED_MAX && written.length <= JUDGED_CHARS_MAX) judged.set(detached(written), isSame);
  return isSame;
}
