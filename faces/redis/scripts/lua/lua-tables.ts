/** Reads Lua tables for the script libraries. Stack indexes are absolute. */

import { TYPE, TYPE_NAMES } from "./lua-exports.js";
import type { LuaMachine } from "./lua-machine.js";

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
