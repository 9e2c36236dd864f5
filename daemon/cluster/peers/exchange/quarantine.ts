/**
 * Entries that cannot be checked yet: envelopes whose signer is not known, because the entry that contains the signer's
 * key may still be in flight, and decisions of members whose list has not arrived. Their number is limited. The next
 * reconciliation transfers dropped entries again. Source: docs/architecture.md "How daemons agree".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { PackedEntry } from "../../../../protocol/members/member-elements.js";
import type { Missing } from "../shared/cluster-state.js";

/** The number of entries that wait, and of those dropped so far. */
export interface QuarantineFigures {
  readonly waiting: number;
  readonly dropped: number;
}

interface QuarantineLimits {
  readonly quarantineEntries: number;
  readonly quarantineBytes: number;
  readonly quarantineMs: number;
}

interface QuarantinedEntry extends PackedEntry {
  /** What has to arrive before the entry can be checked. */
  readonly missing: Missing;
  /** The id of the member that sent the entry. */
  readonly from: ByteString;
  /** `uptime` milliseconds. */
  readonly since: number;
}

export class Quarantine {
  /** The numbers of entries dropped so far, because of the limits, or because what they waited for did not arrive. */
  readonly #dropped: Record<Missing, number> = { "unknown-signer": 0, "unknown-list": 0 };
  readonly #limits: QuarantineLimits;
  readonly #hash: (bytes: Buffer) => ByteString;
  /** Entries by the hash of the body, so that an entry that a member sends again is not stored twice. */
  #entries = new Map<ByteString, QuarantinedEntry>();
  #bytes = 0;

  constructor(limits: QuarantineLimits, hash: (bytes: Buffer) => ByteString) {
    this.#limits = limits;
    this.#hash = hash;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Returns the numbers of waiting and of dropped entries with this missing part. */
  figuresOf(missing: Missing): QuarantineFigures {
    const waiting = [...this.#entries.values()].filter((entry) => entry.missing === missing).length;
    return { waiting, dropped: this.#dropped[missing] };
  }

  /**
   * Copies the entry's bytes.
   * @param since  when the entry first arrived, if this is a retry
   * @returns false if the limits of entries or bytes are reached, so it was not added
   */
  add({ body, signature }: PackedEntry, from: ByteString, since: number, missing: Missing): boolean {
    const key = this.#hash(body);
    if (this.#entries.has(key)) return true;

    const bytes = body.length + signature.length;
    const { quarantineEntries, quarantineBytes } = this.#limits;
    if (this.#entries.size >= quarantineEntries || this.#bytes + bytes > quarantineBytes) {
      this.#dropped[missing]++;
      return false;
    }

    const copy = { body: Buffer.from(body), signature: Buffer.from(signature) };
    this.#entries.set(key, { ...copy, from, since, missing });
    this.#bytes += bytes;
    return true;
  }

  /** Removes all entries. Returns the entries to check again, which are those that have not waited for too long. */
  takeAll(now: number): readonly QuarantinedEntry[] {
    const entries = [...this.#entries.values()];
    this.#entries = new Map();
    this.#bytes = 0;
    const isRetried = ({ since }: QuarantinedEntry) => now - since <= this.#limits.quarantineMs;
    for (const entry of entries) if (!isRetried(entry)) this.#dropped[entry.missing]++;
    return entries.filter(isRetried);
  }
}
