/**
 * Lists of the units that touch each key of the tail, in order. With them the cost of a late unit depends on the later
 * units of its keys, and not on the complete tail.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { compareUnits, type FoldUnit, type TouchNode } from "./fold-unit.js";

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
