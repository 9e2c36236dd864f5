/** The library `cmsgpack`: MessagePack. Formats and messages: lua-cmsgpack 0.4, as in redis-server 7.0. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Library, TYPE } from "../lua/lua-exports.js";
import { arrayLength, type LuaMachine } from "../lua/lua-machine.js";
import { ValueMemoryLimit } from "../lua/value-memory-limit.js";
import { floatAt, floatBytes, integerAt, integerBytes } from "./number-bytes.js";

/** The maximum nesting of tables that are encoded; deeper tables are encoded as nil. */
const PACK_DEPTH_MAX = 16;
/** The first number above those of a signed 64-bit integer. */
const INT64_END = 2 ** 63;

export function cmsgpackLibrary(machine: LuaMachine): Library {
  const { lua } = machine;
  const optionalInteger = (state: number, argument: number, fallback: number) =>
    Math.trunc(lua.luaL_optnumber(state, argument, fallback));
  return {
    pack(state) {
      const count = lua.lua_gettop(state);
      if (count === 0) return machine.failArgument(state, 0, "MessagePack pack needs input.");
      if (lua.lua_checkstack(state, count) === 0)
        return machine.failArgument(state, 0, "Too many arguments for MessagePack pack.");

      let packed = "";
      const memoryLimit = new ValueMemoryLimit(machine, () => machine.fail(state, "not enough memory"));
      for (let i = 1; i <= count; i++) {
        lua.lua_pushvalue(state, i);
        packed += packedTop(machine, state, 0, memoryLimit);
      }
      machine.push(state, packed);
      return 1;
    },
    unpack(state) {
      const text = machine.checkedText(state, 1);
      lua.lua_settop(state, 1);
      return unpackValues(machine, state, text, { limit: 0, offset: 0, returnsOffset: false });
    },
    unpack_one(state) {
      const offset = optionalInteger(state, 2, 0);
      const text = machine.checkedText(state, 1);
      lua.lua_settop(state, 1);
      return unpackValues(machine, state, text, { limit: 1, offset, returnsOffset: true });
    },
    unpack_limit(state) {
      const limit = Math.trunc(lua.luaL_checknumber(state, 2));
      const offset = optionalInteger(state, 3, 0);
      const text = machine.checkedText(state, 1);
      lua.lua_settop(state, 1);
      return unpackValues(machine, state, text, { limit, offset, returnsOffset: true });
    },
  };
}

/** Decodes up to `limit` values (0: all) from an offset, and pushes them. @returns the number of pushed values */
function unpackValues(
  machine: LuaMachine,
  state: number,
  text: ByteString,
  { limit, offset, returnsOffset }: { limit: number; offset: number; returnsOffset: boolean },
): number {
  const { lua } = machine;
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
}

/** Packs the value on top of the stack, and pops it. */
function packedTop(
  machine: LuaMachine,
  state: number,
  depth: number,
  memoryLimit: ValueMemoryLimit,
): ByteString {
  const { lua } = machine;
  const type = lua.lua_type(state, -1);
  let packed: ByteString;
  if (type === TYPE.string) packed = packedText(memoryLimit.countValue(machine.text(state, -1)));
  else if (type === TYPE.boolean) packed = lua.lua_toboolean(state, -1) === 1 ? "\xc3" : "\xc2";
  else if (type === TYPE.number) packed = packedNumber(lua.lua_tonumber(state, -1));
  else if (type === TYPE.table && depth < PACK_DEPTH_MAX)
    packed = packedTable(machine, state, depth, memoryLimit);
  else packed = "\xc0";

  if (type !== TYPE.string) memoryLimit.countValue("");
  lua.lua_settop(state, -2);
  return packed;
}

function packedTable(
  machine: LuaMachine,
  state: number,
  depth: number,
  memoryLimit: ValueMemoryLimit,
): ByteString {
  const { lua } = machine;
  if (lua.lua_checkstack(state, 4) === 0) return machine.failThere(state, "tables too deep");

  const index = lua.lua_gettop(state);
  const length = arrayLength(machine, state, index);
  const parts: ByteString[] = [];
  if (length !== null && length.max === length.count) {
    for (let i = 1; i <= length.count; i++) {
      lua.lua_rawgeti(state, index, i);
      parts.push(packedTop(machine, state, depth + 1, memoryLimit));
    }
    return tableHead(parts.length, 0x90, "\xdc", "\xdd") + parts.join("");
  }

  lua.lua_pushnil(state);
  while (lua.lua_next(state, index) !== 0) {
    lua.lua_pushvalue(state, -2);
    const key = packedTop(machine, state, depth + 1, memoryLimit);
    parts.push(key + packedTop(machine, state, depth + 1, memoryLimit));
  }

  return tableHead(parts.length, 0x80, "\xde", "\xdf") + parts.join("");
}

