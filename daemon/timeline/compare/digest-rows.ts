/**
 * Reads an index's rows for ranges of seconds in small steps. Rows that are missing from the index are computed from
 * order keys.
 */

import type { Steps } from "../../../protocol/steps.js";
import { dateOf } from "../entries/entry.js";
import type { DigestIndex, DigestSet } from "./digest-index.js";
import { highOf, lowOf, OrderKeyWalk } from "./order-key-walk.js";
import { ROW_SECONDS, type SumRow } from "./reconcile-message.js";
import type { SumTable } from "./sum-table.js";

/** The number of rows that are read between two turns of the event loop. */
const ROWS_PER_STEP = 8192;
const COARSEST = ROW_SECONDS.length - 1;

/** Returns the rows that have entries and begin at a second with `from` ≤ second < `to`. */
export function* ownRows(
  index: DigestIndex,
  set: DigestSet,
  level: number,
  from: number,
  to: number,
): Steps<SumRow[]> {
  const rows = new RowSums(ROW_SECONDS[level] as number);
  // The coarsest level has no table: it is computed from the level below.
  const tableLevel = Math.min(level, COARSEST - 1);
  const table = index.tableFrom(set, tableLevel, from);
  if (table === null) {
    yield* new OrderKeyWalk(index, set).visit({ from, to }, (orderKey) => {
      rows.add(Math.floor(dateOf(orderKey) / 1000), 1, highOf(orderKey), lowOf(orderKey));
    });
    return rows.rows;
  }
  const seconds = ROW_SECONDS[tableLevel] as number;
  let next = from / seconds;
  for (;;) {
    next = addRows(rows, table, { next, end: to / seconds, seconds });
    if (next >= to / seconds) return rows.rows;
    yield;
  }
}

/** @returns the key to continue from, or `end` if there are no more rows */
function addRows(
  rows: RowSums,
  table: SumTable,
  { next, end, seconds }: { next: number; end: number; seconds: number },
): number {
  const first = table.firstFrom(next);
  for (let row = first; row < table.size; row++) {
    const key = table.keyAt(row);
    if (key >= end) return end;
    if (row - first === ROWS_PER_STEP) return key;
    rows.add(key * seconds, table.countAt(row), table.highAt(row), table.lowAt(row));
  }
  return end;
}

/** Combines counts and sums into rows. The caller adds them in ascending order of their seconds. */
class RowSums {
  readonly rows: { start: number; count: number; high: number; low: number }[] = [];
  readonly #seconds: number;

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  add(second: number, count: number, high: number, low: number): void {
    const start = Math.floor(second / this.#seconds) * this.#seconds;
    const last = this.rows.at(-1);
    if (last?.start !== start) {
      this.rows.push({ start, count, high, low });
      return;
    }
    last.count += count;
    const sum = last.low + low;
    last.low = sum >>> 0;
    last.high = (last.high + high + (sum > 0xffffffff ? 1 : 0)) >>> 0;
  }
}
