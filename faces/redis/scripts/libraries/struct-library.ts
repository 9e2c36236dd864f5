/**
 * The library `struct`: values in C's formats. Formats and messages: Roberto Ierusalimschy's library, as in
 * redis-server 7.0 on 64 bits.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { integerOf } from "../lua/c-numbers.js";
import { type Library, TYPE } from "../lua/lua-exports.js";
import type { LuaMachine } from "../lua/lua-machine.js";

const INT_MAX = 32;
const ALIGNMENT = 8;
const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  B: 1,
  h: 2,
  H: 2,
  l: 8,
  L: 8,
  T: 8,
  f: 4,
  d: 8,
  x: 1,
};
const NATURAL = { i: 4, c: 1 } as const;

/** A parser that reads a format letter by letter. */
class Format {
  readonly #machine: LuaMachine;
  readonly #state: number;
  readonly #text: ByteString;
  #at = 0;
  isLittle = true;
  align = 1;

  constructor(machine: LuaMachine, state: number, text: ByteString) {
    this.#machine = machine;
    this.#state = state;
    this.#text = text;
  }

  /** Returns the next letter, or an empty string if the format has ended. */
  next(): string {
    return this.#text[this.#at++] ?? "";
  }

  /** Returns the size in bytes of the value that a letter stands for. */
  sizeOf(letter: string): number {
    const size = SIZES[letter];
    if (size !== undefined) return size;
    if (letter === "c") return this.#number(NATURAL.c);
    if (letter !== "i" && letter !== "I") return 0;
    const bytes = this.#number(NATURAL.i);
    if (bytes > INT_MAX)
      this.#machine.failThere(this.#state, `integral size ${bytes} is larger than limit of ${INT_MAX}`);
    return bytes;
  }

  /** Returns the number of padding bytes before a value, according to the alignment rules of C. */
  padding(letter: string, size: number, at: number): number {
    if (size === 0 || letter === "c" || letter === "x") return 0;
    const unit = Math.min(size, this.align);
    if (unit <= 1) return 0;
    return (unit - (at & (unit - 1))) & (unit - 1);
  }

  /** Applies a letter that stands for no value, but sets the byte order or the alignment. */
  option(letter: string): void {
    if (letter === " ") return;
    if (letter === ">" || letter === "<") this.isLittle = letter === "<";
    else if (letter === "!") {
      const align = this.#number(ALIGNMENT);
      if (align === 0 || (align & (align - 1)) !== 0)
        this.#machine.failThere(this.#state, `alignment ${align} is not a power of 2`);
      this.align = align;
    } else this.#machine.failArgument(this.#state, 1, `invalid format option '${letter}'`);
  }

  #number(fallback: number): number {
    const digits = /^\d+/.exec(this.#text.slice(this.#at))?.[0];
    if (digits === undefined) return fallback;
    this.#at += digits.length;
    const value = Number(digits);
    if (value > 2 ** 31 - 1) this.#machine.failThere(this.#state, "integral size overflow");
    return value;
  }
}

export function structLibrary(machine: LuaMachine): Library {
  return {
    pack: (state) => pack(machine, state),
    unpack: (state) => unpack(machine, state),
    size: (state) => sizeOf(machine, state),
  };
}

function pack(machine: LuaMachine, state: number): number {
  const { lua } = machine;
  const format = new Format(machine, state, machine.checkedText(state, 1));
  let argument = 2;
  let packed = "";
  for (let letter = format.next(); letter !== ""; letter = format.next()) {
    const size = format.sizeOf(letter);
    packed += "\0".repeat(format.padding(letter, size, packed.length));
    if ("bBhHlLTiI".includes(letter)) {
      const value = integerOf(lua.luaL_checknumber(state, argument++));
      packed += integerBytes(value, size, format.isLittle);
    } else if (letter === "x") packed += "\0";
    else if (letter === "f" || letter === "d")
      packed += floatBytes(lua.luaL_checknumber(state, argument++), size === 4 ? 4 : 8, format.isLittle);
    else if (letter === "c" || letter === "s") {
      const text = machine.checkedText(state, argument++);
      const length = letter === "c" && size > 0 ? size : text.length;
      if (text.length < length) return machine.failArgument(state, argument, "string too short");
      packed += text.slice(0, length);
      if (letter === "s") packed += "\0";
    } else format.option(letter);
  }

  machine.push(state, packed);
  return 1;
}