/** Encodes the number of elements of a table. @param in16  the code of a number with 16 bits */
function tableHead(count: number, short: number, in16: string, in32: string): ByteString {
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
  if (Number.isInteger(value) && value >= -INT64_END && value < INT64_END) return packedInteger(value);
  const isSingle = Math.fround(value) === value;
  return isSingle ? `\xca${floatBytes(value, 4, false)}` : `\xcb${floatBytes(value, 8, false)}`;
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

/** The maximum nesting of tables that are decoded, because each level uses space on the daemon's own stack. */
const UNPACK_DEPTH_MAX = 1000;

/** A decoder that pushes values on the stack of Lua. */
class CmsgpackReader {
  readonly #machine: LuaMachine;
  readonly #state: number;
  readonly #text: ByteString;
  /** The index of the next byte. */
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
    const code = this.#unsigned(1);
    if (code < 0x80 || code >= 0xe0) lua.lua_pushnumber(state, code < 0x80 ? code : code - 256);
    else if (code < 0x90) this.#map(code & 15, depth);
    else if (code < 0xa0) this.#array(code & 15, depth);
    else if (code < 0xc0) this.#string(code & 31);
    else this.#readLong(code, depth);
  }

  /** Decodes a value whose code does not contain the value, its length or its number of elements. */
  #readLong(code: number, depth: number): void {
    const { lua } = this.#machine;
    const state = this.#state;
    // In a group of codes each size is twice the previous one, so the distance from the first code is an exponent.
    if (code === 0xc0) lua.lua_pushnil(state);
    else if (code === 0xc2 || code === 0xc3) lua.lua_pushboolean(state, code & 1);
    else if (code >= 0xc4 && code <= 0xc6) this.#string(this.#unsigned(1 << (code - 0xc4)));
    else if (code === 0xca || code === 0xcb) this.#float(code === 0xca ? 4 : 8);
    else if (code >= 0xcc && code <= 0xcf) lua.lua_pushnumber(state, this.#unsigned(1 << (code - 0xcc)));
    else if (code >= 0xd0 && code <= 0xd3) lua.lua_pushnumber(state, this.#signed(1 << (code - 0xd0)));
    else if (code >= 0xd9 && code <= 0xdb) this.#string(this.#unsigned(1 << (code - 0xd9)));
    else if (code === 0xdc || code === 0xdd) this.#array(this.#unsigned(code === 0xdc ? 2 : 4), depth);
    else if (code === 0xde || code === 0xdf) this.#map(this.#unsigned(code === 0xde ? 2 : 4), depth);
    else this.#machine.failThere(state, "Bad data format in input.");
  }

  #float(size: 4 | 8): void {
    const at = this.#advance(size);
    this.#machine.lua.lua_pushnumber(this.#state, floatAt(this.#text, at, size, false));
  }

  #string(length: number): void {
    const at = this.#advance(length);
    this.#machine.push(this.#state, this.#text.slice(at, at + length));
  }

  #array(count: number, depth: number): void {
    this.#pushTable(depth);
    for (let i = 1; i <= count; i++) {
      this.read(depth + 1);
      this.#machine.lua.lua_rawseti(this.#state, -2, i);
    }
  }

  #map(count: number, depth: number): void {
    const { lua } = this.#machine;
    this.#pushTable(depth);
    for (let i = 0; i < count; i++) {
      this.read(depth + 1);
      this.read(depth + 1);
      lua.lua_rawset(this.#state, -3);
    }
  }

  /** Pushes an empty table. */
  #pushTable(depth: number): void {
    const { lua } = this.#machine;
    if (depth > UNPACK_DEPTH_MAX || lua.lua_checkstack(this.#state, 4) === 0)
      this.#machine.failThere(this.#state, "too many nested data structures");
    lua.lua_createtable(this.#state, 0, 0);
  }

  #unsigned(size: number): number {
    return Number(integerAt(this.#text, this.#advance(size), size, false));
  }

  #signed(size: number): number {
    return Number(BigInt.asIntN(size * 8, integerAt(this.#text, this.#advance(size), size, false)));
  }

  /** Advances past the given number of bytes. @returns the index of the first of these bytes */
  #advance(bytes: number): number {
    const { at } = this;
    if (at + bytes > this.#text.length) this.#machine.failThere(this.#state, "Missing bytes in input.");
    this.at += bytes;
    return at;
  }
}
