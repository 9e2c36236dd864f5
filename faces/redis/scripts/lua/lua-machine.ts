/**
 * A Lua 5.1 machine in WebAssembly, with limited memory. The strings of the machine are bytes. The machine can call
 * host functions, but has no access to files, a clock or environment variables, because the imported system calls do
 * nothing.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { ShortStrings } from "../../../../protocol/resp/resp-reader.js";
import {
  asWasmFunctions,
  type HostFunction,
  instantiated,
  type LuaExports,
  REGISTRY,
  TYPE,
  TYPE_NAMES,
  type WasmModule,
} from "./lua-exports.js";

/** The size of the buffer for strings that are passed in or out, in bytes; longer strings get their own buffer. */
const SCRATCH_BYTES = 64 * 1024;
/** The maximum length of a string that is copied byte by byte. Node copies longer strings. */
const SHORT_TEXT_CHARS = 32;
const PAGE_BYTES = 64 * 1024;
/** The error code "function not implemented" of a system call. */
const ENOSYS = -52;
const EBADF = 8;
/** The number of instructions between two checks of the time. */
const HOOK_INSTRUCTIONS = 20_000;
const MASK_COUNT = 8;
const RECORD_BYTES = 128;
/**
 * The import that the loops of Lua's C code call (load-lua.ts). It was the clock, which is free because scripts have
 * no clock.
 */
export const METER = "emscripten_date_now";
/** The first byte of a compiled chunk. */
const BYTECODE = "\x1b";

/**
 * Thrown to pass Lua's own errors through host functions. Caught where Lua has called `setjmp`, for example in pcall.
 */
const LONG_JUMP = new Error("an error of Lua");

/**
 * The error of a machine that must not be used again, because its script was stopped, Lua could not recover, or this
 * module has a bug.
 */
export class LuaFailure extends Error {}

export class LuaMachine {
  readonly lua: LuaExports;
  /** The state of the main thread. */
  readonly state: number;
  /** The maximum size of the machine's memory in bytes. */
  readonly max: number;
  /** Called when Lua needs more memory than `max`. */
  onFull = (): void => {};
  readonly #checkTime: (state: number | null) => void;
  readonly #scratch: number;
  readonly #record: number;
  readonly #strings = new ShortStrings();
  readonly #names = new Map<string, number>();
  readonly #refs = new Map<string, number>();
  readonly #called: ((a: number, b: number) => number)[] = [];
  #bytes: Buffer;
  #words: DataView;

