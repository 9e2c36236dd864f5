import type { Library } from "../lua/lua-exports.js";
import type { LuaMachine } from "../lua/lua-machine.js";

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
