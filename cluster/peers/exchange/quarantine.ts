/**
 * Stores envelopes from members whose signer is not known yet, because the entry that contains the signer's key may
 * still be in flight. The number of envelopes is limited. The next reconciliation transfers dropped envelopes again.
 * Source: docs/architecture.md "How daemons agree".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { PackedEntry } from "../../../protocol/members/member-packing.js";

export interface QuarantineLimits {
  readonly quarantineEntries: number;
  readonly quarantineBytes: number;
  readonly quarantineMs: number;
}

interface Held extends PackedEntry {
  readonly from: ByteString;
  /** `uptime` milliseconds. */
  readonly since: number;
}

export class Quarantine {
  /** The number of entries dropped so far, because there were too many or the key did not arrive. */
  dropped = 0;
  readonly #limits: QuarantineLimits;
  readonly #hash: (bytes: Buffer) => ByteString;
  /** Entries by the hash of the body, so that an entry that a member sends again is not stored twice. */
  #held = new Map<ByteString, Held>();
  #bytes = 0;

  constructor(limits: QuarantineLimits, hash: (bytes: Buffer) => ByteString) {
    this.#limits = limits;
    this.#hash = hash;
  }

  get size(): number {
    return this.#held.size;
  }

  /**
   * Copies the entry's bytes.
   * @param since  when the entry first arrived, if this is a retry
   * @returns false if there are too many entries, so it was not added
   */
  add({ body, signature }: PackedEntry, from: ByteString, since: number): boolean {
    const key = this.#hash(body);
    if (this.#held.has(key)) return true;
    const bytes = body.length + signature.length;
    const { quarantineEntries, quarantineBytes } = this.#limits;
    if (this.#held.size >= quarantineEntries || this.#bytes + bytes > quarantineBytes) {
      this.dropped++;
      return false;
    }
    this.#held.set(key, { body: Buffer.from(body), signature: Buffer.from(signature), from, since });
    this.#bytes += bytes;
    return true;
  }

  /** Removes all entries. Returns the entries to check again, which are those that have not waited for too long. */
  take(now: number): readonly Held[] {
    const held = [...this.#held.values()];
    this.#held = new Map();
    this.#bytes = 0;
    const retried = held.filter(({ since }) => now - since <= this.#limits.quarantineMs);
    this.dropped += held.length - retried.length;
    return retried;
  }
}
