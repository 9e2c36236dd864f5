/**
 * Values into JSON texts: plainly, numbers as they were written; or as PHP's json_encode writes what json_decode has read,
 * which clients of the original see. Source: php 8.2 (test/protocol/json-writer.test.ts asks it); docs/json-documents.md.
 */
import { type ByteString, textOfBytes } from "./byte-string.js";
import { parseJson } from "./json-reader.js";
import { isListLike, JsonNumber, JsonObject, type JsonValue } from "./json-value.js";
import { formatPhpNumber, isPhpInteger, phpNumberOf } from "./php-number.js";

/** Without blanks; characters beyond ASCII stand for themselves. */
export function writeJson(value: JsonValue): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof JsonNumber) return value.text;
  if (!(value instanceof JsonObject)) return `[${value.map(writeJson).join(",")}]`;
  const { names, values } = value;
  return `{${names.map((name, at) => `${JSON.stringify(name)}:${writeJson(values[at] as JsonValue)}`).join(",")}}`;
}

/** ASCII; lists and objects as PHP tells them apart, by the names of their members. */
export function writePhpJson(value: JsonValue): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "string") return writePhpString(value);
  if (value instanceof JsonNumber) return formatPhpNumber(phpNumberOf(value.text));
  if (value instanceof JsonObject) return writePhpMembers(value.names, value.values.map(writePhpJson));
  return `[${value.map(writePhpJson).join(",")}]`;
}

/** A container of members that are written already. */
export function writePhpMembers(names: readonly string[], written: readonly string[]): string {
  if (isListLike(names)) return `[${written.join(",")}]`;
  return `{${names.map((name, at) => `${writePhpString(name)}:${written[at]}`).join(",")}}`;
}

/** A name as PHP keeps it in an array: an integer, if it looks like one. */
export function writePhpKey(name: string): string {
  return isPhpInteger(name) ? name : writePhpString(name);
}

export function writePhpString(text: string): string {
  const written = JSON.stringify(text);
  return PLAIN_STRING.test(written) ? written : written.replace(TO_ESCAPE, escaped);
}

const PLAIN_STRING = /^[ -.0-\x7f]*$/;
const TO_ESCAPE = /[/\x80-\uffff]/g;
const escaped = (character: string) =>
  character === "/" ? "\\/" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** What PHP may write in another way: escapes, fractions, exponents, large numbers, minus zero, empty objects, lists. */
const NOT_PLAIN = /[\\/\x80-\uffff]|\d[.eE]|\d{16}|-0|\{\}|\{"0":/;

/** The text of `writeJson`, as UTF-8, in PHP's form. */
export function phpFormOf(bytes: ByteString): string {
  return NOT_PLAIN.test(bytes) ? writePhpJson(parseJson(textOfBytes(bytes))) : bytes;
}
