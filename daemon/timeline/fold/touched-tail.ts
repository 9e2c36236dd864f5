/**
 * The tail, the lists of the units that touch each of its keys, and the memory that they use. Finds the units that
 * arriving entries affect. The lists contain only the units of entries at or after the earliest late arrival; the units
 * of most entries are never added.
 */

import type { Semantics } from "../../store/semantics.js";
import { compareOrderKeys, type Entry, type OrderKey, orderKeyOf } from "../entries/entry.js";
import {
  affectedAlongLists,
  affectedAlongTail,
  firstOf,
  markLate,
  nodesOf,
  type Seeds,
  TouchLists,
} from "./affected-units.js";
import type { AppliedEntry } from "./apply-unit.js";
import { type ChangedKeys, changedBy } from "./changed-keys.js";
import { type Arrival, ofDatabases } from "./entry-batch.js";
import { compareUnits, type FoldUnit, findTouches, unitsOf } from "./fold-unit.js";
import { bytesOfEntry, bytesOfUnit, Tail, TailEntry, type Undoing } from "./tail.js";

/**
 * The maximum number of later commands to walk if complete databases are touched, because no list then leads to the
 * affected units. Walking them takes about 10 ms. More commands count as too many to redo.
 */
const WALKED_MAX = 20_000;

export class TouchedTail {
  readonly #tail = new Tail();
  readonly #lists: TouchLists;
  readonly #databases: number;
  readonly #known: Semantics;
  /** The last unit in the lists that touches a complete database. */
  #lastDatabaseUnit: FoldUnit | null = null;
  #bytes = 0;
  /** The entry that was last prepared for, and its units: preparing takes several steps. */
  #prepared: { readonly entry: Entry; readonly units: readonly FoldUnit[] } | null = null;

  constructor(databases: number, known: Semantics) {
    this.#databases = databases;
    this.#known = known;
    this.#lists = new TouchLists(databases);
  }

  /** The approximate bytes that the tail keeps in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number of units. */
  get length(): number {
    return this.#tail.length;
  }

  get first(): OrderKey | null {
    return this.#tail.first;
  }

  get last(): OrderKey | null {
    return this.#tail.last;
  }

