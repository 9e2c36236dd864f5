/**
 * Finds this daemon's entries that a member's snapshot certainly or possibly does not contain. The snapshot lists its
 * ring entries and the ids of its newest entries; for older entries it has only sums. If the sums of a range differ and
 * the snapshot counts N entries fewer, then at least N entries of the range are certainly missing from the snapshot; the
 * remaining entries of the range may be missing.
 */
import { bytesOf } from "../../../protocol/byte-string.js";
import type { Steps } from "../../../protocol/steps.js";
import { dateOf, firstOrderKeyBytes, type OrderKey, readOrderKey } from "../entries/entry.js";
import { type DigestIndex, LEVEL_SECONDS } from "./digest-index.js";
import { ownRows } from "./digest-rows.js";
import { shortIdOf } from "./newest-ids.js";
import { OrderKeyWalk } from "./order-key-walk.js";
import type { SumRow } from "./reconcile-message.js";

/** The seconds `from` ≤ second < `to`, and the sums of both sides for these seconds. */
interface Range {
  readonly from: number;
  readonly to: number;
  readonly own: Sum;
  readonly snapshot: Sum;
}

/** The number of ids in a range, and the sum of their lower 64 bits. */
interface Sum {
  readonly count: number;
  readonly low: bigint;
}

export interface FoundEntries {
  /** The number of entries, including entries that this daemon has removed. */
  readonly count: number;
  /** The order keys of the first of these entries whose order keys are known, in order. */
  readonly orderKeys: readonly OrderKey[];
}

export interface EntriesMissingInSnapshot extends FoundEntries {
  /**
   * Entries that the snapshot may or may not contain. `orderKeys` also includes certainly missing entries that cannot be
   * distinguished from the rest of their range.
   */
  readonly possible: FoundEntries;
}

/**
 * Finds the entries that the snapshot does not contain.
 * @param own       the index of this daemon
 * @param snapshot  the index of the snapshot; has no storage
 * @param cutAt     only entries dated up to this date are compared; milliseconds since 1970
 * @param prunedTo  this daemon has removed entries dated up to this date, so perhaps only the snapshot has them
 * @param max      the maximum number of order keys to return
 */
export function* entriesMissingInSnapshot(
  own: DigestIndex,
  snapshot: DigestIndex,
  { cutAt, prunedTo, max }: { readonly cutAt: number; readonly prunedTo: number; readonly max: number },
): Steps<EntriesMissingInSnapshot> {
  const certain: OrderKey[] = [];
  const possible: OrderKey[] = [];
  let [count, possibleCount] = [0, prunedBetween(own, cutAt, prunedTo)];
  const known = new Set([...snapshot.orderKeys("ring", null, null)].map((orderKey) => bytesOf(orderKey)));
  for (const orderKey of own.orderKeys("ring", null, firstOrderKeyBytes(cutAt + 1)))
    if (!known.has(bytesOf(orderKey))) {
      count++;
      if (certain.length < max) certain.push(readOrderKey(orderKey));
    }
  const add = (found: OrderKey[], orderKeys: readonly OrderKey[]) => {
    for (const orderKey of orderKeys) if (found.length < max) found.push(orderKey);
  };
  const ids = yield* ListedIds.of(snapshot);
  const walk = new OrderKeyWalk(own, "data");
  for (const range of yield* differing(own, snapshot, cutAt)) {
    const { missing, older, newer, isDecided } = yield* compare(walk, ids, range, { cutAt, max });
    count += missing;
    add(isDecided ? certain : possible, older.missing);
    add(certain, newer.missing);
    if (!isDecided) possibleCount += older.count - (missing - newer.missingCount);
  }
  return { count, orderKeys: certain, possible: { count: possibleCount, orderKeys: possible } };
}

/** The entries of a range that may be missing from the snapshot. */
interface Compared {
  /** The number of entries that are certainly missing. */
  readonly missing: number;
  /** Entries older than the listed ids: their number, and the order keys of those that are or may be missing. */
  readonly older: { readonly count: number; readonly missing: readonly OrderKey[] };
  /** Entries that the snapshot would list, and does not. */
  readonly newer: { readonly missingCount: number; readonly missing: readonly OrderKey[] };
  /** Whether all `older.missing` are certainly missing. */
  readonly isDecided: boolean;
}

