/**
 * Finds the applied units that late units affect. A unit affects a later unit if it may write a key that the later unit
 * touches, or if it reads a key that the later unit may write; an affected unit affects further units in the same way.
 * There are two searches with the same result: one follows the lists of the keys, and the other visits all later units
 * because complete databases are touched. Source: docs/architecture.md "The life of a signed write".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { Heap } from "../entries/heap.js";
import { compareUnits, type DatabaseTouch, type FoldUnit, type TouchNode } from "./fold-unit.js";
import { nodesOf } from "./touch-lists.js";

/** The units from which a change of the fold spreads. */
export interface Seeds {
  /** Units to be added, in order; they are already in the lists. */
  readonly late: readonly FoldUnit[];
  /** Applied units that have to be redone in any case, in order. */
  readonly flipped: readonly FoldUnit[];
}

/** Returns the first of all seeds, or null if there are none. */
export function firstOf({ late, flipped }: Seeds): FoldUnit | null {
  const [first, other] = [late[0], flipped[0]];
  if (first === undefined || other === undefined) return first ?? other ?? null;
  return compareUnits(first, other) < 0 ? first : other;
}

/**
 * Sums the weights of affected units. The first unit is always within the maximum: it takes no longer than when it was
 * applied.
 */
class Weights {
  readonly #max: number;
  #sum = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** @returns false if the units exceed the maximum, and the unit is not added */
  add({ weight }: FoldUnit): boolean {
    if (this.#sum > 0 ? this.#sum + weight > this.#max : this.#max === 0) return false;
    this.#sum += weight;
    return true;
  }
}

/** The number of the last search. Units and nodes record the number of the search that last visited them. */
let searches = 0;

/**
 * Finds the affected units along the lists of the keys.
 * @returns the affected units in order, including the flipped units, or null if they weigh more than `max`
 */
export function affectedAlongLists({ late, flipped }: Seeds, max: number): FoldUnit[] | null {
  const search = ++searches;
  const heap = new Heap<FoldUnit>(compareUnits);
  const affected: FoldUnit[] = [];
  const weights = new Weights(max);
  for (const unit of flipped) {
    unit.found = search;
    heap.push(unit);
  }
  let next = 0;
  for (;;) {
    const fromHeap = heap.first;
    const seed = late[next];
    if (fromHeap === null && seed === undefined) return affected;
    if (seed !== undefined && (fromHeap === null || compareUnits(seed, fromHeap) < 0)) {
      next++;
      spread(seed, search, heap);
    } else {
      const unit = heap.shift();
      if (!weights.add(unit)) return null;
      affected.push(unit);
      spread(unit, search, heap);
    }
  }
}

function spread(unit: FoldUnit, search: number, heap: Heap<FoldUnit>): void {
  if (unit.key !== null) follow(unit, search, heap);
  if (unit.more !== null) for (const node of unit.more) follow(node, search, heap);
}

/**
 * Follows a node: a writer affects all units up to and including the next writer, from which the search continues; a
 * reader affects the next writer.
 */
function follow(from: TouchNode, search: number, heap: Heap<FoldUnit>): void {
  const { writes } = from;
  if (from.passed === search) return;
  if (!writes) from.passed = search;
  for (let node = from.newer; node !== null; node = node.newer) {
    if (writes || node.writes) find(node.unit, search, heap);
    if (node.writes) return;
    // The search that has passed this reader has already found the next writer.
    if (!writes && node.passed === search) return;
    node.passed = search;
  }
}

function find(unit: FoldUnit, search: number, heap: Heap<FoldUnit>): void {
  if (!unit.isApplied || unit.found === search) return;
  unit.found = search;
  heap.push(unit);
}

/**
 * Finds the affected units by visiting all later units. The result is that of `affectedAlongLists`.
 * @param later  the applied units starting with the first seed, in order
 */
export function affectedAlongTail(
  { late, flipped }: Seeds,
  later: readonly FoldUnit[],
  max: number,
): FoldUnit[] | null {
  const search = ++searches;
  for (const unit of flipped) unit.found = search;
  const touched = new Touched();
  const affected: FoldUnit[] = [];
  const weights = new Weights(max);
  let next = 0;
  for (const unit of later) {
    for (; next < late.length && compareUnits(late[next] as FoldUnit, unit) < 0; next++)
      touched.add(late[next] as FoldUnit);
    if (unit.found !== search && !touched.conflictsWith(unit)) continue;
    if (!weights.add(unit)) return null;
    affected.push(unit);
    touched.add(unit);
  }
  return affected;
}

/**
 * Determines, if complete databases are touched, which of the arriving units are late, including units that only read.
 * Takes the same parameters as `affectedAlongTail`.
 */
export function markLate(late: readonly FoldUnit[], later: readonly FoldUnit[]): void {
  const touched = new Touched();
  let next = later.length - 1;
  for (const unit of late.toReversed()) {
    for (; next >= 0 && compareUnits(later[next] as FoldUnit, unit) > 0; next--)
      touched.add(later[next] as FoldUnit);
    unit.isLate = touched.conflictsWith(unit);
  }
}

/**
 * The keys and databases that some units touch. Conflicts are symmetric: whether another unit conflicts with these
 * units does not depend on which unit is earlier.
 */
class Touched {
  readonly #databases = new Map<number, TouchedDatabase>();

  add(unit: FoldUnit): void {
    for (const { db, key, writes } of nodesOf(unit)) this.#database(db).addKey(key as ByteString, writes);
    for (const { db, writes } of unit.databaseTouches ?? []) this.#database(db).addDatabase(writes);
  }

  conflictsWith(unit: FoldUnit): boolean {
    for (const { db, key, writes } of nodesOf(unit))
      if (this.#databases.get(db)?.conflictsWithKey(key as ByteString, writes)) return true;
    return (unit.databaseTouches ?? []).some((touch: DatabaseTouch) =>
      this.#databases.get(touch.db)?.conflictsWithDatabase(touch.writes),
    );
  }

  #database(db: number): TouchedDatabase {
    let database = this.#databases.get(db);
    if (database === undefined) {
      database = new TouchedDatabase();
      this.#databases.set(db, database);
    }
    return database;
  }
}

class TouchedDatabase {
  /** The touched keys, and whether each of them may be written. */
  readonly #keys = new Map<ByteString, boolean>();
  #anyWritten = false;
  #isRead = false;
  #isWritten = false;

  addKey(key: ByteString, writes: boolean): void {
    if (writes) this.#anyWritten = true;
    if (writes || !this.#keys.has(key)) this.#keys.set(key, writes);
  }

  addDatabase(writes: boolean): void {
    if (writes) this.#isWritten = true;
    else this.#isRead = true;
  }

  conflictsWithKey(key: ByteString, writes: boolean): boolean {
    if (this.#isWritten || (writes && this.#isRead)) return true;
    return writes ? this.#keys.has(key) : this.#keys.get(key) === true;
  }

  conflictsWithDatabase(writes: boolean): boolean {
    if (this.#isWritten || this.#anyWritten) return true;
    return writes && (this.#isRead || this.#keys.size > 0);
  }
}
