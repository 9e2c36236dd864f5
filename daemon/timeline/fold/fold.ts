/**
 * The state that follows from a timeline. Entries arrive in any order, and the state is always the result of applying
 * all of them in order. Units in the tail can be undone: when a late unit arrives, the units that it affects are
 * undone, newest first, and are applied again after it. Each batch is one synchronous step. Source:
 * docs/architecture.md "The life of a signed write".
 */
import type { Database } from "../../store/database.js";
import type { KeyRing } from "../../store/key-ring.js";
import { BudgetExceeded } from "../../store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Semantics } from "../../store/semantics.js";
import { compareOrderKeys, type Entry, firstOrderKey, type OrderKey, orderKeyOf } from "../entries/entry.js";
import { applyOrdinary, applyUnit, takeRecords, unknownMeaning, verdictOn } from "./apply-unit.js";
import type { ChangedKeys } from "./changed-keys.js";
import {
  type Arrival,
  answered,
  arrivalsOf,
  type BetweenUnits,
  batchOf,
  type FoldedEntry,
  isAfter,
  ofDatabases,
  ringUnitsOf,
} from "./entry-batch.js";
import { compareUnits, type FoldUnit, ordinaryCommands, type UnitAnswer, unitsOf } from "./fold-unit.js";
import { RingFold } from "./ring-fold.js";
import { bytesOfUnit } from "./tail.js";
import { TouchedTail } from "./touched-tail.js";
import { isVoid, isVoidAnswer, VoidUnits } from "./void-units.js";

export type { BetweenUnits, FoldedEntry, UnitAnswer };

export class Fold {
  /** The database after all entries so far. */
  readonly database: Database;
  /** The date up to which no entry can be merged any longer. */
  cutAt: number;
  /** Units undone and redone so far. */
  redone = 0;
  /** The commands of these units. */
  redoneCommands = 0;
  /**
   * The position from which nothing is applied, because this release does not know the semantics version, or null if
   * everything is applied.
   */
  end: OrderKey | null = null;
  /** The reason why no more entries may be applied: this build does not contain the code of one. Null: they may. */
  missingCode: string | null = null;
  /** The void units after the state from which the fold began. */
  readonly voids = new VoidUnits();
  /** The greatest order key so far. Only this class sets it. */
  newest: OrderKey | null = null;
  #ring: RingFold;
  readonly #tail: TouchedTail;
  readonly #databases: number;
  readonly #known: Semantics;
  /** Whether some data was not applied because this release does not know the semantics version at its position. */
  #hasPassed = false;
  /** The bytes that the ring's units keep in memory. */
  #ringBytes = 0;
  /** The records of the unit that is being applied. */
  readonly #records: UndoRecord[] = [];

  /** @param base  the state of everything dated at or before `cutAt`; it belongs to the fold from now on */
  constructor({ database, ring, cutAt }: { database: Database; ring: KeyRing; cutAt: number }) {
    this.database = database;
    this.cutAt = cutAt;
    this.#ring = new RingFold(ring, firstOrderKey(cutAt + 1));
    this.#known = ring.known;
    this.#databases = database.keyspaces.length;
    this.#tail = new TouchedTail(this.#databases, ring.known);
    this.#ringChanged();
  }

  /** Replaces another fold: adopts its database's listener and counters, and its reason to apply nothing more. */
  inherit(other: Fold): this {
    this.database.inherit(other.database);
    this.missingCode ??= other.missingCode;
    return this;
  }

  /** The key ring after all entries so far; a different object after each change. */
  get ring(): KeyRing {
    return this.#ring.newest;
  }

  /** The approximate bytes that undo information keeps in memory. */
  get tailBytes(): number {
    return this.#tail.bytes + this.#ringBytes;
  }

