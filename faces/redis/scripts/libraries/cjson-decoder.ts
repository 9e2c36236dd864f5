import { type ByteString, bytesOfText } from "../../../../protocol/byte-string.js";
import type { LuaMachine } from "../lua/lua-machine.js";
import type { CjsonSettings } from "./cjson-settings.js";

const DECODED_SLOTS = 3;

type Token =
  | "object begin"
  | "object end"
  | "array begin"
  | "array end"
  | "comma"
  | "colon"
  | "string"
  | "number"
  | "boolean"
  | "null"
  | "end"
  | "invalid token";

const SIGNS: Readonly<Record<string, Token>> = {
  "{": "object begin",
  "}": "object end",
  "[": "array begin",
  "]": "array end",
  ",": "comma",
  ":": "colon",
};
/** The names of tokens in error messages. */
const NAMES: Readonly<Record<Token, string>> = {
  "object begin": "T_OBJ_BEGIN",
  "object end": "T_OBJ_END",
  "array begin": "T_ARR_BEGIN",
  "array end": "T_ARR_END",
  comma: "T_COMMA",
  colon: "T_COLON",
  string: "T_STRING",
  number: "T_NUMBER",
  boolean: "T_BOOLEAN",
  null: "T_NULL",
  end: "T_END",
  "invalid token": "T_ERROR",
};
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  t: "\t",
  n: "\n",
  f: "\f",
  r: "\r",
};
const NUMBER = /[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)/y;
const INVALID_NUMBER = /[-+]?(?:inf(?:inity)?|nan)/iy;
/** Matches the beginning of a number that JSON permits, unlike hexadecimal numbers or numbers with leading zeros. */
const STRICT = /^-?(?:0|[1-9]\d*)(?![xX])/;

/** The decoder of `cjson.decode`. Formats and messages: lua-cjson 2.1, as in redis-server 7.0. */
export class CjsonDecoder {
  readonly #machine: LuaMachine;
  readonly #state: number;
  readonly #settings: CjsonSettings;
  readonly #text: ByteString;
  #at = 0;
  /** The start of the current token. */
  #from = 0;
  #string: ByteString = "";
  #number = 0;
  #problem = "invalid token";

  constructor(machine: LuaMachine, state: number, settings: CjsonSettings, text: ByteString) {
    this.#machine = machine;
    this.#state = state;
    this.#settings = settings;
    this.#text = text;
  }

