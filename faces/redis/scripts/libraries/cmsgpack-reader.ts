/** The decoder of `cmsgpack`. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { LuaMachine } from "../lua/lua-machine.js";
import { floatAt, integerAt } from "./packed-numbers.js";

/** Maximum nesting of the tables that are decoded, because each level uses space on the daemon's own stack. */
const DEPTH_MAX = 1000;

export class CmsgpackReader {
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
    if (depth > DEPTH_MAX || lua.lua_checkstack(this.#state, 4) === 0)
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
