/**
 * Builds the globals of scripts: Lua's own functions, except those that give access to the outside, and Redis's
 * libraries. All tables are read-only: a script sees only empty guard tables, which forward reads to the real tables.
 * Names and messages: redis-server 7.0.
 */
import {
  baseLibrary,
  type StandardFunctions,
  stringLibrary,
  tableLibrary,
} from "./libraries/base-library.js";
import { bitLibrary } from "./libraries/bit-library.js";
import { type Randomness, randomLibrary } from "./libraries/random-library.js";
import { libraryConstants } from "./library-constants.js";
import { GLOBALS, type Library, REGISTRY } from "./lua/lua-exports.js";
import type { LuaMachine } from "./lua/lua-machine.js";

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
 * Builds the globals of a machine.
 * @param libraries  Redis's libraries, by name
 * @returns a registry reference to the real globals
 */
export function createGlobals(
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
