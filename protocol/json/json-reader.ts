/**
 * Parses JSON texts into values, as strictly as RFC 8259 and PHP's json_decode. If a text has several errors, the
 * reader reports the same error as json_decode, because the original server reports that error to its clients. There is
 * one difference: a number outside the range of doubles is rejected. Source: PHP 8.2's ext/json
 * (test/protocol/json/json-reader.test.ts compares with it); docs/json-documents.md.
 */
import { JsonNumber, JsonObject, type JsonValue } from "./json-value.js";

/** The kinds of errors, named after PHP's messages. */
export type JsonFault =
  | "syntax"
  | "depth"
  | "mismatch"
  | "control"
  | "utf8"
  | "utf16"
  | "infinite"
  | "values";

export class MalformedJson extends Error {
  override readonly name = "MalformedJson";
  readonly fault: JsonFault;

  constructor(fault: JsonFault) {
    super(SENTENCES[fault]);
    this.fault = fault;
  }
}

const SENTENCES: Readonly<Record<JsonFault, string>> = {
  syntax: "not JSON",
  depth: "JSON nested too deeply",
  mismatch: "JSON with mismatched brackets",
  control: "JSON with a control character in a string",
  utf8: "not UTF-8",
  utf16: "JSON with an unpaired surrogate",
  infinite: "JSON with a number outside the range of doubles",
  values: "JSON with too many values",
};

/** The maximum nesting of lists and objects, which is the same as the original's. */
export const JSON_DEPTH_MAX = 511;
/**
 * The maximum number of values in one text. Each parsed value needs about a hundred bytes. Parsing this many takes a
 * second, during which all clients wait.
 */
export const JSON_VALUES_MAX = 1_000_000;
/**
 * The replacement for bytes that are not UTF-8. No decoder produces an unpaired surrogate, so it cannot be a character
 * of the text.
 */
export const NOT_UTF8 = "\udfff";

/**
 * The maximum number of elements of a list that may differ in shape from its first element. If more differ, the rest of
 * the list is parsed without a shape.
 */
const OTHERS_MAX = 8;
/**
 * The length of a string after which a regular expression finds the next special character. It is ten times as fast,
 * but slow to start.
 */
