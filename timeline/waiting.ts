/**
 * Entries that are stored and not folded yet: dated ahead of the clock, late ones that wait for the next merge, and
 * those that a refold takes in. Source: DESIGN.md "Timeline", "Members"; research on the fold, C1.
 */
import { compareEntries, type Entry } from "./entry.js";

/** Milliseconds ahead of the clock up to which an entry is folded: as far as a client may date. */
export const DUE_AHEAD_MS = 5000;

/** The next merge of late entries starts no sooner than so many times the last one's duration after it. */
const REST_FACTOR = 4;
/** At most, in milliseconds: a merge seems long when the process was frozen meanwhile, and all have to be level in 30 s. */
const REST_MS_MOST = 5000;

export class Waiting {
  /** In their order. */
  #future: Entry[] = [];
  #late: Entry[] = [];
  /** The least date of the late ones. */
  #lateFrom = Number.POSITIVE_INFINITY;
  #mergesFrom = Number.NEGATIVE_INFINITY;

  get size(): number {
    return this.#future.length + this.#late.length;
  }

  get lateSize(): number {
    return this.#late.length;
  }

  /** Whether none is dated up to a time. */
  isPast(at: number): boolean {
    const first = this.#future[0]?.envelope.at ?? Number.POSITIVE_INFINITY;
    return at < Math.min(first, this.#lateFrom);
  }

  addFuture(entries: readonly Entry[]): void {
    if (entries.length > 0) this.#future = [...this.#future, ...entries].sort(compareEntries);
  }

  addLate(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#late.push(entry);
      this.#lateFrom = Math.min(this.#lateFrom, entry.envelope.at);
    }
  }

  /** Takes out those that are dated up to a time. */
  takeDue(until: number): Entry[] {
    const first = this.#future.findIndex(({ envelope: { at } }) => at > until);
    return this.#future.splice(0, first < 0 ? this.#future.length : first);
  }

  /** Takes out the late ones, when it is time for them. @param uptime  milliseconds */
  takeLate(uptime: number): Entry[] {
    if (uptime < this.#mergesFrom) return [];
    this.#lateFrom = Number.POSITIVE_INFINITY;
    return this.#late.splice(0);
  }

  /** Notes how long a merge took. */
  merged(startedAt: number, endedAt: number): void {
    this.#mergesFrom = endedAt + Math.min(REST_FACTOR * (endedAt - startedAt), REST_MS_MOST);
  }
}
