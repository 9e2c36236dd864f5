/**
 * The values that entries have under a name, as queries compare and sort them: a total order over all JSON values, in
 * which equal numbers are equal regardless of the form in which they were written. Source: docs/json-documents.md
 * "Order".
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";
import { parseJson } from "../../../../protocol/json/json-reader.js";
import {
  isContainer,
  JsonNumber,
  JsonObject,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../../../protocol/json/json-value.js";
import { writeJson } from "../../../../protocol/json/json-writer.js";
import { type PhpNumber, phpNumberOf } from "../../../../protocol/json/php-number.js";

/** Values that are neither numbers nor strings. */
export interface OtherValue {
  readonly kind: number;
  /** The text of a list or an object: the same for equal contents. */
  readonly text: ByteString;
}

/** The value of a member. Strings are in UTF-8, whose byte order is the order of the code points. */
export type MemberValue = PhpNumber | ByteString | OtherValue;

const other = (kind: number, text: ByteString = ""): OtherValue => ({ kind, text });
/** The value of an entry that does not have the member. */
export const MISSING = other(0);
export const NULL = other(1);
export const FALSE = other(2);
export const TRUE = other(3);
const NUMBERS = 4;
const STRINGS = 5;
const CONTAINERS = 6;
/** A value that no entry has. It follows all scalars and precedes all lists and objects. */
export const FIRST_CONTAINER = other(CONTAINERS);
/** A value that no entry has. It follows all lists and precedes all objects. */
export const FIRST_OBJECT = other(CONTAINERS, "{");
/** The value that follows all others. */
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

/** Compares 64-bit integers and doubles exactly. */
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

/**
 * Writes a value so that equal values have the same text: members are sorted by name, and equal numbers have the same
 * form.
 */
function canonicalText(value: JsonValue): string {
  if (value instanceof JsonNumber) return numberText(phpNumberOf(value.text));
  if (!isContainer(value)) return writeJson(value);
  const values = memberValues(value).map(canonicalText);
  if (!(value instanceof JsonObject)) return `[${values.join(",")}]`;
  const members = memberNames(value).map((name, at) => `${JSON.stringify(name)}:${values[at]}`);
  return `{${members.sort().join(",")}}`;
}

/**
 * Writes a whole number in the same form, whether it is an integer or a double. Converting integers to doubles would
 * lose digits.
 */
function numberText(number: PhpNumber): string {
  return Number.isInteger(number) ? String(BigInt(number)) : String(number);
}

/** Maximum number of names in a path. */
export const PATH_NAMES_MAX = 32;
const POINT = ".";

/** The name of a member, or a path to it, and the forms in which a name appears in an entry's text. */
export interface MemberName {
  readonly name: string;
  readonly label: ByteString;
  /** The first name of the path, and the path that remains within its value; null for a name. */
  readonly within: { readonly outer: MemberName; readonly inner: MemberName } | null;
  /**
   * The label with its colon, for a search in the text. Null if the name begins with a character that can follow a
   * string: the end of a string and the text after it could then look like the label.
   */
  readonly mark: ByteString | null;
}

/** Matches a name that begins with a character that can follow a string in JSON. */
const AFTER_STRING = /^[,:\]}]/;

/** @param path in UTF-8; points separate the names of nested members */
export const memberPath = (path: ByteString): MemberName => named(textOfBytes(path), true);

/** @param name in UTF-8; a point is a part of the name */
export const memberName = (name: ByteString): MemberName => named(textOfBytes(name), false);

function named(name: string, isPath: boolean): MemberName {
  const point = isPath ? name.indexOf(POINT) : -1;
  const within =
    point < 0
      ? null
      : { outer: named(name.slice(0, point), false), inner: named(name.slice(point + 1), true) };
  const label = bytesOfText(JSON.stringify(name));
  return { name, label, within, mark: AFTER_STRING.test(name) ? null : `${label}:` };
}

/** Returns the member to which a path leads; in a list, a number selects a value. */
export function memberAt(value: JsonValue | undefined, path: string): JsonValue | undefined {
  if (!isContainer(value)) return undefined;
  const point = path.indexOf(POINT);
  if (point < 0) return memberOf(value, path);
  return memberAt(memberOf(value, path.slice(0, point)), path.slice(point + 1));
}

/**
 * Returns the value of an entry at a path. If the path leads through all values of a list, this list is the value.
 * Parses no more of the text than necessary.
 * @param text the text as `writeJson` writes it
 */
