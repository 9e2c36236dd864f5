/**
 * Which entries match a query: all members that it names are the same there, by PHP's `==`. Most entries are ruled out by their
 * text, without being taken apart. Source: test/vectors/json; docs/json-documents.md.
 */
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import {
  isContainer,
  type JsonContainer,
  JsonNumber,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../protocol/json-value.js";
import { phpNumberOf, phpNumeric } from "../../protocol/php-number.js";
import { isLooselyEqual, isTrue } from "../loose-equality.js";
import { type Alike, markOf } from "../values/document-columns.js";
import type { Span } from "../values/document-index.js";
import { memberName, memberValueOf } from "../values/member-value.js";
import { type Condition, equalTo } from "./document-conditions.js";
import { valueOfEntry } from "./document-entries.js";

/** One member that is asked for. */
interface Asked {
  readonly name: string;
  readonly value: JsonValue;
  /** How an entry's text names it; null: a text does not tell where. */
  readonly label: ByteString | null;
  /** Where nothing but this scalar and `true` can be the same; null: others may be. */
  readonly only: ByteString | null;
  /** Scalars as they stand in texts, and whether they are the same. */
  readonly judged: Map<ByteString, boolean>;
}

/** Scalars that a query remembers its judgement of: most members have few values, those with many are judged anew. */
const JUDGED_MAX = 4096;
/** What can stand behind a string that is no name. A name that begins so may be found between two strings, where none is. */
const BEHIND_STRING = /^[,:\]}]/;
/** A scalar in an entry's text that is no string. */
const WORD = /[^,\]}]+/y;
/** What begins a list, an object, `true`. */
const LIST = 0x5b;
const OBJECT = 0x7b;
const TRUE = 0x74;

/** What a query asks for. */
export interface Query {
  readonly test: (text: ByteString) => boolean;
  /** Holds for all entries that match, and perhaps for others: what an index can find. */
  readonly condition: Condition;
  /** A value that all have which match; undefined: none is known. */
  readonly alike?: Alike | undefined;
}

/** A query that names no member finds nothing, and null is never the same. */
export function queryOf(query: JsonValue): Query {
  const values = isContainer(query) ? memberValues(query) : [];
  const asked = isContainer(query)
    ? memberNames(query).map((name, at) => askedFor(name, values[at] as JsonValue))
    : [];
  if (asked.length === 0 || values.includes(null))
    return { test: () => false, condition: { kind: "any", parts: [] } };
  const test = (text: ByteString) => {
    for (const one of asked) if (!mayHave(text, one)) return false;
    const value = valueOfEntry(text);
    return isContainer(value) && hasAll(value, asked);
  };
  const parts = asked.flatMap(({ name, value }): Condition[] => {
    const spans = spansOf(value);
    const field = bytesOfText(name);
    return spans === undefined ? [] : [{ kind: "member", field, name: memberName(field), spans }];
  });
  const scalar = asked.find(({ value }) => typeof value === "string" || value instanceof JsonNumber);
  return { test, condition: { kind: "all", parts }, alike: scalar && alikeTo(scalar) };
}

function alikeTo({ name, value }: Asked): Alike {
  return { name: memberName(bytesOfText(name)), mark: markOf(memberValueOf(value)) };
}

/** Where all values are that PHP takes for the same; undefined: almost anywhere. */
function spansOf(value: JsonValue): readonly Span[] | undefined {
  if (typeof value !== "string" && !(value instanceof JsonNumber)) return undefined;
  if (value === "") return undefined;
  const same = equalTo(memberValueOf(isTrue(value)));
  const number = typeof value === "string" ? phpNumeric(value) : phpNumberOf(value.text);
  if (number === undefined) return [same, equalTo(bytesOfText(value as string))];
  if (typeof number === "bigint" || Math.abs(number) > Number.MAX_SAFE_INTEGER) return undefined;
  return [same, equalTo(number), NUMERIC_STRINGS];
}

/** They begin with a digit, a sign, a point or a blank. */
const NUMERIC_STRINGS: Span = {
  from: { value: "\t", isBehind: false },
  to: { value: ":", isBehind: false },
};

function askedFor(name: string, value: JsonValue): Asked {
  const isWord = typeof value === "string" && value !== "" && phpNumeric(value) === undefined;
  const only = isWord ? bytesOfText(JSON.stringify(value)) : null;
  const label = BEHIND_STRING.test(name) ? null : `${bytesOfText(JSON.stringify(name))}:`;
  return { name, value, label, only, judged: new Map() };
}

function hasAll(entry: JsonContainer, asked: readonly Asked[]): boolean {
  return asked.every(({ name, value }) => {
    const found = memberOf(entry, name) ?? null;
    return found !== null && isLooselyEqual(found, value);
  });
}

/** False: the entry has certainly no such member. Members of the same name further in are looked at too. */
function mayHave(text: ByteString, { label, value, only, judged }: Asked): boolean {
  // A list's members have no names in its text.
  if (label === null || text[0] !== "{") return true;
  for (let at = text.indexOf(label); at >= 0; at = text.indexOf(label, at)) {
    at += label.length;
    const start = text.charCodeAt(at);
    if (start === LIST || start === OBJECT) return true;
    if (only !== null) {
      if (start === TRUE || text.startsWith(only, at)) return true;
      continue;
    }
    const scalar = scalarAt(text, at);
    let isSame = judged.get(scalar);
    if (isSame === undefined) {
      isSame = isLooselyEqual(valueOfEntry(scalar), value);
      if (judged.size < JUDGED_MAX) judged.set(scalar, isSame);
    }
    if (isSame) return true;
  }
  return false;
}

function scalarAt(text: ByteString, at: number): ByteString {
  if (text[at] !== '"') {
    WORD.lastIndex = at;
    return WORD.exec(text)?.[0] as ByteString;
  }
  let end = at + 1;
  for (; text[end] !== '"'; end++) if (text[end] === "\\") end++;
  return text.slice(at, end + 1);
}
