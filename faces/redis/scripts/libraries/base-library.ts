/**
 * Replaces the functions of Lua's own libraries that behave differently in Redis or on 64 bits: pcall, functions that
 * read-only tables must intercept, conversions of numbers, random numbers, and functions that load chunks, which must
 * be source text; and adds the library `bit`. Where the difference is small, the replacement calls Lua's own function
 * in the same stack frame, so that its error messages are correct.
 */
import { isShort, unsigned, writtenInteger } from "../lua/c-numbers.js";
import { type Library, MULTIPLE_RESULTS, TYPE } from "../lua/lua-exports.js";
import type { LuaMachine } from "../lua/lua-machine.js";

const READONLY = "Attempt to modify a readonly table";
const BYTECODE = "\x1b";

/** Lua's original functions, by library and name. */
export interface StandardFunctions {
  readonly original: (library: string, name: string) => (state: number) => number;
  /** Returns the index by which a function can be pushed. */
  readonly index: (library: string, name: string) => number;
}

/**
 * The guards of read-only tables, by address. The value states whether `getmetatable` returns the guard's own metatable
 * (`own`) or nil (`none`).
 */
export type Guarded = ReadonlyMap<number, "none" | "own">;

export function baseLibrary(
  machine: LuaMachine,
  { original, index }: StandardFunctions,
  guarded: Guarded,
): Library {
  const { lua } = machine;
  const [setmetatable, getmetatable, rawset, loadstring, load, tonumber] = [
    original("_G", "setmetatable"),
    original("_G", "getmetatable"),
    original("_G", "rawset"),
    original("_G", "loadstring"),
    original("_G", "load"),
    original("_G", "tonumber"),
  ];
  const [rawget, next, nextIndex] = [original("_G", "rawget"), original("_G", "next"), index("_G", "next")];
  /** If the first argument is a guard, replaces it with the real table behind the guard. */
  const unguarded = (state: number): number => {
    if (!guarded.has(lua.lua_topointer(state, 1))) return state;
    lua.lua_getmetatable(state, 1);
    machine.push(state, "__index");
    lua.lua_rawget(state, -2);
    lua.lua_replace(state, 1);
    lua.lua_settop(state, -2);
    return state;
  };

  return {
    pcall: (state) => pcall(machine, state),
    setmetatable: unlessGuarded(machine, guarded, setmetatable),
    rawset: unlessGuarded(machine, guarded, rawset),
    getmetatable: (state) => {
      if (guarded.get(lua.lua_topointer(state, 1)) !== "none") return getmetatable(state);
      lua.lua_pushnil(state);
      return 1;
    },
    rawget: (state) => rawget(unguarded(state)),
    next: (state) => next(unguarded(state)),
    pairs(state) {
      lua.luaL_checktype(state, 1, TYPE.table);
      lua.lua_settop(state, 1);
      unguarded(state);
      lua.lua_pushcclosure(state, nextIndex, 0);
      lua.lua_insert(state, 1);
      lua.lua_pushnil(state);
      return 3;
    },
    loadstring(state) {
      if (machine.checkedText(state, 1).startsWith(BYTECODE)) return refusedChunk(machine, state);
      return loadstring(state);
    },
    load(state) {
      if (lua.lua_type(state, 1) !== TYPE.function) return load(state);
      return loadPieces(machine, state, loadstring);
    },
    tonumber(state) {
      const value = wideNumber(machine, state);
      if (value === null) return tonumber(state);
      lua.lua_pushnumber(state, value);
      return 1;
    },
    refuse: (state) => machine.failThere(state, READONLY),
    missing(state) {
      const name = lua.lua_isstring(state, 2) === 1 ? machine.text(state, 2) : "?";
      return machine.failThere(state, `Script attempted to access nonexistent global variable '${name}'`);
    },
  };
}

/**
 * Implements `pcall` as in Redis: if an error is a table with the field `err`, the script receives only the text in
 * that field.
 */
