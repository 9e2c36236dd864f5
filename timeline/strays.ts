/**
 * Entries that are here and that a member's snapshot may not be made of: of ring entries it says which it has; of the
 * others only sums, so all of a stretch count whose sums differ. Compared as finely as the snapshot's sums allow.
 */
import { bytesOf } from "../protocol/byte-string.js";
import { type DigestIndex, LEVEL_SECONDS } from "./digest-index.js";
import { ownRows } from "./digest-rows.js";
import { dateOf, firstPlaceAt, type Place, readPlace } from "./entry.js";
import { PlaceWalk } from "./place-walk.js";
import type { SumRow } from "./reconcile-message.js";
import type { Steps } from "./steps.js";

/** Seconds `from` ≤ second < `to`, and how many entries the own index counts there. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export interface Strays {
  /** Those among them that are forgotten here as well. */
  readonly count: number;
  /** The first of those that are not, in order. */
  readonly places: readonly Place[];
}

/**
 * @param own    of what is here
 * @param given  the snapshot's; has no storage
 * @param cutAt     only what is dated up to it; milliseconds since 1970
 * @param prunedTo  what is dated up to it is forgotten here: beyond the snapshot nobody may have it, and it counts
 * @param most   so many places are told
 */
export function* straysOf(
  own: DigestIndex,
  given: DigestIndex,
  { cutAt, prunedTo, most }: { readonly cutAt: number; readonly prunedTo: number; readonly most: number },
): Steps<Strays> {
  let count = forgottenBetween(own, cutAt, prunedTo);
  const places: Place[] = [];
  const note = (place: Buffer): void => {
    if (places.length < most) places.push(readPlace(place));
  };
  const known = new Set([...given.places("ring", null, null)].map((place) => bytesOf(place)));
  for (const place of own.places("ring", null, firstPlaceAt(cutAt + 1)))
    if (!known.has(bytesOf(place))) {
      count++;
      note(place);
    }
  const walk = new PlaceWalk(own, "data");
  for (const stretch of yield* differing(own, given, cutAt)) {
    count += stretch.count;
    if (places.length >= most) continue;
    yield* walk.visit(stretch, (place) => {
      if (dateOf(place) <= cutAt) note(place);
    });
  }
  return { count, places };
}

/** About how many are dated after one time and up to another. */
function forgottenBetween(own: DigestIndex, cutAt: number, prunedTo: number): number {
  if (prunedTo <= cutAt) return 0;
  const countUpTo = (at: number) => {
    const end = (Math.floor(at / 1000) + 1) * 1000;
    return own.digestUpTo(end, "ring").count + own.digestUpTo(end, "data").count;
  };
  return countUpTo(prunedTo) - countUpTo(cutAt);
}

/** Where sums of data differ, in order; the last second, of which the snapshot has a part, apart. */
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
    for (const row of ours)
      if (!isSame(row, byStart.get(row.start)))
        found.push({ from: row.start, to: row.start + seconds, count: row.count });
    from = finer;
  }
  const last = yield* differingLast(own, given, cutAt);
  if (last > 0) found.push({ from: end, to: end + 1, count: last });
  return found;
}

/** How many there are in the part of the last second that the snapshot has; 0 if it is the same there. */
function* differingLast(own: DigestIndex, given: DigestIndex, cutAt: number): Steps<number> {
  const second = Math.floor((cutAt + 1) / 1000);
  const [theirs] = yield* ownRows(given, "data", 0, second, second + 1);
  const end = firstPlaceAt(cutAt + 1);
  let count = 0;
  let low = 0n;
  yield* new PlaceWalk(own, "data").visit({ from: second, to: second + 1 }, (place) => {
    if (place.compare(end) >= 0) return;
    count++;
    low += place.readBigUInt64BE(place.length - 8);
  });
  const sum = BigInt(theirs?.high ?? 0) * 2n ** 32n + BigInt(theirs?.low ?? 0);
  return count === (theirs?.count ?? 0) && BigInt.asUintN(64, low) === sum ? 0 : count;
}

const isSame = (row: SumRow, other: SumRow | undefined): boolean =>
  other !== undefined && row.count === other.count && row.high === other.high && row.low === other.low;
