/**
 * The state that a timeline makes: entries come in any order, and it is always that of all of them applied in their
 * order. Units in the tail can be taken back: a late one undoes what it affects, newest first, and has it done again
 * after it. One synchronous step a batch.
 * Source: DESIGN.md "Timeline"; research on the fold.
 */
import type { Database } from "../store/database.js";
import type { KeyRing } from "../store/key-ring.js";
import type { UndoRecord } from "../store/undo.js";
import { applyUnit, verdictOn } from "./apply.js";
import {
  type Arrival,
  answered,
  arrivalsOf,
  batchOf,
  type FoldedEntry,
  isAfter,
  ofDatabases,
} from "./batch.js";
import { affectedAlongLists, affectedAlongTail, firstOf, markLate, type Seeds } from "./closure.js";
import { comparePlaces, type Entry, type Place, placeOf } from "./entry.js";
import { type ChangedKeys, RingFold } from "./ring-fold.js";
import { Tail, TailEntry, type Undoing } from "./tail.js";
import { bytesOfEntry, bytesOfUnit } from "./tail-bytes.js";
import { nodesOf, TouchLists } from "./touch-lists.js";
import { compareUnits, type FoldUnit, findTouches, type UnitAnswer, unitsOf } from "./unit.js";

export type { FoldedEntry, UnitAnswer };

export class Fold {
  /** After all entries so far. */
  readonly database: Database;
  /** Nothing dated at or before it can be merged any more. */
  cutAt: number;
  /** Units undone and done again so far. */
  redone = 0;
  #newest: Place | null = null;
  #ring: RingFold;
  readonly #tail = new Tail();
  readonly #lists: TouchLists;
  readonly #databases: number;
  /** The last in the tail that touches a whole database. */
  #lastWhole: FoldUnit | null = null;
  #tailBytes = 0;
  /** Of the unit that is being applied. */
  readonly #records: UndoRecord[] = [];

  /** @param base  state of everything dated at or before `cutAt`; the fold's own from now on */
  constructor({ database, ring, cutAt }: { database: Database; ring: KeyRing; cutAt: number }) {
    this.database = database;
    this.cutAt = cutAt;
    this.#ring = new RingFold(ring);
    this.#databases = database.keyspaces.length;
    this.#lists = new TouchLists(this.#databases);
  }

  /** After all entries so far; another object after each change. */
  get ring(): KeyRing {
    return this.#ring.newest;
  }

  /** The greatest place so far. */
  get newest(): Place | null {
    return this.#newest;
  }

  /** What can be undone keeps so many bytes alive, roughly. */
  get tailBytes(): number {
    return this.#tailBytes;
  }

