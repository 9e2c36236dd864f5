/** Something bounded that keys share: none may hold more of it than it leaves free for others. */
import type { ByteString } from "../../protocol/byte-string.js";

export class Shares {
  readonly #held = new Map<ByteString, number>();
  /** What is held by all. Set here alone. */
  total = 0;

  /** @param most  what there is. @returns whether it is the key's now */
  take(key: ByteString, amount: number, most: number): boolean {
    const held = (this.#held.get(key) ?? 0) + amount;
    if (held > most - this.total - amount) return false;
    this.#held.set(key, held);
    this.total += amount;
    return true;
  }

  /** Gives back what was taken. */
  give(key: ByteString, amount: number): void {
    const held = (this.#held.get(key) as number) - amount;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
    this.total -= amount;
  }
}
