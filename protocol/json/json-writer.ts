/**
 * Writes values as JSON texts. The plain form preserves the original text of numbers. The PHP form is what clients of
 * the original receive: the output of json_encode for a value from json_decode. Source: PHP 8.2
 * (test/protocol/json/json-reader.test.ts compares with it); docs/json-documents.md.
 */
import { type ByteString, isAscii, textOfBytes } from "../byte-string.js";
import { parseJson } from "./json-reader.js";
import { isListLike, JsonNumber, JsonObject, type JsonValue } from "./json-value.js";
import { formatPhpNumber, isPhpInteger, phpNumberOf } from "./php-number.js";

/** Writes a value without spaces. Characters beyond ASCII are not escaped. */
export function writeJson(value: JsonValue): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "string") return writeString(value);
  if (value instanceof JsonNumber) return value.text;
  if (!(value instanceof JsonObject)) return `[${value.map(writeJson).join(",")}]`;
  const { text } = value;
  if (text !== null) return text;
  const { names, values } = value;
  return `{${names.map((name, at) => `${JSON.stringify(name)}:${writeJson(values[at] as JsonValue)}`).join(",")}}`;
}

/** Matches a string that needs no escapes. Checking a long string is faster than writing it character by character. */
const AS_IT_IS = /^[^"\\\x00-\x1f\ud800-\udfff]*$/;

const writeString = (text: string): string => (AS_IT_IS.test(text) ? `"${text}"` : JSON.stringify(text));

/**
 * Writes a value in PHP's form, as ASCII. Like PHP, it distinguishes lists and objects by the names of their members.
 */
export function writePhpJson(value: JsonValue): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "string") return writePhpString(value);
  if (value instanceof JsonNumber) return formatPhpNumber(phpNumberOf(value.text));
  if (value instanceof JsonObject) return writePhpMembers(value.names, value.values.map(writePhpJson));
  return `[${value.map(writePhpJson).join(",")}]`;
}

/** Returns a container with members that are already written. */
export function writePhpMembers(names: readonly string[], written: readonly string[]): string {
  if (isListLike(names)) return `[${written.join(",")}]`;
  return `{${names.map((name, at) => `${writePhpString(name)}:${written[at]}`).join(",")}}`;
}

/** Writes a name as PHP stores it in an array: as an integer if it looks like one. */
export function writePhpKey(name: string): string {
  return isPhpInteger(name) ? name : writePhpString(name);
}

export function writePhpString(text: string): string {
  if (PLAIN_NAME.test(text)) return `"${text}"`;
  const written = JSON.stringify(text);
  return PLAIN_STRING.test(written) ? written : written.replace(TO_ESCAPE, escaped);
}

