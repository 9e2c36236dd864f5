import type { ByteString } from "../../../../protocol/byte-string.js";
import { formatSignificant } from "../lua/c-numbers.js";
import { TYPE } from "../lua/lua-exports.js";
import { arrayLength, type LuaMachine, typeName } from "../lua/lua-machine.js";
import { ValueMemoryLimit } from "../lua/value-memory-limit.js";
import type { CjsonSettings } from "./cjson-settings.js";

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
export class CjsonEncoder {
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
      return this.#allowance.countValue(this.#single());
    this.#allowance.countValue("");
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
    if (type === TYPE.string) return this.#allowance.countValue(quoted(this.#machine.text(state, -2)));

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
