/** A bounded resource that keys share: no key may hold more of it than it leaves free. */
import type { ByteString } from "../../protocol/byte-string.js";

export class Shares {
  readonly #held = new Map<ByteString, number>();
  /** The amount that all keys hold. Set here alone. */
  total = 0;

  /** Reserves an amount for a key. @param most  the whole resource @returns false: the key would hold too much */
  take(key: ByteString, amount: number, most: number): boolean {
    const held = (this.#held.get(key) ?? 0) + amount;
    if (held > most - this.total - amount) return false;
    this.#held.set(key, held);
    this.total += amount;
    return true;
  }

  /** Returns an amount that was reserved. */
  give(key: ByteString, amount: number): void {
    const held = (this.#held.get(key) as number) - amount;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
    this.total -= amount;
  }
}
