/**
 * What an entry has under a name, as it is compared and sorted: a total order over all JSON values, in which those that are
 * the same number are equal however they were written. Source: docs/json-documents.md "Order".
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../protocol/byte-string.js";
import { parseJson } from "../../protocol/json-reader.js";
import {
  isContainer,
  JsonNumber,
  JsonObject,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../protocol/json-value.js";
import { writeJson } from "../../protocol/json-writer.js";
import { type PhpNumber, phpNumberOf } from "../../protocol/php-number.js";

/** Values that are neither numbers nor strings. */
export interface OtherValue {
  readonly kind: number;
  /** Of lists and objects: equal for those that hold the same. */
  readonly text: ByteString;
}

/** Strings as UTF-8, whose order is that of the code points. */
export type MemberValue = PhpNumber | ByteString | OtherValue;

const other = (kind: number, text: ByteString = ""): OtherValue => ({ kind, text });
/** The entry has no such member. */
export const MISSING = other(0);
const NULL = other(1);
export const FALSE = other(2);
export const TRUE = other(3);
const NUMBERS = 4;
const STRINGS = 5;
const CONTAINERS = 6;
/** Before all numbers stands `TRUE`, behind all strings this, which no container equals. */
export const FIRST_CONTAINER = other(CONTAINERS);
/** Behind everything. */
export const LAST = other(CONTAINERS + 1);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const MINUS = 0x2d;
const NOUGHT = 0x30;
const NINE = 0x39;
const LIST = 0x5b;
const LIST_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

export function compareMembers(a: MemberValue, b: MemberValue): number {
  const kind = kindOf(a);
  const order = kind - kindOf(b);
  if (order !== 0) return order;
  if (kind >= CONTAINERS) return compare((a as OtherValue).text, (b as OtherValue).text);
  return kind < NUMBERS ? 0 : compare(a as PhpNumber, b as PhpNumber);
}

/** Integers of 64 bits and doubles compare exactly. */
function compare(a: PhpNumber | string, b: PhpNumber | string): number {
  return a < b ? -1 : Number(a > b);
}

function kindOf(value: MemberValue): number {
  if (typeof value === "string") return STRINGS;
  return typeof value === "object" ? value.kind : NUMBERS;
}

export function memberValueOf(value: JsonValue): MemberValue {
  if (value === null) return NULL;
  if (typeof value === "boolean") return value ? TRUE : FALSE;
  if (typeof value === "string") return bytesOfText(value);
  if (value instanceof JsonNumber) return phpNumberOf(value.text);
  return other(CONTAINERS, bytesOfText(canonicalText(value)));
}

/** Members by name, numbers in one form. */
function canonicalText(value: JsonValue): string {
  if (value instanceof JsonNumber) return numberText(phpNumberOf(value.text));
  if (!isContainer(value)) return writeJson(value);
  const values = memberValues(value).map(canonicalText);
  if (!(value instanceof JsonObject)) return `[${values.join(",")}]`;
  const members = memberNames(value).map((name, at) => `${JSON.stringify(name)}:${values[at]}`);
  return `{${members.sort().join(",")}}`;
}

/** The same for a whole number whether it is an integer or a double, which would drop digits. */
function numberText(number: PhpNumber): string {
  return Number.isInteger(number) ? String(BigInt(number)) : String(number);
}

/** A member's name, and how an entry's text has it. */
export interface MemberName {
  readonly name: string;
  readonly label: ByteString;
}

/** @param name  UTF-8 */
export function memberName(name: ByteString): MemberName {
  const text = textOfBytes(name);
  return { name: text, label: bytesOfText(JSON.stringify(text)) };
}

/** What an entry has under a name. Looks at as much of the text as it must. @param text  as `writeJson` made it */
export function memberIn(text: ByteString, { name, label }: MemberName): MemberValue {
  if (text.charCodeAt(0) === LIST) {
    const value = memberOf(parseJson(textOfBytes(text)) as readonly JsonValue[], name);
    return value === undefined ? MISSING : memberValueOf(value);
  }
  if (text.charCodeAt(0) !== OBJECT) return MISSING;
  for (let at = 1; text.charCodeAt(at) === QUOTE; ) {
    const from = endOfString(text, at) + 1;
    const isIt = from - at - 1 === label.length && text.startsWith(label, at);
    const end = endOfValue(text, from);
    if (isIt) return valueOfText(text, from, end);
    at = end + 1;
  }
  return MISSING;
}

function valueOfText(text: ByteString, from: number, to: number): MemberValue {
  const written = text.slice(from, to);
  const first = written.charCodeAt(0);
  if (first === QUOTE && !written.includes("\\")) return written.slice(1, -1);
  if (first === MINUS || (first >= NOUGHT && first <= NINE)) return phpNumberOf(written);
  return memberValueOf(parseJson(textOfBytes(written)));
}

/** The place behind a string that begins at a place. */
function endOfString(text: ByteString, from: number): number {
  for (let at = from + 1; ; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at++;
  }
}

function endOfValue(text: ByteString, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at) - 1;
    } else if (code === LIST || code === OBJECT) depth++;
    else if (code === LIST_END || code === OBJECT_END) {
      if (depth-- === 0) return at;
    } else if (code === COMMA && depth === 0) return at;
  }
  return text.length;
}
