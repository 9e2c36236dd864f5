/**
 * Entries that are stored but not folded yet: entries dated ahead of the clock, late entries that wait for the next
 * merge, and entries that a refold includes. Source: docs/architecture.md "How daemons agree".
 */

import { readEntryBody } from "../../protocol/version-2/decision-body.js";
import { compareEntries, compareOrderKeys, type Entry, type OrderKey, orderKeyOf } from "./entries/entry.js";
import { Heap } from "./entries/heap.js";

/**
 * How far ahead of the clock, in milliseconds, an entry may be dated and still be folded. Clients may date entries
 * equally far ahead.
 */
export const FOLD_AHEAD_MS = 5000;

/** After a merge that had to redo units, the next merge starts after this multiple of the merge's duration. */
const PAUSE_FACTOR = 4;
/**
 * The maximum of that pause in milliseconds: a merge seems long if the process was suspended in the meantime, and all
 * members have to be up to date within 30 s.
 */
const PAUSE_MS_MAX = 5000;
/** The minimum number of late entries that counts as a possible stream from a member that is catching up. */
const STREAM_MIN = 64;
/**
 * A refold includes only the late entries that have arrived before it starts. During such a stream it therefore starts
 * only when no further entries dated before its request have arrived for this many milliseconds.
 */
const CALM_MS = 200;
/** The maximum of this wait in milliseconds: all members have to be up to date within 30 s. */
const STREAM_MS_MAX = 10_000;
/**
 * Milliseconds after which a stored entry whose date has been reached counts as delayed if it is not folded.
 */
const DELAYED_MS = 1000;

/** A refold that has been postponed. */
interface Postponed {
  /** The uptime and the date at which the refold was requested, both in milliseconds. */
  readonly since: number;
  readonly date: number;
  /** Late entries dated before `date` that have arrived since the last check. */
  arrived: number;
}

export class UnfoldedEntries {
  readonly #ahead = new FutureEntries();
  #late: Entry[] = [];
  /** Whether the late entries are in order. */
  #isSorted = true;
  #lateFrom = Number.POSITIVE_INFINITY;
  #mergesFrom = Number.NEGATIVE_INFINITY;
  /** The postponed refold, or null if there is none. */
  #postponed: Postponed | null = null;
  /** The entries that a refold includes now. */
  #refolding: readonly Entry[] = [];
  /** The entries that were late when `mark` was called and still are, and whether a refold includes some of them. */
  readonly #marked = new Set<Entry>();
  #isRefoldingMarked = false;
  /** The uptime since which `noteDelay` has found entries waiting past their dates, or null if none are waiting. */
  #since: number | null = null;

  get size(): number {
    return this.#ahead.size + this.#late.length + this.#refolding.length;
  }

  /** Whether the dates of all waiting entries are still ahead of the clock. */
  get hasOnlyFuture(): boolean {
    return this.#late.length === 0 && this.#refolding.length === 0;
  }

