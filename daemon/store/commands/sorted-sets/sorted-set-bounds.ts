/**
 * The two ends of a range of a sorted set, by rank, score or member, and the ranks between them. Ends are parsed first,
 * because an invalid one is an error regardless of the key's value, and are applied to a set afterwards.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { custom } from "../../arguments/command-errors.js";
import { indexArgument, parseDouble } from "../../arguments/number-arguments.js";
import type { Data } from "../../keyspace/mutators.js";
import type { SortedSet } from "../../values/sorted-set.js";

/** Ranks `from` ≤ rank < `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The direction and the offset of a range. */
export interface View {
  /** Whether the range is read from its highest rank downwards. */
  readonly reverse: boolean;
  /** Number of members to skip at the end that is read first; a negative number means all members. */
  readonly offset: number;
}

/**
 * Cost in steps of each member when a range by member is searched in a set with different scores: all members are
 * compared.
 */
const WALKED_STEPS = 4;

/** @returns the ranks within the bounds and after the offset; `from` ≤ `to` */
export type Bounds = (zset: SortedSet, view: View, data: Data) => Span;

const EMPTY: Span = { from: 0, to: 0 };

/**
 * Parses the first and the last index; negative ones count from the end. A range by rank has no offset.
 * @throws CommandFailure
 */
export function rankBounds(firstBytes: ByteString, lastBytes: ByteString): Bounds {
  const first = indexArgument(firstBytes);
  const last = indexArgument(lastBytes);
  return ({ size }, { reverse }) => {
    const start = Math.max(0, first < 0 ? size + first : first);
    const end = Math.min(size, (last < 0 ? size + last : last) + 1);
    if (start >= end) return EMPTY;
    return reverse ? { from: size - end, to: size - start } : { from: start, to: end };
  };
}

/** Parses `1`, `(1`, `-inf`. @throws CommandFailure */
export function scoreBounds(minBytes: ByteString, maxBytes: ByteString): Bounds {
  const min = scoreBound(minBytes);
  const max = scoreBound(maxBytes);
  return (zset, view) => {
    const from = zset.countBelowScore(min.score, min.exclusive);
    return afterOffset(from, zset.countBelowScore(max.score, !max.exclusive), view);
  };
}

/** Parses a bound like C's `strtod`, which skips spaces, stops at a NUL byte, and reads an empty text as 0. */
function scoreBound(bytes: ByteString): { score: number; exclusive: boolean } {
  const exclusive = bytes.startsWith("(");
  const text = bytes.slice(exclusive ? 1 : 0).split("\0", 1)[0] as ByteString;
  const score = text === "" ? 0 : parseDouble(text.replace(/^[ \t\n\v\f\r]+/, ""));
  if (score === undefined) throw custom("ERR min or max is not a float");
  return { score, exclusive };
}

/** Parses `[a`, `(a`, `-`, `+`. @throws CommandFailure */
export function lexBounds(minBytes: ByteString, maxBytes: ByteString): Bounds {
  const min = lexBound(minBytes);
  const max = lexBound(maxBytes);
  return (zset, view, { effort }) => {
    if (!zset.hasOneScore()) {
      effort.work(WALKED_STEPS * zset.size);
      return spanByWalk(zset, min, max, view);
    }
    return afterOffset(countBelow(zset, min, min.exclusive), countBelow(zset, max, !max.exclusive), view);
  };
}

function afterOffset(from: number, to: number, { reverse, offset }: View): Span {
  if (offset < 0 || from + offset >= to) return EMPTY;
  return reverse ? { from, to: to - offset } : { from: from + offset, to };
}

interface LexBound {
  readonly member: ByteString;
  readonly exclusive: boolean;
  /** The position of the bound: -1 before all members, 1 after all, 0 at `member`. */
  readonly side: -1 | 0 | 1;
}

function lexBound(bytes: ByteString): LexBound {
  const [sign, next] = bytes;
  const ends = next === undefined || next === "\0";
  if (sign === "-" && ends) return { member: "", exclusive: true, side: -1 };
  if (sign === "+" && ends) return { member: "", exclusive: true, side: 1 };
  if (sign !== "[" && sign !== "(") throw custom("ERR min or max not valid string range item");
  return { member: bytes.slice(1), exclusive: sign === "(", side: 0 };
}

function countBelow(zset: SortedSet, bound: LexBound, orEqual: boolean): number {
  if (bound.side !== 0) return bound.side < 0 ? 0 : zset.size;
  return zset.countBelowMember(bound.member, orEqual);
}

/**
 * Finds a range by member in a set with different scores. Members of such a set are not sorted by name, so the range
 * has little meaning, but all daemons must find the same one. They find the range that Redis finds in a small set. In
 * reading order, one of the two bounds comes first. The range begins with the first member inside that bound; if this
 * member is outside the second bound, the range is empty. The offset then skips members, inside or outside the bounds.
 * The range ends before the next member outside the second bound.
 */
function spanByWalk(zset: SortedSet, min: LexBound, max: LexBound, { reverse, offset }: View): Span {
  const isAboveMin = (member: ByteString) => !isBelow(member, min, min.exclusive);
  const isBelowMax = (member: ByteString) => isBelow(member, max, !max.exclusive);
  const members = Array.from(zset.range(0, zset.size), ([member]) => member);
  if (!isAboveMin(members.at(-1)!) || !isBelowMax(members[0]!)) return EMPTY;
  if (reverse) members.reverse();
  const [isNear, isFar] = reverse ? [isBelowMax, isAboveMin] : [isAboveMin, isBelowMax];
  const near = members.findIndex(isNear);
  if (offset < 0 || near < 0 || !isFar(members[near]!)) return EMPTY;
  const start = Math.min(near + offset, members.length);
  let end = start;
  while (end < members.length && isFar(members[end]!)) end++;
  return reverse ? { from: members.length - end, to: members.length - start } : { from: start, to: end };
}

function isBelow(member: ByteString, bound: LexBound, orEqual: boolean): boolean {
  if (bound.side !== 0) return bound.side > 0;
  return member < bound.member || (orEqual && member === bound.member);
}
