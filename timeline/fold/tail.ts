/**
 * The applied entries that can still be taken back, in their order; dropped at the front, added mostly at the end. An
 * entry is kept as its bytes and what undoes it: the fewer objects live on, the less there is to collect. Its units are
 * made again when an entry comes that belongs before it, which few are asked for.
 */
import { readBody } from "../../protocol/version-2/envelope.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Semantics } from "../../store/semantics.js";
import { comparePlaces, type Entry, type Place } from "../entries/entry.js";
import { compareUnits, type FoldUnit, unitsOf } from "./unit.js";

/** Dropped places at the front that are not worth moving the rest for. */
const DROPPED_MIN = 1024;

/** So many entries behind a late one keep their units: where one is late, others are. */
const KEPT_AFTER_LATE = 16;

/** How to take a unit back, one record alone is no array; or that there was no permission to do it. */
export type Undoing = UndoRecord | UndoRecord[] | "denied" | null;

export class TailEntry implements Place {
  readonly at: number;
  readonly seq: number;
  readonly id: Place["id"];
  readonly body: Buffer;
  /** By the index of the unit; what is no data is null. */
  undoing: Undoing[] | null = null;
  /** Those that may change data, when they are made. */
  units: readonly FoldUnit[] | null = null;
  /** How many these are. */
  readonly count: number;
  /** That it keeps alive itself, roughly: without `units`. */
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
  /** Before some that have units, perhaps. */
  readonly between: readonly TailEntry[];
  /** Behind all that have. */
  readonly behind: readonly TailEntry[];
  /** Whether there are no others from the place on. */
  readonly isAll: boolean;
}

export class Tail {
  #entries: (TailEntry | null)[] = [];
  /** Places at the front that are dropped. */
  #dropped = 0;
  #length = 0;
  /** From the first of these places to before the other all entries have their units; from that on none has. */
  #unfoldedFrom = 0;
  #foldedFrom = 0;
  /** Entries added since units were asked for. */
  #sinceAsked = KEPT_AFTER_LATE;

  /** How many units there are. */
  get length(): number {
    return this.#length;
  }

  get first(): TailEntry | null {
    return this.#entries[this.#dropped] ?? null;
  }

  get last(): TailEntry | null {
    return this.#entries.at(-1) ?? null;
  }

  /** Whether the next entry that is pushed had better keep its units. */
  get keepsUnits(): boolean {
    return this.#sinceAsked < KEPT_AFTER_LATE && this.#foldedFrom === this.#entries.length;
  }

  /** Those from a place on, in their order. @param most  of them */
  from(place: Place, most: number): readonly TailEntry[] {
    const first = this.#firstFrom(place);
    return this.#entries.slice(first, first + most) as TailEntry[];
  }

  /** Adds one behind all others. */
  push(entry: TailEntry): void {
    this.#entries.push(entry);
    this.#length += entry.count;
    this.#sinceAsked++;
    if (entry.units !== null) this.#foldedFrom = this.#entries.length;
  }

  /** Adds some that have their units wherever they belong; all later ones have theirs. @param added  in their order */
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
   * Those from a place on that have no units yet, in their order; they are to be made now.
   * @param most  of their units, roughly: then the newest
   */
  takeFolded(from: Place, most: number): FoldedEntries {
    const wanted = this.#firstFrom(from);
    const first = this.#firstOfMost(wanted, most);
    const between = first < this.#unfoldedFrom ? this.#folded(first, this.#unfoldedFrom) : [];
    const behind = this.#folded(Math.max(first, this.#foldedFrom), this.#entries.length);
    if (first >= this.#foldedFrom || first < this.#unfoldedFrom) this.#unfoldedFrom = first;
    this.#foldedFrom = this.#entries.length;
    this.#sinceAsked = 0;
    return { between, behind, isAll: first <= wanted };
  }

  /** From where on there are so many units to be made, not before `wanted`. */
  #firstOfMost(wanted: number, most: number): number {
    let units = 0;
    for (let at = this.#entries.length; at > wanted; ) {
      if (units >= most) return at;
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

  /** Whether there are more units than so many from a place on. */
  hasMoreFrom(place: Place, most: number): boolean {
    let units = 0;
    for (let i = this.#firstFrom(place); i < this.#entries.length; i++) {
      units += (this.#entries[i] as TailEntry).count;
      if (units > most) return true;
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

  /** @param end  later ones are not looked at */
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
