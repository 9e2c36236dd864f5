/**
 * A function library, which consists of its code and of the metadata in its first line, and its loading into a machine:
 * the library's chunk runs once, and registers the functions. Messages: redis-server 7.0, functions.c and
 * function_lua.c.
 */

import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../../protocol/reply.js";
import { redisConstants } from "./libraries/redis-library.js";
import { REGISTRY, TYPE } from "./lua/lua-exports.js";
import type { LuaMachine } from "./lua/lua-machine.js";
import { pushError } from "./lua/reply-conversion.js";
import { SCRIPT_FLAGS } from "./script.js";

/** A function that its library has registered. */
export interface LoadedFunction {
  readonly name: ByteString;
  readonly description: ByteString | null;
  readonly flags: readonly ByteString[];
  /** A reference to the function in the machine that loaded it. */
  readonly reference: number;
}

const SOURCE = "@user_function";
const NAME = /^\w+$/;
const WRONG_NAME =
  "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

export class FunctionLoader {
  readonly #machine: LuaMachine;
  readonly #globals: number;
  readonly #handler: number;
  /**
   * The metatable of the read-only table `redis`. It refers to `#loading` while a library is loaded, and to `#redis` at
   * all other times.
   */
  readonly #guard: number;
  readonly #redis: number;
  /** The table `redis` that libraries see while they are loaded. */
  readonly #loading: number;
  #found: Map<ByteString, LoadedFunction> = new Map();

  /**
   * @param globals  a reference to the real globals
   * @param handler  the host function that records the failure of a chunk
   */
  constructor(machine: LuaMachine, globals: number, handler: number) {
    this.#machine = machine;
    this.#globals = globals;
    this.#handler = handler;
    const { lua, state } = machine;
    lua.lua_settop(state, 0);
    lua.lua_rawgeti(state, REGISTRY, globals);
    machine.pushName(state, "redis");
    lua.lua_rawget(state, 1);
    lua.lua_getmetatable(state, -1);
    machine.pushName(state, "__index");
    lua.lua_rawget(state, -2);
    this.#redis = lua.luaL_ref(state, REGISTRY);
    this.#guard = lua.luaL_ref(state, REGISTRY);
    lua.lua_settop(state, 1);
    const [register, missing] = machine.addFunctions([
      (at) => this.#register(at),
      (at) => machine.failThere(at, missingName(machine, at)),
    ]);
    lua.lua_createtable(state, 0, 8);
    lua.lua_pushcclosure(state, register as number, 0);
    machine.setField(state, "register_function");
    lua.lua_rawgeti(state, REGISTRY, this.#redis);
    machine.pushName(state, "log");
    lua.lua_rawget(state, -2);
    lua.lua_remove(state, -2);
    machine.setField(state, "log");
    redisConstants(machine, state);
    lua.lua_createtable(state, 0, 1);
    lua.lua_pushcclosure(state, missing as number, 0);
    machine.setField(state, "__index");
    lua.lua_setmetatable(state, -2);
    this.#loading = lua.luaL_ref(state, REGISTRY);
    lua.lua_settop(state, 0);
  }

  /** Runs a library's chunk. @param failure  returns the error message if the chunk fails */
  load(body: ByteString, failure: () => ByteString): readonly LoadedFunction[] | ErrorReply {
    const machine = this.#machine;
    const { lua, state } = machine;
    this.#found = new Map();
    lua.lua_settop(state, 0);
    lua.lua_rawgeti(state, REGISTRY, this.#globals);
    for (const name of ["KEYS", "ARGV"]) {
      lua.lua_pushnil(state);
      machine.setField(state, name);
    }

    lua.lua_settop(state, 0);
    lua.lua_pushcclosure(state, this.#handler, 0);
    if (!machine.load(state, body, SOURCE))
      return error(`ERR Error compiling function: ${machine.text(state, -1)}`);

    this.#replaceGuardIndex(this.#loading);
    try {
      if (lua.lua_pcall(state, 0, 0, 1) !== 0) return error(`ERR Error registering functions: ${failure()}`);
    } finally {
      this.#replaceGuardIndex(this.#redis);
    }
    if (this.#found.size === 0) return error("ERR No functions registered");

    return [...this.#found.values()];
  }

  #replaceGuardIndex(table: number): void {
    const machine = this.#machine;
    const { lua, state } = machine;
    lua.lua_rawgeti(state, REGISTRY, this.#guard);
    lua.lua_rawgeti(state, REGISTRY, table);
    machine.setField(state, "__index");
    lua.lua_settop(state, -2);
  }

  /** Implements `redis.register_function`, with either a name and a callback or a table of named arguments. */
  #register(state: number): number {
    const { lua } = this.#machine;
    const count = lua.lua_gettop(state);
    if (count < 1 || count > 2) this.#refuse(state, "wrong number of arguments to redis.register_function");
    if (count === 1) this.#registerNamed(state);
    else {
      if (lua.lua_isstring(state, 1) !== 1)
        this.#refuse(state, "first argument to redis.register_function must be a string");
      if (lua.lua_type(state, 2) !== TYPE.function)
        this.#refuse(state, "second argument to redis.register_function must be a function");
      this.#add(state, { name: this.#machine.text(state, 1), description: null, flags: [] });
    }

    return 0;
  }

  #registerNamed(state: number): void {
    const machine = this.#machine;
    const { lua } = machine;

    if (!machine.isTable(state, 1))
      this.#refuse(
        state,
        "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
      );

    let name: ByteString | null = null;
    let description: ByteString | null = null;
    let flags: readonly ByteString[] = [];
    let callback = 0;
    lua.lua_pushnil(state);
    while (lua.lua_next(state, 1) !== 0) {
      const key = lua.lua_type(state, -2) === TYPE.string ? machine.text(state, -2).toLowerCase() : "";
      if (key === "function_name") name = this.#text(state, "function_name");
      else if (key === "description") description = this.#text(state, "description");
      else if (key === "flags") flags = this.#flags(state);
      else if (key === "callback") {
        if (lua.lua_type(state, -1) !== TYPE.function)
          this.#refuse(state, "callback argument given to redis.register_function must be a function");
        lua.lua_pushvalue(state, -1);
        callback = lua.luaL_ref(state, REGISTRY);
      } else this.#refuse(state, "unknown argument given to redis.register_function");
      lua.lua_settop(state, -2);
    }

    const registered =
      name ?? this.#refuse(state, "redis.register_function must get a function name argument");
    if (callback === 0) this.#refuse(state, "redis.register_function must get a callback argument");
    lua.lua_rawgeti(state, REGISTRY, callback);
    lua.luaL_unref(state, REGISTRY, callback);
    this.#add(state, { name: registered, description, flags });
  }

  #text(state: number, argument: string): ByteString {
    const machine = this.#machine;
    if (machine.lua.lua_isstring(state, -1) !== 1)
      this.#refuse(state, `${argument} argument given to redis.register_function must be a string`);
    machine.lua.lua_pushvalue(state, -1);
    const text = machine.text(state, -1);
    machine.lua.lua_settop(state, -2);
    return text;
  }

  #flags(state: number): readonly ByteString[] {
    const machine = this.#machine;
    const { lua } = machine;

    if (!machine.isTable(state, -1))
      this.#refuse(
        state,
        "flags argument to redis.register_function must be a table representing function flags",
      );

