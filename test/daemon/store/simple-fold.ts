/**
 * Two folds of units that arrive in any order, for tests. The naive fold sorts all units and runs them on an empty
 * database. The merging fold undoes and reapplies only the units that a late unit can affect. Both folds are simple,
 * not fast.
 * Source: docs/architecture.md "How daemons agree".
 */

import { Database } from "../../../daemon/store/database.js";
import type { UndoRecord } from "../../../daemon/store/keyspace/undo.js";
import type { Touch } from "../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { type RandomUnit, touchesOfUnit } from "./random-unit.js";

/** A unit that has been applied. */
interface Applied {
  readonly unit: RandomUnit;
  readonly touches: readonly Touch[];
  records: UndoRecord[];
  reply: Reply;
}

/** Returns a unit's reads and writes by its key spec. Tests also pass functions with wrong results. */
export type TouchesOf = (unit: RandomUnit) => readonly Touch[];

/** Compares by time, then by id: the order of the fold. */
export function inOrder(a: RandomUnit, b: RandomUnit): number {
  return a.at - b.at || (a.id < b.id ? -1 : 1);
}

/** Runs all units in order on an empty database. */
export function naiveFold(units: readonly RandomUnit[]): {
  database: Database;
  replies: Map<ByteString, Reply>;
} {
  const database = new Database();
  const replies = new Map<ByteString, Reply>();
  for (const unit of units.toSorted(inOrder)) replies.set(unit.id, database.execute(unit.argv, unit));
  return { database, replies };
}

/** A fold of units that arrive in any order, with the effects of the order of the fold. */
export class MergingFold {
  readonly database = new Database();
  readonly #touchesOf: TouchesOf;
  /** Applied units in the order of the fold. */
  readonly #applied: Applied[] = [];
  /** Number of units that were undone and applied again. */
  redone = 0;

  constructor(touchesOf: TouchesOf = touchesOfUnit) {
    this.#touchesOf = touchesOf;
  }

  /** Each unit's reply when it was last applied. */
  get replies(): Map<ByteString, Reply> {
    return new Map(this.#applied.map(({ unit, reply }) => [unit.id, reply]));
  }

  add(unit: RandomUnit): void {
    let index = this.#applied.length;
    while (index > 0 && inOrder(unit, this.#applied[index - 1]!.unit) < 0) index--;
    const late: Applied = { unit, touches: this.#touchesOf(unit), records: [], reply: { kind: "nil" } };
    const affected = affectedBy(late, this.#applied.slice(index));
    for (const other of affected.toReversed()) this.database.undo(other.records);
    for (const each of [late, ...affected]) {
      each.records = [];
      each.reply = this.database.execute(each.unit.argv, each.unit, each.records);
    }
    this.redone += affected.length;
    this.#applied.splice(index, 0, late);
  }
}

/**
 * Returns the later units that a late unit affects. A later unit is affected if it touches a key that the late unit or
 * another affected unit may write, or if it may write a key that one of them reads.
 */
function affectedBy(late: Applied, later: readonly Applied[]): Applied[] {
  const dirty = [...late.touches];
  return later.filter((other) => {
    const conflicts = other.touches.some((touch) => dirty.some((earlier) => conflict(touch, earlier)));
    if (conflicts) dirty.push(...other.touches);
    return conflicts;
  });
}

function conflict(one: Touch, other: Touch): boolean {
  if (one.access === "read" && other.access === "read") return false;
  const sameDb = one.db === other.db || one.db === -1 || other.db === -1;
  return sameDb && (one.key === other.key || one.key === null || other.key === null);
}
