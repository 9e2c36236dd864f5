/** Limits the memory that the values of a script use outside the machine. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { LuaMachine } from "./lua-machine.js";

/** The bytes that are counted for each value in addition to its text. A value in a Lua table takes as much. */
const VALUE_BYTES = 16;

/**
 * The limit of the memory that a script's values may use outside the machine: the maximum size of the machine's memory.
 * For example, a few nested tables, each of which contains the next one twice, are small in Lua but huge as a text or a
 * reply.
 */
export class ValueMemoryLimit {
  readonly #exceeded: () => never;
  #remaining: number;

  /** @param exceeded  called when the limit is exceeded */
  constructor({ max }: LuaMachine, exceeded: () => never) {
    this.#remaining = max;
    this.#exceeded = exceeded;
  }

  /** Counts one value. @returns the unchanged text */
  countValue(text: ByteString): ByteString {
    this.#remaining -= VALUE_BYTES + text.length;
    if (this.#remaining < 0) this.#exceeded();
    return text;
  }
}
