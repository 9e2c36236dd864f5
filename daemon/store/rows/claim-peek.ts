/**
 * Finds what a claim takes without running it. A daemon does so for the claims that it signs most often, because running
 * and undoing them costs about as much as applying them. Source: docs/decisions/0066.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Choice } from "../../../protocol/version-2/envelope.js";
import type { Entry } from "../keyspace/keyspace.js";

/** What the earlier claims of an envelope take from one key, although none of them has been applied. */
export class PeekedKey {
  #first = 0;
  #last = 0;
  /** The ids that each consumer group has not delivered yet, by the group's name. */
  readonly undelivered = new Map<ByteString, Iterator<bigint>>();

  /** Takes an element from an end. @returns its index among all `size` elements, or null if all have been taken */
  take(end: "first" | "last", size: number): number | null {
    if (this.#first + this.#last >= size) return null;
    return end === "first" ? this.#first++ : size - 1 - this.#last++;
  }
}

export interface ClaimPeek {
  /** The index of the call's only key, as for `Array.at`. */
  readonly keyAt: number;
  /**
   * Returns what a call takes, and records it in `peeked`; it changes nothing else. Returns null if the call must be run
   * to find that out, for example because of its options.
   * @param value  the key's value before the envelope; undefined if the key is absent
   */
  readonly find: (
    value: Entry["value"] | undefined,
    argv: readonly ByteString[],
    peeked: PeekedKey,
  ) => Choice | null;
}
