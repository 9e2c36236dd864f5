/**
 * Finds the applied units that late units affect. A unit affects a later unit if it may write a key that the later unit
 * touches, or if it reads a key that the later unit may write; an affected unit affects further units in the same way.
 * There are two searches with the same result: one follows the lists of the keys, and the other visits all later units
 * because complete databases are touched. Source: docs/architecture.md "The life of a signed write".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { Heap } from "../entries/heap.js";
import { compareUnits, type DatabaseTouch, type FoldUnit, type TouchNode } from "./fold-unit.js";

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
 * The number of commands of affected units, to which the time for redoing them is proportional. The first unit is
 * always within the maximum: it takes no longer than when it was applied.
 */
class CommandCount {
  readonly #max: number;
  #sum = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** @returns false if the units exceed the maximum, and the unit is not added */
  add({ length }: FoldUnit): boolean {
    if (this.#sum > 0 ? this.#sum + length > this.#max : this.#max === 0) return false;
    this.#sum += length;
    return true;
  }
}

/** The number of the last search. Units and nodes record the number of the search that last visited them. */
let searches = 0;

/**
 * Finds the affected units along the lists of the keys.
 * @returns the affected units in order, including the flipped units, or null if they have more than `max` commands
 */
export function affectedAlongLists({ late, flipped }: Seeds, max: number): FoldUnit[] | null {
  const search = ++searches;
  const heap = new Heap<FoldUnit>(compareUnits);
  const affected: FoldUnit[] = [];
  const commands = new CommandCount(max);
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
      if (!commands.add(unit)) return null;
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
  const commands = new CommandCount(max);

  let next = 0;
  for (const unit of later) {
    for (; next < late.length && compareUnits(late[next] as FoldUnit, unit) < 0; next++)
      touched.add(late[next] as FoldUnit);
    if (unit.found !== search && !touched.conflictsWith(unit)) continue;
    if (!commands.add(unit)) return null;
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

/** The position that the insertion of a batch has reached in one list. It starts at the newest node. */
interface Cursor {
  node: TouchNode;
  /** The number of applied units that were passed: a late writer at this position affects all these units. */
  touched: number;
  /**
   * The number of the passed units that a late reader at this position affects: the earliest passed unit that may write
   * the key, and all units after it.
   */
  written: number;
}

/**
 * Lists of the units that touch each key of the tail, in order. With them the cost of a late unit depends on the later
 * units of its keys, and not on the complete tail.
 */
export class TouchLists {
  /** The newest node of each key, by database. */
  readonly #newest: Map<ByteString, TouchNode>[];

  constructor(databases: number) {
    this.#newest = Array.from({ length: databases }, () => new Map());
  }

  /** Adds a unit that comes after all units in the lists. */
  append(unit: FoldUnit): void {
    if (unit.key !== null) this.#appendNode(unit, unit.key);
    if (unit.more !== null) for (const node of unit.more) this.#appendNode(node, node.key as ByteString);
  }

  /**
   * Inserts units at their positions, and determines which of the units are late.
   * @param units  in order
   * @param max  the maximum number of applied units that each unit may affect; the walk along a key's list stops there
   * @returns false if a unit affects more units; then no unit is added
   */
  insert(units: readonly FoldUnit[], max: number): boolean {
    // Each cursor is found by the newest node of its list. That node does not change during the loop, because the
    // batch's newest units are inserted first.
    const cursors = new Map<TouchNode, Cursor>();
    const inserted: TouchNode[] = [];

    for (let i = units.length - 1; i >= 0; i--)
      for (const node of nodesOf(units[i] as FoldUnit)) {
        if (!this.#insertNode(node, cursors, max)) {
          for (const other of inserted) this.#unlink(other, other.key as ByteString);
          return false;
        }
        inserted.push(node);
      }
    return true;
  }

  /** Whether a unit that is in no list is known to affect more than `max` applied units. */
  affectsMore(unit: FoldUnit, max: number): boolean {
    return nodesOf(unit).some(({ db, key, writes }) => {
      const newest = this.#newest[db]?.get(key as ByteString);
      if (newest === undefined || compareUnits(newest.unit, unit) <= 0) return false;
      return !passLater(cursorAt(newest), unit, writes, max);
    });
  }

  remove(unit: FoldUnit): void {
    if (unit.key !== null) this.#unlink(unit, unit.key);
    if (unit.more !== null) for (const node of unit.more) this.#unlink(node, node.key as ByteString);
  }

  /**
   * Whether an applied unit after the given unit may write a key that the given unit reads. The given unit is in no
   * list.
   */
  isLateRead(unit: FoldUnit): boolean {
    return nodesOf(unit).some(({ db, key }) => {
      let node = this.#newest[db]?.get(key as ByteString) ?? null;
      while (node !== null && compareUnits(node.unit, unit) > 0) {
        if (node.writes && node.unit.isApplied) return true;
        node = node.older;
      }
      return false;
    });
  }

  #appendNode(node: TouchNode, key: ByteString): void {
    const newest = this.#newest[node.db] as Map<ByteString, TouchNode>;
    const older = newest.get(key);
    if (older !== undefined) {
      node.older = older;
      older.newer = node;
    }
    newest.set(key, node);
  }

  /** @returns false if the node was not inserted, because its unit affects more than `max` units */
  #insertNode(node: TouchNode, cursors: Map<TouchNode, Cursor>, max: number): boolean {
    const { unit } = node;
    const key = node.key as ByteString;
    const newest = this.#newest[node.db]?.get(key);
    if (newest === undefined || compareUnits(newest.unit, unit) <= 0) {
      this.#appendNode(node, key);
      return true;
    }

    let cursor = cursors.get(newest);
    if (cursor === undefined) {
      cursor = cursorAt(newest);
      cursors.set(newest, cursor);
    }

    if (!passLater(cursor, unit, node.writes, max)) return false;

    const { older } = cursor.node;
    node.newer = cursor.node;
    node.older = older;
    cursor.node.older = node;
    if (older !== null) older.newer = node;
    unit.isLate ||= (node.writes ? cursor.touched : cursor.written) > 0;
    return true;
  }

  #unlink(node: TouchNode, key: ByteString): void {
    const { older, newer } = node;
    if (older !== null) older.newer = newer;
    if (newer !== null) newer.older = older;
    else if (older !== null) this.#newest[node.db]?.set(key, older);
    else this.#newest[node.db]?.delete(key);
    node.older = null;
    node.newer = null;
  }
}

function cursorAt(newest: TouchNode): Cursor {
  const touched = newest.unit.isApplied ? 1 : 0;
  return { node: newest, touched, written: newest.writes ? touched : 0 };
}

/**
 * Moves a cursor past the nodes of all units later than the given unit. A late writer affects all later units, because
 * each later writer is affected and affects the units after it. A late reader affects the first later writer and all
 * units after it.
 * @returns false if the unit affects more than `max` units; the cursor then stops early
 */
function passLater(cursor: Cursor, unit: FoldUnit, writes: boolean, max: number): boolean {
  for (;;) {
    if ((writes ? cursor.touched : cursor.written) > max) return false;
    const { older, unit: passed } = cursor.node;
    if (older === null || compareUnits(older.unit, unit) <= 0) return true;
    cursor.node = older;
    if (!older.unit.isApplied) continue;
    // A command that names a key twice has two nodes, next to each other.
    if (older.unit !== passed) cursor.touched++;
    if (older.writes) cursor.written = cursor.touched;
  }
}

/** Returns a unit's nodes; none if the unit touches no individual key. */
export function nodesOf(unit: FoldUnit): readonly TouchNode[] {
  if (unit.key === null) return [];
  return unit.more === null ? [unit] : [unit, ...unit.more];
}
