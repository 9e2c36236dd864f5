/**
 * Results of the signature checks that other threads perform for a push. The threads work a few entries ahead of the
 * main thread, which processes the entries in order.
 */
import type { PackedEntry } from "../../../protocol/members/member-packing.js";
import type { ProvedEntry, SignatureThreads } from "../shared/cluster-state.js";

type Found = readonly (ProvedEntry | null)[];

export const NOTHING_PROVED: Found = [];

export class SignatureCheckResults {
  /** The results for each part of the push, or null for a part whose results are not available yet. */
  readonly #found: (Found | null)[] = [];
  readonly #ends: Promise<void>[] = [];

  /** @param size  the number of entries in a part; one thread checks all entries of a part */
  constructor(entries: readonly PackedEntry[], size: number, threads: SignatureThreads) {
    for (let i = 0; i < entries.length; i += size) {
      const part = this.#found.push(null) - 1;
      const proved = threads.prove(entries.slice(i, i + size));
      this.#ends.push(proved.then((found) => void (this.#found[part] = found)));
    }
  }

  /** Returns the results for one part, once they are available. Parts are counted from 0. */
  *of(part: number): Generator<Promise<unknown>, Found, undefined> {
    if (this.#found[part] === null) yield this.#ends[part] as Promise<void>;
    return this.#found[part] ?? NOTHING_PROVED;
  }
}