  /** Returns the keys that entries at or after an order key have changed. @param max  the maximum number of entries */
  changedFrom(orderKey: OrderKey, max: number): ChangedKeys {
    return changedBy(this.#tail.from(orderKey, max + 1), max);
  }

  /** Adds an entry after all existing entries. @param count  its applied units that may change data */
  push({ entry, units }: Arrival, count: number): void {
    const tailEntry = new TailEntry(entry, count);
    if (this.#tail.retainsUnits) {
      tailEntry.units = units.filter(({ kind }) => kind === "data");
      for (const unit of tailEntry.units) this.#appendUnit(unit);
    } else tailEntry.undoing = units.map(undoingOf);
    this.#count(tailEntry);
    this.#tail.push(tailEntry);
  }

  /** Whether the next entry should be pushed with its units. */
  get retainsUnits(): boolean {
    return this.#tail.retainsUnits;
  }

  /** Adds an entry, after all existing entries, that was applied without creating its units. */
  pushApplied(entry: Entry, { undoing, count }: AppliedEntry): void {
    const tailEntry = new TailEntry(entry, count);
    tailEntry.undoing = undoing;
    this.#count(tailEntry);
    this.#tail.push(tailEntry);
  }

  /** Drops entries dated at or before `at`. */
  cut(at: number): void {
    for (let { first } = this.#tail; first !== null && first.at <= at; { first } = this.#tail) {
      this.#tail.shift();
      this.#bytes -= first.bytes;
      for (const unit of first.units ?? []) this.#forget(unit);
    }
  }

  /**
   * Creates some of the units that must be in the lists before a late entry can be merged, and inserts them there.
   * @param max  the approximate number of units to create now
   * @param maxAffected  if the entry certainly affects more units, or if too many units would have to be searched, no
   * further units are created
   * @returns whether no more preparation is needed
   */
  prepare(late: Entry, max: number, maxAffected: number): boolean {
    const { last } = this.#tail;
    const orderKey = orderKeyOf(late);
    if (last === null || compareOrderKeys(last, orderKey) < 0) return true;

    if (this.#prepared?.entry !== late)
      this.#prepared = {
        entry: late,
        units: this.#touching(unitsOf(late, this.#databases, this.#known)),
      };

    const isReady =
      this.#isTooMuch(this.#prepared.units, orderKey, maxAffected) || this.#createUnits(orderKey, max);
    if (isReady) this.#prepared = null;
    return isReady;
  }

  /** Returns the applied units after the given unit. */
  unitsAfter(unit: FoldUnit): FoldUnit[] {
    this.#createUnits(unit.orderKey);
    return this.#tail.unitsAfter(unit);
  }

  /**
   * Inserts the units of late entries that may change data into the lists.
   * @returns these units, or null if they affect more than `max` units
   */
  insertUnits(late: readonly Arrival[], max: number): FoldUnit[] | null {
    const [first] = late;
    if (first === undefined) return [];
    const inserted = this.#touching(ofDatabases(late));
    const orderKey = orderKeyOf(first.entry);
    if (this.#isTooMuch(inserted.slice(0, first.units.length), orderKey, max)) return null;
    this.#createUnits(orderKey);
    return this.#lists.insert(inserted, max) ? inserted : null;
  }

  /** Returns the units that may change data, and determines the keys that they touch. */
  #touching(units: readonly FoldUnit[]): FoldUnit[] {
    const touching = units.filter(({ kind }) => kind === "data");
    for (const unit of touching) findTouches(unit, this.#databases, this.#known);
    return touching;
  }

  /**
   * Whether units certainly affect too many units, judging by the nodes that are already in the lists. If the result is
   * false, they may still affect too many, because nodes that are not in the lists yet are not counted.
   * @param orderKey  the order key of the first unit
   */
  #isTooMuch(units: readonly FoldUnit[], orderKey: OrderKey, max: number): boolean {
    if (units.some(({ databaseTouches }) => databaseTouches !== null) && this.#isTooLong(orderKey, max))
      return true;
    return units.some((unit) => this.#lists.affectsMore(unit, max));
  }

  /** Whether walking all units at or after an order key takes too long. @param max  units that may be redone */
  #isTooLong(orderKey: OrderKey, max: number): boolean {
    return max < Number.POSITIVE_INFINITY && this.#tail.hasMoreFrom(orderKey, WALKED_MAX);
  }

  /** Removes inserted units from the lists again. */
  takeBack(inserted: readonly FoldUnit[]): void {
    for (const unit of inserted) this.#lists.remove(unit);
  }

  /**
   * Returns the units that seeds affect, in order, or null if there are more than `max`, or too many units would have
   * to be searched.
   */
  affected(seeds: Seeds, max: number): FoldUnit[] | null {
    const first = firstOf(seeds);
    if (first === null) return [];
    if (!this.#touchesDatabase(seeds.late, first)) return affectedAlongLists(seeds, max);
    return this.#isTooLong(first.orderKey, max)
      ? null
      : affectedAlongTail(seeds, this.#appliedFrom(first), max);
  }

  #touchesDatabase(late: readonly FoldUnit[], first: FoldUnit): boolean {
    if (this.#lastDatabaseUnit !== null && compareUnits(this.#lastDatabaseUnit, first) >= 0) return true;
    return late.some(({ databaseTouches }) => databaseTouches !== null);
  }

  /** Returns the applied units, starting with the given unit. */
  #appliedFrom(unit: FoldUnit): FoldUnit[] {
    const later = this.#tail.unitsAfter(unit);
    return unit.isApplied ? [unit, ...later] : later;
  }

  /**
   * Determines which units are late. If no complete database is touched, the insertion into the lists has already
   * marked the units that may write, and only the units that read are checked here.
   */
  findLate(late: readonly FoldUnit[], inserted: readonly FoldUnit[]): void {
    const [first] = late;
    if (first === undefined) return;
    for (const unit of late) if (unit.kind === "read") findTouches(unit, this.#databases, this.#known);
    if (this.#touchesDatabase(inserted, first)) markLate(late, this.#tail.unitsAfter(first));
    else for (const unit of late) if (unit.kind === "read") unit.isLate = this.#isLateRead(unit);
  }

  #isLateRead(unit: FoldUnit): boolean {
    if (this.#lists.isLateRead(unit)) return true;
    if (unit.databaseTouches === null) return false;
    const read = new Set(unit.databaseTouches.map(({ db }) => db));
    const writes = (later: FoldUnit) => nodesOf(later).some((node) => node.writes && read.has(node.db));
    return this.#tail.unitsAfter(unit).findLast(writes) !== undefined;
  }

  /** Removes a unit that has left the tail from the lists. */
  #forget(unit: FoldUnit): void {
    this.#lists.remove(unit);
    this.#bytes -= unit.bytes;
    if (this.#lastDatabaseUnit === unit) this.#lastDatabaseUnit = null;
  }

  /** Records that a unit in the lists has been applied, for the first time or again, and counts its bytes. */
  markApplied(unit: FoldUnit): void {
    unit.isApplied = true;
    this.#bytes -= unit.bytes;
    unit.bytes = bytesOfUnit(unit);
    this.#bytes += unit.bytes;
    if (unit.databaseTouches === null) return;
    if (this.#lastDatabaseUnit === null || compareUnits(this.#lastDatabaseUnit, unit) < 0)
      this.#lastDatabaseUnit = unit;
  }

  /**
   * Creates the units of the entries at or after an order key, the newest first, and inserts them into the lists.
   * @param max  the approximate number of units to create
   * @returns whether all of these entries now have their units
   */
  #createUnits(from: OrderKey, max = Number.POSITIVE_INFINITY): boolean {
    const { between, after, isAll } = this.#tail.takeWithoutUnits(from, max);
    for (const entry of after) for (const unit of this.#createUnitsOf(entry)) this.#appendUnit(unit);
    const units = between.flatMap((entry) => this.#createUnitsOf(entry));
    for (const unit of units) {
      findTouches(unit, this.#databases, this.#known);
      this.markApplied(unit);
    }
    this.#lists.insert(units, Number.POSITIVE_INFINITY);
    return isAll;
  }

  #createUnitsOf(entry: TailEntry): readonly FoldUnit[] {
    const units = entry.createUnits(this.#databases, this.#known);
    this.#count(entry);
    return units;
  }

  /** Adds an applied unit that comes after all units in the lists. */
  #appendUnit(unit: FoldUnit): void {
    findTouches(unit, this.#databases, this.#known);
    this.#lists.append(unit);
    this.markApplied(unit);
  }

  /** Adds late entries whose units have been inserted. */
  insert(late: readonly Arrival[]): void {
    const added: TailEntry[] = [];
    for (const { entry, units } of late) {
      const data = units.filter(({ kind }) => kind === "data");
      if (data.length === 0) continue;

      const tailEntry = new TailEntry(entry, data.length);
      tailEntry.units = data;
      this.#count(tailEntry);
      added.push(tailEntry);
    }
    this.#tail.insert(added);
  }

  #count(entry: TailEntry): void {
    this.#bytes -= entry.bytes;
    entry.bytes = bytesOfEntry(entry);
    this.#bytes += entry.bytes;
  }
}

const undoingOf = ({ records, isDenied }: FoldUnit): Undoing => (isDenied ? "denied" : records);