  /**
   * @param max  the maximum size of the machine's memory in bytes
   * @param checkTime  called at intervals while a script runs, and stops the script by throwing LuaFailure. It receives
   * the state, or null in the middle of an instruction, when Lua must not be called
   */
  constructor(module: WasmModule, max: number, checkTime: (state: number | null) => void) {
    this.max = max;
    this.#checkTime = checkTime;
    this.lua = instantiated(module, this.#imports()) as LuaExports;
    this.#bytes = Buffer.from(this.lua.memory.buffer);
    this.#words = new DataView(this.lua.memory.buffer);
    this.lua.__wasm_call_ctors();
    this.#scratch = this.lua.malloc(SCRATCH_BYTES);
    this.#record = this.lua.malloc(RECORD_BYTES);
    this.state = this.lua.luaL_newstate();
    if (this.state === 0) throw new LuaFailure("not enough memory to start Lua");
    this.lua.luaL_openlibs(this.state);

    const hook = (state: number) => {
      checkTime(state);
      return 0;
    };
    const [hookIndex] = this.#addFunctions([hook], "hook") as [number];
    this.lua.lua_sethook(this.state, hookIndex, MASK_COUNT, HOOK_INSTRUCTIONS);
  }

  /** The current size of the machine's memory in bytes. */
  get size(): number {
    return this.lua.memory.buffer.byteLength;
  }

  /** The number of bytes that Lua uses. */
  get used(): number {
    return this.lua.lua_gc(this.state, 3, 0) * 1024;
  }

  /** Adds host functions to the machine's function table. @returns their indexes, by which they can be pushed */
  addFunctions(functions: readonly HostFunction[]): readonly number[] {
    return this.#addFunctions(functions, "function");
  }

  push(state: number, text: ByteString): void {
    const { lua } = this;
    const { length } = text;
    if (length <= SCRATCH_BYTES) {
      this.#write(this.#scratch, text);
      lua.lua_pushlstring(state, this.#scratch, length);
      return;
    }

    const at = lua.malloc(length);
    if (at === 0) this.fail(state, "not enough memory");
    try {
      this.#write(at, text);
      lua.lua_pushlstring(state, at, length);
    } finally {
      lua.free(at);
    }
  }

  /** Returns a string on the stack. If the value is a number, converts it to a string in place. */
  text(state: number, index: number): ByteString {
    const at = this.lua.lua_tolstring(state, index, this.#record);
    return at === 0 ? "" : this.#read(at, this.#length());
  }

  /** Returns an argument that must be a string or a number. */
  checkedText(state: number, argument: number): ByteString {
    const at = this.lua.luaL_checklstring(state, argument, this.#record);
    return this.#read(at, this.#length());
  }

  /** Allocates a name that stays in memory as long as the machine. @returns the address of the name */
  named(name: string): number {
    let at = this.#names.get(name);
    if (at === undefined) {
      at = this.lua.malloc(name.length + 1);
      this.#write(at, `${name}\0`);
      this.#names.set(name, at);
    }
    return at;
  }

  /** Pushes a name as a Lua string that is kept for later calls. @param name  one of a small number of names */
  pushName(state: number, name: string): void {
    let ref = this.#refs.get(name);
    if (ref === undefined) {
      this.push(state, name);
      ref = this.lua.luaL_ref(state, REGISTRY);
      this.#refs.set(name, ref);
    }
    this.lua.lua_rawgeti(state, REGISTRY, ref);
  }

  /**
   * Loads a chunk of source text. Compiled chunks are rejected: they could access what is hidden from scripts.
   * @returns false if an error message is on the stack instead
   */
  load(state: number, source: ByteString, name: string): boolean {
    const { lua } = this;
    if (source.startsWith(BYTECODE)) {
      this.push(state, `${name.slice(1)}:1: unexpected symbol near 'char(27)'`);
      return false;
    }

    const at = lua.malloc(Math.max(source.length, 1));
    if (at === 0) throw new LuaFailure("no memory for a script");

    try {
      this.#write(at, source);
      return lua.luaL_loadbuffer(state, at, source.length, this.named(name)) === 0;
    } finally {
      lua.free(at);
    }
  }

  /** Raises an error with the unchanged text. */
  fail(state: number, text: ByteString): never {
    this.push(state, text);
    this.lua.lua_error(state);
    throw new LuaFailure("Lua did not raise the error");
  }

  /** Raises an error whose text begins with the line number in the script. */
  failThere(state: number, text: ByteString): never {
    this.lua.luaL_where(state, 1);
    this.push(state, text);
    this.lua.lua_concat(state, 2);
    this.lua.lua_error(state);
    throw new LuaFailure("Lua did not raise the error");
  }

  failArgument(state: number, argument: number, text: string): never {
    this.lua.luaL_argerror(state, argument, this.named(text));
    throw new LuaFailure("Lua did not raise the error");
  }

  /**
   * Sets a field of the table below the top of the stack to the value on top, which is popped.
   * @param name  one of a small number of names
   */
  setField(state: number, name: string): void {
    this.lua.lua_setfield(state, -2, this.named(name));
  }

  /**
   * Returns the position of a level of the call stack, or null if there is no such level. Level 0 is the running
   * function.
   */
  where(state: number, level: number): { readonly isLua: boolean; source: string; line: number } | null {
    const { lua } = this;
    if (lua.lua_getstack(state, level, this.#record) === 0) return null;
    lua.lua_getinfo(state, this.named("nSl"), this.#record);
    const what = this.#cText(this.#word(this.#record + 12));
    return {
      isLua: what !== "C",
      source: this.#cText(this.#word(this.#record + 16)),
      line: this.#word(this.#record + 20) | 0,
    };
  }

  /** Returns the position of a level of the call stack as the suffix of a message. */
  position(state: number, level: number): string {
    const found = this.where(state, level);
    return found === null ? "" : `, on ${found.source}:${found.line}.`;
  }

  /** Returns whether a value's type is table. */
  isTable(state: number, index: number): boolean {
    return this.lua.lua_type(state, index) === TYPE.table;
  }

  #addFunctions(functions: readonly HostFunction[], kind: "function" | "hook"): readonly number[] {
    const { __indirect_function_table: table } = this.lua;
    const first = table.grow(functions.length);
    return asWasmFunctions(functions, kind).map((one, i) => {
      table.set(first + i, one);
      return first + i;
    });
  }

  #length(): number {
    return this.#word(this.#record);
  }

  #word(at: number): number {
    if (this.#bytes.length === 0) this.#updateViews();
    return this.#words.getUint32(at, true);
  }

  /** Creates new views of the memory, which is reallocated when it grows. */
  #updateViews(): void {
    this.#bytes = Buffer.from(this.lua.memory.buffer);
    this.#words = new DataView(this.lua.memory.buffer);
  }

  #write(at: number, text: ByteString): void {
    if (this.#bytes.length === 0) this.#updateViews();
    const bytes = this.#bytes;
    const { length } = text;
    if (length > SHORT_TEXT_CHARS) bytes.write(text, at, "latin1");
    else for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i);
  }

  #read(at: number, length: number): ByteString {
    if (this.#bytes.length === 0) this.#updateViews();
    const bytes = this.#bytes;
    // Short strings are cached, because scripts use the same commands, keys and fields again and again.
    return this.#strings.take(bytes, at, at + length);
  }

  #cText(at: number): string {
    if (at === 0) return "";
    if (this.#bytes.length === 0) this.#updateViews();
    return this.#bytes.toString("latin1", at, this.#bytes.indexOf(0, at));
  }

  #imports() {
    const absent = () => ENOSYS;
    const none = () => 0;
    const closed = () => EBADF;
    const names =
      "strftime __syscall_openat __syscall_fcntl64 __syscall_ioctl __syscall_dup3 __syscall_unlinkat __syscall_rmdir " +
      "__syscall_renameat _emscripten_system __syscall_readlinkat _tzset_js _mktime_js _localtime_js _gmtime_js";
    const env = {
      ...Object.fromEntries(names.split(" ").map((name) => [name, absent])),
      exit: () => {
        throw new LuaFailure("Lua has exited");
      },
      invoke_vii: (index: number, a: number, b: number) => this.#invoke(index, a, b),
      _emscripten_throw_longjmp: () => {
        throw LONG_JUMP;
      },
      emscripten_memcpy_js: (to: number, from: number, length: number) => {
        if (this.#bytes.length === 0) this.#updateViews();
        this.#bytes.copyWithin(to, from, from + length);
      },
      [METER]: () => {
        this.#checkTime(null);
        return 0;
      },
      _emscripten_get_now_is_monotonic: none,
      emscripten_resize_heap: (wanted: number) => this.#grow(wanted >>> 0),
    };
    const system = { fd_write: closed, fd_read: closed, fd_close: closed, fd_seek: closed };
    return { env, wasi_snapshot_preview1: { ...system, environ_sizes_get: closed, environ_get: closed } };
  }

  /** Calls a function after C's `setjmp`, to which errors of Lua jump back. */
  #invoke(index: number, a: number, b: number): void {
    const { lua } = this;
    const at = lua.stackSave();
    const called = (this.#called[index] ??= lua.__indirect_function_table.get(index));
    try {
      called(a, b);
    } catch (problem) {
      lua.stackRestore(at);
      if (problem !== LONG_JUMP) throw problem;
      lua.setThrew(1, 0);
    }
  }

  /**
   * Grows the memory.
   * @returns 1, or 0 if the memory cannot grow, so that Lua reports that there is not enough memory
   */
  #grow(wanted: number): number {
    const { memory } = this.lua;
    const size = memory.buffer.byteLength;
    if (wanted > this.max) {
      this.onFull();
      return 0;
    }

    // Grow in large steps, because each step creates new views.
    const target = Math.min(this.max, Math.max(wanted, size + size / 4));
    try {
      memory.grow(Math.ceil((target - size) / PAGE_BYTES));
      return 1;
    } catch {
      return 0;
    }
  }
}

/** Returns Lua's name of a value's type. @param index  absolute, as in the functions below */
export function typeName({ lua }: LuaMachine, state: number, index: number): string {
  const type = lua.lua_type(state, index);
  return type === TYPE.none ? "no value" : (TYPE_NAMES[type] ?? "no value");
}

/** Returns the maximum key and the number of keys, if all keys of a table are positive integers; otherwise null. */
export function arrayLength(
  { lua }: LuaMachine,
  state: number,
  index: number,
): { max: number; count: number } | null {
  let max = 0;
  let count = 0;
  lua.lua_pushnil(state);
  while (lua.lua_next(state, index) !== 0) {
    const key = lua.lua_type(state, -2) === TYPE.number ? lua.lua_tonumber(state, -2) : 0;
    if (!(key >= 1) || Math.floor(key) !== key) {
      lua.lua_settop(state, -3);
      return null;
    }
    if (key > max) max = key;
    count++;
    lua.lua_settop(state, -2);
  }

  return { max, count };
}

/** The bytes that are counted for each value in addition to its text. A value in a Lua table takes as much. */
const VALUE_BYTES = 16;

/**
 * The limit of the memory that a script's values may use outside the machine: the maximum size of the machine's memory.
 * For example, a few nested tables, each of which contains the next one twice, are small in Lua but huge as a text or a
 * reply.
 */
export class ValueMemoryLimit {
  readonly #exceeded: () => never;
  #remaining: number;

  /** @param exceeded  called when the limit is exceeded */
  constructor({ max }: LuaMachine, exceeded: () => never) {
    this.#remaining = max;
    this.#exceeded = exceeded;
  }

  /** Counts one value. @returns the unchanged text */
  take(text: ByteString): ByteString {
    this.#remaining -= VALUE_BYTES + text.length;
    if (this.#remaining < 0) this.#exceeded();
    return text;
  }
}
