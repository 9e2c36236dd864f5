/**
 * The library `struct`: converts values to the bytes of a C structure and back. Formats and messages: Roberto
 * Ierusalimschy's library, as in redis-server 7.0 on 64 bits.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { integerOf } from "../lua/c-numbers.js";
import { type Library, TYPE } from "../lua/lua-exports.js";
import type { LuaMachine } from "../lua/lua-machine.js";
import { floatAt, floatBytes, integerAt, integerBytes } from "./number-bytes.js";

/** The maximum size in bytes of an integer (`i`, `I`). */
const INTEGER_BYTES_MAX = 32;
const INTEGER_LETTERS = "bBhHlLTiI";
/** The alignment of `!` without a number. */
const DEFAULT_ALIGNMENT = 8;
/** The sizes in bytes of the values whose letters are followed by no number. */
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
/** The sizes of `i` and `c` without a number. */
const DEFAULT_SIZES = { i: 4, c: 1 } as const;

/** A format, which is read letter by letter, and the byte order and alignment that it has set. */
class FormatReader {
  readonly #machine: LuaMachine;
  readonly #state: number;
  readonly #text: ByteString;
  #at = 0;
  isLittleEndian = true;
  /** The maximum alignment in bytes. */
  alignment = 1;

  constructor(machine: LuaMachine, state: number, text: ByteString) {
    this.#machine = machine;
    this.#state = state;
    this.#text = text;
  }

  /** Returns the next letter, or an empty string if the format has ended. */
  next(): string {
    return this.#text[this.#at++] ?? "";
  }

  /** Returns the size in bytes of the value that a letter denotes, or 0 for `s`, `c0` and options. */
  sizeOf(letter: string): number {
    const size = SIZES[letter];
    if (size !== undefined) return size;
    if (letter === "c") return this.#number(DEFAULT_SIZES.c);
    if (letter !== "i" && letter !== "I") return 0;
    const integerSize = this.#number(DEFAULT_SIZES.i);
    if (integerSize > INTEGER_BYTES_MAX)
      this.#machine.failThere(
        this.#state,
        `integral size ${integerSize} is larger than limit of ${INTEGER_BYTES_MAX}`,
      );
    return integerSize;
  }

  /** Returns the number of padding bytes before a value at an index, according to the alignment rules of C. */
  padding(letter: string, size: number, at: number): number {
    if (size === 0 || letter === "c" || letter === "x") return 0;
    const alignment = Math.min(size, this.alignment);
    if (alignment <= 1) return 0;
    return (alignment - (at & (alignment - 1))) & (alignment - 1);
  }

  /** Applies a letter that denotes no value, but sets the byte order or the alignment. */
  applyOption(letter: string): void {
    if (letter === " ") return;
    if (letter === ">" || letter === "<") this.isLittleEndian = letter === "<";
    else if (letter === "!") {
      const alignment = this.#number(DEFAULT_ALIGNMENT);
      if (alignment === 0 || (alignment & (alignment - 1)) !== 0)
        this.#machine.failThere(this.#state, `alignment ${alignment} is not a power of 2`);
      this.alignment = alignment;
    } else this.#machine.failArgument(this.#state, 1, `invalid format option '${letter}'`);
  }

  /** Reads the number after a letter. @returns `fallback` if there is none */
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
    size: (state) => structureSize(machine, state),
  };
}

function pack(machine: LuaMachine, state: number): number {
  const { lua } = machine;
  const format = new FormatReader(machine, state, machine.checkedText(state, 1));
  let argument = 2;
  let packed = "";
  for (let letter = format.next(); letter !== ""; letter = format.next()) {
    const size = format.sizeOf(letter);
    packed += "\0".repeat(format.padding(letter, size, packed.length));
    if (INTEGER_LETTERS.includes(letter)) {
      const value = integerOf(lua.luaL_checknumber(state, argument++));
      packed += integerBytes(value, size, format.isLittleEndian);
    } else if (letter === "x") packed += "\0";
    else if (letter === "f" || letter === "d")
      packed += floatBytes(
        lua.luaL_checknumber(state, argument++),
        size === 4 ? 4 : 8,
        format.isLittleEndian,
      );
    else if (letter === "c" || letter === "s") {
      const text = machine.checkedText(state, argument++);
      const length = letter === "c" && size > 0 ? size : text.length;
      if (text.length < length) return machine.failArgument(state, argument, "string too short");
      packed += text.slice(0, length);
      if (letter === "s") packed += "\0";
    } else format.applyOption(letter);
  }

  machine.push(state, packed);
  return 1;
}

function unpack(machine: LuaMachine, state: number): number {
  const { lua } = machine;
  const format = new FormatReader(machine, state, machine.checkedText(state, 1));
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

    if (INTEGER_LETTERS.includes(letter)) {
      const value = integerAt(data, at, size, format.isLittleEndian);
      const isSigned = letter === letter.toLowerCase();
      lua.lua_pushnumber(state, Number(isSigned ? BigInt.asIntN(size * 8, value) : value));
      count++;
    } else if (letter === "f" || letter === "d") {
      lua.lua_pushnumber(state, floatAt(data, at, size === 4 ? 4 : 8, format.isLittleEndian));
      count++;
    } else if (letter === "c") {
      if (size === 0) {
        if (count === 0 || lua.lua_type(state, -1) !== TYPE.number)
          return machine.failThere(state, "format 'c0' needs a previous size");
        // The number before the string is its length, and therefore no result.
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
    } else if (letter !== "x") format.applyOption(letter);
    at += size;
  }

  lua.lua_pushnumber(state, at + 1);
  return count + 1;
}

function structureSize(machine: LuaMachine, state: number): number {
  const format = new FormatReader(machine, state, machine.checkedText(state, 1));
  let size = 0;
  for (let letter = format.next(); letter !== ""; letter = format.next()) {
    const valueSize = format.sizeOf(letter);
    size += format.padding(letter, valueSize, size);
    if (letter === "s") return machine.failArgument(state, 1, "option 's' has no fixed size");
    if (letter === "c" && valueSize === 0)
      return machine.failArgument(state, 1, "option 'c0' has no fixed size");
    if (!/[a-zA-Z]/.test(letter)) format.applyOption(letter);
    size += valueSize;
  }

  machine.lua.lua_pushnumber(state, size);
  return 1;
}