function pcall(machine: LuaMachine, state: number): number {
  const { lua } = machine;
  lua.luaL_checkany(state, 1);
  lua.lua_pushboolean(state, 1);
  lua.lua_insert(state, 1);
  if (lua.lua_pcall(state, lua.lua_gettop(state) - 2, MULTIPLE_RESULTS, 0) === 0)
    return lua.lua_gettop(state);

  if (machine.isTable(state, -1)) {
    machine.push(state, "err");
    lua.lua_rawget(state, -2);
    if (lua.lua_type(state, -1) === TYPE.string) lua.lua_remove(state, -2);
    else lua.lua_settop(state, -2);
  }

  lua.lua_pushboolean(state, 0);
  lua.lua_replace(state, 1);
  return 2;
}

function refusedChunk(machine: LuaMachine, state: number): number {
  machine.lua.lua_pushnil(state);
  machine.push(state, "bad header in precompiled chunk");
  return 2;
}

/** Loads a chunk from the pieces that a function returns, until the function returns an empty piece or nil. */
function loadPieces(machine: LuaMachine, state: number, loadstring: (state: number) => number): number {
  const { lua } = machine;
  const name = lua.lua_isstring(state, 2) === 1 ? machine.text(state, 2) : "=(load)";
  const pieces: string[] = [];
  for (;;) {
    lua.lua_pushvalue(state, 1);
    const failed = lua.lua_pcall(state, 0, 1, 0) !== 0;
    const type = lua.lua_type(state, -1);
    if (failed || (type !== TYPE.nil && type !== TYPE.string && type !== TYPE.number)) {
      lua.lua_pushnil(state);
      if (failed) lua.lua_insert(state, -2);
      else machine.push(state, "reader function must return a string");
      return 2;
    }

    const piece = type === TYPE.nil ? "" : machine.text(state, -1);
    lua.lua_settop(state, 2);
    if (piece === "") break;
    pieces.push(piece);
  }

  const source = pieces.join("");
  lua.lua_settop(state, 0);
  if (source.startsWith(BYTECODE)) return refusedChunk(machine, state);

  machine.push(state, source);
  machine.push(state, name);
  return loadstring(state);
}

/** Parses a number that a 32-bit Lua would misread, or returns null if Lua reads it correctly. */
function wideNumber(machine: LuaMachine, state: number): number | null {
  const { lua } = machine;
  const base = lua.lua_type(state, 2) < 1 ? 10 : lua.luaL_checknumber(state, 2);
  if (base === 10) {
    if (lua.lua_type(state, 1) !== TYPE.string) return null;
    const text = machine.text(state, 1);
    if (!text.includes("x") && !text.includes("X")) return null;
    return /^[ \t-\r]*[-+]?0[xX]/.test(text) ? unsigned(text, 16) : null;
  }
  if (lua.lua_isstring(state, 1) !== 1 || base < 2 || base > 36) return null;
  return unsigned(machine.text(state, 1), base);
}

