/**
 * Strings in expressions: UTF-8, in which only ASCII letters have upper and lower case. Source: MongoDB's manual,
 * "String Expression Operators".
 */

import { type ByteString, textOfBytes } from "../../../../../protocol/byte-string.js";
import { STEP_ITEMS } from "../../../../../protocol/steps.js";
import { type Bson, DOCUMENT_BYTES_MAX, Int32, Regex } from "../../values/bson.js";
import { doubleOf, isNumber } from "../../values/bson-numbers.js";
import { compiled, type Operator, type Scope } from "../expressions.js";
import { long, valuesIn } from "../long-evaluation.js";
import { MongoFailure } from "../mongo-failure.js";
import { checkCount } from "../value-size.js";
import { isFound, programOf } from "../value-tests.js";
import { textOf } from "./conversions.js";
import {
  calculated,
  isNothing,
  kindOf,
  madeArray,
  madeText,
  namedOperands,
  ofLarge,
  ofOne,
  ofValues,
  passed,
  textIn,
  type Value,
} from "./operator.js";

/** Adds a number to the bytes of a range of letters. */
function shifted(text: ByteString, first: number, last: number, change: number): ByteString {
  const bytes = Buffer.from(text, "latin1");
  // An iterator would take ten times as long for a long text.
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte >= first && byte <= last) bytes[i] = byte + change;
  }
  return bytes.toString("latin1");
}

const CASE = 0x20;
const lower = (text: ByteString): ByteString => (/[A-Z]/.test(text) ? shifted(text, 0x41, 0x5a, CASE) : text);
const upper = (text: ByteString): ByteString =>
  /[a-z]/.test(text) ? shifted(text, 0x61, 0x7a, -CASE) : text;

/** Returns a value as text; a missing value is an empty text. */
const asText = (value: Value, name: ByteString): ByteString => (isNothing(value) ? "" : textOf(value, name));

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

function indexIn(value: Value, name: ByteString): number {
  if (isNumber(value)) return Math.trunc(doubleOf(value));
  throw new MongoFailure(16034, `${name}: an index has to be a number (is of type ${kindOf(value)})`);
}

function bytesFrom([value, start, count]: readonly Value[], name: ByteString): ByteString {
  const text = asText(value, name);
  const [from, length] = [indexIn(start, name), indexIn(count, name)];
  if (from < 0) throw new MongoFailure(50752, `${name}: starting index must be non-negative (got: ${from})`);
  const to = length < 0 ? text.length : Math.min(text.length, from + length);
  for (const at of [from, to])
    if (at < text.length && isContinuation(text.charCodeAt(at)))
      throw new MongoFailure(28656, `${name}: invalid range, a character would be cut`);
  return text.slice(from, to);
}

function charactersFrom([value, start, count]: readonly Value[], scope: Scope, name: ByteString): ByteString {
  const [from, length] = [indexIn(start, name), indexIn(count, name)];
  if (from < 0) throw new MongoFailure(34454, `${name}: the starting index must be a nonnegative integer`);
  if (length < 0) throw new MongoFailure(34455, `${name}: length must be a nonnegative integer`);
  const text = read(asText(value, name), scope);
  const at = offsetOf(text, from);
  return text.slice(at, offsetOf(text, length, at));
}

/** Returns the offset in bytes after a number of characters. */
function offsetOf(text: ByteString, characters: number, from = 0): number {
  let at = from;
  for (let count = 0; count < characters && at < text.length; count++)
    do at++;
    while (at < text.length && isContinuation(text.charCodeAt(at)));
  return at;
}

/** Counts the characters of a part of a text. */
function charactersIn(text: ByteString, from = 0, to = text.length): number {
  let count = 0;
  for (let at = from; at < to; at++) if (!isContinuation(text.charCodeAt(at))) count++;
  return count;
}

/** Returns a text, and counts that it is read. */
function read(text: ByteString, { work }: Scope): ByteString {
  passed(text.length, work);
  return text;
}

/** @param inCharacters if false, indexes count bytes */
const indexing = (inCharacters: boolean): Operator =>
  ofValues([2, 4], ([value, search, start, end], scope, name) => {
    if (isNothing(value)) return null;
    const [text, part] = [textIn(value, name, 40091), textIn(search, name, 40092)];
    passed(text.length + part.length, scope.work);
    const [from, to] = [
      start === undefined ? 0 : indexIn(start, name),
      end === undefined ? Infinity : indexIn(end, name),
    ];
    if (from < 0 || to < 0) throw new MongoFailure(40097, `${name}: indexes must not be negative`);
    if (!inCharacters) {
      const at = from > text.length ? -1 : indexOfPart(text, part, from);
      return new Int32(at >= 0 && at + part.length <= to ? at : -1);
    }

    const at = indexOfPart(text, part, offsetOf(text, from));
    const index = at < 0 ? -1 : charactersIn(text, 0, at);
    const isInside = index >= from && index + charactersIn(part) <= to;
    return new Int32(isInside ? index : -1);
  });

