/** The library `cjson`. Formats and messages: lua-cjson 2.1, as in redis-server 7.0. */
import { type Library, TYPE } from "../lua/lua-exports.js";
import type { LuaMachine } from "../lua/lua-machine.js";
import { CjsonDecoder } from "./cjson-decoder.js";
import { CjsonEncoder } from "./cjson-encoder.js";
import type { CjsonSettings } from "./cjson-settings.js";

const INT_MAX = 2 ** 31 - 1;

/** @param settingsOfRun  returns the settings of the current run, which scripts and functions change for later runs */
export function cjsonLibrary(machine: LuaMachine, settingsOfRun: () => CjsonSettings): Library {
  const { lua } = machine;
  const only = (state: number, what: string): void => {
    if (lua.lua_gettop(state) !== 1) machine.failArgument(state, 1, what);
  };

  return {
    encode(state) {
      only(state, "expected 1 argument");
      const text = new CjsonEncoder(machine, state, settingsOfRun()).encode();
      machine.push(state, text);
      return 1;
    },
    decode(state) {
      only(state, "expected 1 argument");
      new CjsonDecoder(machine, state, settingsOfRun(), machine.checkedText(state, 1)).decode();
      return 1;
    },
    ...settingsFunctions(machine, settingsOfRun),
  };
}

/** Returns the functions that change and return the settings. */
function settingsFunctions(machine: LuaMachine, settingsOfRun: () => CjsonSettings): Library {
  const { lua } = machine;
  /** Returns an optional integer argument, or `before` if it is absent. Checks its bounds. */
  const integer = (state: number, argument: number, before: number, min: number, max: number): number => {
    if (lua.lua_type(state, argument) < 1) return before;
    const value = Math.trunc(lua.luaL_checknumber(state, argument));
    if (value < min || value > max)
      machine.failArgument(state, argument, `expected integer between ${min} and ${max}`);
    return value;
  };

  const boolean = (state: number, value: boolean): number => {
    lua.lua_pushboolean(state, value ? 1 : 0);
    return 1;
  };

  const limit =
    (name: "encodeDepth" | "decodeDepth" | "precision", max: number) =>
    (state: number): number => {
      const settings = settingsOfRun();
      settings[name] = integer(state, 1, settings[name], 1, max);
      lua.lua_pushnumber(state, settings[name]);
      return 1;
    };

  return {
    encode_sparse_array(state) {
      const settings = settingsOfRun();
      if (lua.lua_type(state, 1) === TYPE.boolean)
        settings.sparseConverts = lua.lua_toboolean(state, 1) === 1;
      settings.sparseRatio = integer(state, 2, settings.sparseRatio, 0, INT_MAX);
      settings.sparseSafe = integer(state, 3, settings.sparseSafe, 0, INT_MAX);
      lua.lua_pushboolean(state, settings.sparseConverts ? 1 : 0);
      lua.lua_pushnumber(state, settings.sparseRatio);
      lua.lua_pushnumber(state, settings.sparseSafe);
      return 3;
    },
    encode_max_depth: limit("encodeDepth", INT_MAX),
    decode_max_depth: limit("decodeDepth", INT_MAX),
    encode_number_precision: limit("precision", 14),
    encode_keep_buffer: (state) => {
      const settings = settingsOfRun();
      if (lua.lua_type(state, 1) === TYPE.boolean) settings.keepsBuffer = lua.lua_toboolean(state, 1) === 1;
      return boolean(state, settings.keepsBuffer);
    },
    encode_invalid_numbers(state) {
      const settings = settingsOfRun();
      if (lua.lua_type(state, 1) === TYPE.boolean)
        settings.encodeInvalid = lua.lua_toboolean(state, 1) === 1 ? "written" : "refused";
      else if (lua.lua_type(state, 1) === TYPE.string) settings.encodeInvalid = "null";
      if (settings.encodeInvalid !== "null") return boolean(state, settings.encodeInvalid === "written");
      machine.push(state, "null");
      return 1;
    },
    decode_invalid_numbers(state) {
      const settings = settingsOfRun();
      if (lua.lua_type(state, 1) === TYPE.boolean)
        settings.decodesInvalid = lua.lua_toboolean(state, 1) === 1;
      return boolean(state, settings.decodesInvalid);
    },
  };
}
