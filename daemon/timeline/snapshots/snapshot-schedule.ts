/**
 * Decides when snapshots are made, at which dates, and which of them are valid. A snapshot is valid until a further
 * entry arrives that is dated at or before it. The list of valid snapshots is written together with the entry that
 * invalidates a snapshot, so a crash cannot leave an invalid snapshot in the list.
 */

import { dateOf, type OrderKey } from "../entries/entry.js";
import type { Mark, MarkSource, Storage } from "../entries/storage.js";
import type { TimelineLogger } from "../entries/timeline-logger.js";
import type { DamagedEntry } from "./make-snapshot.js";
import type { SnapshotSeal, SnapshotStore } from "./snapshot-stores.js";

/** The factor by which a snapshot is made earlier if space is needed. */
const URGENCY = 20;

export interface SnapshotParts {
  readonly snapshots: SnapshotStore;
  /**
   * Makes the snapshot of everything dated up to `to`, in the background.
   * @param from  an older snapshot to begin with, or null to start from the beginning
   */
  readonly make: (from: number | null, to: number) => Promise<void>;
  /** The number of entries after which the next snapshot is made. */
  readonly every: number;
  /**
   * Milliseconds for which entries are stored. Some snapshots, spread over this time, are retained with them. Default:
   * forever.
   */
  readonly retainMs?: number;
}

/** A valid snapshot. */
export interface Cut extends SnapshotSeal {
  /** The snapshot contains everything dated up to this date; milliseconds since 1970. */
  readonly at: number;
}

export class SnapshotMaking {
  readonly snapshots: SnapshotStore;
  readonly #parts: SnapshotParts;
  readonly #storage: Storage;
  readonly #log: TimelineLogger;
  readonly #onDamaged: (orderKey: OrderKey) => void;
  /** The dates of the valid snapshots in ascending order. */
  #valid: number[];
  /** The date of the snapshot that is being made, or null if there is none or it is outdated. */
  #target: number | null = null;
  #running: Promise<void> | null = null;
  #grown = 0;
  /** The snapshot up to which entries were removed. It is never removed, because nothing can be folded without it. */
  #base: number | null;
  /**
   * The dates of snapshots that are the same on enough members. Any member could load such a snapshot, so all earlier
   * entries may be removed.
   */
  readonly #certified = new Set<number>();
  /** The valid snapshots whose seals have been read, by date. */
  readonly #cuts = new Map<number, Cut>();
  /** The damaged snapshots. Their files remain on disk. */
  readonly #unreadable = new Set<number>();
  /** Whether the store has snapshots that are no longer valid. */
  #hasOutdated = true;
  /** The date after which the next snapshot is required immediately, or null if none is required. */
  #requiredAfter: number | null = null;
  /** The date of a member's snapshot that is about to be adopted. */
  #expected: number | null = null;

  /** @param onDamaged  called with a damaged entry that prevents a snapshot */
  constructor(
    parts: SnapshotParts,
    storage: Storage,
    log: TimelineLogger,
    onDamaged: (orderKey: OrderKey) => void,
  ) {
    this.#parts = parts;
    this.#storage = storage;
    this.#log = log;
    this.#onDamaged = onDamaged;
    this.snapshots = parts.snapshots;
    const files = new Set(parts.snapshots.list());
    this.#valid = storedSnapshots(storage).filter((date) => files.has(date));
    const pruned = storage.mark("pruned");
    this.#base = pruned === null ? null : Number(pruned.toString());
  }

  /** Returns the newest valid snapshot dated up to `tailEnd`, or null if there is none. */
  newestUpTo(tailEnd: number): number | null {
    return this.#valid.findLast((date) => date <= tailEnd) ?? null;
  }

  get newest(): number | null {
    return this.#valid.at(-1) ?? null;
  }

  /**
   * Returns the oldest snapshot up to which more entries may be removed, or null if there is none. It is never the
   * newest snapshot.
   * @param isFree  whether no member has to have the same snapshot
   */
  nextBase(isFree: boolean): number | null {
    const base = this.#base ?? -1;
    return this.#valid.slice(0, -1).find((date) => date > base && this.#mayPrune(date, isFree)) ?? null;
  }

  /**
   * Returns the newest snapshot, dated up to `tailEnd`, up to which entries may be removed, or null if there is none.
   */
  bestBase(tailEnd: number, isFree: boolean): number | null {
    return this.#valid.findLast((date) => date <= tailEnd && this.#mayPrune(date, isFree)) ?? null;
  }