const SPACES = " \t\n\v\f\r\0\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a";

const ASCII = 128;

/** Returns a test whether the bytes of one character in a text are those of one of the given characters. */
function characterTest(characters: string): (text: ByteString, from: number, to: number) => boolean {
  const ascii = new Uint8Array(ASCII);
  const others = new Set<string>();
  for (let at = 0; at < characters.length; at++) {
    const code = characters.codePointAt(at) as number;
    if (code < ASCII) ascii[code] = 1;
    else others.add(String.fromCodePoint(code));
    if (code > 0xffff) at++;
  }

  return (text, from, to) => {
    const code = text.charCodeAt(from);
    return code < ASCII && to === from + 1
      ? ascii[code] === 1
      : others.has(textOfBytes(text.slice(from, to)));
  };
}

const trimming = (atStart: boolean, atEnd: boolean): Operator => {
  return (operand, scope, name) => {
    const spec = namedOperands(operand, name, ["input"], ["chars"]);
    const input = compiled(spec.get("input") as Bson, scope);
    const hasChars = spec.has("chars");
    const operands = [input, ...(hasChars ? [compiled(spec.get("chars") as Bson, scope)] : [])];
    return calculated(operands, ([value, chars]) => {
      if (isNothing(value) || (hasChars && isNothing(chars))) return null;
      const isRemoved = characterTest(
        chars === undefined ? SPACES : textOfBytes(read(textIn(chars, name, 50700), scope)),
      );
      const text = read(textIn(value, name, 50699), scope);
      let [from, to] = [0, text.length];
      while (atStart && from < to) {
        const end = offsetOf(text, 1, from);
        if (!isRemoved(text, from, end)) break;
        from = end;
      }

      while (atEnd && from < to) {
        let start = to - 1;
        while (start > from && isContinuation(text.charCodeAt(start))) start--;
        if (!isRemoved(text, start, to)) break;
        to = start;
      }

      return madeText(text.slice(from, to), scope);
    });
  };
};

const replacing =
  (isAll: boolean): Operator =>
  (operand, scope, name) => {
    const spec = namedOperands(operand, name, ["input", "find", "replacement"]);
    const parts = ["input", "find", "replacement"].map((field) => compiled(spec.get(field) as Bson, scope));
    return long(function* (root) {
      const values = yield* valuesIn(parts, root);
      if (values.some(isNothing)) return null;
      const [text, search, replacement] = values.map((value) => textIn(value, name, 51746)) as [
        ByteString,
        ByteString,
        ByteString,
      ];
      passed(text.length + search.length, scope.work);
      return madeText(yield* replaced(text, { search, replacement, isAll }, scope), scope);
    });
  };

interface Replacing {
  readonly search: ByteString;
  readonly replacement: ByteString;
  readonly isAll: boolean;
}

/** Replaces the first or all occurrences; between each two bytes there is an occurrence of the empty text. */
function* replaced(
  text: ByteString,
  { search, replacement, isAll }: Replacing,
  scope: Scope,
): Generator<void, ByteString> {
  if (search === "" && replacement === "") return text;
  if (search === "") {
    if (!isAll) return `${replacement}${text}`;
    checkLength(text.length + (text.length - 1) * replacement.length);

    const pieces: ByteString[] = [];
    for (let at = 0; at < text.length; at += STEP_ITEMS) {
      pieces.push(
        text
          .slice(at, at + STEP_ITEMS)
          .split("")
          .join(replacement),
      );
      passed(STEP_ITEMS, scope.work);
      if (scope.work.effort.endsSlice()) yield;
    }

    return pieces.join(replacement);
  }

  const joined: ByteString[] = [];
  let parts: ByteString[] = [];
  let [from, length] = [0, text.length];
  for (const at of occurrences(text, search)) {
    // The length of the new text is counted before it is created.
    checkLength((length += replacement.length - search.length));
    parts.push(text.slice(from, at));
    from = at + search.length;
    if (!isAll) break;
    if (parts.length < STEP_ITEMS) continue;
    joined.push(parts.join(replacement));
    parts = [];
    passed(STEP_ITEMS, scope.work);
    if (scope.work.effort.endsSlice()) yield;
  }

  return [...joined, ...parts, text.slice(from)].join(replacement);
}

function checkLength(length: number): void {
  if (length > DOCUMENT_BYTES_MAX)
    throw new MongoFailure(10334, `a text of ${length} bytes; ${DOCUMENT_BYTES_MAX} at most`);
}

function* splitBy(
  [value, separator]: readonly Value[],
  scope: Scope,
  name: ByteString,
): Generator<void, Value> {
  if (isNothing(value) || isNothing(separator)) return null;
  const [text, between] = [textIn(value, name, 40085), textIn(separator, name, 40086)];
  if (between === "") throw new MongoFailure(40087, "$split requires a non-empty separator");

  passed(text.length + between.length, scope.work);
  const parts: Bson[] = [];
  let from = 0;
  for (const at of occurrences(text, between)) {
    parts.push(text.slice(from, at));
    from = at + between.length;
    if (parts.length % STEP_ITEMS !== 0) continue;
    checkCount(parts.length);
    passed(STEP_ITEMS, scope.work);
    if (scope.work.effort.endsSlice()) yield;
  }

  parts.push(text.slice(from));
  return madeArray(parts, scope);
}

