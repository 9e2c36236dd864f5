/**
 * Which entries match a query: all members that it names are the same there, by PHP's `==`. Most entries are ruled out by their
 * text, without being taken apart. Source: test/vectors/json; docs/json-documents.md.
 */
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import {
  isContainer,
  type JsonContainer,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../protocol/json-value.js";
import { phpNumeric } from "../../protocol/php-number.js";
import { isLooselyEqual } from "../loose-equality.js";
import type { Document } from "../values/document.js";
import { valueOfEntry } from "./document-entries.js";

/** One member that is asked for. */
interface Asked {
  readonly name: string;
  readonly value: JsonValue;
  /** How an entry's text names it. */
  readonly label: ByteString;
  /** Where nothing but this scalar and `true` can be the same; null: others may be. */
  readonly only: ByteString | null;
  /** Scalars as they stand in texts, and whether they are the same. */
  readonly judged: Map<ByteString, boolean>;
}

/** Scalars that a query remembers its judgement of: most members have few values, those with many are judged anew. */
const JUDGED_MAX = 4096;
/** A scalar in an entry's text that is no string. */
const WORD = /[^,\]}]+/y;
/** What begins a list, an object, `true`. */
const LIST = 0x5b;
const OBJECT = 0x7b;
const TRUE = 0x74;

/** In the order of the document. A query that names no member finds nothing, and null is never the same. */
export function* matching(
  document: Document,
  query: JsonValue,
): Generator<readonly [key: ByteString, text: ByteString]> {
  if (!isContainer(query)) return;
  const values = memberValues(query);
  const asked = memberNames(query).map((name, at) => askedFor(name, values[at] as JsonValue));
  if (asked.length === 0 || values.includes(null)) return;
  yield* document.entries((text) => {
    for (const one of asked) if (!mayHave(text, one)) return false;
    const value = valueOfEntry(text);
    return isContainer(value) && hasAll(value, asked);
  });
}

function askedFor(name: string, value: JsonValue): Asked {
  const isWord = typeof value === "string" && value !== "" && phpNumeric(value) === undefined;
  const only = isWord ? bytesOfText(JSON.stringify(value)) : null;
  return { name, value, label: `${bytesOfText(JSON.stringify(name))}:`, only, judged: new Map() };
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
  if (text[0] !== "{") return true;
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
