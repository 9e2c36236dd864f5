/** The library `cjson`. Formats and messages: lua-cjson 2.1, as in redis-server 7.0. */

import { type ByteString, bytesOfText } from "../../../../protocol/byte-string.js";
import { formatSignificant } from "../lua/c-numbers.js";
import { type Library, TYPE } from "../lua/lua-exports.js";
import { arrayLength, type LuaMachine, typeName, ValueMemoryLimit } from "../lua/lua-machine.js";

const INT_MAX = 2 ** 31 - 1;

/** @param settingsOfRun  returns the settings of the current run, which scripts and functions change for later runs */
export function cjsonLibrary(machine: LuaMachine, settingsOfRun: () => CjsonSettings): Library {
  const { lua } = machine;
  const only = (state: number, what: string): void => {
    if (lua.lua_gettop(state) !== 1) machine.failArgument(state, 1, what);
  };

  return {
    encode(state) {
      only(state, "expected 1 argument");
      const text = new CjsonEncoder(machine, state, settingsOfRun()).encode();
      machine.push(state, text);
      return 1;
    },
    decode(state) {
      only(state, "expected 1 argument");
      new CjsonDecoder(machine, state, settingsOfRun(), machine.checkedText(state, 1)).decode();
      return 1;
    },
    ...settingsFunctions(machine, settingsOfRun),
  };
}

/** Returns the functions that change and return the settings. */
function settingsFunctions(machine: LuaMachine, settingsOfRun: () => CjsonSettings): Library {
  const { lua } = machine;
  /** Returns an optional integer argument, or `before` if it is absent. Checks its bounds. */
  const integer = (state: number, argument: number, before: number, min: number, max: number): number => {
    if (lua.lua_type(state, argument) < 1) return before;
    const value = Math.trunc(lua.luaL_checknumber(state, argument));
    if (value < min || value > max)
      machine.failArgument(state, argument, `expected integer between ${min} and ${max}`);
    return value;
  };

  const boolean = (state: number, value: boolean): number => {
    lua.lua_pushboolean(state, value ? 1 : 0);
    return 1;
  };

  const limit =
    (name: "encodeDepth" | "decodeDepth" | "precision", max: number) =>
    (state: number): number => {
      const settings = settingsOfRun();
      settings[name] = integer(state, 1, settings[name], 1, max);
      lua.lua_pushnumber(state, settings[name]);
      return 1;
    };

  return {
    encode_sparse_array(state) {
      const settings = settingsOfRun();
      if (lua.lua_type(state, 1) === TYPE.boolean)
        settings.sparseConverts = lua.lua_toboolean(state, 1) === 1;
      settings.sparseRatio = integer(state, 2, settings.sparseRatio, 0, INT_MAX);
      settings.sparseSafe = integer(state, 3, settings.sparseSafe, 0, INT_MAX);
      lua.lua_pushboolean(state, settings.sparseConverts ? 1 : 0);
      lua.lua_pushnumber(state, settings.sparseRatio);
      lua.lua_pushnumber(state, settings.sparseSafe);
      return 3;
    },
    encode_max_depth: limit("encodeDepth", INT_MAX),
    decode_max_depth: limit("decodeDepth", INT_MAX),
    encode_number_precision: limit("precision", 14),
    encode_keep_buffer: (state) => {
      const settings = settingsOfRun();
      if (lua.lua_type(state, 1) === TYPE.boolean) settings.keepsBuffer = lua.lua_toboolean(state, 1) === 1;
      return boolean(state, settings.keepsBuffer);
    },
    encode_invalid_numbers(state) {
      const settings = settingsOfRun();
      if (lua.lua_type(state, 1) === TYPE.boolean)
        settings.encodeInvalid = lua.lua_toboolean(state, 1) === 1 ? "written" : "refused";
      else if (lua.lua_type(state, 1) === TYPE.string) settings.encodeInvalid = "null";
      if (settings.encodeInvalid !== "null") return boolean(state, settings.encodeInvalid === "written");
      machine.push(state, "null");
      return 1;
    },
    decode_invalid_numbers(state) {
      const settings = settingsOfRun();
      if (lua.lua_type(state, 1) === TYPE.boolean)
        settings.decodesInvalid = lua.lua_toboolean(state, 1) === 1;
      return boolean(state, settings.decodesInvalid);
    },
  };
}

/** The settings of cjson that scripts can change. The defaults are those of lua-cjson. */
export class CjsonSettings {
  sparseConverts = false;
  sparseRatio = 2;
  sparseSafe = 10;
  encodeDepth = 1000;
  decodeDepth = 1000;
  /** The number of significant digits. */
  precision = 14;
  /** The encoding of NaN and infinities. */
  encodeInvalid: "refused" | "written" | "null" = "refused";
  decodesInvalid = true;
  /** Whether the encoder of Redis reuses its buffer. It has no effect here. */
  keepsBuffer = true;
}