/** Matches a directive in the format of string.format. */
const DIRECTIVE = /%(?:%|([-+ #0]*)(\d*)(?:\.(\d*))?(.?))/gs;

export function stringLibrary(machine: LuaMachine, { original }: StandardFunctions): Library {
  const { lua } = machine;
  const format = original("string", "format");
  return {
    format(state) {
      const text = machine.checkedText(state, 1);
      let argument = 1;
      const changed = text.replace(DIRECTIVE, (directive, flags = "", width = "", precision, letter = "") => {
        if (directive === "%%") return directive;
        argument++;
        if (!"diuxXo".includes(letter) || letter === "" || lua.lua_isnumber(state, argument) !== 1)
          return directive;

        const value = lua.lua_tonumber(state, argument);
        if (isShort(value) || width.length > 2 || (precision ?? "").length > 2) return directive;
        if ((letter === "d" || letter === "i") && isShort(-value)) return directive;

        const form = {
          flags,
          width: Number(width),
          precision: precision === undefined ? null : Number(precision),
        };
        machine.push(state, writtenInteger(value, { ...form, letter }));
        lua.lua_replace(state, argument);
        return "%s";
      });
      if (changed !== text) {
        machine.push(state, changed);
        lua.lua_replace(state, 1);
      }

      return format(state);
    },
  };
}

/**
 * Replaces `insert`, which would bypass the metatable of a read-only table. The other functions of `table` do not need
 * a replacement.
 */
export function tableLibrary(
  machine: LuaMachine,
  { original }: StandardFunctions,
  guarded: Guarded,
): Library {
  return { insert: unlessGuarded(machine, guarded, original("table", "insert")) };
}

function unlessGuarded(machine: LuaMachine, guarded: Guarded, call: (state: number) => number) {
  return (state: number) =>
    guarded.has(machine.lua.lua_topointer(state, 1)) ? machine.fail(state, READONLY) : call(state);
}

const FACTOR = 0x5deece66dn;
const ADDEND = 0xbn;
const MASK = (1n << 48n) - 1n;
const LOW = 0x330en;
const MAX = 2 ** 31 - 1;

/**
 * The state of `math.random` and `math.randomseed`, with Redis's generator: drand48, with the same initial seed in each
 * process.
 */
export class Randomness {
  #state = (0x1234abcdn << 16n) | LOW;

  seed(seed: number): void {
    this.#state = (BigInt.asUintN(32, BigInt(Math.trunc(seed))) << 16n) | LOW;
  }

  /** Returns a number from 0 up to, but not including, 1. */
  next(): number {
    this.#state = (this.#state * FACTOR + ADDEND) & MASK;
    return (Number(this.#state >> 17n) % MAX) / MAX;
  }
}

export function randomLibrary(machine: LuaMachine, randomness: Randomness): Library {
  const { lua } = machine;
  return {
    random(state) {
      const drawn = randomness.next();
      const count = lua.lua_gettop(state);
      if (count > 2) return machine.failThere(state, "wrong number of arguments");
      if (count === 0) lua.lua_pushnumber(state, drawn);
      else {
        const low = count === 1 ? 1 : Math.trunc(lua.luaL_checknumber(state, 1));
        const high = Math.trunc(lua.luaL_checknumber(state, count));
        if (low > high) return machine.failArgument(state, count, "interval is empty");
        lua.lua_pushnumber(state, Math.floor(drawn * (high - low + 1)) + low);
      }
      return 1;
    },
    randomseed(state) {
      const seed = lua.luaL_checknumber(state, 1);
      randomness.seed(Number.isFinite(seed) ? seed : 0);
      return 0;
    },
  };
}

/** The library `bit`: the functions of Lua BitOp, on 32 bits. */
export function bitLibrary(machine: LuaMachine): Library {
  const { lua } = machine;
  const bits = (state: number, argument: number): number => {
    const value = lua.luaL_checknumber(state, argument);
    // Round to the nearest integer, and halves to the even one. Then take the lowest 32 bits.
    return Number.isFinite(value) ? Number(BigInt.asIntN(32, BigInt(nearest(value)))) : 0;
  };
  const answer = (state: number, value: number): number => {
    lua.lua_pushnumber(state, value | 0);
    return 1;
  };
  const folded = (step: (a: number, b: number) => number) => (state: number) => {
    let value = bits(state, 1);
    for (let i = lua.lua_gettop(state); i > 1; i--) value = step(value, bits(state, i));
    return answer(state, value);
  };
  const shifted = (shift: (value: number, by: number) => number) => (state: number) => {
    const value = bits(state, 1);
    return answer(state, shift(value, bits(state, 2) & 31));
  };
  return {
    tobit: (state) => answer(state, bits(state, 1)),
    bnot: (state) => answer(state, ~bits(state, 1)),
    band: folded((a, b) => a & b),
    bor: folded((a, b) => a | b),
    bxor: folded((a, b) => a ^ b),
    lshift: shifted((value, by) => value << by),
    rshift: shifted((value, by) => value >>> by),
    arshift: shifted((value, by) => value >> by),
    rol: shifted((value, by) => (value << by) | (value >>> ((32 - by) & 31))),
    ror: shifted((value, by) => (value >>> by) | (value << ((32 - by) & 31))),
    bswap: (state) => answer(state, swapped(bits(state, 1))),
    tohex(state) {
      const value = bits(state, 1);
      const requested = lua.lua_type(state, 2) < 1 ? 8 : bits(state, 2);
      const isUpper = requested < 0;
      const digits = Math.min(8, Math.abs(requested));
      const text = (value >>> 0)
        .toString(16)
        .padStart(8, "0")
        .slice(8 - digits);
      machine.push(state, isUpper ? text.toUpperCase() : text);
      return 1;
    },
  };
}

function nearest(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return fraction < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

function swapped(value: number): number {
  return (value >>> 24) | ((value >>> 8) & 0xff00) | ((value & 0xff00) << 8) | (value << 24) | 0;
}
