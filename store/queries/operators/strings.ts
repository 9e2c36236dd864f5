/**
 * Strings in expressions: UTF-8, in which only ASCII letters have upper and lower case. Source: MongoDB's manual,
 * "String Expression Operators".
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { type Bson, DOCUMENT_BYTES_MAX, Int32, Regex } from "../../values/collections/bson.js";
import { doubleOf, isNumber } from "../../values/collections/bson-numbers.js";
import { compiled, type Operator } from "../expressions.js";
import { MongoFailure } from "../mongo-failure.js";
import { programOf } from "../value-tests.js";
import { textOf } from "./conversions.js";
import {
  isNothing,
  kindOf,
  madeArray,
  madeText,
  namedOperands,
  ofOne,
  ofValues,
  passed,
  textIn,
  type Value,
} from "./operator.js";

const lower = (text: ByteString): ByteString => text.replace(/[A-Z]+/g, (some) => some.toLowerCase());
const upper = (text: ByteString): ByteString => text.replace(/[a-z]+/g, (some) => some.toUpperCase());

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

function charactersFrom([value, start, count]: readonly Value[], name: ByteString): ByteString {
  const [from, length] = [indexIn(start, name), indexIn(count, name)];
  if (from < 0) throw new MongoFailure(34454, `${name}: the starting index must be a nonnegative integer`);
  if (length < 0) throw new MongoFailure(34455, `${name}: length must be a nonnegative integer`);
  return bytesOfText([...textOfBytes(asText(value, name))].slice(from, from + length).join(""));
}

const lengthOfCharacters = (text: ByteString): number => [...textOfBytes(text)].length;

/** @param inCharacters if false, indexes count bytes */
const indexing = (inCharacters: boolean): Operator =>
  ofValues([2, 4], ([value, search, start, end], scope, name) => {
    if (isNothing(value)) return null;
    const [text, part] = [textIn(value, name, 40091), textIn(search, name, 40092)];
    passed(text.length, scope.work);
    const [from, to] = [
      start === undefined ? 0 : indexIn(start, name),
      end === undefined ? Infinity : indexIn(end, name),
    ];
    if (from < 0 || to < 0) throw new MongoFailure(40097, `${name}: indexes must not be negative`);
    if (!inCharacters) {
      const at = from > text.length ? -1 : text.indexOf(part, from);
      return new Int32(at >= 0 && at + part.length <= to ? at : -1);
    }
    const at = text.indexOf(part, bytesOfText([...textOfBytes(text)].slice(0, from).join("")).length);
    const index = at < 0 ? -1 : lengthOfCharacters(text.slice(0, at));
    const isInside = index >= from && index + lengthOfCharacters(part) <= to;
    return new Int32(isInside ? index : -1);
  });

const SPACES = " \t\n\v\f\r\0\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a";

const trimming = (atStart: boolean, atEnd: boolean): Operator => {
  return (operand, scope, name) => {
    const spec = namedOperands(operand, name, ["input"], ["chars"]);
    const input = compiled(spec.get("input") as Bson, scope);
    const characters = spec.has("chars") ? compiled(spec.get("chars") as Bson, scope) : null;
    return (root) => {
      const [value, chars] = [input(root), characters?.(root)];
      if (isNothing(value) || chars === null || (characters !== null && chars === undefined)) return null;
      const removed = new Set(chars === undefined ? SPACES : textOfBytes(textIn(chars, name, 50700)));
      const text = [...textOfBytes(textIn(value, name, 50699))];
      passed(text.length, scope.work);
      let [from, to] = [0, text.length];
      while (atStart && from < to && removed.has(text[from] as string)) from++;
      while (atEnd && from < to && removed.has(text[to - 1] as string)) to--;
      return bytesOfText(text.slice(from, to).join(""));
    };
  };
};

const replacing =
  (isAll: boolean): Operator =>
  (operand, scope, name) => {
    const spec = namedOperands(operand, name, ["input", "find", "replacement"]);
    const parts = ["input", "find", "replacement"].map((field) => compiled(spec.get(field) as Bson, scope));
    return (root) => {
      const values = parts.map((part) => part(root));
      if (values.some(isNothing)) return null;
      const [text, search, replacement] = values.map((value) => textIn(value, name, 51746)) as [
        ByteString,
        ByteString,
        ByteString,
      ];
      passed(text.length, scope.work);
      // The length of the new text is counted before it is created.
      const count = isAll && search !== "" ? text.split(search).length - 1 : 1;
      checkLength(text.length + count * (replacement.length - search.length));
      return madeText(
        isAll ? text.split(search).join(replacement) : text.replace(search, () => replacement),
        scope,
      );
    };
  };

function checkLength(length: number): void {
  if (length > DOCUMENT_BYTES_MAX)
    throw new MongoFailure(10334, `a text of ${length} bytes; ${DOCUMENT_BYTES_MAX} at most`);
}

function splitBy([value, separator]: readonly Value[], name: ByteString): readonly Bson[] | null {
  if (isNothing(value) || isNothing(separator)) return null;
  const [text, between] = [textIn(value, name, 40085), textIn(separator, name, 40086)];
  if (between === "") throw new MongoFailure(40087, "$split requires a non-empty separator");
  return text.split(between);
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
  const input = compiled(spec.get("input") as Bson, scope);
  return (root) => {
    const value = input(root);
    if (isNothing(value)) return false;
    const text = textIn(value, name, 51104);
    passed(text.length, scope.work);
    return program.isIn(textOfBytes(text));
  };
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
  split: ofValues([2, 2], (values, scope, name) => {
    const parts = splitBy(values, name);
    return parts === null ? null : madeArray(parts, scope);
  }),
  strLenBytes: ofOne((value, _, name) => new Int32(textIn(value, name, 34473).length)),
  strLenCP: ofOne((value, _, name) => new Int32(lengthOfCharacters(textIn(value, name, 34471)))),
  strcasecmp: ofValues([2, 2], (values, _, name) => {
    const [a = "", b = ""] = values.map((value) => upper(asText(value, name)));
    return new Int32(a < b ? -1 : a > b ? 1 : 0);
  }),
  substr: ofValues([3, 3], (values, scope, name) => madeText(bytesFrom(values, name), scope)),
  substrBytes: ofValues([3, 3], (values, scope, name) => madeText(bytesFrom(values, name), scope)),
  substrCP: ofValues([3, 3], (values, scope, name) => madeText(charactersFrom(values, name), scope)),
  toLower: ofOne((value, scope, name) => madeText(lower(asText(value, name)), scope)),
  toUpper: ofOne((value, scope, name) => madeText(upper(asText(value, name)), scope)),
  trim: trimming(true, true),
};
