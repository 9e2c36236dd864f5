/**
 * The applied entries that can still be undone, in order; dropped at the front, added mostly at the end. An
 * entry is stored as its bytes and its undo records: the fewer objects live on, the less there is to collect. Its
 * units are made again when an entry comes that belongs before it, which is rare.
 */
import { readBody } from "../../protocol/version-2/envelope.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Semantics } from "../../store/semantics.js";
import { comparePlaces, type Entry, type Place } from "../entries/entry.js";
import { compareUnits, type FoldUnit, unitsOf } from "./unit.js";

/** Dropped places at the front that are not worth moving the rest for. */
const DROPPED_MIN = 1024;

/** Entries after a late one that retain their units: late entries often come together. */
const KEPT_AFTER_LATE = 16;

/** The undo record of a unit, or several; "denied": it had no permission; null: nothing to undo. */
export type Undoing = UndoRecord | UndoRecord[] | "denied" | null;

export class TailEntry implements Place {
  readonly at: number;
  readonly seq: number;
  readonly id: Place["id"];
  readonly body: Buffer;
  /** Undo records by the index of the unit; null for a unit that is no data. */
  undoing: Undoing[] | null = null;
  /** The units that may change data, once they are made. */
  units: readonly FoldUnit[] | null = null;
  /** The number of these units. */
  readonly count: number;
  /** Bytes that it keeps alive itself, roughly: without `units`. */
  bytes = 0;

  constructor({ id, body, envelope: { at, seq } }: Entry, count: number) {
    this.at = at;
    this.seq = seq;
    this.id = id;
    this.body = body;
    this.count = count;
  }

  /** Makes the units from the bytes. */
  unfold(databases: number, known: Semantics): readonly FoldUnit[] {
    const { id, body, undoing } = this;
    const all = unitsOf({ id, body, signature: body, envelope: readBody(body) }, databases, known);
    this.units = all.filter(({ kind }) => kind === "data");
    for (const unit of this.units) {
      const how = undoing?.[unit.index] ?? null;
      unit.isApplied = true;
      unit.isDenied = how === "denied";
      unit.records = how === "denied" ? null : how;
    }
    this.undoing = null;
    return this.units;
  }
}

/** Entries without units. */
export interface FoldedEntries {
  /** Entries before some that have units, perhaps. */
  readonly between: readonly TailEntry[];
  /** Entries after all that have units. */
  readonly behind: readonly TailEntry[];
  /** Whether these are all entries from the place on. */
  readonly isAll: boolean;
}

export class Tail {
  #entries: (TailEntry | null)[] = [];
  /** Places at the front that are dropped. */
  #dropped = 0;
  #length = 0;
  /**
   * The range of entries that have their units: from the first of these indexes to before the other; from that on
   * none has.
   */
  #unfoldedFrom = 0;
  #foldedFrom = 0;
  /** Entries added since units were last requested. */
  #sinceAsked = KEPT_AFTER_LATE;

  /** The number of units. */
  get length(): number {
    return this.#length;
  }

  get first(): TailEntry | null {
    return this.#entries[this.#dropped] ?? null;
  }

  get last(): TailEntry | null {
    return this.#entries.at(-1) ?? null;
  }

  /** Whether the next entry that is pushed should retain its units. */
  get keepsUnits(): boolean {
    return this.#sinceAsked < KEPT_AFTER_LATE && this.#foldedFrom === this.#entries.length;
  }

  /** Returns the entries from a place on, in order. @param max  entries at most */
  from(place: Place, max: number): readonly TailEntry[] {
    const first = this.#firstFrom(place);
    return this.#entries.slice(first, first + max) as TailEntry[];
  }

  /** Adds an entry after all existing ones. */
  push(entry: TailEntry): void {
    this.#entries.push(entry);
    this.#length += entry.count;
    this.#sinceAsked++;
    if (entry.units !== null) this.#foldedFrom = this.#entries.length;
  }

