import type { Library } from "../lua/lua-exports.js";
import type { LuaMachine } from "../lua/lua-machine.js";

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
