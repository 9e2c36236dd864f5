/**
 * Runs scripts in a Lua machine. The machine is created for the first script, and dropped when it is broken or has
 * grown large. The next machine compiles the scripts again. The engine is independent of connections.
 */

import { UnitRefused } from "../../../daemon/engine/answers/unit-limits.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../../protocol/reply.js";
import { FunctionLoader, type LibraryCode, type LoadedFunction } from "./function-loader.js";
import {
  baseLibrary,
  bitLibrary,
  Randomness,
  randomLibrary,
  type StandardFunctions,
  stringLibrary,
  tableLibrary,
} from "./libraries/base-library.js";
import { CjsonSettings, cjsonLibrary } from "./libraries/cjson-library.js";
import { cmsgpackLibrary } from "./libraries/cmsgpack-library.js";
import { libraryConstants, redisLibrary } from "./libraries/redis-library.js";
import { structLibrary } from "./libraries/struct-library.js";
import {
  ERROR_OF_MEMORY,
  GC,
  GLOBALS,
  isTrap,
  type Library,
  REGISTRY,
  TYPE,
  type WasmModule,
} from "./lua/lua-exports.js";
import { LuaFailure, LuaMachine } from "./lua/lua-machine.js";
import { answerOf, oneLine } from "./lua/reply-conversion.js";
import { type ScriptCaller, ScriptRun } from "./lua/script-run.js";
import type { Script } from "./script.js";

/** A machine that has grown beyond this number of bytes is dropped, because WebAssembly memory cannot shrink. */
const MACHINE_BYTES_MAX = 16 * 1024 * 1024;
/** The number of runs between two steps of Lua's garbage collection, and the size of a step, as in Redis. */
const RUNS_PER_STEP = 50;
const SOURCE = "@user_script";
/** Lua's own error message. */
const NO_MEMORY = "not enough memory";

/** The limits of a run. */
export interface RunLimits {
  /** Bytes of memory, including 16 MiB for Lua itself. */
  readonly memory: number;
  /** The time limit in milliseconds. */
  readonly time: number;
  /** The part of the time limit that has already been used, in milliseconds. */
  readonly spent: number;
}

/** Maximum milliseconds for running a library's chunk, as in Redis. */
const LOAD_TIME_MS = 500;
/** The caller of a library that is being loaded, which must not run commands. */
const LOADING_CALLER: ScriptCaller = {
  call: () => error("ERR commands cannot run while a library is loading"),
  may: () => null,
  log: () => {},
};

/** A machine, and the scripts that it has compiled. */
interface Ready {
  readonly machine: LuaMachine;
  /** The memory limit in bytes. */
  readonly memory: number;
  /** A reference to the real globals. */
  readonly globals: number;
  readonly compiled: Map<string, number>;
  /** References to the functions of each loaded library, by its code. */
  readonly libraries: Map<ByteString, ReadonlyMap<ByteString, number>>;
  /** The loader, or null if no library was loaded yet. */
  loader: FunctionLoader | null;
  /** The function that records a script's failure. */
  readonly handler: number;
}

export class ScriptEngine {
  readonly #module: WasmModule;
  readonly #uptime: () => number;
  readonly #randomness = new Randomness();
  /** What scripts, and functions, have set in cjson. As in Redis, it applies to all later runs. */
  #scriptSettings = new CjsonSettings();
  readonly #functionSettings = new CjsonSettings();
  /** The settings of the current run. */
  #settings = this.#scriptSettings;
  #ready: Ready | null = null;
  #run: ScriptRun | null = null;
  #runs = 0;

  /** @param module  the compiled Lua module */
  constructor(module: WasmModule, uptime: () => number) {
    this.#module = module;
    this.#uptime = uptime;
  }

  /** The number of bytes that Lua uses. */
  get used(): number {
    return this.#ready?.machine.used ?? 0;
  }

  /** Drops all compiled scripts, and what they have set in cjson. */
  flush(): void {
    this.#ready = null;
    this.#scriptSettings = new CjsonSettings();
  }

