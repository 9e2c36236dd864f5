/** The limit of envelopes per second of each signing key, with a token bucket that holds the tokens of one second. */
import type { ByteString } from "../../../protocol/byte-string.js";

interface Bucket {
  tokens: number;
  /** The uptime in milliseconds when the bucket was last filled. */
  filledAt: number;
}

const MS_PER_SECOND = 1000;

export class SigningRates {
  readonly #buckets = new Map<ByteString, Bucket>();

  /**
   * Takes the token for one envelope from the key's bucket; returns whether there was one.
   * @param rate  envelopes per second
   * @param now   uptime in milliseconds, which never jumps
   */
  takeToken(key: ByteString, rate: number, now: number): boolean {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, (bucket = { tokens: rate, filledAt: now }));
    const filled = bucket.tokens + ((now - bucket.filledAt) * rate) / MS_PER_SECOND;
    bucket.tokens = Math.min(Math.max(rate, 1), filled);
    bucket.filledAt = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}
