/**
 * Reads a digest index in small steps: the order keys of a range of time, with what comparisons need of them, and the
 * rows of ranges of seconds. Rows that are missing from the index are computed from order keys.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import type { Steps } from "../../../protocol/steps.js";
import { ENTRY_ORDER_KEY_BYTES } from "../../../protocol/version-2/envelope.js";
import { dateOf, firstOrderKeyBytes } from "../entries/entry.js";
import type { DigestIndex, DigestSet } from "./digest-index.js";
import { nextOrderKey } from "./order-key-ranges.js";
import { ROW_SECONDS, type SumRow } from "./reconcile-message.js";
import type { SumTable } from "./sum-table.js";

/**
 * The number of order keys that are visited between two turns of the event loop, which takes one or two milliseconds.
 */
const ORDER_KEYS_PER_STEP = 1024;
const ID_OFFSET = ENTRY_ORDER_KEY_BYTES - 32;

export class OrderKeyWalk {
  readonly #index: DigestIndex;
  readonly #set: DigestSet;
  #left = ORDER_KEYS_PER_STEP;

  constructor(index: DigestIndex, set: DigestSet) {
    this.#index = index;
    this.#set = set;
  }

  /** Visits every order key dated `from` ≤ second < `to`; Infinity means no end. */
  *visit({ from, to }: { from: number; to: number }, visitor: (orderKey: Buffer) => void): Steps<void> {
    const end = to === Infinity ? null : firstOrderKeyBytes(to * 1000);
    let next: Buffer | null = firstOrderKeyBytes(from * 1000);
    while (next !== null) {
      const from: Buffer = next;
      next = null;
      for (const orderKey of this.#index.orderKeys(this.#set, from, end)) {
        visitor(orderKey);
        if (--this.#left > 0) continue;
        next = nextOrderKey(orderKey);
        break;
      }

      if (next === null) return;
      this.#left = ORDER_KEYS_PER_STEP;
      yield;
    }
  }

  /**
   * Groups the ids of one second by their first bits, and adds up the least significant 64 bits of the ids in each
   * group. Returns the high and the low word of each sum.
   */
  *groupSums(second: number, bits: number): Steps<Uint32Array> {
    const sums = new Uint32Array(2 << bits);
    yield* this.visit({ from: second, to: second + 1 }, (orderKey) => {
      const at = 2 * groupOf(orderKey, bits);
      const low = (sums[at + 1] as number) + lowOf(orderKey);
      sums[at + 1] = low;
      sums[at] = (sums[at] as number) + highOf(orderKey) + (low > 0xffffffff ? 1 : 0);
    });
    return sums;
  }
}

/** Returns the upper word of the least significant 64 bits of an id; `lowOf` returns the lower word. */
const highOf = (orderKey: Buffer): number => orderKey.readUInt32BE(ENTRY_ORDER_KEY_BYTES - 8);
const lowOf = (orderKey: Buffer): number => orderKey.readUInt32BE(ENTRY_ORDER_KEY_BYTES - 4);

/** Returns the first bits of an id, at least one. */
export const groupOf = (orderKey: Buffer, bits: number): number =>
  orderKey.readUInt32BE(ID_OFFSET) >>> (32 - bits);

/**
 * Returns the short id of an entry: 8 of the 32 bytes of its id, selected by the salt. Each exchange has a different
 * salt, so an attacker that wants two entries to have the same short id in all exchanges would have to find two equal
 * ids.
 */
export function shortId(orderKey: Buffer, salt: number): ByteString {
  const from = ID_OFFSET + 8 * salt;
  return bytesOf(orderKey, from, from + 8);
}

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

/** The rows into which counts and sums are combined. The caller adds them in ascending order of their seconds. */
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