function unpack(machine: LuaMachine, state: number): number {
  const { lua } = machine;
  const format = new Format(machine, state, machine.checkedText(state, 1));
  const data = machine.checkedText(state, 2);
  const start = lua.luaL_optnumber(state, 3, 1);
  if (start <= 0) return machine.failArgument(state, 3, "offset must be 1 or greater");

  let at = Math.trunc(start) - 1;
  lua.lua_settop(state, 2);

  let count = 0;
  for (let letter = format.next(); letter !== ""; letter = format.next()) {
    let size = format.sizeOf(letter);
    at += format.padding(letter, size, at);
    if (at + size > data.length) return machine.failArgument(state, 2, "data string too short");
    if (lua.lua_checkstack(state, 2) === 0) return machine.failThere(state, "too many results");
    if ("bBhHlLTiI".includes(letter)) {
      const value = integerAt(data, at, size, format.isLittle);
      const isSigned = letter === letter.toLowerCase();
      lua.lua_pushnumber(state, Number(isSigned ? BigInt.asIntN(size * 8, value) : value));
      count++;
    } else if (letter === "f" || letter === "d") {
      lua.lua_pushnumber(state, floatAt(data, at, size === 4 ? 4 : 8, format.isLittle));
      count++;
    } else if (letter === "c") {
      if (size === 0) {
        if (count === 0 || lua.lua_type(state, -1) !== TYPE.number)
          return machine.failThere(state, "format 'c0' needs a previous size");
        size = Math.trunc(lua.lua_tonumber(state, -1));
        lua.lua_settop(state, -2);
        count--;
        if (size < 0 || at + size > data.length)
          return machine.failArgument(state, 2, "data string too short");
      }
      machine.push(state, data.slice(at, at + size));
      count++;
    } else if (letter === "s") {
      const end = data.indexOf("\0", at);
      if (end < 0) return machine.failThere(state, "unfinished string in data");
      machine.push(state, data.slice(at, end));
      size = end - at + 1;
      count++;
    } else if (letter !== "x") format.option(letter);
    at += size;
  }

  lua.lua_pushnumber(state, at + 1);
  return count + 1;
}

function sizeOf(machine: LuaMachine, state: number): number {
  const format = new Format(machine, state, machine.checkedText(state, 1));
  let size = 0;
  for (let letter = format.next(); letter !== ""; letter = format.next()) {
    const one = format.sizeOf(letter);
    size += format.padding(letter, one, size);
    if (letter === "s") return machine.failArgument(state, 1, "option 's' has no fixed size");
    if (letter === "c" && one === 0) return machine.failArgument(state, 1, "option 'c0' has no fixed size");
    if (!/[a-zA-Z]/.test(letter)) format.option(letter);
    size += one;
  }

  machine.lua.lua_pushnumber(state, size);
  return 1;
}

const scratch = new DataView(new ArrayBuffer(8));

/** Converts an integer to the given number of bytes, in the given byte order. Higher bits are dropped. */
export function integerBytes(value: bigint, size: number, isLittle: boolean): ByteString {
  let bytes = "";
  let remaining = BigInt.asUintN(size * 8, value);
  for (let i = 0; i < size; i++) {
    const byte = String.fromCharCode(Number(remaining & 0xffn));
    bytes = isLittle ? bytes + byte : byte + bytes;
    remaining >>= 8n;
  }
  return bytes;
}

/** Returns the integer without a sign that a number of bytes contain, in the given byte order. */
export function integerAt(bytes: ByteString, at: number, size: number, isLittle: boolean): bigint {
  let value = 0n;
  for (let i = 0; i < size; i++) {
    const byte = bytes.charCodeAt(isLittle ? at + size - 1 - i : at + i);
    value = (value << 8n) | BigInt(byte);
  }
  return value;
}

export function floatBytes(value: number, size: 4 | 8, isLittle: boolean): ByteString {
  if (size === 4) scratch.setFloat32(0, value, isLittle);
  else scratch.setFloat64(0, value, isLittle);
  let bytes = "";
  for (let i = 0; i < size; i++) bytes += String.fromCharCode(scratch.getUint8(i));
  return bytes;
}

export function floatAt(bytes: ByteString, at: number, size: 4 | 8, isLittle: boolean): number {
  for (let i = 0; i < size; i++) scratch.setUint8(i, bytes.charCodeAt(at + i));
  return size === 4 ? scratch.getFloat32(0, isLittle) : scratch.getFloat64(0, isLittle);
}