  /** Decodes the text, and pushes its value. */
  decode(): void {
    if (this.#text.length > 1 && (this.#text[0] === "\0" || this.#text[1] === "\0"))
      this.#machine.failThere(this.#state, "JSON parser does not support UTF-16 or UTF-32");
    this.#value(this.#next(), 0);
    const token = this.#next();
    if (token !== "end") this.#refuse("the end", token);
  }

  #value(token: Token, depth: number): void {
    const { lua } = this.#machine;
    const state = this.#state;
    switch (token) {
      case "string":
        this.#machine.push(state, this.#string);
        break;
      case "number":
        lua.lua_pushnumber(state, this.#number);
        break;
      case "boolean":
        lua.lua_pushboolean(state, this.#number);
        break;
      case "null":
        lua.lua_pushlightuserdata(state, 0);
        break;
      case "object begin":
        this.#object(depth + 1);
        break;
      case "array begin":
        this.#array(depth + 1);
        break;
      default:
        this.#refuse("value", token);
    }
  }

  #object(depth: number): void {
    const { lua } = this.#machine;
    this.#descend(depth);
    lua.lua_createtable(this.#state, 0, 0);
    let token = this.#next();
    if (token === "object end") return;

    for (;;) {
      if (token !== "string") this.#refuse("object key string", token);
      this.#machine.push(this.#state, this.#string);
      token = this.#next();
      if (token !== "colon") this.#refuse("colon", token);
      this.#value(this.#next(), depth);
      lua.lua_rawset(this.#state, -3);
      token = this.#next();
      if (token === "object end") return;
      if (token !== "comma") this.#refuse("comma or object end", token);
      token = this.#next();
    }
  }

  #array(depth: number): void {
    const { lua } = this.#machine;
    this.#descend(depth);
    lua.lua_createtable(this.#state, 0, 0);
    let token = this.#next();
    if (token === "array end") return;

    for (let i = 1; ; i++) {
      this.#value(token, depth);
      lua.lua_rawseti(this.#state, -2, i);
      token = this.#next();
      if (token === "array end") return;
      if (token !== "comma") this.#refuse("comma or array end", token);
      token = this.#next();
    }
  }

  #descend(depth: number): void {
    if (
      depth <= this.#settings.decodeDepth &&
      this.#machine.lua.lua_checkstack(this.#state, DECODED_SLOTS) !== 0
    )
      return;
    this.#machine.failThere(
      this.#state,
      `Found too many nested data structures (${depth}) at character ${this.#at}`,
    );
  }

  #next(): Token {
    const text = this.#text;
    while (/[ \t\n\r]/.test(text[this.#at] ?? "")) this.#at++;
    this.#from = this.#at;
    const char = text[this.#at];
    // As in Redis, a zero byte between tokens ends the text.
    if (char === undefined || char === "\0") return "end";

    const sign = SIGNS[char];
    if (sign !== undefined) {
      this.#at++;
      return sign;
    }

    this.#problem = "invalid token";
    if (char === '"') return this.#readString();

    if (/[-0-9]/.test(char) || (this.#settings.decodesInvalid && /[+.iInN]/.test(char))) {
      const token = this.#readNumber();
      if (token !== "invalid token" || char !== "n") return token;
    }

    return this.#readWord();
  }

  #readWord(): Token {
    const words: readonly (readonly [string, Token, number])[] = [
      ["true", "boolean", 1],
      ["false", "boolean", 0],
      ["null", "null", 0],
    ];
    for (const [word, token, value] of words) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      this.#number = value;
      return token;
    }

    return "invalid token";
  }

  #readNumber(): Token {
    const rest = this.#text.slice(this.#at, this.#at + 64);
    if (!this.#settings.decodesInvalid && !STRICT.test(rest)) {
      this.#problem = "invalid number";
      return "invalid token";
    }

    NUMBER.lastIndex = this.#at;
    INVALID_NUMBER.lastIndex = this.#at;

    const found = NUMBER.exec(this.#text)?.[0] ?? INVALID_NUMBER.exec(this.#text)?.[0];
    if (found === undefined) {
      if (/^nu/.test(rest)) return "invalid token";
      this.#problem = "invalid number";
      return "invalid token";
    }

    this.#at += found.length;
    this.#number = numberOf(found.toLowerCase());
    return "number";
  }

  #readString(): Token {
    const text = this.#text;
    let made = "";
    let at = this.#at + 1;
    for (;;) {
      let end = at;
      while (end < text.length && text[end] !== '"' && text[end] !== "\\") end++;
      made += text.slice(at, end);
      if (end === text.length) return this.#badString("unexpected end of string", end);

      if (text[end] === '"') {
        this.#at = end + 1;
        this.#string = made;
        return "string";
      }

      const letter = text[end + 1] ?? "";
      if (letter === "u") {
        const point = codePointAt(text, end);
        if (point === null) return this.#badString("invalid unicode escape code", end);
        made += point.bytes;
        at = end + point.length;
        continue;
      }

      const plain = ESCAPES[letter];
      if (plain === undefined) return this.#badString("invalid escape code", end);

      made += plain;
      at = end + 2;
    }
  }

  #badString(problem: string, at: number): Token {
    this.#problem = problem;
    this.#from = at;
    return "invalid token";
  }

  #refuse(expected: string, token: Token): never {
    const found = token === "invalid token" ? this.#problem : NAMES[token];
    return this.#machine.failThere(
      this.#state,
      `Expected ${expected} but found ${found} at character ${this.#from + 1}`,
    );
  }
}

function numberOf(text: string): number {
  if (text.includes("0x"))
    return text.startsWith("-") ? -Number(text.slice(1)) : Number(text.replace("+", ""));
  const sign = text.startsWith("-") ? -1 : 1;
  if (text.includes("inf")) return sign * Number.POSITIVE_INFINITY;
  return text.includes("nan") ? Number.NaN : Number(text);
}

/** Parses an escape `\uXXXX`, or two such escapes that form a surrogate pair. */
function codePointAt(
  text: ByteString,
  at: number,
): { readonly bytes: ByteString; readonly length: number } | null {
  const high = hexAt(text, at + 2);
  if (high === null || (high & 0xfc00) === 0xdc00) return null;
  if ((high & 0xfc00) !== 0xd800) return { bytes: bytesOfText(String.fromCharCode(high)), length: 6 };
  const low = text.startsWith("\\u", at + 6) ? hexAt(text, at + 8) : null;
  if (low === null || (low & 0xfc00) !== 0xdc00) return null;
  return { bytes: bytesOfText(String.fromCharCode(high, low)), length: 12 };
}

function hexAt(text: ByteString, at: number): number | null {
  const digits = text.slice(at, at + 4);
  return /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : null;
}
