/**
 * Limits what a script's values may become outside the machine's memory: as much as that memory. A table that contains
 * another one twice, and so on, is small in Lua, but unbounded as text or reply.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { LuaMachine } from "./lua-machine.js";

/** Bytes of a value in addition to its text: those of a table in Lua. */
const VALUE_BYTES = 16;

export class Allowance {
  readonly #exceeded: () => never;
  #left: number;

  /** @param exceeded  called when the limit is exceeded */
  constructor({ most }: LuaMachine, exceeded: () => never) {
    this.#left = most;
    this.#exceeded = exceeded;
  }

  /** Counts one value. @returns its text */
  take(text: ByteString): ByteString {
    this.#left -= VALUE_BYTES + text.length;
    if (this.#left < 0) this.#exceeded();
    return text;
  }
}
