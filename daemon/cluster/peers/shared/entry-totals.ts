/**
 * Represents a daemon's entries by counts and sums. After a daemon has pruned its entries, only their counts and sums
 * can still be compared.
 */
import type { Totals } from "../../../../protocol/members/member-elements.js";
import { type DigestIndex, isSameDigest, LEVEL_SECONDS } from "../../../timeline/compare/digest-index.js";

const SECOND = 1000;
/** The length in milliseconds of the longest intervals that have sums. The sums of these intervals are kept forever. */
const COARSEST = (LEVEL_SECONDS.at(-1) as number) * SECOND;

export const isSameTotals = (one: Totals, other: Totals): boolean =>
  isSameDigest(one.ring, other.ring) && isSameDigest(one.data, other.data);

/** Returns the totals of all entries. */
export const totalsOf = (index: DigestIndex): Totals => ({
  ring: index.total("ring"),
  data: index.total("data"),
});

/** Returns the totals of the entries dated before a time. @param at  milliseconds since 1970 */
export const totalsUpTo = (index: DigestIndex, at: number): Totals => ({
  ring: index.digestUpTo(at, "ring"),
  data: index.digestUpTo(at, "data"),
});

/**
 * Returns a date after the pruned period up to which sums are available. It is a whole second if the period ended
 * recently, and a multiple of a longer interval otherwise.
 * @param pruned  no entry dated at or before it is stored; milliseconds since 1970, like all dates
 * @returns a date after `pruned`
 */
export function endOfPruned(pruned: number, now: number): number {
  const unit = now - pruned > 2 * COARSEST ? COARSEST : SECOND;
  return (Math.floor(pruned / unit) + 1) * unit;
}

/**
 * Whether the first of two different sets of entries is smaller than the second. The owner of the smaller set has to
 * adopt the other set. The numbers of key ring entries are compared first, because a lost revocation is worse than a
 * lost write. Between sets of the same size the sums decide, so that all daemons decide alike.
 */
export function holdsLess(one: Totals, other: Totals): boolean {
  if (one.ring.count !== other.ring.count) return one.ring.count < other.ring.count;
  if (one.data.count !== other.data.count) return one.data.count < other.data.count;
  return one.ring.sum === other.ring.sum ? one.data.sum < other.data.sum : one.ring.sum < other.ring.sum;
}