/** Compares a range in which the sums differ. */
function* compare(
  walk: OrderKeyWalk,
  ids: ListedIds,
  range: Range,
  { cutAt, max }: { readonly cutAt: number; readonly max: number },
): Steps<Compared> {
  const { own, snapshot } = range;
  const older: OrderKey[] = [];
  const newer: OrderKey[] = [];
  let [listed, notListed] = [0, 0];
  let single: OrderKey | null = null;
  yield* walk.visit(range, (orderKey) => {
    const at = dateOf(orderKey);
    if (at > cutAt) return;
    if (at >= ids.from * 1000) {
      listed++;
      if (ids.has(orderKey)) return;
      notListed++;
      if (newer.length < max) newer.push(readOrderKey(orderKey));
      return;
    }
    if (older.length < max) older.push(readOrderKey(orderKey));
    if (BigInt.asUintN(64, own.low - shortIdOf(orderKey)) === snapshot.low) single = readOrderKey(orderKey);
  });
  const excess = own.count - snapshot.count;
  // The sums differ. Therefore at least one entry is missing from the snapshot, even if the counts are equal.
  const missing = Math.max(notListed, excess, excess === 0 ? 1 : 0);
  const rest = { missing, newer: { missingCount: notListed, missing: newer } };
  const count = Math.max(own.count - listed, 0);
  if (excess === 1 && notListed === 0 && single !== null)
    return { ...rest, older: { count, missing: [single] }, isDecided: true };
  return { ...rest, older: { count, missing: older }, isDecided: missing - notListed >= count };
}

/** The ids of the snapshot's newest entries, which it lists. */
class ListedIds {
  /** The first second of which the snapshot lists all entries. */
  readonly from: number;
  readonly #ids: ReadonlySet<bigint>;

  private constructor(from: number, ids: ReadonlySet<bigint>) {
    this.from = from;
    this.#ids = ids;
  }

  static *of({ newestIds }: DigestIndex): Steps<ListedIds> {
    return newestIds === null
      ? new ListedIds(Number.POSITIVE_INFINITY, new Set())
      : new ListedIds(newestIds.from, yield* newestIds.ids());
  }

  has(orderKey: Buffer): boolean {
    return this.#ids.has(shortIdOf(orderKey));
  }
}
/** Returns about how many entries are dated after `cutAt`, up to `prunedTo`. */
function prunedBetween(own: DigestIndex, cutAt: number, prunedTo: number): number {
  if (prunedTo <= cutAt) return 0;
  const countUpTo = (at: number) => {
    const end = (Math.floor(at / 1000) + 1) * 1000;
    return own.digestUpTo(end, "ring").count + own.digestUpTo(end, "data").count;
  };
  return countUpTo(prunedTo) - countUpTo(cutAt);
}

/**
 * Returns the ranges in which the sums of data differ, in order. The last second, of which the snapshot contains only a
 * part, is a separate range.
 */
function* differing(own: DigestIndex, snapshot: DigestIndex, cutAt: number): Steps<Range[]> {
  const end = Math.floor((cutAt + 1) / 1000);
  const found: Range[] = [];
  let from = 0;
  for (let level = LEVEL_SECONDS.length - 1; level >= 0; level--) {
    const finer = level === 0 ? end : Math.min(end, snapshot.completeFrom("data", level - 1));
    // The coarser sums are compared only up to the second from which the finer sums are complete.
    if (finer <= from) continue;
    const seconds = LEVEL_SECONDS[level] as number;
    const [ownRanges, snapshotRanges] = [
      yield* ownRows(own, "data", level, from, finer),
      yield* ownRows(snapshot, "data", level, from, finer),
    ];
    const byStart = new Map(snapshotRanges.map((row) => [row.start, row]));
    for (const row of ownRanges) {
      const [ownSum, snapshotSum] = [sumOf(row), sumOf(byStart.get(row.start))];
      if (!isSame(ownSum, snapshotSum))
        found.push({ from: row.start, to: row.start + seconds, own: ownSum, snapshot: snapshotSum });
    }
    from = finer;
  }
  const last = yield* lastOf(own, snapshot, cutAt);
  if (last.own.count > 0 && !isSame(last.own, last.snapshot)) found.push(last);
  return found;
}

/** Returns the part of the last second that the snapshot contains. */
function* lastOf(own: DigestIndex, snapshot: DigestIndex, cutAt: number): Steps<Range> {
  const second = Math.floor((cutAt + 1) / 1000);
  const [row] = yield* ownRows(snapshot, "data", 0, second, second + 1);
  const end = firstOrderKeyBytes(cutAt + 1);
  let count = 0;
  let low = 0n;
  yield* new OrderKeyWalk(own, "data").visit({ from: second, to: second + 1 }, (orderKey) => {
    if (orderKey.compare(end) >= 0) return;
    count++;
    low += shortIdOf(orderKey);
  });
  const ownSum = { count, low: BigInt.asUintN(64, low) };
  return { from: second, to: second + 1, own: ownSum, snapshot: sumOf(row) };
}

function sumOf(row: SumRow | undefined): Sum {
  return { count: row?.count ?? 0, low: BigInt(row?.high ?? 0) * 2n ** 32n + BigInt(row?.low ?? 0) };
}

const isSame = (sum: Sum, other: Sum): boolean => sum.count === other.count && sum.low === other.low;
