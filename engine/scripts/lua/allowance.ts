/**
 * How much may be made of a script's values outside its own memory: as much as that has. A table that holds another one twice, and so
 * on, is small in Lua, and without end as a text or an answer.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { LuaMachine } from "./lua-machine.js";

/** Of a value, besides what it says: what a table of Lua takes for it. */
const VALUE_BYTES = 16;

export class Allowance {
  readonly #exceeded: () => never;
  #left: number;

  /** @param exceeded  called when it is used up */
  constructor({ most }: LuaMachine, exceeded: () => never) {
    this.#left = most;
    this.#exceeded = exceeded;
  }

  /** Of one value. @returns its text */
  take(text: ByteString): ByteString {
    this.#left -= VALUE_BYTES + text.length;
    if (this.#left < 0) this.#exceeded();
    return text;
  }
}
