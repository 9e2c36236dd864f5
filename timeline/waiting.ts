/**
 * Entries that are stored and not folded yet: dated ahead of the clock, late ones that wait for the next merge, and
 * those that a refold takes in. Source: DESIGN.md "Timeline", "Members"; research on the fold, C1.
 */
import { compareEntries, type Entry } from "./entry.js";

/** Milliseconds ahead of the clock up to which an entry is folded: as far as a client may date. */
export const DUE_AHEAD_MS = 5000;

/** After a merge that had to do units again, the next starts no sooner than so many times its duration later. */
const REST_FACTOR = 4;
/** At most, in milliseconds: a merge seems long when the process was frozen meanwhile, and all have to be level in 30 s. */
const REST_MS_MOST = 5000;
/** So many late ones are part of a stream, perhaps: somebody catches up. A refold takes in all that are there … */
const STREAM_LEAST = 64;
/** … so it waits until so many milliseconds have brought no more … */
const CALM_MS = 200;
/** … but no longer than this: all have to be level in 30 s. */
const STREAM_MS_MOST = 10_000;

export class Waiting {
  /** In their order. */
  #future: Entry[] = [];
  #late: Entry[] = [];
  /** Whether the late ones are in their order. */
  #isSorted = true;
  #lateFrom = Number.POSITIVE_INFINITY;
  #mergesFrom = Number.NEGATIVE_INFINITY;
  /** When a refold was put off first, and how many were late when last; null: none is. */
  #refold: { readonly since: number; late: number } | null = null;

  get size(): number {
    return this.#future.length + this.#late.length;
  }

  get lateSize(): number {
    return this.#late.length;
  }

  /** The least date of the late ones. */
  get lateFrom(): number {
    return this.#lateFrom;
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
      const last = this.#late.at(-1);
      if (last !== undefined && compareEntries(last, entry) > 0) this.#isSorted = false;
      this.#late.push(entry);
      this.#lateFrom = Math.min(this.#lateFrom, entry.envelope.at);
    }
  }

  /** Takes out those that are dated up to a time. */
  takeDue(until: number): Entry[] {
    const first = this.#future.findIndex(({ envelope: { at } }) => at > until);
    return this.#future.splice(0, first < 0 ? this.#future.length : first);
  }

  /** The first of the late ones, if it is time for them; null: not yet, or there are none. @param uptime  milliseconds */
  firstLate(uptime: number): Entry | null {
    if (uptime < this.#mergesFrom) return null;
    if (!this.#isSorted) this.#late.sort(compareEntries);
    this.#isSorted = true;
    return this.#late[0] ?? null;
  }

  /** The first late ones, in their order, of so many commands at most, but one at least. They stay. */
  late(mostCommands: number): Entry[] {
    let commands = 0;
    const beyond = this.#late.findIndex(({ envelope }, i) => {
      commands += envelope.commands.length;
      return i > 0 && commands > mostCommands;
    });
    return this.#late.slice(0, beyond < 0 ? this.#late.length : beyond);
  }

  /** Takes out the first late ones. */
  takeLate(count: number): Entry[] {
    const taken = this.#late.splice(0, count);
    this.#lateFrom = this.#late[0]?.envelope.at ?? Number.POSITIVE_INFINITY;
    return taken;
  }

  /** Takes out all that waits. */
  takeAll(): Entry[] {
    return [...this.takeLate(this.#late.length), ...this.#future.splice(0)];
  }

  /** Notes a merge that had to do units again. */
  merged(startedAt: number, endedAt: number): void {
    this.#mergesFrom = endedAt + Math.min(REST_FACTOR * (endedAt - startedAt), REST_MS_MOST);
  }

  /** The late ones need a refold. @returns whether it should wait for more of them; then nothing is merged for a moment */
  putsOffRefold(uptime: number): boolean {
    const { length } = this.#late;
    this.#refold ??= { since: uptime, late: 0 };
    const isOver = this.#refold.late === length || uptime - this.#refold.since >= STREAM_MS_MOST;
    if (isOver || length < STREAM_LEAST) {
      this.#refold = null;
      return false;
    }
    this.#refold.late = length;
    this.#mergesFrom = uptime + CALM_MS;
    return true;
  }
}
