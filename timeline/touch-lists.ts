/**
 * For each key that the tail touches, the list of the units that do, in their order: following these instead of the tail
 * makes the cost of a late unit depend on what came later on its keys.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { compareUnits, type FoldUnit, type TouchNode } from "./unit.js";

/** How far the insertion of a batch has come in one list, from the newest node on. */
interface Cursor {
  node: TouchNode;
  /** Whether a node of a unit that has been applied was passed, and one that may write. */
  touched: boolean;
  written: boolean;
}

export class TouchLists {
  /** The newest node of each key, by database. */
  readonly #newest: Map<ByteString, TouchNode>[];

  constructor(databases: number) {
    this.#newest = Array.from({ length: databases }, () => new Map());
  }

  /** Adds a unit that comes after all that are in the lists. */
  append(unit: FoldUnit): void {
    if (unit.key !== null) this.#appendNode(unit, unit.key);
    if (unit.more !== null) for (const node of unit.more) this.#appendNode(node, node.key as ByteString);
  }

  /** Adds units wherever they belong, and finds out which of them are late. @param units  in their order */
  insert(units: readonly FoldUnit[]): void {
    // By the newest node, which stays so once the newest unit of the batch on that key is in.
    const cursors = new Map<TouchNode, Cursor>();
    for (let i = units.length - 1; i >= 0; i--)
      for (const node of nodesOf(units[i] as FoldUnit)) this.#insertNode(node, cursors);
  }

  remove(unit: FoldUnit): void {
    if (unit.key !== null) this.#unlink(unit, unit.key);
    if (unit.more !== null) for (const node of unit.more) this.#unlink(node, node.key as ByteString);
  }

  /** Whether an applied unit after this one, which is in no list, may write what it reads. */
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

  #insertNode(node: TouchNode, cursors: Map<TouchNode, Cursor>): void {
    const { unit } = node;
    const key = node.key as ByteString;
    const newest = this.#newest[node.db]?.get(key);
    if (newest === undefined || compareUnits(newest.unit, unit) <= 0) {
      this.#appendNode(node, key);
      return;
    }
    let cursor = cursors.get(newest);
    if (cursor === undefined) {
      cursor = {
        node: newest,
        touched: newest.unit.isApplied,
        written: newest.unit.isApplied && newest.writes,
      };
      cursors.set(newest, cursor);
    }
    let older = cursor.node.older;
    while (older !== null && compareUnits(older.unit, unit) > 0) {
      cursor.node = older;
      cursor.touched ||= older.unit.isApplied;
      cursor.written ||= older.unit.isApplied && older.writes;
      older = older.older;
    }
    node.newer = cursor.node;
    node.older = older;
    cursor.node.older = node;
    if (older !== null) older.newer = node;
    unit.isLate ||= node.writes ? cursor.touched : cursor.written;
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

/** A unit's nodes; none for one that touches no key of its own. */
export function nodesOf(unit: FoldUnit): readonly TouchNode[] {
  if (unit.key === null) return [];
  return unit.more === null ? [unit] : [unit, ...unit.more];
}
