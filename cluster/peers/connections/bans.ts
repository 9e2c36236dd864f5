/**
 * Members whose connections are refused, and until when. Many ids can know the cluster's secret, so their number is
 * bounded.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Ids that are remembered: each costs its owner a key, and entries or votes that were sent in full. */
export const BANS_MAX = 1000;

export class Bans {
  readonly #ends = new Map<ByteString, number>();
  readonly #isKept: (id: ByteString) => boolean;

  /** @param isKept  whether an id is never forgotten before its time in favour of another; fewer than `BANS_MAX` are */
  constructor(isKept: (id: ByteString) => boolean) {
    this.#isKept = isKept;
  }

  get size(): number {
    return this.#ends.size;
  }

  has(id: ByteString, now: number): boolean {
    return (this.#ends.get(id) ?? Number.NEGATIVE_INFINITY) > now;
  }

  /** Where there is no room, the one that would end soonest goes. @param until  of the same clock as `now` */
  add(id: ByteString, until: number, now: number): void {
    for (const [other, end] of this.#ends) if (end <= now) this.#ends.delete(other);
    this.#ends.set(id, Math.max(until, this.#ends.get(id) ?? until));
    if (this.#ends.size > BANS_MAX) this.#forgetOneBesides(id);
  }

  #forgetOneBesides(id: ByteString): void {
    const others = [...this.#ends].filter(([other]) => other !== id && !this.#isKept(other));
    const [soonest] = others.sort(([, one], [, other]) => (one < other ? -1 : one > other ? 1 : 0));
    if (soonest !== undefined) this.#ends.delete(soonest[0]);
  }
}
