/** The library `cmsgpack`: MessagePack. Formats and messages: lua-cmsgpack 0.4, as in redis-server 7.0. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Library, TYPE } from "../lua/lua-exports.js";
import { arrayLength, type LuaMachine, ValueMemoryLimit } from "../lua/lua-machine.js";
import { floatAt, floatBytes, integerAt, integerBytes } from "./struct-library.js";

/** Maximum nesting of tables; deeper tables are encoded as nil. */
const DEPTH_MAX = 16;
const INT64 = 2 ** 63;

export function cmsgpackLibrary(machine: LuaMachine): Library {
  const { lua } = machine;
  const unpacked = (
    state: number,
    text: ByteString,
    limit: number,
    offset: number,
    returnsOffset: boolean,
  ): number => {
    if (limit < 0 || offset < 0)
      return machine.failThere(
        state,
        // The text is that of lua-cmsgpack, which names the length in place of the limit.
        `Invalid request to unpack with offset of ${offset} and limit of ${text.length}.`,
      );
    if (offset > text.length)
      return machine.failThere(state, `Start offset ${offset} greater than input length ${text.length}.`);
    const reader = new CmsgpackReader(machine, state, text, offset);
    const max = limit === 0 ? Number.POSITIVE_INFINITY : limit;
    let count = 0;
    while (reader.hasMore && count < max) {
      if (lua.lua_checkstack(state, 2) === 0) return machine.failThere(state, "too many values");
      reader.read();
      count++;
    }
    if (!returnsOffset) return count;
    lua.lua_pushnumber(state, reader.hasMore ? reader.at : -1);
    lua.lua_insert(state, 2);
    return count + 1;
  };
  const optional = (state: number, argument: number, fallback: number) =>
    Math.trunc(lua.luaL_optnumber(state, argument, fallback));
  return {
    pack(state) {
      const count = lua.lua_gettop(state);
      if (count === 0) return machine.failArgument(state, 0, "MessagePack pack needs input.");
      if (lua.lua_checkstack(state, count) === 0)
        return machine.failArgument(state, 0, "Too many arguments for MessagePack pack.");

      let packed = "";
      const allowance = new ValueMemoryLimit(machine, () => machine.fail(state, "not enough memory"));
      for (let i = 1; i <= count; i++) {
        lua.lua_pushvalue(state, i);
        packed += packedTop(machine, state, 0, allowance);
      }
      machine.push(state, packed);
      return 1;
    },
    unpack(state) {
      const text = machine.checkedText(state, 1);
      lua.lua_settop(state, 1);
      return unpacked(state, text, 0, 0, false);
    },
    unpack_one(state) {
      const offset = optional(state, 2, 0);
      const text = machine.checkedText(state, 1);
      lua.lua_settop(state, 1);
      return unpacked(state, text, 1, offset, true);
    },
    unpack_limit(state) {
      const limit = Math.trunc(lua.luaL_checknumber(state, 2));
      const offset = optional(state, 3, 0);
      const text = machine.checkedText(state, 1);
      lua.lua_settop(state, 1);
      return unpacked(state, text, limit, offset, true);
    },
  };
}

/** Packs the value on top of the stack, and pops it. */
function packedTop(
  machine: LuaMachine,
  state: number,
  depth: number,
  allowance: ValueMemoryLimit,
): ByteString {
  const { lua } = machine;
  const type = lua.lua_type(state, -1);
  let packed: ByteString;
  if (type === TYPE.string) packed = packedText(allowance.take(machine.text(state, -1)));
  else if (type === TYPE.boolean) packed = lua.lua_toboolean(state, -1) === 1 ? "\xc3" : "\xc2";
  else if (type === TYPE.number) packed = packedNumber(lua.lua_tonumber(state, -1));
  else if (type === TYPE.table && depth < DEPTH_MAX) packed = packedTable(machine, state, depth, allowance);
  else packed = "\xc0";
  if (type !== TYPE.string) allowance.take("");
  lua.lua_settop(state, -2);
  return packed;
}

function packedTable(
  machine: LuaMachine,
  state: number,
  depth: number,
  allowance: ValueMemoryLimit,
): ByteString {
  const { lua } = machine;
  if (lua.lua_checkstack(state, 4) === 0) return machine.failThere(state, "tables too deep");

  const index = lua.lua_gettop(state);
  const found = arrayLength(machine, state, index);
  const parts: ByteString[] = [];
  if (found !== null && found.max === found.count) {
    for (let i = 1; i <= found.count; i++) {
      lua.lua_rawgeti(state, index, i);
      parts.push(packedTop(machine, state, depth + 1, allowance));
    }
    return head(parts.length, 0x90, "\xdc", "\xdd") + parts.join("");
  }

  lua.lua_pushnil(state);
  while (lua.lua_next(state, index) !== 0) {
    lua.lua_pushvalue(state, -2);
    const key = packedTop(machine, state, depth + 1, allowance);
    parts.push(key + packedTop(machine, state, depth + 1, allowance));
  }
  return head(parts.length, 0x80, "\xde", "\xdf") + parts.join("");
}

function head(count: number, short: number, in16: string, in32: string): ByteString {
  if (count <= 15) return String.fromCharCode(short | count);
  return count <= 0xffff ? in16 + unsigned(count, 2) : in32 + unsigned(count, 4);
}

const unsigned = (value: number, size: number) => integerBytes(BigInt(value), size, false);