const regexMatch: Operator = (operand, scope, name) => {
  const spec = namedOperands(operand, name, ["input", "regex"], ["options"]);
  const [pattern, options] = [spec.get("regex") as Bson, spec.get("options") ?? ""];
  if (typeof options !== "string")
    throw new MongoFailure(51106, "$regexMatch needs 'options' to be of type string");
  if (!(pattern instanceof Regex) && (typeof pattern !== "string" || pattern.startsWith("$")))
    throw new MongoFailure(238, "$regexMatch takes a pattern that is the same for all documents");
  const regex =
    pattern instanceof Regex
      ? new Regex(pattern.pattern, pattern.options || options)
      : new Regex(pattern, options);
  const program = programOf(regex);
  return calculated([compiled(spec.get("input") as Bson, scope)], ([value]) => {
    if (isNothing(value)) return false;
    return isFound(program, textIn(value, name, 51104), scope.work);
  });
};

export const strings: Readonly<Record<string, Operator>> = {
  concat: ofValues([0, Number.POSITIVE_INFINITY], (values, scope, name) => {
    if (values.some(isNothing)) return null;
    const texts = values.map((value) => textIn(value, name));
    checkLength(texts.reduce((sum, { length }) => sum + length, 0));
    return madeText(texts.join(""), scope);
  }),
  indexOfBytes: indexing(false),
  indexOfCP: indexing(true),
  ltrim: trimming(true, false),
  regexMatch,
  replaceAll: replacing(true),
  replaceOne: replacing(false),
  rtrim: trimming(false, true),
  split: ofLarge([2, 2], splitBy),
  strLenBytes: ofOne((value, _, name) => new Int32(textIn(value, name, 34473).length)),
  strLenCP: ofOne((value, scope, name) => new Int32(charactersIn(read(textIn(value, name, 34471), scope)))),
  strcasecmp: ofValues([2, 2], (values, scope, name) => {
    const [a = "", b = ""] = values.map((value) => upper(read(asText(value, name), scope)));
    return new Int32(a < b ? -1 : a > b ? 1 : 0);
  }),
  substr: ofValues([3, 3], (values, scope, name) => madeText(bytesFrom(values, name), scope)),
  substrBytes: ofValues([3, 3], (values, scope, name) => madeText(bytesFrom(values, name), scope)),
  substrCP: ofValues([3, 3], (values, scope, name) => madeText(charactersFrom(values, scope, name), scope)),
  toLower: ofOne((value, scope, name) => madeText(lower(asText(value, name)), scope)),
  toUpper: ofOne((value, scope, name) => madeText(upper(asText(value, name)), scope)),
  trim: trimming(true, true),
};

/** Maximum product of two lengths for which V8's search is used. */
const PRODUCT_MAX = 1 << 20;

/**
 * Returns the index of the first occurrence of a part at or after `from`; -1 if there is none. V8's `indexOf` takes
 * time proportional to the product of both lengths for texts that repeat themselves; this function takes linear time.
 */
export function indexOfPart(text: ByteString, part: ByteString, from = 0): number {
  if (text.length * part.length <= PRODUCT_MAX) return text.indexOf(part, from);
  for (const at of occurrences(text, part, from)) return at;
  return -1;
}

/** Returns the indexes of all occurrences that do not overlap, by the method of Knuth, Morris and Pratt. */
export function* occurrences(text: ByteString, part: ByteString, from = 0): Generator<number> {
  if (text.length * part.length <= PRODUCT_MAX) return yield* shortOccurrences(text, part, from);
  const borders = bordersOf(part);
  let equal = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    while (equal > 0 && part.charCodeAt(equal) !== code) equal = borders[equal - 1] as number;
    if (part.charCodeAt(equal) === code) equal++;
    if (equal < part.length) continue;
    yield at + 1 - equal;
    equal = 0;
  }
}

function* shortOccurrences(text: ByteString, part: ByteString, from: number): Generator<number> {
  for (let at = text.indexOf(part, from); at >= 0; at = text.indexOf(part, at + part.length)) yield at;
}

/** Returns, for each beginning of a text, the length of its longest proper beginning that is also its end. */
function bordersOf(part: ByteString): Int32Array {
  const borders = new Int32Array(part.length);
  for (let at = 1, equal = 0; at < part.length; at++) {
    const code = part.charCodeAt(at);
    while (equal > 0 && part.charCodeAt(equal) !== code) equal = borders[equal - 1] as number;
    if (part.charCodeAt(equal) === code) equal++;
    borders[at] = equal;
  }
  return borders;
}