  /** Drops one compiled script. */
  forget(sha: string): void {
    const reference = this.#ready?.compiled.get(sha);
    if (this.#ready === null || reference === undefined) return;
    const { machine, compiled } = this.#ready;
    compiled.delete(sha);
    machine.lua.luaL_unref(machine.state, REGISTRY, reference);
  }

  /** Compiles a script. @returns the error, or null if the script was compiled */
  compile(source: Script, limits: RunLimits): ErrorReply | null {
    try {
      const found = this.#compiled(source, limits);
      return typeof found === "number" ? null : found;
    } catch (problem) {
      return this.#broken(problem);
    }
  }

  /** Runs a script. @throws UnitRefused  the script exceeded a limit */
  run(
    source: Script,
    keys: readonly ByteString[],
    args: readonly ByteString[],
    caller: ScriptCaller,
    limits: RunLimits,
  ): Reply {
    try {
      const script = this.#compiled(source, limits);
      if (typeof script !== "number") return script;
      const run = new ScriptRun(caller, this.#uptime, limits);
      const call = { script, sha: source.sha, keys, args, isFunction: false };
      return this.#called(this.#machine(limits), run, call);
    } catch (problem) {
      throw new UnitRefused(this.#broken(problem));
    }
  }

  /** Loads a library to check it, and returns its functions. The caller decides whether to store the library. */
  loadLibrary(library: LibraryCode, limits: RunLimits): readonly LoadedFunction[] | ErrorReply {
    try {
      return this.#loadedLibrary(library, limits);
    } catch (problem) {
      return this.#broken(problem);
    }
  }

  /**
   * Runs a function of a library. The function receives its keys and its arguments as two tables.
   * @throws UnitRefused  the function exceeded a limit
   */
  runFunction(
    library: LibraryCode,
    name: ByteString,
    keys: readonly ByteString[],
    args: readonly ByteString[],
    caller: ScriptCaller,
    limits: RunLimits,
  ): Reply {
    try {
      let functions = this.#machine(limits).libraries.get(library.code);
      if (functions === undefined) {
        const loaded = this.#loadedLibrary(library, limits);
        if ("kind" in loaded) return loaded;
        functions = new Map(loaded.map((one) => [one.name, one.reference]));
        this.#machine(limits).libraries.set(library.code, functions);
      }
      const run = new ScriptRun(caller, this.#uptime, limits);
      const call = { script: functions.get(name) as number, sha: name, keys, args, isFunction: true };
      return this.#called(this.#machine(limits), run, call);
    } catch (problem) {
      throw new UnitRefused(this.#broken(problem));
    }
  }

  #loadedLibrary({ body }: LibraryCode, limits: RunLimits): readonly LoadedFunction[] | ErrorReply {
    const ready = this.#machine(limits);
    const { machine, globals, handler } = ready;
    ready.loader ??= new FunctionLoader(machine, globals, handler);
    const time = Math.min(limits.time, LOAD_TIME_MS);
    const run = new ScriptRun(LOADING_CALLER, this.#uptime, { time, spent: 0 });
    this.#run = run;
    this.#settings = this.#functionSettings;
    try {
      return ready.loader.load(body, () => run.failure?.text ?? "ERR not enough memory");
    } catch (problem) {
      if (!run.isStopped) throw problem;
      return error("ERR FUNCTION LOAD timeout");
    } finally {
      this.#run = null;
      this.#tidy(machine, run);
    }
  }

  #called(
    { machine, globals, handler }: Ready,
    run: ScriptRun,
    call: {
      readonly script: number;
      readonly sha: string;
      readonly keys: readonly ByteString[];
      readonly args: readonly ByteString[];
      readonly isFunction: boolean;
    },
  ): Reply {
    const { lua, state } = machine;
    this.#run = run;
    this.#settings = call.isFunction ? this.#functionSettings : this.#scriptSettings;
    lua.lua_settop(state, 0);
    lua.lua_rawgeti(state, REGISTRY, globals);
    for (const [name, texts] of [
      ["KEYS", call.keys],
      ["ARGV", call.args],
    ] as const) {
      if (call.isFunction) lua.lua_pushnil(state);
      else pushTexts(machine, texts);
      machine.setField(state, name);
    }

    lua.lua_settop(state, 0);
    lua.lua_pushcclosure(state, handler, 0);
    lua.lua_rawgeti(state, REGISTRY, call.script);
    if (call.isFunction) for (const texts of [call.keys, call.args]) pushTexts(machine, texts);
    try {
      const outcome = lua.lua_pcall(state, call.isFunction ? 2 : 0, 1, 1);
      const isMemory = outcome === ERROR_OF_MEMORY || run.needsMemory;
      if (isMemory) throw new UnitRefused(error(failureText(run, call.sha, isMemory)));
      return outcome === 0
        ? answerOf(machine, state, run.protocol)
        : error(failureText(run, call.sha, false));
    } catch (problem) {
      if (!run.isStopped) throw problem;
      throw new UnitRefused(error(failureText(run, call.sha, false)));
    } finally {
      this.#run = null;
      this.#tidy(machine, run);
    }
  }

  #tidy(machine: LuaMachine, run: ScriptRun): void {
    const { lua, state } = machine;
    if (run.isStopped || machine.size > MACHINE_BYTES_MAX) {
      this.#ready = null;
      return;
    }
    lua.lua_settop(state, 0);
    lua.lua_gc(state, GC.restart, 0);
    if (++this.#runs % RUNS_PER_STEP === 0) lua.lua_gc(state, GC.step, RUNS_PER_STEP);
  }

  #compiled(source: Script, limits: RunLimits, isAgain = false): number | ErrorReply {
    const { machine, compiled } = this.#machine(limits);
    const known = compiled.get(source.sha);
    if (known !== undefined) return known;

    const { lua, state } = machine;
    lua.lua_settop(state, 0);
    if (!machine.load(state, source.body, SOURCE)) {
      const text = machine.text(state, -1);
      if (text !== NO_MEMORY) return error(`ERR Error compiling script (new function): ${text}`);
      // The other compiled scripts fill the memory. Drop them all: each is compiled again when it runs.
      this.#ready = null;
      if (!isAgain) return this.#compiled(source, limits, true);
      return error(`ERR Error compiling script (new function): ${text}`);
    }

    const reference = lua.luaL_ref(state, REGISTRY);
    compiled.set(source.sha, reference);
    return reference;
  }

  #machine({ memory }: RunLimits): Ready {
    if (this.#ready !== null && this.#ready.memory === memory) return this.#ready;
    const machine = new LuaMachine(this.#module, memory, (state) => {
      this.#run?.checkTime(() => (state === null ? "" : machine.position(state, 0)));
    });
    machine.onFull = () => {
      if (this.#run !== null) this.#run.needsMemory = true;
    };
    const current = () => this.#run as ScriptRun;
    const libraries = {
      redis: redisLibrary(machine, current),
      cjson: cjsonLibrary(machine, () => this.#settings),
      cmsgpack: cmsgpackLibrary(machine),
      struct: structLibrary(machine),
    };
    const globals = createGlobals(machine, libraries, this.#randomness);
    const [handler] = machine.addFunctions([(state) => noteFailure(machine, state, current())]);
    this.#ready = {
      machine,
      memory,
      globals,
      handler: handler as number,
      compiled: new Map(),
      libraries: new Map(),
      loader: null,
    };
    return this.#ready;
  }

  /**
   * Drops a broken machine, so that the next run creates a new one, and returns the error for the client.
   * @throws the problem itself, if the script did not cause it
   */
  #broken(problem: unknown): ErrorReply {
    this.#ready = null;
    this.#run = null;
    if (problem instanceof UnitRefused) return problem.reply;
    // V8 throws a RangeError if the stack is too deep or a string is too long.
    if (!(problem instanceof LuaFailure || problem instanceof RangeError || isTrap(problem))) throw problem;
    return error("ERR the script used more memory or a deeper stack than allowed");
  }
}

function pushTexts(machine: LuaMachine, texts: readonly ByteString[]): void {
  const { lua, state } = machine;
  lua.lua_createtable(state, texts.length, 0);
  for (let i = 0; i < texts.length; i++) {
    machine.push(state, texts[i] as ByteString);
    lua.lua_rawseti(state, -2, i + 1);
  }
}

/** Called by Lua when a script fails, before the stack unwinds. Records the error and its position. */
function noteFailure(machine: LuaMachine, state: number, run: ScriptRun): number {
  const { lua } = machine;
  let text = "ERR unknown error";
  const type = lua.lua_type(state, 1);
  if (type === TYPE.string || type === TYPE.number) text = `ERR ${machine.text(state, 1)}`;
  else if (type === TYPE.nil) text = "ERR nil";
  else if (type === TYPE.boolean) text = `ERR ${lua.lua_toboolean(state, 1) === 1}`;
  else if (type === TYPE.table) {
    machine.push(state, "err");
    lua.lua_rawget(state, 1);
    if (lua.lua_type(state, -1) === TYPE.string) text = machine.text(state, -1);
    lua.lua_settop(state, 1);
  }

  const first = machine.where(state, 1);
  run.failure = { text, position: machine.position(state, first === null || first.isLua ? 1 : 2) };
  return 1;
}

function failureText({ failure }: ScriptRun, name: string, isMemory: boolean): ByteString {
  if (isMemory || failure === null) return `ERR not enough memory script: ${name}`;
  return `${oneLine(failure.text)} script: ${name}${failure.position}`;
}

/** The names in Lua's globals that scripts may use unchanged. */
const ALLOWED_NAMES =
  "assert collectgarbage error gcinfo ipairs rawequal select tostring type unpack xpcall _VERSION";
const ALLOWED_LIBRARIES = ["coroutine", "math", "string", "table"];

/**
 * Lua code that builds the globals, with guards in front of the real tables. It receives the host functions, and
 * returns the real globals, the globals that scripts see, and the guards.
 */
const PRELUDE = `
local ours, allowed, libraries = ...
local seen, real, guards = _G, {}, {}
local setmetatable, pairs, stringMeta = setmetatable, pairs, getmetatable("")
for name in allowed:gmatch("%S+") do real[name] = seen[name] end
for name, value in pairs(ours.base) do real[name] = value end
local refuse, missing = real.refuse, real.missing
real.refuse, real.missing = nil, nil
local function guard(library)
  local before = setmetatable({}, { __index = library, __newindex = refuse })
  guards[#guards + 1] = before
  return before
end
for name in libraries:gmatch("%S+") do
  local library = seen[name] or {}
  for field, value in pairs(ours[name] or {}) do library[field] = value end
  real[name] = guard(library)
end
for name in pairs(seen) do seen[name] = nil end
real._G = seen
stringMeta.__index = real.string
local shownMeta = guard(stringMeta)
stringMeta.__metatable = shownMeta
setmetatable(real, { __index = missing })
setmetatable(seen, { __index = real, __newindex = refuse, __metatable = guard({ __index = missing }) })
return real, seen, guards
`;

/**
 * Builds the globals of scripts: Lua's own functions, except those that give access to the outside, and Redis's
 * libraries. All tables are read-only: a script sees only empty guard tables, which forward reads to the real tables.
 * Names and messages: redis-server 7.0.
 * @param libraries  Redis's libraries, by name
 * @returns a registry reference to the real globals
 */
function createGlobals(
  machine: LuaMachine,
  libraries: Readonly<Record<string, Library>>,
  randomness: Randomness,
): number {
  const { lua, state } = machine;
  const guarded = new Map<number, "none" | "own">();

  const index = (library: string, name: string) => {
    machine.push(state, library);
    lua.lua_rawget(state, GLOBALS);
    machine.push(state, name);
    lua.lua_rawget(state, -2);
    const found = lua.lua_tocfunction(state, -1);
    lua.lua_settop(state, -3);
    return found;
  };
  const original = (library: string, name: string) => lua.__indirect_function_table.get(index(library, name));
  const own: StandardFunctions = { original, index };
  const all: Record<string, Library> = {
    base: baseLibrary(machine, own, guarded),
    string: stringLibrary(machine, own),
    table: tableLibrary(machine, own, guarded),
    math: randomLibrary(machine, randomness),
    bit: bitLibrary(machine),
    ...libraries,
  };
  if (!machine.load(state, PRELUDE, "=prelude")) throw new Error(machine.text(state, -1));

  pushLibraries(machine, all);
  libraryConstants(machine, state);
  machine.push(state, ALLOWED_NAMES);
  machine.push(state, [...ALLOWED_LIBRARIES, "bit", ...Object.keys(libraries)].join(" "));
  if (lua.lua_pcall(state, 3, 3, 0) !== 0) throw new Error(machine.text(state, -1));

  const guards = lua.lua_objlen(state, -1);
  for (let i = 1; i <= guards; i++) {
    lua.lua_rawgeti(state, -1, i);
    guarded.set(lua.lua_topointer(state, -1), "none");
    lua.lua_settop(state, -2);
  }

  guarded.set(lua.lua_topointer(state, -2), "own");
  lua.lua_settop(state, -3);
  return lua.luaL_ref(state, REGISTRY);
}

function pushLibraries(machine: LuaMachine, libraries: Readonly<Record<string, Library>>): void {
  const { lua, state } = machine;
  const functions = Object.values(libraries).flatMap((library) => Object.values(library));
  const indexes = machine.addFunctions(functions);
  let next = 0;
  lua.lua_createtable(state, 0, 8);
  for (const [name, library] of Object.entries(libraries)) {
    lua.lua_createtable(state, 0, 16);
    for (const field of Object.keys(library)) {
      lua.lua_pushcclosure(state, indexes[next++] as number, 0);
      machine.setField(state, field);
    }
    machine.setField(state, name);
  }
}
