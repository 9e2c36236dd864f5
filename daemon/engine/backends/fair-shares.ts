/** A limited resource that callers share. No caller may hold more of the resource than remains free. */
import type { ByteString } from "../../../protocol/byte-string.js";

export class FairShares {
  readonly #held = new Map<ByteString, number>();
  /** The amount that all callers hold together. Only this class changes it. */
  total = 0;

  /**
   * Reserves an amount for a caller.
   * @param max  the size of the complete resource
   * @returns false if the caller would hold too much
   */
  take(key: ByteString, amount: number, max: number): boolean {
    const held = (this.#held.get(key) ?? 0) + amount;
    if (held > max - this.total - amount) return false;
    this.#held.set(key, held);
    this.total += amount;
    return true;
  }

  /** Releases an amount that was reserved. */
  give(key: ByteString, amount: number): void {
    const held = (this.#held.get(key) as number) - amount;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
    this.total -= amount;
  }
}
