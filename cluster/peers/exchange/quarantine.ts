/**
 * Envelopes from members whose signer is not known yet: the key's own envelope may still be on its way. Bounded; what
 * is dropped comes again with the next reconciliation. Source: docs/architecture.md "How daemons agree".
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
  /** Dropped so far, for want of room or of a key. */
  dropped = 0;
  readonly #limits: QuarantineLimits;
  readonly #hash: (bytes: Buffer) => ByteString;
  /** Entries by the hash of the body: a member may send the same again. */
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
   * @param since  when it first came, if it is not the first time
   * @returns whether there was room
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

  /** Takes everything out, to try it again. Returns what has not been here for too long. */
  take(now: number): readonly Held[] {
    const held = [...this.#held.values()];
    this.#held = new Map();
    this.#bytes = 0;
    const rest = held.filter(({ since }) => now - since <= this.#limits.quarantineMs);
    this.dropped += held.length - rest.length;
    return rest;
  }
}