export function memberIn(text: ByteString, name: MemberName): MemberValue {
  const { within } = name;
  if (within === null) return ownIn(text, name);
  const inside = textIn(text, within.outer);
  if (inside === null) return MISSING;
  const { inner } = within;
  const isList = inside.charCodeAt(0) === LIST;
  return isList && !POSITION.test((inner.within?.outer ?? inner).name)
    ? other(CONTAINERS, inside)
    : memberIn(inside, inner);
}

/** Matches a name that selects a value of a list. */
const POSITION = /^\d+$/;

/** Whether a value is a list. */
export const isListValue = (value: MemberValue): boolean =>
  typeof value === "object" && value.text.charCodeAt(0) === LIST;

/** Returns the text of a container's member, or null if there is no such member. */
function textIn(text: ByteString, of: MemberName): ByteString | null {
  if (text.charCodeAt(0) === LIST) {
    const value = memberOf(parseJson(textOfBytes(text)) as readonly JsonValue[], of.name);
    return value === undefined ? null : bytesOfText(writeJson(value));
  }
  const from = valueAt(text, of);
  return from < 0 ? null : text.slice(from, endOfValue(text, from));
}

/** Returns the value of an entry's direct member. */
function ownIn(text: ByteString, of: MemberName): MemberValue {
  if (text.charCodeAt(0) === LIST) {
    const value = memberOf(parseJson(textOfBytes(text)) as readonly JsonValue[], of.name);
    return value === undefined ? MISSING : memberValueOf(value);
  }
  const from = valueAt(text, of);
  return from < 0 ? MISSING : valueOfText(text, from, endOfValue(text, from));
}

/**
 * Returns the index of the value of an object's direct member, or -1 if there is no such member.
 * @param text the text as `writeJson` writes it
 */
export function valueAt(text: ByteString, of: MemberName): number {
  if (text.charCodeAt(0) !== OBJECT) return -1;
  const { mark } = of;
  if (mark === null) return walkedTo(text, of);
  let at = text.indexOf(mark);
  // After a backslash the match is the end of a longer name.
  while (at > 0 && text.charCodeAt(at - 1) === BACKSLASH) at = text.indexOf(mark, at + 1);
  if (at < 0) return -1;
  const isOwn = at === 1 || (!hasBetween(text, "{", at) && !hasBetween(text, "[", at));
  return isOwn ? at + mark.length : walkedTo(text, of);
}

/** Whether a character occurs after the first character and before the given index. */
function hasBetween(text: ByteString, character: string, end: number): boolean {
  const at = text.indexOf(character, 1);
  return at >= 0 && at < end;
}

/** Returns the same as `valueAt`, but reads the object member by member. */
function walkedTo(text: ByteString, { label }: MemberName): number {
  for (let at = 1; text.charCodeAt(at) === QUOTE; ) {
    const from = endOfString(text, at) + 1;
    if (from - at - 1 === label.length && text.startsWith(label, at)) return from;
    at = endOfValue(text, from) + 1;
  }
  return -1;
}

/**
 * Returns the members with some labels, as they are written in an object's text. Reads the object once, and only up to
 * the last of them.
 * @param positions  the position of each label in the result
 */
export function membersIn(
  text: ByteString,
  positions: ReadonlyMap<ByteString, number>,
): readonly (ByteString | undefined)[] {
  const found = new Array<ByteString | undefined>(positions.size);
  let left = positions.size;
  for (let at = 1; left > 0 && text.charCodeAt(at) === QUOTE; ) {
    const from = endOfString(text, at);
    const end = endOfValue(text, from + 1);
    const position = positions.get(text.slice(at, from));
    if (position !== undefined) {
      found[position] = text.slice(at, end);
      left--;
    }
    at = end + 1;
  }

  return found;
}

/** Returns the labels of an object's members; null if there are more than `max`. */
export function labelsIn(text: ByteString, max: number): readonly ByteString[] | null {
  const labels: ByteString[] = [];
  for (let at = 1; text.charCodeAt(at) === QUOTE; ) {
    if (labels.length === max) return null;
    const end = endOfString(text, at);
    labels.push(text.slice(at, end));
    at = endOfValue(text, end + 1) + 1;
  }
  return labels;
}

function valueOfText(text: ByteString, from: number, to: number): MemberValue {
  const written = text.slice(from, to);
  const first = written.charCodeAt(0);
  if (first === QUOTE && !written.includes("\\")) return written.slice(1, -1);
  if (first === MINUS || (first >= NOUGHT && first <= NINE)) return phpNumberOf(written);
  return memberValueOf(parseJson(textOfBytes(written)));
}

/** Returns the index after the string that begins at the given index. */
function endOfString(text: ByteString, from: number): number {
  for (let at = from + 1; ; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at++;
  }
}

/** Returns the index after the value that begins at the given index. */
export function endOfValue(text: ByteString, from: number): number {
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