  /** Marks the waiting entries whose date has been reached: `areMarkedFolded` concerns only these. */
  mark(): void {
    this.#marked.clear();
    for (const entry of this.#late) this.#marked.add(entry);
    this.#isRefoldingMarked = this.#refolding.length > 0;
  }

  /** Whether no marked entry is waiting any longer. */
  get areMarkedFolded(): boolean {
    return this.#marked.size === 0 && !this.#isRefoldingMarked;
  }

  /** Records the time since which entries have been waiting past their dates. @param uptime  milliseconds */
  noteDelay(uptime: number): void {
    if (this.hasOnlyFuture) this.#since = null;
    else this.#since ??= uptime;
  }

  /** Whether an entry has been waiting for a long time past its date. */
  isDelayed(uptime: () => number): boolean {
    return this.#since !== null && uptime() - this.#since > DELAYED_MS;
  }

  get lateSize(): number {
    return this.#late.length;
  }

  /** The earliest date of the late entries. */
  get lateFrom(): number {
    return this.#lateFrom;
  }

  /** Whether all waiting entries are dated after `at`. */
  hasNoneUpTo(at: number): boolean {
    return at < Math.min(this.#ahead.firstAt, this.#lateFrom);
  }

  /** Whether a stored entry is waiting to be folded. */
  has({ at, id }: OrderKey): boolean {
    if (at >= this.#ahead.firstAt) return true;
    const isSame = (entry: Entry) => entry.id === id;
    return (at >= this.#lateFrom && this.#late.some(isSame)) || this.#refolding.some(isSame);
  }

  /**
   * Whether there is room for an entry dated `at`.
   * @param bytes  the length of body and signature
   * @param until  entries dated up to this date are not stored as future entries, so they need no room
   */
  hasRoom(at: number, bytes: number, until: number): boolean {
    return at <= until || this.#ahead.hasRoom(bytes);
  }

  /** @param until  entries dated up to this date count as late; the remaining ones as future */
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
      if (this.#postponed !== null && at < this.#postponed.date) this.#postponed.arrived++;
    }
  }

  /** Removes and returns the future entries dated up to a time. */
  takeUntil(until: number): Entry[] {
    return this.#ahead.takeUntil(until);
  }

  /**
   * Returns the first late entry if it is time to merge, or null if it is not yet time, or there is none.
   * @param uptime  milliseconds
   */
  firstLate(uptime: number): Entry | null {
    if (uptime < this.#mergesFrom) return null;
    if (!this.#isSorted) this.#late.sort(compareEntries);
    this.#isSorted = true;
    return this.#late[0] ?? null;
  }

  /**
   * Returns the first late entries in order, up to `maxCommands` commands but at least one entry. The entries stay in
   * the list.
   */
  peekLate(maxCommands: number): Entry[] {
    let commands = 0;
    const beyond = this.#late.findIndex(({ envelope }, i) => {
      commands += envelope.commands.length;
      return i > 0 && commands > maxCommands;
    });
    return this.#late.slice(0, beyond < 0 ? this.#late.length : beyond);
  }

  /** Removes and returns the first late entries. */
  takeLate(count: number): Entry[] {
    const taken = this.#late.splice(0, count);
    this.#lateFrom = this.#late[0]?.envelope.at ?? Number.POSITIVE_INFINITY;
    if (this.#marked.size > 0) for (const entry of taken) this.#marked.delete(entry);
    if (this.hasOnlyFuture) this.#since = null;
    return taken;
  }

  /** Removes and returns all late entries for a refold, which includes them until `refolded`. */
  takeForRefold(): Entry[] {
    this.#isRefoldingMarked = this.#marked.size > 0;
    this.#refolding = this.#late.slice();
    return this.takeLate(this.#late.length);
  }

  refolded(): void {
    this.#refolding = [];
    this.#isRefoldingMarked = false;
    if (this.hasOnlyFuture) this.#since = null;
  }

  /** Removes and returns all waiting entries. */
  takeAll(): Entry[] {
    return [...this.takeLate(this.#late.length), ...this.#ahead.takeUntil(Number.POSITIVE_INFINITY)];
  }

  /** Records the time of a merge that had to redo units. */
  merged(startedAt: number, endedAt: number): void {
    this.#mergesFrom = endedAt + Math.min(PAUSE_FACTOR * (endedAt - startedAt), PAUSE_MS_MAX);
  }

  /**
   * Called when the late entries need a refold.
   * @param uptime  milliseconds
   * @param date    the clock's time
   * @returns whether the refold should wait for more late entries; if so, no entries are merged for `CALM_MS`
   */
  postponesRefold(uptime: number, date: number): boolean {
    const isFirst = this.#postponed === null;
    this.#postponed ??= { since: uptime, date, arrived: 0 };

    const isCalm = !isFirst && this.#postponed.arrived === 0;
    if (isCalm || uptime - this.#postponed.since >= STREAM_MS_MAX || this.#late.length < STREAM_MIN) {
      this.#postponed = null;
      return false;
    }

    this.#postponed.arrived = 0;
    this.#mergesFrom = uptime + CALM_MS;
    return true;
  }
}

/** Maximum entries: enough for a client whose clock is ahead and that writes at the full rate for a few seconds. */
const ENTRIES_MAX = 50_000;
/** Maximum bytes of bodies and signatures. */
const BYTES_MAX = 32 * 1024 * 1024;

interface Waiting extends OrderKey {
  readonly body: Buffer;
  readonly signature: Buffer;
}

/**
 * Members' entries that are dated too far ahead of the clock to be folded. They are stored as bytes, and their number
 * is bounded. An entry for which there is no room is received again when members compare their entries. Each entry is
 * folded when its date is reached.
 */
class FutureEntries {
  readonly #heap = new Heap<Waiting>(compareOrderKeys);
  #bytes = 0;

  get size(): number {
    return this.#heap.size;
  }

  /** The date of the first entry, or infinity if there are none. */
  get firstAt(): number {
    return this.#heap.first?.at ?? Number.POSITIVE_INFINITY;
  }

  /** @param bytes  the length of body and signature */
  hasRoom(bytes: number): boolean {
    return this.#heap.size < ENTRIES_MAX && this.#bytes + bytes <= BYTES_MAX;
  }

  /** Adds entries. Their bytes are copied, because they may be views of much larger buffers. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const [body, signature] = [Buffer.from(entry.body), Buffer.from(entry.signature)];
      this.#heap.push({ ...orderKeyOf(entry), body, signature });
      this.#bytes += body.length + signature.length;
    }
  }

  /** Removes and returns the entries dated up to a time, in order. */
  takeUntil(until: number): Entry[] {
    const due: Entry[] = [];
    while (this.#heap.size > 0 && this.firstAt <= until) {
      const { id, body, signature } = this.#heap.shift();
      this.#bytes -= body.length + signature.length;
      due.push({ id, body, signature, envelope: readEntryBody(body) });
    }
    return due;
  }
}
