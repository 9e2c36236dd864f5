/**
 * Entries of this daemon that a member's snapshot certainly or possibly does not contain. The snapshot lists its ring
 * entries; of all other entries it has sums only. Where the sums of a range differ, as many entries are certain to be
 * missing as the snapshot counts fewer; the remaining ones are possible.
 */
import { bytesOf } from "../../protocol/byte-string.js";
import type { Steps } from "../../protocol/steps.js";
import { dateOf, firstPlaceAt, type Place, readPlace } from "../entries/entry.js";
import { type DigestIndex, LEVEL_SECONDS } from "./digest-index.js";
import { ownRows } from "./digest-rows.js";
import { PlaceWalk } from "./place-walk.js";
import type { SumRow } from "./reconcile-message.js";

/** Seconds `from` ≤ second < `to`, and what both have there. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly own: Sum;
  readonly given: Sum;
}

/** The number of some ids, and the sum of their lower 64 bits. */
interface Sum {
  readonly count: number;
  readonly low: bigint;
}

export interface FoundEntries {
  /** The number of entries, including those that this daemon has removed as well. */
  readonly count: number;
  /** The first of those that are known, in order. */
  readonly places: readonly Place[];
}

export interface Orphans extends FoundEntries {
  /** It may be made of them, or not. What is certain and is not among the places is among these. */
  readonly possible: FoundEntries;
}

/**
 * Finds the orphaned entries.
 * @param own       the index of this daemon
 * @param given     the index of the snapshot; has no storage
 * @param cutAt     only entries dated up to it are compared; milliseconds since 1970
 * @param prunedTo  entries dated up to it are removed here: perhaps only the snapshot has them
 * @param max      places to return, at most
 */
export function* orphansOf(
  own: DigestIndex,
  given: DigestIndex,
  { cutAt, prunedTo, max }: { readonly cutAt: number; readonly prunedTo: number; readonly max: number },
): Steps<Orphans> {
  const certain: Place[] = [];
  const possible: Place[] = [];
  let [count, possibleCount] = [0, forgottenBetween(own, cutAt, prunedTo)];
  const known = new Set([...given.places("ring", null, null)].map((place) => bytesOf(place)));
  for (const place of own.places("ring", null, firstPlaceAt(cutAt + 1)))
    if (!known.has(bytesOf(place))) {
      count++;
      if (certain.length < max) certain.push(readPlace(place));
    }
  const walk = new PlaceWalk(own, "data");
  for (const stretch of yield* differing(own, given, cutAt)) {
    const excess = Math.max(stretch.own.count - stretch.given.count, 0);
    // With as many of each at least one is another.
    const missing = stretch.own.count === stretch.given.count ? 1 : excess;
    count += missing;
    const found: Place[] = [];
    let one: Place | null = null;
    yield* walk.visit(stretch, (place) => {
      if (dateOf(place) > cutAt) return;
      if (found.length < max) found.push(readPlace(place));
      if (BigInt.asUintN(64, stretch.own.low - lowOf(place)) === stretch.given.low) one = readPlace(place);
    });
    const isAll = missing === stretch.own.count;
    const named = isAll ? found : excess === 1 && one !== null ? [one] : [];
    for (const place of named) if (certain.length < max) certain.push(place);
    if (named.length > 0) continue;
    possibleCount += stretch.own.count - missing;
    for (const place of found) if (possible.length < max) possible.push(place);
  }
  return { count, places: certain, possible: { count: possibleCount, places: possible } };
}

/** Returns the part of an id that is added up. */
const lowOf = (place: Buffer): bigint => place.readBigUInt64BE(place.length - 8);

/** About how many are dated after one time and up to another. */
function forgottenBetween(own: DigestIndex, cutAt: number, prunedTo: number): number {
  if (prunedTo <= cutAt) return 0;
  const countUpTo = (at: number) => {
    const end = (Math.floor(at / 1000) + 1) * 1000;
    return own.digestUpTo(end, "ring").count + own.digestUpTo(end, "data").count;
  };
  return countUpTo(prunedTo) - countUpTo(cutAt);
}

/**
 * Returns the ranges in which the sums of data differ, in order; the last second, of which the snapshot has only a
 * part, is a range of its own.
 */
function* differing(own: DigestIndex, given: DigestIndex, cutAt: number): Steps<Stretch[]> {
  const end = Math.floor((cutAt + 1) / 1000);
  const found: Stretch[] = [];
  let from = 0;
  for (let level = LEVEL_SECONDS.length - 1; level >= 0; level--) {
    const finer = level === 0 ? end : Math.min(end, given.completeFrom("data", level - 1));
    // The coarser sums end where the finer ones are complete.
    if (finer <= from) continue;
    const seconds = LEVEL_SECONDS[level] as number;
    const [ours, theirs] = [
      yield* ownRows(own, "data", level, from, finer),
      yield* ownRows(given, "data", level, from, finer),
    ];
    const byStart = new Map(theirs.map((row) => [row.start, row]));
    for (const row of ours) {
      const [mine, other] = [sumOf(row), sumOf(byStart.get(row.start))];
      if (!isSame(mine, other))
        found.push({ from: row.start, to: row.start + seconds, own: mine, given: other });
    }
    from = finer;
  }
  const last = yield* lastOf(own, given, cutAt);
  if (last.own.count > 0 && !isSame(last.own, last.given)) found.push(last);
  return found;
}

/** The part of the last second that the snapshot has. */
function* lastOf(own: DigestIndex, given: DigestIndex, cutAt: number): Steps<Stretch> {
  const second = Math.floor((cutAt + 1) / 1000);
  const [theirs] = yield* ownRows(given, "data", 0, second, second + 1);
  const end = firstPlaceAt(cutAt + 1);
  let count = 0;
  let low = 0n;
  yield* new PlaceWalk(own, "data").visit({ from: second, to: second + 1 }, (place) => {
    if (place.compare(end) >= 0) return;
    count++;
    low += lowOf(place);
  });
  const mine = { count, low: BigInt.asUintN(64, low) };
  return { from: second, to: second + 1, own: mine, given: sumOf(theirs) };
}

function sumOf(row: SumRow | undefined): Sum {
  return { count: row?.count ?? 0, low: BigInt(row?.high ?? 0) * 2n ** 32n + BigInt(row?.low ?? 0) };
}

const isSame = (sum: Sum, other: Sum): boolean => sum.count === other.count && sum.low === other.low;
