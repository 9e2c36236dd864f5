/** Counters of the look-ups of keys for reading. They are statistics and not part of the state. */
import type { ByteString } from "../../../protocol/byte-string.js";

export class Lookups {
  hits = 0;
  misses = 0;
  /** Collects the keys that were not found, or null if they are not collected. */
  missed: ByteString[] | null = null;

  note(key: ByteString, isFound: boolean): void {
    if (isFound) this.hits++;
    else this.miss(key);
  }

  miss(key: ByteString): void {
    this.misses++;
    this.missed?.push(key);
  }

  add({ hits, misses }: Lookups): void {
    this.hits += hits;
    this.misses += misses;
  }
}

/** Counts look-ups that Redis does not count: those of commands that write. */
export const UNCOUNTED = new Lookups();