  /** Date of the first unit that could be undone; null: none could. */
  get oldestAt(): number | null {
    const dates = [this.#tail.first, this.#ring.first].flatMap((unit) => (unit === null ? [] : [unit.at]));
    return dates.length === 0 ? null : Math.min(...dates);
  }

  get tailUnits(): number {
    return this.#tail.length + this.#ring.length;
  }

  /**
   * Adds entries that it does not have, all dated after `cutAt`, in any order.
   * @returns them with their answers, in the order given
   */
  merge(entries: readonly Entry[]): readonly FoldedEntry[] {
    for (const { envelope } of entries)
      if (envelope.at <= this.cutAt)
        throw new Error(`an entry dated ${envelope.at} comes after the cut at ${this.cutAt}`);
    if (isAfter(entries, this.#newest)) return entries.map((entry) => this.#mergeNext(entry));
    const arrivals = arrivalsOf(entries, this.#databases);
    const { ring, late, fresh } = batchOf(arrivals, this.#tail.last);
    for (const { entry } of [late.at(-1), fresh.at(-1)].filter((last) => last !== undefined))
      this.#noteNewest(placeOf(entry));
    const changed = ring.length === 0 ? null : this.#mergeRing(ring);
    const flipped = changed === null ? [] : this.#flipped(changed, this.#ring);
    if (late.length > 0 || flipped.length > 0) this.#mergeLate(late, flipped);
    for (const arrival of fresh) this.#append(arrival);
    return arrivals.map(answered);
  }

  /** How many applied units `merge` would undo and do again. Changes nothing. */
  redoCost(entries: readonly Entry[]): number {
    const { ring, late } = batchOf(arrivalsOf(entries, this.#databases), this.#tail.last);
    const refolded = ring.length === 0 ? this.#ring : this.#ring.refolded(ring);
    const flipped = ring.length === 0 ? [] : this.#flipped(refolded.changedSince(this.#ring), refolded);
    if (late.length === 0 && flipped.length === 0) return 0;
    const placed = this.#place(late);
    const { length } = this.#affected({ late: placed, flipped });
    for (const unit of placed) this.#lists.remove(unit);
    return length;
  }

  /** Applies an entry that comes after all others, without remembering how to take it back. Raises `cutAt` to its date. */
  replay(entry: Entry): FoldedEntry {
    const place = placeOf(entry);
    const newest = this.#newest;
    if (newest === null ? place.at <= this.cutAt : place.at < this.cutAt || comparePlaces(place, newest) <= 0)
      throw new Error(`an entry dated ${place.at} was to be replayed after later ones`);
    this.cut(place.at);
    this.#newest = place;
    const units = unitsOf(entry, this.#databases);
    for (const unit of units) {
      if (unit.kind === "ring") this.#ring.replay(unit);
      else unit.answer = this.#apply(unit);
    }
    return answered({ entry, units });
  }

  /** Forgets how to take back what is dated at or before `at`, in whole milliseconds. */
  cut(at: number): void {
    if (at <= this.cutAt) return;
    this.cutAt = at;
    for (let first = this.#tail.first; first !== null && first.at <= at; first = this.#tail.first) {
      this.#tail.shift();
      this.#tailBytes -= first.bytes;
      for (const unit of first.units ?? []) this.#forget(unit);
    }
    for (const unit of this.#ring.cut(at)) this.#tailBytes -= unit.bytes;
  }

  /** Drops keys that no unit to come can see any more. @returns how many, `limit` at most */
  dropExpired(limit: number): number {
    return this.database.dropExpired(this.cutAt + 1, limit);
  }

  /** The usual way: an entry that comes after all others. */
  #mergeNext(entry: Entry): FoldedEntry {
    const arrival = { entry, units: unitsOf(entry, this.#databases) };
    this.#newest = placeOf(entry);
    for (const unit of arrival.units) if (unit.kind === "ring") this.#mergeRing([unit]);
    this.#append(arrival);
    return answered(arrival);
  }

  #mergeRing(units: readonly FoldUnit[]): ChangedKeys {
    let changed: ChangedKeys;
    if (this.#ring.isAfterAll(units)) changed = this.#ring.append(units);
    else {
      const refolded = this.#ring.refolded(units);
      changed = refolded.changedSince(this.#ring);
      this.#ring = refolded;
    }
    for (const unit of units) {
      if (!unit.changesRing) continue;
      unit.bytes = bytesOfUnit(unit);
      this.#tailBytes += unit.bytes;
    }
    return changed;
  }

  /** The units of the tail that are permitted and were not, or the other way round. */
  #flipped(changed: ChangedKeys, ring: RingFold): FoldUnit[] {
    const froms = [...changed.values()].sort(compareUnits);
    const [first] = froms;
    if (first === undefined) return [];
    this.#unfold(first.place);
    return this.#tail.unitsAfter(first).filter((unit) => {
      const { key } = unit.envelope;
      const from = changed.get(key);
      if (from === undefined || compareUnits(unit, from) < 0) return false;
      return (verdictOn(unit, ring.recordAt(key, unit), ring.newest) !== null) !== unit.isDenied;
    });
  }

  /** Undoes what late and flipped units affect, and applies it again with them in the order of all. */
  #mergeLate(late: readonly Arrival[], flipped: readonly FoldUnit[]): void {
    const placed = this.#place(late);
    const affected = this.#affected({ late: placed, flipped });
    const units = ofDatabases(late);
    this.#findLate(units, placed);
    for (let i = affected.length - 1; i >= 0; i--) this.#undo(affected[i] as FoldUnit);
    this.#insert(late);
    let next = 0;
    for (const unit of units) {
      for (; next < affected.length && compareUnits(affected[next] as FoldUnit, unit) < 0; next++)
        this.#redo(affected[next] as FoldUnit);
      unit.answer = this.#apply(unit);
      if (unit.kind === "data") this.#keep(unit);
    }
    for (; next < affected.length; next++) this.#redo(affected[next] as FoldUnit);
  }

  /** Puts the units that may change something into the lists. @returns them */
  #place(late: readonly Arrival[]): FoldUnit[] {
    const [first] = late;
    if (first === undefined) return [];
    this.#unfold(placeOf(first.entry));
    const placed = ofDatabases(late).filter(({ kind }) => kind === "data");
    for (const unit of placed) findTouches(unit, this.#databases);
    this.#lists.insert(placed);
    return placed;
  }

  /** Makes the units of the entries from a place on, and puts them into the lists. */
  #unfold(from: Place): void {
    const { between, behind } = this.#tail.takeFolded(from);
    this.#lists.insert(between.flatMap((entry) => this.#unfoldOne(entry)));
    for (const entry of behind) for (const unit of this.#unfoldOne(entry)) this.#lists.append(unit);
  }

  #unfoldOne(entry: TailEntry): readonly FoldUnit[] {
    const units = entry.unfold(this.#databases);
    for (const unit of units) {
      findTouches(unit, this.#databases);
      this.#keep(unit);
    }
    this.#tailBytes -= entry.bytes;
    entry.bytes = bytesOfEntry(entry);
    this.#tailBytes += entry.bytes;
    return units;
  }

  #insert(late: readonly Arrival[]): void {
    const added: TailEntry[] = [];
    for (const { entry, units } of late) {
      const data = units.filter(({ kind }) => kind === "data");
      if (data.length === 0) continue;
      const kept = new TailEntry(entry, data.length);
      kept.units = data;
      kept.bytes = bytesOfEntry(kept);
      this.#tailBytes += kept.bytes;
      added.push(kept);
    }
    this.#tail.insert(added);
  }

  #affected(seeds: Seeds): FoldUnit[] {
    const first = firstOf(seeds);
    if (first === null) return [];
    return this.#touchesWholes(seeds.late, first)
      ? affectedAlongTail(seeds, this.#laterThan(first))
      : affectedAlongLists(seeds);
  }

  #touchesWholes(late: readonly FoldUnit[], first: FoldUnit): boolean {
    if (this.#lastWhole !== null && compareUnits(this.#lastWhole, first) >= 0) return true;
    return late.some(({ wholes }) => wholes !== null);
  }

  /** Applied units from one on. */
  #laterThan(unit: FoldUnit): FoldUnit[] {
    const later = this.#tail.unitsAfter(unit);
    return unit.isApplied ? [unit, ...later] : later;
  }

  /** Which are late: the lists tell of those in them, unless whole databases are touched. */
  #findLate(late: readonly FoldUnit[], placed: readonly FoldUnit[]): void {
    const [first] = late;
    if (first === undefined) return;
    for (const unit of late) if (unit.kind === "read") findTouches(unit, this.#databases);
    if (this.#touchesWholes(placed, first)) markLate(late, this.#tail.unitsAfter(first));
    else for (const unit of late) if (unit.kind === "read") unit.isLate = this.#isLateRead(unit);
  }

  #isLateRead(unit: FoldUnit): boolean {
    if (this.#lists.isLateRead(unit)) return true;
    if (unit.wholes === null) return false;
    const read = new Set(unit.wholes.map(({ db }) => db));
    const writes = (later: FoldUnit) => nodesOf(later).some((node) => node.writes && read.has(node.db));
    return this.#tail.unitsAfter(unit).findLast(writes) !== undefined;
  }

  /** Applies the units, but those for the ring, of an entry that comes after the whole tail. */
  #append({ entry, units }: Arrival): void {
    let count = 0;
    for (const unit of units) {
      if (unit.kind === "ring") continue;
      unit.answer = this.#apply(unit);
      if (unit.kind === "data") count++;
    }
    if (count === 0) return;
    const kept = new TailEntry(entry, count);
    kept.undoing = units.map(undoingOf);
    kept.bytes = bytesOfEntry(kept);
    this.#tailBytes += kept.bytes;
    this.#tail.push(kept);
  }

  #apply(unit: FoldUnit): UnitAnswer {
    const records = this.#records;
    const ring = this.#ring;
    const signer = ring.recordAt(unit.envelope.key, unit);
    const answer = applyUnit(unit, signer, ring.newest, this.database, records);
    // Taken out one by one, since the array keeps its room then.
    if (records.length === 1) unit.records = records.pop() as UndoRecord;
    else if (records.length > 1) {
      unit.records = records.slice();
      while (records.length > 0) records.pop();
    }
    return answer;
  }

  /** Takes a unit that has left the tail out of the lists. */
  #forget(unit: FoldUnit): void {
    this.#lists.remove(unit);
    this.#tailBytes -= unit.bytes;
    if (this.#lastWhole === unit) this.#lastWhole = null;
  }

  /** Counts a unit that has been applied and is in tail and lists. */
  #keep(unit: FoldUnit): void {
    unit.isApplied = true;
    unit.bytes = bytesOfUnit(unit);
    this.#tailBytes += unit.bytes;
    if (unit.wholes === null) return;
    if (this.#lastWhole === null || compareUnits(this.#lastWhole, unit) < 0) this.#lastWhole = unit;
  }

  #undo(unit: FoldUnit): void {
    const { records } = unit;
    unit.records = null;
    if (records !== null) this.database.undo(Array.isArray(records) ? records : [records]);
  }

  #redo(unit: FoldUnit): void {
    this.redone++;
    this.#tailBytes -= unit.bytes;
    this.#apply(unit);
    this.#keep(unit);
  }

  #noteNewest(place: Place): void {
    if (this.#newest === null || comparePlaces(place, this.#newest) > 0) this.#newest = place;
  }
}

const undoingOf = ({ records, isDenied }: FoldUnit): Undoing => (isDenied ? "denied" : records);
