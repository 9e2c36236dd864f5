/** Sets the constants in the script libraries, that is, all fields that are not functions. */
import { REDIS_VERSION } from "../../../protocol/resp/redis-version.js";
import { REDIS_NUMBERS } from "./libraries/redis-library.js";
import type { LuaMachine } from "./lua/lua-machine.js";

/** `REDIS_VERSION` as a number, a byte for each part. */
const REDIS_VERSION_NUMBER = 0x07000f;
const CJSON_NAMES = [
  ["_NAME", "cjson"],
  ["_VERSION", "2.1.0"],
] as const;
const CMSGPACK_NAMES = [
  ["_NAME", "cmsgpack"],
  ["_VERSION", "lua-cmsgpack 0.4.0"],
] as const;

/** Sets the constants of all libraries. The table of libraries is on top of the stack. */
export function libraryConstants(machine: LuaMachine, state: number): void {
  const { lua } = machine;
  machine.push(state, "redis");
  lua.lua_rawget(state, -2);
  redisConstants(machine, state);
  lua.lua_settop(state, -2);
  machine.push(state, "cjson");
  lua.lua_rawget(state, -2);
  lua.lua_pushlightuserdata(state, 0);
  machine.setField(state, "null");
  setTexts(machine, state, CJSON_NAMES);
  lua.lua_settop(state, -2);
  machine.push(state, "cmsgpack");
  lua.lua_rawget(state, -2);
  setTexts(machine, state, CMSGPACK_NAMES);
  lua.lua_settop(state, -2);
}

/** Sets the constants of the library `redis`, whose table is on top of the stack. */
export function redisConstants(machine: LuaMachine, state: number): void {
  for (const [name, value] of Object.entries({ ...REDIS_NUMBERS, REDIS_VERSION_NUM: REDIS_VERSION_NUMBER })) {
    machine.lua.lua_pushnumber(state, value);
    machine.setField(state, name);
  }
  setTexts(machine, state, [["REDIS_VERSION", REDIS_VERSION]]);
}

function setTexts(machine: LuaMachine, state: number, texts: readonly (readonly [string, string])[]): void {
  for (const [name, text] of texts) {
    machine.push(state, text);
    machine.setField(state, name);
  }
}