  /**
   * Inserts entries that have their units where they belong; all later ones have theirs. @param added  in order
   */
  insert(added: readonly TailEntry[]): void {
    const entries = this.#entries;
    let end = entries.length;
    for (let i = added.length - 1; i >= 0; i--) entries.push(null);
    for (let i = added.length - 1; i >= 0; i--) {
      const entry = added[i] as TailEntry;
      // Comparing each that moves would take ten times as long: they are far apart in memory.
      const at = this.#firstFrom(entry, end);
      for (let from = end - 1; from >= at; from--) entries[from + i + 1] = entries[from] as TailEntry;
      entries[at + i] = entry;
      this.#length += entry.count;
      end = at;
    }
    this.#foldedFrom = entries.length;
  }

  /** Drops the first; there must be one. */
  shift(): TailEntry {
    const first = this.#entries[this.#dropped] as TailEntry;
    this.#entries[this.#dropped++] = null;
    this.#length -= first.count;
    if (this.#dropped >= DROPPED_MIN && 2 * this.#dropped >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#dropped);
      this.#unfoldedFrom = Math.max(0, this.#unfoldedFrom - this.#dropped);
      this.#foldedFrom = Math.max(0, this.#foldedFrom - this.#dropped);
      this.#dropped = 0;
    }
    return first;
  }

  /**
   * Takes the entries from a place on that have no units yet, in order; the caller makes the units.
   * @param max  of their units, roughly: then the newest
   */
  takeFolded(from: Place, max: number): FoldedEntries {
    const wanted = this.#firstFrom(from);
    const first = this.#firstOfNewest(wanted, max);
    const between = first < this.#unfoldedFrom ? this.#folded(first, this.#unfoldedFrom) : [];
    const behind = this.#folded(Math.max(first, this.#foldedFrom), this.#entries.length);
    if (first >= this.#foldedFrom || first < this.#unfoldedFrom) this.#unfoldedFrom = first;
    this.#foldedFrom = this.#entries.length;
    this.#sinceAsked = 0;
    return { between, behind, isAll: first <= wanted };
  }

  /** Returns the index from which the given number of units remain to be made, not before `wanted`. */
  #firstOfNewest(wanted: number, max: number): number {
    let units = 0;
    for (let at = this.#entries.length; at > wanted; ) {
      if (units >= max) return at;
      // Those that have their units are passed over.
      if (at === this.#foldedFrom && at > this.#unfoldedFrom) at = this.#unfoldedFrom;
      else units += this.#entries[--at]?.count ?? 0;
    }
    return wanted;
  }

  /** The units after a unit; they have been made. */
  unitsAfter(unit: FoldUnit): FoldUnit[] {
    const { place } = unit;
    const units: FoldUnit[] = [];
    for (let i = this.#firstFrom(place); i < this.#entries.length; i++) {
      const entry = this.#entries[i] as TailEntry;
      const made = entry.units ?? [];
      const isOwn = entry.id === place.id;
      for (const each of made) if (!isOwn || compareUnits(each, unit) > 0) units.push(each);
    }
    return units;
  }

  /** Whether there are more than `max` units from a place on. */
  hasMoreFrom(place: Place, max: number): boolean {
    let units = 0;
    for (let i = this.#firstFrom(place); i < this.#entries.length; i++) {
      units += (this.#entries[i] as TailEntry).count;
      if (units > max) return true;
    }
    return false;
  }

  #folded(from: number, to: number): TailEntry[] {
    const folded: TailEntry[] = [];
    for (let i = from; i < to; i++) {
      const entry = this.#entries[i] as TailEntry;
      if (entry.units === null) folded.push(entry);
    }
    return folded;
  }

  /** @param end  entries after it are not searched */
  #firstFrom(place: Place, end = this.#entries.length): number {
    let low = this.#dropped;
    let high = end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comparePlaces(this.#entries[middle] as TailEntry, place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
