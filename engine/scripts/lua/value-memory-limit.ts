/**
 * Limits the memory that a script's values may use outside the machine to the size of the machine's memory. A few
 * nested tables, each of which contains the next one twice, are small in Lua but huge as text or as a reply.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { LuaMachine } from "./lua-machine.js";

/** The size of a value in addition to its text, in bytes, as in a Lua table. */
const VALUE_BYTES = 16;

export class ValueMemoryLimit {
  readonly #exceeded: () => never;
  #remaining: number;

  /** @param exceeded  called when the limit is exceeded */
  constructor({ most }: LuaMachine, exceeded: () => never) {
    this.#remaining = most;
    this.#exceeded = exceeded;
  }

  /** Counts one value. @returns its text */
  take(text: ByteString): ByteString {
    this.#remaining -= VALUE_BYTES + text.length;
    if (this.#remaining < 0) this.#exceeded();
    return text;
  }
}