function packedText(text: ByteString): ByteString {
  const { length } = text;
  if (length < 32) return String.fromCharCode(0xa0 | length) + text;
  if (length <= 0xff) return `\xd9${unsigned(length, 1)}${text}`;
  return length <= 0xffff ? `\xda${unsigned(length, 2)}${text}` : `\xdb${unsigned(length, 4)}${text}`;
}

function packedNumber(value: number): ByteString {
  if (Number.isInteger(value) && value >= -INT64 && value < INT64) return packedInteger(value);
  const isShort = Math.fround(value) === value;
  return isShort ? `\xca${floatBytes(value, 4, false)}` : `\xcb${floatBytes(value, 8, false)}`;
}

function packedInteger(value: number): ByteString {
  if (value >= 0) {
    if (value <= 127) return String.fromCharCode(value);
    if (value <= 0xff) return `\xcc${unsigned(value, 1)}`;
    if (value <= 0xffff) return `\xcd${unsigned(value, 2)}`;
    return value <= 0xffffffff ? `\xce${unsigned(value, 4)}` : `\xcf${unsigned(value, 8)}`;
  }
  if (value >= -32) return String.fromCharCode(value & 0xff);
  if (value >= -128) return `\xd0${unsigned(value, 1)}`;
  if (value >= -32768) return `\xd1${unsigned(value, 2)}`;
  return value >= -(2 ** 31) ? `\xd2${unsigned(value, 4)}` : `\xd3${unsigned(value, 8)}`;
}

/** Maximum nesting of the tables that are decoded, because each level uses space on the daemon's own stack. */
const READ_DEPTH_MAX = 1000;

/** The decoder of `cmsgpack`. */
class CmsgpackReader {
  readonly #machine: LuaMachine;
  readonly #state: number;
  readonly #text: ByteString;
  at: number;

  constructor(machine: LuaMachine, state: number, text: ByteString, at: number) {
    this.#machine = machine;
    this.#state = state;
    this.#text = text;
    this.at = at;
  }

  get hasMore(): boolean {
    return this.at < this.#text.length;
  }

  /** Decodes the next value, and pushes it. */
  read(depth = 0): void {
    const { lua } = this.#machine;
    const state = this.#state;
    const byte = this.#unsigned(1);
    if (byte < 0x80 || byte >= 0xe0) lua.lua_pushnumber(state, byte < 0x80 ? byte : byte - 256);
    else if (byte < 0x90) this.#map(byte & 15, depth);
    else if (byte < 0xa0) this.#array(byte & 15, depth);
    else if (byte < 0xc0) this.#string(byte & 31);
    else this.#long(byte, depth);
  }

  #long(byte: number, depth: number): void {
    const { lua } = this.#machine;
    const state = this.#state;
    if (byte === 0xc0) lua.lua_pushnil(state);
    else if (byte === 0xc2 || byte === 0xc3) lua.lua_pushboolean(state, byte & 1);
    else if (byte >= 0xc4 && byte <= 0xc6) this.#string(this.#unsigned(1 << (byte - 0xc4)));
    else if (byte === 0xca || byte === 0xcb) this.#float(byte === 0xca ? 4 : 8);
    else if (byte >= 0xcc && byte <= 0xcf) lua.lua_pushnumber(state, this.#unsigned(1 << (byte - 0xcc)));
    else if (byte >= 0xd0 && byte <= 0xd3) lua.lua_pushnumber(state, this.#signed(1 << (byte - 0xd0)));
    else if (byte >= 0xd9 && byte <= 0xdb) this.#string(this.#unsigned(1 << (byte - 0xd9)));
    else if (byte === 0xdc || byte === 0xdd) this.#array(this.#unsigned(byte === 0xdc ? 2 : 4), depth);
    else if (byte === 0xde || byte === 0xdf) this.#map(this.#unsigned(byte === 0xde ? 2 : 4), depth);
    else this.#machine.failThere(state, "Bad data format in input.");
  }

  #float(size: 4 | 8): void {
    const at = this.#taken(size);
    this.#machine.lua.lua_pushnumber(this.#state, floatAt(this.#text, at, size, false));
  }

  #string(length: number): void {
    const at = this.#taken(length);
    this.#machine.push(this.#state, this.#text.slice(at, at + length));
  }

  #array(count: number, depth: number): void {
    this.#begin(depth);
    for (let i = 1; i <= count; i++) {
      this.read(depth + 1);
      this.#machine.lua.lua_rawseti(this.#state, -2, i);
    }
  }

  #map(count: number, depth: number): void {
    const { lua } = this.#machine;
    this.#begin(depth);
    for (let i = 0; i < count; i++) {
      this.read(depth + 1);
      this.read(depth + 1);
      lua.lua_rawset(this.#state, -3);
    }
  }

  #begin(depth: number): void {
    const { lua } = this.#machine;
    if (depth > READ_DEPTH_MAX || lua.lua_checkstack(this.#state, 4) === 0)
      this.#machine.failThere(this.#state, "too many nested data structures");
    lua.lua_createtable(this.#state, 0, 0);
  }

  #unsigned(size: number): number {
    return Number(integerAt(this.#text, this.#taken(size), size, false));
  }

  #signed(size: number): number {
    return Number(BigInt.asIntN(size * 8, integerAt(this.#text, this.#taken(size), size, false)));
  }

  /** Advances past the given number of bytes. @returns the index of the first of these bytes */
  #taken(bytes: number): number {
    const { at } = this;
    if (at + bytes > this.#text.length) this.#machine.failThere(this.#state, "Missing bytes in input.");
    this.at += bytes;
    return at;
  }
}
