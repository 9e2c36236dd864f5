/**
 * Entries that are stored and not folded yet: dated ahead of the clock, late ones that wait for the next merge, and
 * those that a refold takes in. Source: docs/architecture.md "How daemons agree".
 */
import { Ahead } from "./ahead.js";
import { compareEntries, type Entry, type Place } from "./entries/entry.js";

/** Milliseconds ahead of the clock up to which an entry is folded: as far as a client may date. */
export const DUE_AHEAD_MS = 5000;

/** After a merge that had to do units again, the next starts no sooner than this multiple of its duration later. */
const REST_FACTOR = 4;
/**
 * Milliseconds of that pause at most: a merge seems long when the process was frozen meanwhile, and all members have
 * to be level in 30 s.
 */
const REST_MS_MAX = 5000;
/** Late entries that are part of a stream, perhaps: a member catches up. A refold takes in all that are there … */
const STREAM_MIN = 64;
/**
 * … so it waits until this many milliseconds have brought no further entries dated before its request; later dates do
 * not count …
 */
const CALM_MS = 200;
/** … but no longer than this: all have to be level in 30 s. */
const STREAM_MS_MAX = 10_000;
/**
 * Milliseconds after which an entry that is stored, and whose date has come, counts as delayed if it is not folded.
 */
const DELAYED_MS = 1000;

/** A refold that has been postponed. */
interface PutOff {
  /** `uptime` milliseconds, and the same by the clock. */
  readonly since: number;
  readonly date: number;
  /** Late entries dated before `date` that have arrived since the last check. */
  came: number;
}

export class Waiting {
  readonly #ahead = new Ahead();
  #late: Entry[] = [];
  /** Whether the late ones are in order. */
  #isSorted = true;
  #lateFrom = Number.POSITIVE_INFINITY;
  #mergesFrom = Number.NEGATIVE_INFINITY;
  /** null: none is. */
  #putOff: PutOff | null = null;
  /** Entries that a refold takes in now. */
  #refolding: readonly Entry[] = [];
  /** Entries that were late when `mark` was called and still are, and whether a refold takes in some of them. */
  readonly #marked = new Set<Entry>();
  #isMarkRefolding = false;
  /** The time since which there have been such, as far as `look` has noticed; null: there are none. */
  #since: number | null = null;

  get size(): number {
    return this.#ahead.size + this.#late.length + this.#refolding.length;
  }

  /** Whether the dates of all waiting entries are still ahead. */
  get isLevel(): boolean {
    return this.#late.length === 0 && this.#refolding.length === 0;
  }

  /** Notes the waiting entries whose date has come: `isMarkPast` is about these, whatever comes later. */
  mark(): void {
    this.#marked.clear();
    for (const entry of this.#late) this.#marked.add(entry);
    this.#isMarkRefolding = this.#refolding.length > 0;
  }

  /** Whether no marked entry waits any longer. */
  get isMarkPast(): boolean {
    return this.#marked.size === 0 && !this.#isMarkRefolding;
  }

  /** Notes since when an entry has been waiting although its date has passed. @param uptime  milliseconds */
  look(uptime: number): void {
    if (this.isLevel) this.#since = null;
    else this.#since ??= uptime;
  }

  /** Whether an entry has been waiting for long although its date has passed. */
  isBehind(uptime: () => number): boolean {
    return this.#since !== null && uptime() - this.#since > DELAYED_MS;
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
    return at < Math.min(this.#ahead.firstAt, this.#lateFrom);
  }

  /** Whether an entry that is stored waits to be folded. */
  has({ at, id }: Place): boolean {
    if (at >= this.#ahead.firstAt) return true;
    const isIt = (entry: Entry) => entry.id === id;
    return (at >= this.#lateFrom && this.#late.some(isIt)) || this.#refolding.some(isIt);
  }

  /**
   * Whether there is room for an entry dated `at`. @param bytes  of body and signature @param until  entries dated up
   * to it need no room
   */
  hasRoom(at: number, bytes: number, until: number): boolean {
    return at <= until || this.#ahead.hasRoom(bytes);
  }

  /** @param until  those dated up to it are to be folded now */
  add(entries: readonly Entry[], until: number): void {
    this.addFuture(entries.filter(({ envelope: { at } }) => at > until));
    this.addLate(entries.filter(({ envelope: { at } }) => at <= until));
  }

  addFuture(entries: readonly Entry[]): void {
    this.#ahead.add(entries);
  }

  addLate(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const last = this.#late.at(-1);
      if (last !== undefined && compareEntries(last, entry) > 0) this.#isSorted = false;
      const { at } = entry.envelope;
      this.#late.push(entry);
      this.#lateFrom = Math.min(this.#lateFrom, at);
      if (this.#putOff !== null && at < this.#putOff.date) this.#putOff.came++;
    }
  }

  /** Takes out those that are dated up to a time. */
  takeDue(until: number): Entry[] {
    return this.#ahead.takeDue(until);
  }

  /** The first of the late ones, if it is time for them; null: not yet, or there are none. @param uptime  milliseconds */
  firstLate(uptime: number): Entry | null {
    if (uptime < this.#mergesFrom) return null;
    if (!this.#isSorted) this.#late.sort(compareEntries);
    this.#isSorted = true;
    return this.#late[0] ?? null;
  }

  /**
   * Returns the first late ones, in order, with at most this many commands, but one entry at least. They stay.
   */
  late(maxCommands: number): Entry[] {
    let commands = 0;
    const beyond = this.#late.findIndex(({ envelope }, i) => {
      commands += envelope.commands.length;
      return i > 0 && commands > maxCommands;
    });
    return this.#late.slice(0, beyond < 0 ? this.#late.length : beyond);
  }

  /** Takes out the first late ones. */
  takeLate(count: number): Entry[] {
    const taken = this.#late.splice(0, count);
    this.#lateFrom = this.#late[0]?.envelope.at ?? Number.POSITIVE_INFINITY;
    if (this.#marked.size > 0) for (const entry of taken) this.#marked.delete(entry);
    if (this.isLevel) this.#since = null;
    return taken;
  }

  /** Takes out all late ones for a refold, until `refolded`. */
  takeForRefold(): Entry[] {
    this.#isMarkRefolding = this.#marked.size > 0;
    this.#refolding = this.#late.slice();
    return this.takeLate(this.#late.length);
  }

  refolded(): void {
    this.#refolding = [];
    this.#isMarkRefolding = false;
    if (this.isLevel) this.#since = null;
  }

  /** Takes out all that waits. */
  takeAll(): Entry[] {
    return [...this.takeLate(this.#late.length), ...this.#ahead.takeDue(Number.POSITIVE_INFINITY)];
  }

  /** Notes a merge that had to do units again. */
  merged(startedAt: number, endedAt: number): void {
    this.#mergesFrom = endedAt + Math.min(REST_FACTOR * (endedAt - startedAt), REST_MS_MAX);
  }

  /**
   * The late ones need a refold.
   * @param uptime  milliseconds
   * @param date    the clock's
   * @returns whether it should wait for more of them; then nothing is merged for a moment
   */
  putsOffRefold(uptime: number, date: number): boolean {
    const isFirst = this.#putOff === null;
    this.#putOff ??= { since: uptime, date, came: 0 };
    const isCalm = !isFirst && this.#putOff.came === 0;
    if (isCalm || uptime - this.#putOff.since >= STREAM_MS_MAX || this.#late.length < STREAM_MIN) {
      this.#putOff = null;
      return false;
    }
    this.#putOff.came = 0;
    this.#mergesFrom = uptime + CALM_MS;
    return true;
  }
}