const PLAIN_STRING = /^[ -.0-\x7f]*$/;
const PLAIN_NAME = /^[ !#-.0-[\]-~]*$/;
const TO_ESCAPE = /[/\x80-\uffff]/g;
const escaped = (character: string) => (character === "/" ? "\\/" : escapedUnit(character.charCodeAt(0)));
const escapedUnit = (code: number) => `\\u${code.toString(16).padStart(4, "0")}`;

/**
 * Matches texts that PHP may write differently: escapes, fractions, exponents, large numbers, minus zero, empty
 * objects, lists.
 */
const NOT_PLAIN = /\\|\d[.eE]|\d{16}|-0|\{\}|\{"0":/;
const TEXT = String.raw`"[^"\\]*(?:\\.[^"\\]*)*"`;
/** The numbers that PHP writes identically: those of up to 15 digits whose last decimal is not 0. */
const NUMBER = String.raw`(?:0|-?[1-9]\d{0,14}|-?(?:0|[1-9]\d{0,8})\.\d{0,3}[1-9])(?=[,}\]])`;
const SCALAR = `${TEXT}|${NUMBER}|true|false|null`;
const listOf = (value: string) => String.raw`\[(?:(?:${value}),?)*\]`;
const objectOf = (value: string) => String.raw`\{(?!"0":)(?:${TEXT}:(?:${value}),?)+\}`;
const INNER = `${SCALAR}|${listOf(SCALAR)}|${objectOf(SCALAR)}`;
const ENTRY = objectOf(`${SCALAR}|${listOf(INNER)}|${objectOf(INNER)}`);
/**
 * Matches entries, with line feeds or commas between them, that PHP writes identically, except for the characters that
 * it escapes: objects that contain scalars, lists and objects. It accepts misplaced commas, because the texts are
 * well-formed. Matching them is faster than a search with NOT_PLAIN.
 */
const PLAIN_ENTRIES = new RegExp(`^(?:${ENTRY}[\n,]?)*$`);
/**
 * The maximum length of texts that are matched with PLAIN_ENTRIES, because the engine's memory for backtracking grows
 * with the length.
 */
const TRIED_CHARS_MAX = 64 * 1024;

/** Converts a text from `writeJson`, as UTF-8, to PHP's form. */
export function phpFormOf(bytes: ByteString): string {
  return !arePlain(bytes) && NOT_PLAIN.test(bytes)
    ? writePhpJson(parseJson(textOfBytes(bytes)))
    : withEscapes(bytes);
}

/** Escapes the characters in UTF-8 text that PHP escapes and JavaScript does not. */
function withEscapes(bytes: ByteString): string {
  const text = bytes.includes("/") ? bytes.replace(/\//g, "\\/") : bytes;
  return isAscii(text) ? text : text.replace(BEYOND_ASCII, escapedCharacters);
}

const BEYOND_ASCII = /[\x80-\xff]+/g;
/** The lowest first byte of characters with three bytes in UTF-8. */
const THREE_BYTES = 0xe0;

function escapedCharacters(bytes: ByteString): string {
  const first = bytes.charCodeAt(0);
  // Short words of Latin, Greek and Cyrillic letters are decoded without a buffer.
  if (bytes.length === 2 && first < THREE_BYTES)
    return escapedUnit(((first & 0x1f) << 6) | (bytes.charCodeAt(1) & 0x3f));
  return textOfBytes(bytes).replace(TO_ESCAPE, escaped);
}

/** The overlap of windows in characters, because a match (such as 16 digits) may begin in one and end in the next. */
const OVERLAP = 16;

/** Whether a text is so long that it is written in windows. */
export const isLongText = (bytes: ByteString) => bytes.length > TRIED_CHARS_MAX;

/**
 * Returns the same as `phpFormOf` for a long text, as pieces and in several steps. Only a text that PHP would write
 * differently is parsed, in one step.
 */
export function* phpFormPieces(bytes: ByteString): Generator<void, readonly string[]> {
  for (let from = 0; from < bytes.length; from += TRIED_CHARS_MAX) {
    const window = bytes.slice(Math.max(0, from - OVERLAP), from + TRIED_CHARS_MAX);
    if (NOT_PLAIN.test(window)) return [phpFormOf(bytes)];
    yield;
  }

  const pieces: string[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = characterEnd(bytes, from + TRIED_CHARS_MAX);
    const piece = bytes.slice(from, to);
    pieces.push(withEscapes(piece));
    from = to;
    yield;
  }
  return pieces;
}

/** Returns the next index that does not split a UTF-8 character. */
function characterEnd(bytes: ByteString, at: number): number {
  let end = Math.min(at, bytes.length);
  while ((bytes.charCodeAt(end) & 0xc0) === 0x80) end++;
  return end;
}

const arePlain = (entries: ByteString) => entries.length <= TRIED_CHARS_MAX && PLAIN_ENTRIES.test(entries);

/** The number of entries to write together. A larger number would not be faster. */
export const ENTRIES_TOGETHER = 64;

/**
 * Returns the texts in PHP's form. If none of them changes, these are the given texts: a caller that writes them much
 * later then keeps no second copy in memory.
 * @param texts  from `writeJson`, as UTF-8
 */
export function phpForms(texts: readonly ByteString[]): readonly string[] {
  // No text contains a line feed.
  const lines = texts.join("\n");
  if (!arePlain(lines)) return texts.map(phpFormOf);
  const written = withEscapes(lines);
  return written === lines ? texts : written.split("\n");
}

/**
 * Returns the texts in PHP's form, with commas between them: faster than `phpForms` for texts that are not stored.
 * @param texts  from `writeJson`, as UTF-8
 */
export function phpList(texts: readonly ByteString[]): string {
  const list = texts.join(",");
  return arePlain(list) ? withEscapes(list) : texts.map(phpFormOf).join(",");
}