  /** The date of the first unit that could be undone, or null if there is none. */
  get oldestAt(): number | null {
    const dates = [this.#tail.first, this.#ring.first].flatMap((unit) => (unit === null ? [] : [unit.at]));
    return dates.length === 0 ? null : Math.min(...dates);
  }

  get tailUnits(): number {
    return this.#tail.length + this.#ring.length;
  }

  /**
   * Adds entries that the fold does not have yet. All entries must be dated after `cutAt`; their order does not matter.
   * @returns the entries with their answers, in the order of the parameter
   */
  merge(entries: readonly Entry[]): readonly FoldedEntry[] {
    const folded = this.mergeWithin(Number.POSITIVE_INFINITY, entries);
    if (folded === null)
      throw new Error(
        "units that were not applied now have to be applied, so everything has to be folded again",
      );
    return folded;
  }

  /**
   * Merges entries if at most the given number of applied units has to be undone and redone. A unit of several commands
   * counts as that many, unless it is the only one.
   * @param maxRedone  the maximum number of units
   * @param between  called after each unit, if the entries come after all applied entries
   * @returns null if more units would have to be redone, or if units that the fold left out would now have to be
   * applied but are no longer in memory; in both cases nothing is changed
   */
  mergeWithin(
    maxRedone: number,
    entries: readonly Entry[],
    between: BetweenUnits | null = null,
  ): readonly FoldedEntry[] | null {
    for (const { envelope } of entries)
      if (envelope.at <= this.cutAt)
        throw new Error(`an entry dated ${envelope.at} arrived after the cut at ${this.cutAt}`);
    if (isAfter(entries, this.newest)) {
      const folded: FoldedEntry[] = [];
      for (const entry of entries) folded.push(this.#mergeNext(entry, between));
      return folded;
    }
    const arrivals = arrivalsOf(entries, this.#databases, this.#known);
    const ring = ringUnitsOf(arrivals);
    const refolded = ring.length === 0 ? this.#ring : this.#ring.refolded(ring);
    if (this.#hasPassed && isEarlier(this.end, refolded.end)) return null;
    const { late, fresh, passed } = batchOf(arrivals, this.#tail.last, refolded.end);
    const flipped = ring.length === 0 ? [] : this.#flipped(refolded);
    const inserted = this.#tail.insertUnits(late, maxRedone);
    if (inserted === null) return null;
    const affected = this.#tail.affected({ late: inserted, flipped }, maxRedone);
    if (affected === null) {
      this.#tail.takeBack(inserted);
      return null;
    }
    this.#ring = refolded;
    this.#ringChanged();
    this.#countRing(ring);
    for (const { entry } of [late.at(-1), fresh.at(-1), passed.at(-1)].filter((last) => last !== undefined))
      this.#noteNewest(orderKeyOf(entry));
    for (const { units } of passed) this.#pass(units);
    if (late.length > 0 || affected.length > 0) this.#mergeLate(late, inserted, affected);
    for (const arrival of fresh) this.#append(arrival);
    return arrivals.map(answered);
  }

  /**
   * Prepares for a late entry, so that merging it takes no longer than redoing the units that it affects.
   * @param max        units to be processed in this step
   * @param maxRedone  the bound with which it will be merged
   * @returns whether the fold is ready to merge the entry; also true if the entry certainly affects more than
   * `maxRedone` units, so that `mergeWithin` will return null
   */
  prepare(late: Entry, max: number, maxRedone: number): boolean {
    return this.#tail.prepare(late, max, maxRedone);
  }

  /** Applies an entry that comes after all applied entries, without undo records, and raises `cutAt` to its date. */
  replay(entry: Entry): FoldedEntry {
    const orderKey = orderKeyOf(entry);
    const newest = this.newest;
    if (
      newest === null
        ? orderKey.at <= this.cutAt
        : orderKey.at < this.cutAt || compareOrderKeys(orderKey, newest) <= 0
    )
      throw new Error(`an entry dated ${orderKey.at} was to be replayed after later ones`);
    this.cut(orderKey.at);
    this.newest = orderKey;
    const units = unitsOf(entry, this.#databases, this.#known);
    for (const unit of units) {
      if (unit.kind === "ring") {
        this.#ring.replay(unit);
        this.#ringChanged();
      } else unit.answer = this.#apply(unit);
    }
    if (this.end !== null) this.#pass(units);
    return answered({ entry, units });
  }

  /** Drops the undo information of units dated at or before `to`, in whole milliseconds. */
  cut(to: number): void {
    // Entries that are not applied must stay in the tail.
    const at = this.end === null ? to : Math.min(to, this.end.at - 1);
    if (at <= this.cutAt) return;
    this.cutAt = at;
    this.#tail.cut(at);
    for (const unit of this.#ring.cut(at)) this.#ringBytes -= unit.bytes;
  }

  /**
   * Returns the keys that entries at or after an order key have changed. The entries must be dated after `cutAt`.
   * @param max  the maximum number of entries to read
   */
  changedFrom(orderKey: OrderKey, max: number): ChangedKeys {
    return this.#tail.changedFrom(orderKey, max);
  }

  /** Drops keys that no future unit can see. @returns their number, at most `limit` */
  dropExpired(limit: number): number {
    return this.database.dropExpired(this.cutAt + 1, limit);
  }

  /** Merges an entry that comes after all applied entries: the usual case. */
  #mergeNext(entry: Entry, between: BetweenUnits | null): FoldedEntry {
    const commands = this.#tail.retainsUnits
      ? null
      : ordinaryCommands(entry.envelope, this.#databases, this.ring);
    if (commands !== null) {
      const state = { ring: this.ring, database: this.database, records: this.#records, between };
      const applied = applyOrdinary(entry, commands, state);
      if (applied.count > 0) this.#tail.pushApplied(entry, applied);
      this.newest = orderKeyOf(entry);
      return { entry, answers: applied.answers };
    }
    const arrival = { entry, units: unitsOf(entry, this.#databases, this.#known) };
    for (const unit of arrival.units) if (unit.kind === "ring") this.#appendToRing(unit);
    if (this.end === null) this.#append(arrival, between);
    else this.#pass(arrival.units);
    this.newest = orderKeyOf(entry);
    return answered(arrival);
  }

  #appendToRing(unit: FoldUnit): void {
    this.#ring.append(unit);
    this.#ringChanged();
    this.#countRing([unit]);
  }

  #ringChanged(): void {
    this.end = this.#ring.end;
    this.database.table = this.ring.table ?? this.database.table;
  }

  /** Answers units without applying them: this release does not know the semantics version at their positions. */
  #pass(units: readonly FoldUnit[]): void {
    for (const unit of units) {
      if (unit.kind === "ring") continue;
      unit.answer = unknownMeaning(unit);
      this.#hasPassed = true;
    }
  }

  /** Counts the bytes that units of the ring keep in memory. */
  #countRing(units: readonly FoldUnit[]): void {
    for (const unit of units) {
      if (!unit.changesRing) continue;
      unit.bytes = bytesOfUnit(unit);
      this.#ringBytes += unit.bytes;
    }
  }

  /** Returns units of the tail for which another ring changes the verdict, or the meaning of their commands. */
  #flipped(ring: RingFold): FoldUnit[] {
    const changed = ring.changedSince(this.#ring);
    const switched = ring.switchedSince(this.#ring);
    const repatterned = ring.patternsChangedSince(this.#ring);
    const others = [switched, repatterned].filter((unit) => unit !== null);
    const starts = [...changed.values(), ...others].sort(compareUnits);
    const [first] = starts;
    if (first === undefined) return [];

    return this.#tail.unitsAfter(first).filter((unit) => {
      const { key } = unit.envelope;
      const table = ring.tableAt(unit);
      if (!unit.hasSameMeaning(this.#ring.tableAt(unit), table)) return true;
      if (isVoid(unit, ring.patternsAt(unit)) !== isVoid(unit, this.#ring.patternsAt(unit))) return true;
      const from = changed.get(key);
      if (table === null || from === undefined || compareUnits(unit, from) < 0) return false;
      unit.setTable(table);
      // Both a void unit and one that is not permitted are denied, but only the former is a dead letter.
      if (isVoid(unit, ring.patternsAt(unit))) return true;
      return (verdictOn(unit, ring.recordAt(key, unit), ring.newest) !== null) !== unit.isDenied;
    });
  }

  /**
   * Undoes the affected units, and applies them again in order together with the late units.
   * @param inserted  the data units of the late entries
   */
  #mergeLate(late: readonly Arrival[], inserted: readonly FoldUnit[], affected: readonly FoldUnit[]): void {
    const units = ofDatabases(late);
    this.#tail.findLate(units, inserted);

    for (let i = affected.length - 1; i >= 0; i--) this.#undo(affected[i] as FoldUnit);
    this.#tail.insert(late);

    let next = 0;
    for (const unit of units) {
      for (; next < affected.length && compareUnits(affected[next] as FoldUnit, unit) < 0; next++)
        this.#redo(affected[next] as FoldUnit);
      unit.answer = this.#apply(unit);
      if (unit.kind === "data") this.#tail.markApplied(unit);
    }
    for (; next < affected.length; next++) this.#redo(affected[next] as FoldUnit);
  }

  /** Applies the units of an entry that comes after the complete tail, except the units for the ring. */
  #append({ entry, units }: Arrival, between: BetweenUnits | null = null): void {
    let count = 0;
    let ended = 0;
    try {
      for (const unit of units) {
        ended++;
        if (unit.kind === "ring") continue;
        unit.answer = this.#apply(unit);
        if (unit.kind === "data") count++;
        between?.(ended);
      }
    } catch (problem) {
      if (problem instanceof BudgetExceeded) for (const unit of units.toReversed()) this.#undo(unit);
      throw problem;
    }
    if (count > 0) this.#tail.push({ entry, units }, count);
  }

  #apply(unit: FoldUnit): UnitAnswer {
    const records = this.#records;
    const ring = this.#ring;
    const signer = ring.recordAt(unit.envelope.key, unit);
    const context = { signer, table: ring.tableAt(unit), decided: ring.patternsAt(unit) };
    const answer = applyUnit(unit, context, ring.newest, this.database, records);
    unit.records = takeRecords(records);
    if (isVoidAnswer(answer)) this.voids.add(unit);
    return answer;
  }

  #undo(unit: FoldUnit): void {
    const { records } = unit;
    unit.records = null;
    this.voids.remove(unit);
    if (records !== null) this.database.undo(Array.isArray(records) ? records : [records]);
  }

  #redo(unit: FoldUnit): void {
    this.redone++;
    this.redoneCommands += unit.length;
    this.database.isRedoing = true;
    this.#apply(unit);
    this.database.isRedoing = false;
    this.#tail.markApplied(unit);
  }

  #noteNewest(orderKey: OrderKey): void {
    if (this.newest === null || compareOrderKeys(orderKey, this.newest) > 0) this.newest = orderKey;
  }
}

/**
 * Whether the first end comes before the second end. Null means that there is no end, so every order key is before it.
 */
function isEarlier(one: OrderKey | null, other: OrderKey | null): boolean {
  return one !== null && (other === null || compareOrderKeys(one, other) < 0);
}

/** Milliseconds of the tail that are dropped in one step. */
const STEP_MS = 100;

/**
 * Cuts the fold until its tail is small enough: it usually reaches this limit before its maximum duration.
 * @param latest  the latest date that may be cut
 */
export function trim(fold: Fold, tailBytes: number, latest: number): void {
  // Entries that are not applied are not cut.
  const until = fold.end === null ? latest : Math.min(latest, fold.end.at - 1);
  while (fold.tailBytes > tailBytes && fold.oldestAt !== null && fold.cutAt < until) {
    fold.cut(Math.min(until, fold.oldestAt + STEP_MS));
  }
}