    const index = lua.lua_gettop(state);
    const flags: ByteString[] = [];
    for (let i = 1; ; i++) {
      lua.lua_rawgeti(state, index, i);
      const type = lua.lua_type(state, -1);
      if (type === TYPE.nil) break;
      const flag = type === TYPE.string ? machine.text(state, -1) : "";
      if (!SCRIPT_FLAGS.has(flag)) this.#refuse(state, "unknown flag given");
      flags.push(flag);
      lua.lua_settop(state, -2);
    }

    lua.lua_settop(state, index);
    return flags;
  }

  /** Registers the function on top of the stack. */
  #add(state: number, one: Omit<LoadedFunction, "reference">): void {
    if (!NAME.test(one.name)) this.#refuse(state, WRONG_NAME);
    if (this.#found.has(one.name)) this.#refuse(state, "Function already exists in the library");
    this.#found.set(one.name, { ...one, reference: this.#machine.lua.luaL_ref(state, REGISTRY) });
  }

  #refuse(state: number, text: string): never {
    const machine = this.#machine;
    pushError(machine, state, `ERR ${text}`);
    machine.lua.lua_error(state);
    throw new Error("Lua did not raise the error");
  }
}

function missingName(machine: LuaMachine, state: number): string {
  const name = machine.lua.lua_isstring(state, 2) === 1 ? machine.text(state, 2) : "?";
  return `Script attempted to access nonexistent global variable '${name}'`;
}

/** The code of a library. */
export interface LibraryCode {
  readonly name: ByteString;
  readonly code: ByteString;
  /** The code to run, without the first line. */
  readonly body: ByteString;
}

export interface FunctionLibrary extends LibraryCode {
  readonly functions: ReadonlyMap<ByteString, Omit<LoadedFunction, "reference">>;
}

/** Parses a library's first line. @throws CommandFailure */
export function readLibrary(code: ByteString): LibraryCode {
  if (!code.startsWith("#!")) throw new CommandFailure("ERR Missing library metadata");
  const end = code.indexOf("\n");
  if (end < 0) throw new CommandFailure("ERR Invalid library metadata");

  const [engine = "", ...words] = code
    .slice(2, end)
    .split(" ")
    .filter((word) => word !== "");
  let name: ByteString | null = null;
  for (const word of words) {
    if (!/^name=/i.test(word)) throw new CommandFailure(`ERR Invalid metadata value given: ${word}`);
    if (name !== null)
      throw new CommandFailure("ERR Invalid metadata value, name argument was given multiple times");
    name = word.slice("name=".length);
  }

  if (name === null) throw new CommandFailure("ERR Library name was not given");
  if (!/^\w+$/.test(name)) throw new CommandFailure(`ERR ${WRONG_NAME}`);
  if (!/^lua$/i.test(engine)) throw new CommandFailure(`ERR Engine '${engine}' not found`);

  return { name, code, body: code.slice(end) };
}
