/**
 * Decides when snapshots are made, of which dates, and which of them are valid ("hold"). A snapshot holds as long as
 * no entry has come that is dated at or before it; the list of those that hold is written together with the entry
 * that ends one, so a crash cannot leave a wrong one.
 */

import { dateOf, type Place } from "../entries/entry.js";
import type { Mark, MarkSource, Storage } from "../entries/storage.js";
import type { TimelineLog } from "../entries/timeline-log.js";
import { roundestDate } from "./cut-dates.js";
import { keptDates } from "./kept-dates.js";
import type { DamagedEntry } from "./make-snapshot.js";
import type { SnapshotSeal, SnapshotStore } from "./snapshot-files.js";

/** The factor by which a snapshot is made sooner when room is needed. */
const URGENCY = 20;

export interface SnapshotParts {
  readonly snapshots: SnapshotStore;
  /**
   * Makes the snapshot of everything dated up to `to`, in the background.
   * @param from  an older one to begin with; null: from the beginning
   */
  readonly make: (from: number | null, to: number) => Promise<void>;
  /** Entries after which the next one is made. */
  readonly every: number;
  /**
   * Milliseconds for which entries are stored: snapshots up to that old are as well, some distance apart. Default:
   * for ever.
   */
  readonly retainMs?: number;
}

/** A valid snapshot. */
export interface Cut extends SnapshotSeal {
  /** Everything dated up to it is in it; milliseconds since 1970. */
  readonly at: number;
}

export class SnapshotMaking {
  readonly snapshots: SnapshotStore;
  readonly #parts: SnapshotParts;
  readonly #storage: Storage;
  readonly #log: TimelineLog;
  readonly #onDamaged: (place: Place) => void;
  /** Dates of those that hold, ascending. */
  #holding: number[];
  /** The date of the snapshot that is being made; null: none is, or it is outdated. */
  #target: number | null = null;
  #running: Promise<void> | null = null;
  #grown = 0;
  /** The one up to which entries were removed: it stays, as nothing can be folded without it. */
  #base: number | null;
  /**
   * Dates of those that enough members have found the same, so that each of them could be sent one: all earlier
   * entries may be removed.
   */
  readonly #certified = new Set<number>();
  /** Seals of those that hold, as far as they were requested. */
  readonly #cuts = new Map<number, Cut>();
  /** Damaged ones: they stay on disk. */
  readonly #unreadable = new Set<number>();
  /** Whether the store has some that no longer hold. */
  #hasOutdated = true;
  /** The date after which the next one is required immediately; null: there is time. */
  #wantedAfter: number | null = null;
  /** A member's that is about to be taken over. */
  #expected: number | null = null;

  /** @param onDamaged  called with an entry that is damaged, so that no snapshot can be made */
  constructor(parts: SnapshotParts, storage: Storage, log: TimelineLog, onDamaged: (place: Place) => void) {
    this.#parts = parts;
    this.#storage = storage;
    this.#log = log;
    this.#onDamaged = onDamaged;
    this.snapshots = parts.snapshots;
    const files = new Set(parts.snapshots.list());
    this.#holding = heldSnapshots(storage).filter((date) => files.has(date));
    const pruned = storage.mark("pruned");
    this.#base = pruned === null ? null : Number(pruned.toString());
  }

  /** Returns the newest that holds, of a date up to `horizon`; null: none. */
  best(horizon: number): number | null {
    return this.#holding.findLast((date) => date <= horizon) ?? null;
  }

  get newest(): number | null {
    return this.#holding.at(-1) ?? null;
  }

  /**
   * Returns the one up to which entries may go next: only if there is a newer one, which serves while it is needed.
   * @param isFree  whether no member has to have found it the same
   */
  next(isFree: boolean): number | null {
    const base = this.#base ?? -1;
    return this.#holding.slice(0, -1).find((date) => date > base && this.#isOpen(date, isFree)) ?? null;
  }

  /** The newest up to which entries may go, of a date up to `horizon`; null: none. */
  bestBase(horizon: number, isFree: boolean): number | null {
    return this.#holding.findLast((date) => date <= horizon && this.#isOpen(date, isFree)) ?? null;
  }

