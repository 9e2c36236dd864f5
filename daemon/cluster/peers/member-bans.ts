/**
 * The members whose connections are refused, each with the time at which its ban ends. The number of bans is limited,
 * because an attacker that knows the cluster's secret can use many ids.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/**
 * The maximum number of banned ids. An attacker cannot exceed it cheaply: for each further ban it needs a new key, and
 * must send the invalid entries or contradictory votes that lead to a ban.
 */
export const BANS_MAX = 1000;

export class Bans {
  readonly #ends = new Map<ByteString, number>();
  readonly #isRetained: (id: ByteString) => boolean;

  /**
   * @param isRetained  whether the ban of an id must not be dropped before it ends; true for fewer than `BANS_MAX` ids
   */
  constructor(isRetained: (id: ByteString) => boolean) {
    this.#isRetained = isRetained;
  }

  get size(): number {
    return this.#ends.size;
  }

  has(id: ByteString, now: number): boolean {
    return (this.#ends.get(id) ?? Number.NEGATIVE_INFINITY) > now;
  }

  /**
   * Adds a ban. If there are too many bans, the one that ends first is dropped.
   * @param until  by the same clock as `now`
   */
  add(id: ByteString, until: number, now: number): void {
    for (const [other, end] of this.#ends) if (end <= now) this.#ends.delete(other);
    this.#ends.set(id, Math.max(until, this.#ends.get(id) ?? until));
    if (this.#ends.size > BANS_MAX) this.#dropOneExcept(id);
  }

  #dropOneExcept(id: ByteString): void {
    const others = [...this.#ends].filter(([other]) => other !== id && !this.#isRetained(other));
    const [soonest] = others.sort(([, one], [, other]) => (one < other ? -1 : one > other ? 1 : 0));
    if (soonest !== undefined) this.#ends.delete(soonest[0]);
  }
}
