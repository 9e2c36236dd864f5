/**
 * Members whose connections are refused, with the times when each refusal ends. Many ids may know the cluster's
 * secret, so their number is bounded.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/**
 * The maximum number of banned ids. An attacker cannot exceed it cheaply: to be banned again, it needs a new key, and
 * must send the entries or votes that lead to a ban.
 */
export const BANS_MAX = 1000;

export class Bans {
  readonly #ends = new Map<ByteString, number>();
  readonly #isKept: (id: ByteString) => boolean;

  /**
   * @param isKept  whether an id is never dropped early in favor of another; must be true of fewer than `BANS_MAX` ids
   */
  constructor(isKept: (id: ByteString) => boolean) {
    this.#isKept = isKept;
  }

  get size(): number {
    return this.#ends.size;
  }

  has(id: ByteString, now: number): boolean {
    return (this.#ends.get(id) ?? Number.NEGATIVE_INFINITY) > now;
  }

  /** Adds a ban. If there are too many, the one that ends first is dropped. @param until  by the same clock as `now` */
  add(id: ByteString, until: number, now: number): void {
    for (const [other, end] of this.#ends) if (end <= now) this.#ends.delete(other);
    this.#ends.set(id, Math.max(until, this.#ends.get(id) ?? until));
    if (this.#ends.size > BANS_MAX) this.#dropOneExcept(id);
  }

  #dropOneExcept(id: ByteString): void {
    const others = [...this.#ends].filter(([other]) => other !== id && !this.#isKept(other));
    const [soonest] = others.sort(([, one], [, other]) => (one < other ? -1 : one > other ? 1 : 0));
    if (soonest !== undefined) this.#ends.delete(soonest[0]);
  }
}