  #isOpen(date: number, isFree: boolean): boolean {
    return isFree || this.#certified.has(date);
  }

  /** Notes that enough members have found the one of this date the same. Does nothing if it no longer holds. */
  certify(date: number): void {
    if (this.#holding.includes(date)) this.#certified.add(date);
  }

  /** Returns all that hold, ascending. */
  get cuts(): readonly Cut[] {
    const dates = new Set(this.#holding);
    for (const date of this.#cuts.keys()) if (!dates.has(date)) this.#cuts.delete(date);
    return this.#holding.flatMap((at) => this.#cutOf(at) ?? []);
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

  /** The one before which no entries are stored; null: all are. */
  get base(): number | null {
    return this.#base;
  }

  /** Notes that entries up to this snapshot go from now on. */
  begin(date: number): void {
    this.#base = date;
  }

  /**
   * Prepares for a member's snapshot, before it is one that holds. Until it is taken over or abandoned, none is made:
   * it could be of the same date, as could an own one that holds; only the base stays, as nothing can be folded
   * without it.
   */
  async expect(date: number): Promise<void> {
    this.#expected = date;
    await this.stop();
    if (date === this.#base) return;
    if (this.#holding.includes(date)) {
      this.#holding = this.#holding.filter((other) => other !== date);
      this.#storage.put([], [["snapshots", writeDates(this.#holding)]]);
      await this.#storage.synced();
    }
    // If it stayed next to the member's, it would be the one that holds after a crash that follows that mark.
    this.snapshots.remove(date);
  }

  /** Ends the preparation: the member's snapshot was abandoned. */
  expectNone(): void {
    this.#expected = null;
    this.#hasOutdated = true;
  }

  /**
   * Lets the expected one replace all snapshots of this daemon, which were made of fewer entries.
   * @returns the mark that must be on disk before it is used
   */
  adopt(date: number): Mark {
    this.#holding = [date];
    this.#cuts.clear();
    this.#certified.add(date);
    this.#expected = null;
    this.#base = date;
    this.#unreadable.delete(date);
    this.#hasOutdated = true;
    return ["snapshots", writeDates(this.#holding)];
  }

  /** Counts entries that are on disk now, and with them the list of those that hold. */
  grown(entries: number): void {
    this.#grown += entries;
    if (!this.#hasOutdated) return;
    this.#hasOutdated = false;
    const kept = new Set([...this.#holding, ...this.#unreadable, this.#target, this.#expected]);
    for (const date of this.snapshots.list()) if (!kept.has(date)) this.snapshots.remove(date);
  }

  /** Returns the mark to be written together with an entry of this date; null: none. */
  outdated(at: number): Mark | null {
    if (this.#target !== null && at <= this.#target) this.#target = null;
    const still = this.#holding.filter((date) => date < at);
    if (still.length === this.#holding.length) return null;
    this.#holding = still;
    for (const date of this.#certified) if (date >= at) this.#certified.delete(date);
    // Another one of the same date may be made before the next request.
    for (const date of this.#cuts.keys()) if (date >= at) this.#cuts.delete(date);
    this.#hasOutdated = true;
    return ["snapshots", writeDates(still)];
  }

  /** Drops one that cannot be read. Its file stays: an operator may rescue what is in it. */
  forget(date: number): void {
    this.#holding = this.#holding.filter((other) => other !== date);
    this.#unreadable.add(date);
  }

  /**
   * Has the next one made as soon as there is a date for it, even of the same entries: the votes on its date may be
   * for another snapshot.
   * @param after  the date is to be later; milliseconds since 1970; -1: it may be any
   */
  want(after: number): void {
    this.#wantedAfter = after;
  }

  /** Returns the date of the first entry there is. */
  #firstDate(): number {
    for (const place of this.#storage.places(null, null)) return dateOf(Buffer.from(place));
    return 0;
  }

  /**
   * Begins the next one if it is time.
   * @param cutAt    everything dated up to it is in its place
   * @param finalTo  nothing dated up to it is taken first-hand any longer. A required snapshot may reach as far:
   * otherwise dates would run out where no client writes, and with them what members could sign alike
   */
  consider(cutAt: number, isUrgent: boolean, finalTo: number): void {
    if (this.#running !== null || this.#expected !== null) return;
    const every = this.#parts.every / (isUrgent ? URGENCY : 1);
    if (this.#grown < every && this.#wantedAfter === null) return;
    const after = Math.max(this.newest ?? this.#firstDate() - 1, this.#wantedAfter ?? -1);
    const target = roundestDate(after, this.#wantedAfter === null ? cutAt : Math.max(cutAt, finalTo));
    if (target === null) return;
    this.#grown = 0;
    this.#wantedAfter = null;
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
      // Entries dated up to it may still be on their way to where other threads find them.
      await this.#storage.settled();
      await this.#parts.make(this.best(to), to);
    } catch (problem) {
      this.#target = null;
      this.#log.warn(
        { reason: (problem as Error).message },
        "no snapshot could be made; a start takes longer",
      );
      // Another thread passes the error's properties, not its class.
      const place = (problem as Partial<DamagedEntry>).damaged;
      if (place !== undefined) this.#onDamaged(place);
      return;
    }
    if (this.#target !== to) {
      this.snapshots.remove(to);
      return;
    }
    this.#target = null;
    const { retainMs = Number.POSITIVE_INFINITY } = this.#parts;
    const kept = keptDates([...this.#holding, to], this.#base, this.#certified, retainMs);
    const dropped = this.#holding.filter((date) => !kept.includes(date));
    this.#holding = kept;
    this.#unreadable.delete(to);
    this.#storage.put([], [["snapshots", writeDates(kept)]]);
    await this.#storage.flushed().catch(() => {});
    for (const date of dropped) this.snapshots.remove(date);
  }
}

const writeDates = (dates: readonly number[]) => Buffer.from(dates.join(" "));

/** Returns the dates of the snapshots that hold: no entry that they should contain has arrived since. */
export function heldSnapshots(storage: MarkSource): number[] {
  const mark = storage.mark("snapshots")?.toString() ?? "";
  return mark.split(" ").filter(Boolean).map(Number);
}
