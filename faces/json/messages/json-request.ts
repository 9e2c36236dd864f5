/** A request of the JSON protocol: its members by name, with their values converted as PHP does. */

import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { NOT_UTF8, parseForeignJson } from "../../../protocol/json/json-reader.js";
import { isContainer, JsonNumber, JsonObject, type JsonValue } from "../../../protocol/json/json-value.js";
import { formatPhpNumber, phpNumberOf } from "../../../protocol/json/php-number.js";
import { isTrue } from "../store/commands/loose-equality.js";

export class JsonRequest {
  /** The request as it was sent, without surrounding spaces. */
  readonly text: string;
  readonly #members: JsonObject;

  constructor(text: string, value: JsonValue) {
    this.text = text;
    this.#members = value instanceof JsonObject ? value : new JsonObject();
  }

  /** The names of the members, without duplicates. */
  get names(): readonly string[] {
    return this.#members.names;
  }

  /** Returns the value of a member, or undefined if it is absent or null. */
  get(name: string): JsonValue | undefined {
    return this.#members.get(name) ?? undefined;
  }

  /** The requested action, or undefined if the request names none. */
  get action(): string | undefined {
    const value = this.get("action");
    if (value === undefined) return undefined;
    return isContainer(value) ? "Array" : phpText(value);
  }

  /** The name of the document, or undefined if the request names none. */
  get document(): ByteString | undefined {
    const value = this.get("document");
    if (value === undefined || isContainer(value)) return undefined;
    if (!(value instanceof JsonNumber)) return bytesOfText(value === false ? "0" : phpText(value));
    const number = phpNumberOf(value.text);
    // PHP converts a numeric array key to an integer: it drops the fraction, and all but the lowest 64 bits.
    return String(BigInt.asIntN(64, typeof number === "bigint" ? number : BigInt(Math.trunc(number))));
  }

  /** The id of an entry, or undefined if it is absent or invalid. */
  get id(): ByteString | undefined {
    const value = this.get("id");
    if (typeof value === "string") return bytesOfText(value);
    return value instanceof JsonNumber ? value.text : undefined;
  }

  /** Returns whether a member that is off by default is switched on. */
  isOn(name: string): boolean {
    const value = this.get(name);
    return value !== undefined && isTrue(value);
  }

  /** Returns whether a member that is on by default is switched off. */
  isOff(name: string): boolean {
    const value = this.get(name);
    return value !== undefined && !isTrue(value);
  }
}

/** Returns the string to which PHP converts a value. */
function phpText(value: boolean | string | JsonNumber | null): string {
  if (typeof value === "string") return value;
  if (value instanceof JsonNumber) return formatPhpNumber(phpNumberOf(value.text));
  return value === true ? "1" : "";
}

/** Parses a request. @throws MalformedJson */
export function readRequest(text: string): JsonRequest {
  return new JsonRequest(text, parseForeignJson(text));
}

/**
 * Decodes a line. At the first byte that is not valid UTF-8, the text ends with `NOT_UTF8` instead of that byte and the
 * rest of the line. @param isUtf8  the function of node:buffer
 */
export function textOfLine(line: Buffer, isUtf8: (bytes: Buffer) => boolean): string {
  const text = line.toString("utf8");
  if (isUtf8(line)) return text;
  let bytes = 0;
  for (let from = 0; ; ) {
    const at = text.indexOf("\ufffd", from);
    bytes += Buffer.byteLength(text.slice(from, at));
    if (line[bytes] !== 0xef || line[bytes + 1] !== 0xbf || line[bytes + 2] !== 0xbd)
      return text.slice(0, at) + NOT_UTF8;
    bytes += 3;
    from = at + 1;
  }
}
