/**
 * The part of Lua's C interface that is used here, and of WebAssembly, which Node's types omit. Addresses, indexes and
 * sizes are numbers. Source: Lua 5.1, lua.h and lauxlib.h.
 */

export interface LuaExports {
  readonly memory: WasmMemory;
  readonly __indirect_function_table: WasmTable;
  __wasm_call_ctors(): void;
  stackSave(): number;
  stackRestore(at: number): void;
  setThrew(threw: number, value: number): void;
  malloc(bytes: number): number;
  free(at: number): void;
  luaL_newstate(): number;
  luaL_openlibs(state: number): void;
  luaL_loadbuffer(state: number, at: number, bytes: number, name: number): number;
  luaL_ref(state: number, table: number): number;
  luaL_unref(state: number, table: number, ref: number): void;
  luaL_where(state: number, level: number): void;
  luaL_argerror(state: number, argument: number, message: number): number;
  luaL_checktype(state: number, argument: number, type: number): void;
  luaL_checkany(state: number, argument: number): void;
  luaL_checklstring(state: number, argument: number, lengthAt: number): number;
  luaL_checknumber(state: number, argument: number): number;
  luaL_optnumber(state: number, argument: number, fallback: number): number;
  lua_checkstack(state: number, more: number): number;
  lua_concat(state: number, count: number): void;
  lua_createtable(state: number, elements: number, fields: number): void;
  lua_error(state: number): number;
  lua_gc(state: number, what: number, data: number): number;
  lua_getinfo(state: number, what: number, record: number): number;
  lua_getmetatable(state: number, index: number): number;
  lua_getstack(state: number, level: number, record: number): number;
  lua_gettop(state: number): number;
  lua_insert(state: number, index: number): void;
  lua_isnumber(state: number, index: number): number;
  lua_isstring(state: number, index: number): number;
  lua_next(state: number, index: number): number;
  lua_objlen(state: number, index: number): number;
  lua_pcall(state: number, given: number, taken: number, handler: number): number;
  lua_pushboolean(state: number, value: number): void;
  lua_pushcclosure(state: number, at: number, upvalues: number): void;
  lua_pushlightuserdata(state: number, at: number): void;
  lua_pushlstring(state: number, at: number, bytes: number): void;
  lua_pushnil(state: number): void;
  lua_pushnumber(state: number, value: number): void;
  lua_pushvalue(state: number, index: number): void;
  lua_rawget(state: number, index: number): void;
  lua_rawgeti(state: number, index: number, element: number): void;
  lua_rawset(state: number, index: number): void;
  lua_rawseti(state: number, index: number, element: number): void;
  lua_remove(state: number, index: number): void;
  lua_replace(state: number, index: number): void;
  lua_setfield(state: number, index: number, name: number): void;
  lua_sethook(state: number, at: number, mask: number, count: number): number;
  lua_setmetatable(state: number, index: number): number;
  lua_settop(state: number, index: number): void;
  lua_toboolean(state: number, index: number): number;
  lua_tocfunction(state: number, index: number): number;
  lua_tolstring(state: number, index: number, lengthAt: number): number;
  lua_tonumber(state: number, index: number): number;
  lua_topointer(state: number, index: number): number;
  lua_touserdata(state: number, index: number): number;
  lua_type(state: number, index: number): number;
}

export const TYPE = {
  none: -1,
  nil: 0,
  boolean: 1,
  lightUserdata: 2,
  number: 3,
  string: 4,
  table: 5,
  function: 6,
  userdata: 7,
  thread: 8,
} as const;

export const TYPE_NAMES = [
  "nil",
  "boolean",
  "userdata",
  "number",
  "string",
  "table",
  "function",
  "userdata",
  "thread",
];

export const REGISTRY = -10000;
export const GLOBALS = -10002;
export const MULTIPLE_RESULTS = -1;
export const GC = { restart: 1, count: 3, step: 5 } as const;
export const ERROR_OF_MEMORY = 4;

/** A script library: its functions by name. */
export type Library = Readonly<Record<string, HostFunction>>;

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  /** Adds pages of 64 KiB. @throws RangeError */
  grow(pages: number): number;
}

interface WasmTable {
  readonly length: number;
  grow(entries: number): number;
  get(index: number): (...values: number[]) => number;
  set(index: number, value: unknown): void;
}

export type WasmModule = object;
type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The part of WebAssembly that is used here, which Node's types omit. */
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => WasmModule;
    readonly RuntimeError: new () => Error;
    readonly Instance: new (module: WasmModule, imports: WasmImports) => { readonly exports: object };
  };
};

/** Compiles a module. @throws Error  the bytes are not a module */
export function compiled(bytes: Uint8Array): WasmModule {
  return new WebAssembly.Module(bytes);
}

/** Instantiates a module. @returns its exports */
export function instantiated(module: WasmModule, imports: WasmImports): object {
  return new WebAssembly.Instance(module, imports).exports;
}

/** Returns whether an error is a WebAssembly trap. */
export function isTrap(problem: unknown): boolean {
  return problem instanceof WebAssembly.RuntimeError;
}

/** A JavaScript function that Lua can call after `asWasmFunctions` has given it a WebAssembly type. */
export type HostFunction = (state: number, other: number) => number;

const I32 = 0x7f;
const FUNCTION = 0x60;
/** The function types: `(i32) -> i32` for Lua functions, and `(i32, i32) -> ()` for hooks. */
const TYPES = [2, FUNCTION, 1, I32, 1, I32, FUNCTION, 2, I32, I32, 0];
const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/**
 * Converts functions to WebAssembly functions, which a table accepts. To do so, it instantiates a module that imports
 * and exports them.
 */
export function asWasmFunctions(
  functions: readonly HostFunction[],
  kind: "function" | "hook",
): readonly unknown[] {
  const type = kind === "function" ? 0 : 1;
  const names = functions.map((_, i) => String(i));
  const imports = names.flatMap((name) => [...text("h"), ...text(name), 0, type]);
  const exports = names.flatMap((name, i) => [...text(name), 0, ...leb(i)]);
  const count = leb(names.length);
  const bytes = [
    ...HEAD,
    ...section(1, TYPES),
    ...section(2, [...count, ...imports]),
    ...section(7, [...count, ...exports]),
  ];
  const hosted = Object.fromEntries(functions.map((one, i) => [String(i), one]));
  const converted = instantiated(compiled(Uint8Array.from(bytes)), { h: hosted }) as Record<string, unknown>;
  return names.map((name) => converted[name]);
}

const section = (id: number, content: readonly number[]) => [id, ...leb(content.length), ...content];

const text = (name: string) => [name.length, ...Buffer.from(name, "latin1")];

/** Encodes a number in groups of seven bits, the lowest first. */
export function leb(number: number): number[] {
  const bytes: number[] = [];
  let remaining = number;
  do {
    const low = remaining & 0x7f;
    remaining >>>= 7;
    bytes.push(remaining === 0 ? low : low | 0x80);
  } while (remaining !== 0);
  return bytes;
}