const SLOTS = 4;
/** The number of significant digits in Lua's own conversion to text. */
const LUAS_DIGITS = 14;
const ESCAPED = /["\\/\x00-\x1f\x7f]/g;
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "/": "\\/",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\f": "\\f",
  "\r": "\\r",
};

/** The encoder of `cjson.encode`. Formats and messages: lua-cjson 2.1, as in redis-server 7.0. */
class CjsonEncoder {
  readonly #machine: LuaMachine;
  readonly #state: number;
  readonly #settings: CjsonSettings;
  readonly #allowance: ValueMemoryLimit;

  constructor(machine: LuaMachine, state: number, settings: CjsonSettings) {
    this.#machine = machine;
    this.#state = state;
    this.#settings = settings;
    this.#allowance = new ValueMemoryLimit(machine, () => machine.fail(state, "not enough memory"));
  }

  /** Encodes the value on top of the stack. */
  encode(depth = 0): ByteString {
    if (this.#machine.lua.lua_type(this.#state, -1) !== TYPE.table)
      return this.#allowance.take(this.#single());
    this.#allowance.take("");
    return this.#table(depth + 1);
  }

  #single(): ByteString {
    const { lua } = this.#machine;
    const state = this.#state;
    switch (lua.lua_type(state, -1)) {
      case TYPE.string:
        return quoted(this.#machine.text(state, -1));
      case TYPE.number:
        return this.#number();
      case TYPE.boolean:
        return lua.lua_toboolean(state, -1) === 1 ? "true" : "false";
      case TYPE.nil:
        return "null";
      case TYPE.lightUserdata:
        return lua.lua_touserdata(state, -1) === 0 ? "null" : this.#refuse("type not supported");
      default:
        return this.#refuse("type not supported");
    }
  }

  #table(depth: number): ByteString {
    const { lua } = this.#machine;
    const state = this.#state;
    if (depth > this.#settings.encodeDepth || lua.lua_checkstack(state, SLOTS) === 0)
      this.#machine.failThere(state, `Cannot serialise, excessive nesting (${depth})`);
    const index = lua.lua_gettop(state);
    const length = this.#arrayLength(index);
    return length > 0 ? this.#array(index, length, depth) : this.#object(index, depth);
  }

  /**
   * Returns the length of the array in a table. The result is not positive if the table is empty or is not an array.
   */
  #arrayLength(index: number): number {
    const found = arrayLength(this.#machine, this.#state, index);
    if (found === null) return -1;
    const { sparseRatio, sparseSafe, sparseConverts } = this.#settings;
    const { max, count } = found;
    if (sparseRatio > 0 && max > count * sparseRatio && max > sparseSafe) {
      if (!sparseConverts) this.#refuse("excessively sparse array");
      return -1;
    }
    return max;
  }

  #array(index: number, length: number, depth: number): ByteString {
    const { lua } = this.#machine;
    const parts: ByteString[] = [];
    for (let i = 1; i <= length; i++) {
      lua.lua_rawgeti(this.#state, index, i);
      parts.push(this.encode(depth));
      lua.lua_settop(this.#state, -2);
    }
    return `[${parts.join(",")}]`;
  }

  #object(index: number, depth: number): ByteString {
    const { lua } = this.#machine;
    const state = this.#state;
    const parts: ByteString[] = [];
    lua.lua_pushnil(state);
    while (lua.lua_next(state, index) !== 0) {
      parts.push(`${this.#key()}:${this.encode(depth)}`);
      lua.lua_settop(state, -2);
    }
    return `{${parts.join(",")}}`;
  }

  /** Encodes the key that is on the stack below the topmost value. */
  #key(): ByteString {
    const { lua } = this.#machine;
    const state = this.#state;
    const type = lua.lua_type(state, -2);
    if (type === TYPE.string) return this.#allowance.take(quoted(this.#machine.text(state, -2)));
    if (type !== TYPE.number) {
      lua.lua_pushvalue(state, -2);
      this.#refuse("table key must be a number or string");
    }
    lua.lua_pushvalue(state, -2);
    const number = this.#number();
    lua.lua_settop(state, -2);
    return `"${number}"`;
  }

  #number(): ByteString {
    const value = this.#machine.lua.lua_tonumber(this.#state, -1);
    const { encodeInvalid, precision } = this.#settings;
    if (!Number.isFinite(value)) {
      if (encodeInvalid === "refused") this.#refuse("must not be NaN or Inf");
      if (encodeInvalid === "null") return "null";
    }
    if (precision !== LUAS_DIGITS) return formatSignificant(value, precision);
    const { lua } = this.#machine;
    lua.lua_pushvalue(this.#state, -1);
    const text = this.#machine.text(this.#state, -1);
    lua.lua_settop(this.#state, -2);
    return text;
  }

  #refuse(reason: string): never {
    const name = typeName(this.#machine, this.#state, -1);
    return this.#machine.failThere(this.#state, `Cannot serialise ${name}: ${reason}`);
  }
}

function quoted(text: ByteString): ByteString {
  return `"${text.replace(ESCAPED, (char) => SHORT_ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;
}

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
class CjsonDecoder {
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