const LONG_STRING = 64;
const PLAIN_CHARACTERS = /[^"\\\x00-\x1f\ud800-\udfff]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERALS: readonly (readonly [string, null | boolean])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};
const HEX = /^[0-9a-fA-F]{4}$/;

/** Parses a text. @throws MalformedJson */
export function parseJson(text: string): JsonValue {
  return new JsonReader(text, Number.POSITIVE_INFINITY).read();
}

/**
 * Parses a text from another program.
 * @param around  the number of lists and objects that will be around the text, which count towards its nesting
 * @throws MalformedJson  also if it has more than JSON_VALUES_MAX values
 */
export function parseForeignJson(text: string, around = 0): JsonValue {
  return new JsonReader(text, JSON_VALUES_MAX, around).read();
}

class JsonReader {
  readonly #text: string;
  #at = 0;
  #depth: number;
  #hasInfinite = false;
  /** The number of further values that the text may have. */
  #valuesLeft: number;

  constructor(text: string, valuesMax: number, around = 0) {
    this.#text = text;
    this.#valuesLeft = valuesMax;
    this.#depth = around;
  }

  read(): JsonValue {
    const value = this.#value();
    this.#blanks();
    if (this.#at < this.#text.length) throw this.#unexpected();
    if (this.#hasInfinite) throw new MalformedJson("infinite");
    return value;
  }

  #value(): JsonValue {
    if (this.#valuesLeft-- === 0) throw new MalformedJson("values");
    this.#blanks();
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x7b:
        return this.#object();
      case 0x5b:
        return this.#list();
      case 0x22:
        return this.#string();
      default:
        return this.#number() ?? this.#literal();
    }
  }

  #object(): JsonObject {
    const object = new JsonObject();
    if (this.#open(0x7d, 0x5d)) return object;
    for (;;) {
      this.#blanks();
      if (this.#text.charCodeAt(this.#at) !== 0x22) throw this.#unexpected();
      const name = this.#string();

      this.#blanks();
      if (this.#text.charCodeAt(this.#at) !== 0x3a) throw this.#unexpected();
      this.#at++;
      object.set(name, this.#value());
      if (this.#closes(0x7d, 0x5d)) return object;
    }
  }

  #list(): JsonValue[] {
    const list: JsonValue[] = [];
    if (this.#open(0x5d, 0x7d)) return list;

    const first = this.#value();
    list.push(first);
    const shape = first instanceof JsonObject && this.#text[this.#at] === "," ? shapeOf(first.names) : null;
    let others = 0;
    while (!this.#closes(0x5d, 0x7d)) {
      const alike = shape === null || others > OTHERS_MAX ? null : this.#alike(shape);
      if (alike === null) others++;
      list.push(alike ?? this.#value());
    }
    return list;
  }

  /** Returns the object at this position if it has a known shape; its members are parsed when they are first read. */
  #alike(shape: JsonShape): JsonObject | null {
    const values = 1 + shape.names.length;
    if (this.#valuesLeft < values) return null;
    const end = shape.endIn(this.#text, this.#at);
    if (end < 0) return null;
    // The engine copies a concatenation when it is first read. After that, the complete text no longer stays in memory.
    const text = `{${this.#text.slice(this.#at + 1, end)}`;
    this.#valuesLeft -= values;
    this.#at = end;
    return new JsonObject({ text, read: parseJson });
  }

  /** Consumes the opening bracket. @returns whether the closing one follows directly */
  #open(close: number, wrong: number): boolean {
    if (++this.#depth > JSON_DEPTH_MAX) throw new MalformedJson("depth");
    this.#at++;
    this.#blanks();
    const next = this.#text.charCodeAt(this.#at);
    if (next === wrong) throw new MalformedJson("mismatch");
    if (next !== close) return false;
    this.#at++;
    this.#depth--;
    return true;
  }

  /** Consumes a comma or the closing bracket after a member. @returns whether it was the bracket */
  #closes(close: number, wrong: number): boolean {
    this.#blanks();
    const next = this.#text.charCodeAt(this.#at);
    if (next === 0x2c) {
      this.#at++;
      return false;
    }
    if (next === wrong) throw new MalformedJson("mismatch");
    if (next !== close) throw this.#unexpected();
    this.#at++;
    this.#depth--;
    return true;
  }

  #string(): string {
    const text = this.#text;
    let from = ++this.#at;
    let decoded = "";
    for (;;) {
      const code = text.charCodeAt(this.#at);
      if (code === 0x22) {
        const end = this.#at++;
        return decoded === "" ? text.slice(from, end) : decoded + text.slice(from, end);
      }
      if (code === 0x5c) {
        decoded += text.slice(from, this.#at) + this.#escape();
        from = this.#at;
      } else if (Number.isNaN(code) || code < 0x20) throw new MalformedJson("control");
      else if (code === 0xdfff && text.charCodeAt(this.#at - 1) >> 10 !== 0x36)
        throw new MalformedJson("utf8");
      else if (++this.#at - from >= LONG_STRING) {
        PLAIN_CHARACTERS.lastIndex = this.#at;
        PLAIN_CHARACTERS.test(text);
        this.#at = PLAIN_CHARACTERS.lastIndex;
      }
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? "";
    const plain = ESCAPES[letter];
    if (plain !== undefined) {
      this.#at += 2;
      return plain;
    }

    const unit = letter === "u" ? this.#unit(this.#at) : undefined;
    if (unit === undefined) throw new MalformedJson("syntax");
    this.#at += 6;

    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    const low = this.#text.startsWith("\\u", this.#at) ? this.#unit(this.#at) : undefined;
    if (unit > 0xdbff || low === undefined || low < 0xdc00 || low > 0xdfff) throw new MalformedJson("utf16");
    this.#at += 6;
    return String.fromCharCode(unit, low);
  }

  /** Returns the code unit of a `\uXXXX` at an index; undefined if its digits are not hexadecimal. */
  #unit(at: number): number | undefined {
    const digits = this.#text.slice(at + 2, at + 6);
    return HEX.test(digits) ? Number.parseInt(digits, 16) : undefined;
  }

  #number(): JsonNumber | undefined {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.#at += found.length;
    if (!Number.isFinite(Number(found))) this.#hasInfinite = true;
    return new JsonNumber(found);
  }

  #literal(): null | boolean {
    for (const [word, value] of LITERALS) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    throw this.#unexpected();
  }

  #blanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  /** Returns the error for unexpected text. An error inside a string takes precedence. */
  #unexpected(): MalformedJson {
    const code = this.#text.charCodeAt(this.#at);
    if (code < 0x20) return new MalformedJson("control");
    if (code === 0x22) this.#string();
    else if (this.#text[this.#at] === NOT_UTF8) return new MalformedJson("utf8");
    return new MalformedJson("syntax");
  }
}

/** The limits for names. For longer lists a shape saves no time. */
const SHAPE_NAMES_MAX = 64;
const SHAPE_NAMES_CHARS_MAX = 1024;
/**
 * The maximum length of a text. Longer ones are parsed, because the engine's memory for backtracking grows with the
 * length.
 */
const SHAPE_TEXT_CHARS_MAX = 64 * 1024;
/** The maximum number of cached shapes. Creating one takes as long as parsing about a hundred members. */
const SHAPES_MAX = 256;

/** The pattern of a value. Numbers of this length are always in the range of doubles. */
const VALUE = String.raw`(?:"[^"\\\x00-\x1f\ud800-\udfff]*"|-?(?:0|[1-9]\d{0,19})(?:\.\d{1,20})?|true|false|null)`;
const TO_QUOTE = /[\\^$.*+?()[\]{}|/-]/g;

/**
 * The shape of objects that have the same members in the same order, with only strings without escapes, short numbers
 * and literals as values, and no spaces. Their texts can be recognized as well-formed, and as the output of
 * `writeJson`, without parsing.
 */
export class JsonShape {
  readonly names: readonly string[];
  readonly #pattern: RegExp;

  constructor(names: readonly string[]) {
    this.names = names;
    const members = names.map((name) => `${JSON.stringify(name).replace(TO_QUOTE, "\\$&")}:${VALUE}`);
    this.#pattern = new RegExp(`\\{${members.join(",")}\\}`, "y");
  }

  /**
   * Returns the index after an object of this shape that begins at `at`; -1 if there is none, or if it must be parsed.
   */
  endIn(text: string, at: number): number {
    const pattern = this.#pattern;
    pattern.lastIndex = at;
    if (!pattern.test(text)) return -1;
    return pattern.lastIndex - at > SHAPE_TEXT_CHARS_MAX ? -1 : pattern.lastIndex;
  }

  /** Whether a text consists of exactly one such object. */
  matches(text: string): boolean {
    return text.length <= SHAPE_TEXT_CHARS_MAX && this.endIn(text, 0) === text.length;
  }
}

const shapes = new Map<string, JsonShape>();

/** Returns the shape for names, which must all be different; null if these names are not supported. */
export function shapeOf(names: readonly string[]): JsonShape | null {
  if (names.length === 0 || names.length > SHAPE_NAMES_MAX) return null;
  const key = JSON.stringify(names);
  if (key.length > SHAPE_NAMES_CHARS_MAX) return null;
  const known = shapes.get(key);
  if (known !== undefined) return known;
  if (shapes.size >= SHAPES_MAX) shapes.clear();
  const shape = new JsonShape([...names]);
  shapes.set(key, shape);
  return shape;
}