  #mayPrune(date: number, isFree: boolean): boolean {
    return isFree || this.#certified.has(date);
  }

  /** Records that enough members have the same snapshot of this date. Does nothing if it is no longer valid. */
  certify(date: number): void {
    if (this.#valid.includes(date)) this.#certified.add(date);
  }

  /** Returns all valid snapshots in ascending order. */
  get cuts(): readonly Cut[] {
    const dates = new Set(this.#valid);
    for (const date of this.#cuts.keys()) if (!dates.has(date)) this.#cuts.delete(date);
    return this.#valid.flatMap((at) => this.#cutOf(at) ?? []);
  }

  #cutOf(at: number): Cut | null {
    let cut = this.#cuts.get(at);
    if (cut === undefined) {
      const seal = this.snapshots.sealOf(at);
      if (seal === null) return null;
      cut = { at, ...seal };
      this.#cuts.set(at, cut);
    }
    return cut;
  }

  /** The snapshot before which no entries are stored, or null if all are stored. */
  get base(): number | null {
    return this.#base;
  }

  /** Records that entries up to this snapshot are removed from now on. */
  setBase(date: number): void {
    this.#base = date;
  }

  /**
   * Prepares for a member's snapshot before it is valid here. Until that snapshot is adopted or abandoned, this daemon
   * makes no snapshot, because its own snapshot could have the same date. For the same reason this daemon's own valid
   * snapshot of that date is removed, except the base, because nothing can be folded without it.
   */
  async expect(date: number): Promise<void> {
    this.#expected = date;
    await this.stop();
    if (date === this.#base) return;

    if (this.#valid.includes(date)) {
      this.#valid = this.#valid.filter((other) => other !== date);
      this.#storage.put([], [["snapshots", writeDates(this.#valid)]]);
      await this.#storage.synced();
    }

    // If this daemon's snapshot still existed after a crash, it would be used in place of the member's snapshot.
    this.snapshots.remove(date);
  }

  /** Ends the preparation: the member's snapshot was abandoned. */
  cancelExpected(): void {
    this.#expected = null;
    this.#hasOutdated = true;
  }

  /**
   * Replaces all snapshots of this daemon, which contain fewer entries, with the expected snapshot.
   * @returns the mark that must be on disk before the snapshot is used
   */
  adopt(date: number): Mark {
    this.#valid = [date];
    this.#cuts.clear();
    this.#certified.add(date);
    this.#expected = null;
    this.#base = date;
    this.#unreadable.delete(date);
    this.#hasOutdated = true;
    return ["snapshots", writeDates(this.#valid)];
  }

  /** Counts entries that are now on disk. If the list of valid snapshots has changed, removes all other snapshots. */
  grown(entries: number): void {
    this.#grown += entries;
    if (!this.#hasOutdated) return;
    this.#hasOutdated = false;
    const kept = new Set([...this.#valid, ...this.#unreadable, this.#target, this.#expected]);
    for (const date of this.snapshots.list()) if (!kept.has(date)) this.snapshots.remove(date);
  }

  /** Returns the mark to write together with an entry of this date, or null if none is needed. */
  invalidateFrom(at: number): Mark | null {
    if (this.#target !== null && at <= this.#target) this.#target = null;
    const stillValid = this.#valid.filter((date) => date < at);
    if (stillValid.length === this.#valid.length) return null;
    this.#valid = stillValid;
    for (const date of this.#certified) if (date >= at) this.#certified.delete(date);
    // Drop these seals now: another snapshot of the same date may be made before `cuts` is read again.
    for (const date of this.#cuts.keys()) if (date >= at) this.#cuts.delete(date);
    this.#hasOutdated = true;
    return ["snapshots", writeDates(stillValid)];
  }

  /**
   * Drops a snapshot that cannot be read. Its file remains, because an operator may be able to recover its contents.
   */
  forget(date: number): void {
    this.#valid = this.#valid.filter((other) => other !== date);
    this.#unreadable.add(date);
  }

  /**
   * Requests the next snapshot as soon as a date for it exists, even if it contains the same entries as the last
   * snapshot: members may have signed a different state for the date of the last snapshot.
   * @param after  the snapshot must have a later date; milliseconds since 1970, or -1 for any date
   */
  requireAfter(after: number): void {
    this.#requiredAfter = after;
  }

  /** Returns the date of the first stored entry. */
  #firstDate(): number {
    for (const orderKey of this.#storage.orderKeys(null, null)) return dateOf(Buffer.from(orderKey));
    return 0;
  }

  /**
   * Begins the next snapshot if it is time.
   * @param cutAt    the date up to which all entries are in the fold at their positions
   * @param finalTo  the date up to which nothing is accepted from clients. A required snapshot may be dated up to
   * `finalTo`: while no client writes, `cutAt` does not advance, so there would be no later date to choose
   */
  beginIfTime(cutAt: number, isUrgent: boolean, finalTo: number): void {
    if (this.#running !== null || this.#expected !== null) return;
    const every = this.#parts.every / (isUrgent ? URGENCY : 1);
    if (this.#grown < every && this.#requiredAfter === null) return;

    const after = Math.max(this.newest ?? this.#firstDate() - 1, this.#requiredAfter ?? -1);
    const target = roundestDate(after, this.#requiredAfter === null ? cutAt : Math.max(cutAt, finalTo));
    if (target === null) return;

    this.#grown = 0;
    this.#requiredAfter = null;
    this.#target = target;

    this.#running = this.#make(target).finally(() => {
      this.#running = null;
    });
  }

  async stop(): Promise<void> {
    this.#target = null;
    await this.#running;
  }

  async #make(to: number): Promise<void> {
    try {
      // Other threads may not be able to read all entries dated up to `to` yet.
      await this.#storage.settled();
      await this.#parts.make(this.newestUpTo(to), to);
    } catch (problem) {
      this.#target = null;
      this.#log.warn(
        { reason: (problem as Error).message },
        "the snapshot failed; the next start will take longer",
      );
      // Another thread passes on the error's properties, but not its class.
      const orderKey = (problem as Partial<DamagedEntry>).damaged;
      if (orderKey !== undefined) this.#onDamaged(orderKey);
      return;
    }

    if (this.#target !== to) {
      this.snapshots.remove(to);
      return;
    }

    this.#target = null;
    const { retainMs = Number.POSITIVE_INFINITY } = this.#parts;
    const kept = datesToRetain([...this.#valid, to], this.#base, this.#certified, retainMs);
    const dropped = this.#valid.filter((date) => !kept.includes(date));
    this.#valid = kept;

    this.#unreadable.delete(to);
    this.#storage.put([], [["snapshots", writeDates(kept)]]);
    await this.#storage.flushed().catch(() => {});
    for (const date of dropped) this.snapshots.remove(date);
  }
}

const writeDates = (dates: readonly number[]) => Buffer.from(dates.join(" "));

/** Returns the dates of the snapshots that are marked as valid. */
export function storedSnapshots(storage: MarkSource): number[] {
  const mark = storage.mark("snapshots")?.toString() ?? "";
  return mark.split(" ").filter(Boolean).map(Number);
}

/** The number of newest snapshots to retain in any case. The older one is needed when late entries arrive. */
const RETAINED = 2;
/** The number of further snapshots, spread over the time for which entries are retained. */
const RETAINED_OVER_TIME = 8;

/**
 * Returns the dates of the snapshots to retain.
 * @param dates      the dates of the valid snapshots, ascending
 * @param base       the date of the snapshot that replaces removed entries, or null if nothing was removed
 * @param certified  the dates for which enough members have the same snapshot
 * @param retainMs   milliseconds for which entries are stored; infinity means forever
 */
function datesToRetain(
  dates: readonly number[],
  base: number | null,
  certified: ReadonlySet<number>,
  retainMs: number,
): number[] {
  const newest = dates.slice(-RETAINED);
  const awaited = awaitedOf(dates, base, certified);
  const stays = (date: number) => newest.includes(date) || date === base || date === awaited;
  if (retainMs === Number.POSITIVE_INFINITY) return dates.filter(stays);

  // Retain one snapshot that is older than the retention time, so that entries up to it can be pruned.
  const oldest = dates.findLast((date) => date <= (newest.at(-1) as number) - retainMs) ?? -1;

  let last = Number.NEGATIVE_INFINITY;
  return dates.filter((date) => {
    if (stays(date)) return true;
    if (date < oldest || date - last < retainMs / RETAINED_OVER_TIME) return false;
    last = date;
    return true;
  });
}

/**
 * Returns the newest certified snapshot after the base or, if there is none, the snapshot whose date most members will
 * choose. If this snapshot were not retained, members that make snapshots faster than they compare them could never
 * certify one, and could never remove entries.
 */
function awaitedOf(
  dates: readonly number[],
  base: number | null,
  certified: ReadonlySet<number>,
): number | null {
  const last = dates.findLast((date) => certified.has(date)) ?? -1;
  if (last > (base ?? -1)) return last;
  const open = dates.filter((date) => date > last);
  return open.reduce<number | null>(
    (best, date) => (best === null || roundnessOf(date) > roundnessOf(best) ? date : best),
    null,
  );
}

/**
 * Returns the date of a snapshot: the one after `after` and up to `upTo` that the highest power of two divides, or null
 * if there is none. Every daemon of the cluster independently chooses the same dates, so that members can compare their
 * states at these dates. A daemon with a longer range chooses the same date as the other daemons, or a rounder one,
 * which the other daemons choose as soon as their ranges contain it. Source:
 * docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
export function roundestDate(after: number, upTo: number): number | null {
  if (upTo <= after || upTo < 0) return null;
  if (after < 0) return 0;
  let unit = 1;
  while (Math.floor(upTo / (2 * unit)) * 2 * unit > after) unit *= 2;
  return Math.floor(upTo / unit) * unit;
}

/** Returns the roundness of a date: the highest power of two that divides it. */
export function roundnessOf(date: number): number {
  let unit = 1;
  while (date > 0 && date % (2 * unit) === 0) unit *= 2;
  return unit;
}
