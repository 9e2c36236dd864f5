/**
 * Counts, reads, stores and removes ranges of sorted sets. Behaviour and error texts are those of Redis 7;
 * test/conformance checks them.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { bulksReply } from "../../../../protocol/lazy-replies.js";
import {
  array,
  bulk,
  double,
  EMPTY_ARRAY,
  integer,
  pairs,
  type Reply,
  ZERO,
} from "../../../../protocol/reply.js";
import { custom, syntaxError } from "../../arguments/command-errors.js";
import { indexArgument, parseDouble } from "../../arguments/number-arguments.js";
import { event, ifCounted, storedEvent } from "../../events/event-rules.js";
import { BYTES_PER_STEP } from "../../keyspace/effort-budget.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import { type Row, sourcesLookedUp } from "../../rows/command-row.js";
import { read, write } from "../../rows/key-spec.js";
import { SortedSet } from "../../values/sorted-set.js";
import { copied } from "../../values/tables/packed-elements.js";

const reader = (since: string, summary: string, run: Row["run"]): Row => ({
  arity: -4,
  flags: ["readonly"],
  keys: [read(1)],
  since,
  complexity: "O(log(N)+M), N: members, M: members returned",
  summary,
  run,
});

const counter = (since: string, summary: string, bounds: BoundsReader): Row => ({
  arity: 4,
  flags: ["readonly", "fast"],
  keys: [read(1)],
  since,
  complexity: "O(log(N)), N: members",
  summary,
  run: (data, argv) => count(data, argv, bounds),
});

const remover = (since: string, summary: string, bounds: BoundsReader): Row => ({
  arity: 4,
  flags: ["write"],
  keys: [write(1)],
  since,
  complexity: "O(log(N)*M), N: members, M: members removed",
  summary,
  run: (data, argv) => remove(data, argv, bounds),
});

export const sortedSetRanges: Readonly<Record<string, Row>> = {
  ZCOUNT: {
    ...counter("2.0.0", "Counts the members with a score in a range.", scoreBounds),
    method: "key min max: number",
  },
  ZLEXCOUNT: {
    ...counter("2.8.9", "Counts the members in a range of names; all must have the same score.", lexBounds),
    method: "key min max: number",
  },
  ZRANGE: {
    ...reader("1.2.0", "Returns the members in a range of ranks, scores or names.", (data, argv) =>
      range(data, argv, {}),
    ),
    method: "key start stop ...options: @list",
    reply: "scores-after-range",
  },
  ZRANGEBYLEX: {
    ...reader(
      "2.8.9",
      "Returns the members in a range of names; all must have the same score.",
      (data, argv) => range(data, argv, { by: "lex", reverse: false }),
    ),
    method: "key min max ...options: @list",
  },
  ZRANGEBYSCORE: {
    ...reader("1.0.5", "Returns the members with a score in a range, lowest first.", (data, argv) =>
      range(data, argv, { by: "score", reverse: false }),
    ),
    method: "key min max ...options: @list",
    reply: "scores-after-range",
  },
  ZRANGESTORE: {
    arity: -5,
    flags: ["write", "denyoom"],
    keys: [write(1), read(2)],
    since: "6.2.0",
    complexity: "O(log(N)+M*log(M)), N: members, M: members stored",
    summary: "Stores the members in a range of ranks, scores or names.",
    events: storedEvent("z", "zrangestore"),
    lookedUp: sourcesLookedUp,
    run: rangeStore,
  },
  ZREMRANGEBYLEX: {
    ...remover("2.8.9", "Removes the members in a range of names; all must have the same score.", lexBounds),
    events: event("z", "zremrangebylex", ifCounted),
    keyFlags: ["RW delete"],
    method: "key min max: number",
  },
  ZREMRANGEBYRANK: {
    ...remover("2.0.0", "Removes the members in a range of ranks.", rankBounds),
    events: event("z", "zremrangebyrank", ifCounted),
    keyFlags: ["RW delete"],
    method: "key start stop: number",
  },
  ZREMRANGEBYSCORE: {
    ...remover("1.2.0", "Removes the members with a score in a range.", scoreBounds),
    events: event("z", "zremrangebyscore", ifCounted),
    keyFlags: ["RW delete"],
    method: "key min max: number",
  },
  ZREVRANGE: {
    ...reader(
      "1.2.0",
      "Returns the members in a range of ranks, counted from the highest score.",
      (data, argv) => range(data, argv, { by: "rank", reverse: true }),
    ),
    method: "key start stop ...options: @list",
    reply: "scores-after-range",
  },
  ZREVRANGEBYLEX: reader(
    "2.8.9",
    "Returns the members in a range of names, last first; all must have the same score.",
    (data, argv) => range(data, argv, { by: "lex", reverse: true }),
  ),
  ZREVRANGEBYSCORE: {
    ...reader("2.2.0", "Returns the members with a score in a range, highest first.", (data, argv) =>
      range(data, argv, { by: "score", reverse: true }),
    ),
    reply: "scores-after-range",
  },
};

type BoundsReader = (min: ByteString, max: ByteString) => Bounds;
type By = "rank" | "score" | "lex";

const BOUNDS_READERS: Readonly<Record<By, BoundsReader>> = {
  rank: rankBounds,
  score: scoreBounds,
  lex: lexBounds,
};

/** The properties that follow from a command's name; the remaining ones follow from its options. */
interface Fixed {
  readonly by?: By;
  readonly reverse?: boolean;
  readonly store?: boolean;
}

interface Query extends View {
  readonly bounds: Bounds;
  /** The maximum number of members; a negative number means all members. */
  readonly limit: number;
  readonly withScores: boolean;
}

/** The view of a complete range in ascending order. */
const COMPLETE_RANGE: View = { reverse: false, offset: 0 };

function count(data: Data, [, key, min, max]: readonly ByteString[], readBounds: BoundsReader): Reply {
  const bounds = readBounds(min!, max!);
  const entry = data.getAs(SortedSet, key!);
  if (entry === undefined) return ZERO;
  const { from, to } = bounds(entry.value, COMPLETE_RANGE, data);
  return integer(to - from);
}

function remove(data: Data, [, key, min, max]: readonly ByteString[], readBounds: BoundsReader): Reply {
  const bounds = readBounds(min!, max!);
  const entry = data.getAs(SortedSet, key!);
  if (entry === undefined) return ZERO;
  return integer(removeRange(data, entry, bounds(entry.value, COMPLETE_RANGE, data)).length);
}

function range(data: Data, argv: readonly ByteString[], fixed: Fixed): Reply {
  const query = rangeQuery(argv.slice(2), fixed);
  const entry = data.getAs(SortedSet, argv[1]!);
  if (entry === undefined) return EMPTY_ARRAY;
  const span = spanOf(data, entry.value, query);
  data.effort.answer(span.to - span.from);
  return pairsReply(selected(entry.value, query, span), query.withScores);
}

function rangeStore(data: Data, argv: readonly ByteString[]): Reply {
  const query = rangeQuery(argv.slice(3), { store: true });
  const entry = data.getAs(SortedSet, argv[2]!);
  if (entry === undefined) return storeSortedSet(data, argv[1]!, []);
  return storeSortedSet(data, argv[1]!, selected(entry.value, query, spanOf(data, entry.value, query)));
}

/** @param argv both ends and the options after them */
function rangeQuery([start, end, ...options]: readonly ByteString[], fixed: Fixed): Query {
  let { by, reverse } = fixed;
  let offset = 0;
  let limit = -1;
  let withScores = false;
  for (let i = 0; i < options.length; i++) {
    const option = options[i]!.toLowerCase();
    if (option === "withscores" && !fixed.store) {
      withScores = true;
    } else if (option === "limit" && i + 2 < options.length) {
      offset = indexArgument(options[++i]!);
      limit = indexArgument(options[++i]!);
    } else if (option === "rev" && reverse === undefined) {
      reverse = true;
    } else if ((option === "bylex" || option === "byscore") && by === undefined) {
      by = option === "bylex" ? "lex" : "score";
    } else {
      throw syntaxError();
    }
  }

  by ??= "rank";
  reverse ??= false;
  if (limit !== -1 && by === "rank") {
    throw custom("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
  }
  if (withScores && by === "lex") {
    throw custom("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
  }
  const [min, max] = reverse && by !== "rank" ? [end, start] : [start, end];
  return { bounds: BOUNDS_READERS[by](min!, max!), reverse, offset, limit, withScores };
}

/** Returns the ranks that a query selects, with its limit applied. */
function spanOf(data: Data, zset: SortedSet, query: Query): Span {
  const { from, to } = query.bounds(zset, query, data);
  const count = query.limit < 0 ? to - from : Math.min(query.limit, to - from);
  return query.reverse ? { from: to - count, to } : { from, to: from + count };
}

function selected(zset: SortedSet, { reverse }: Query, { from, to }: Span): Iterable<[ByteString, number]> {
  return reverse ? zset.reverseRange(from, to) : zset.range(from, to);
}

/** Ranks `from` ≤ rank < `to`. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The direction and the offset of a range. The two ends of a range, by rank, score or member, are parsed first, because
 * an invalid one is an error regardless of the key's value, and are applied to a set afterwards.
 */
interface View {
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
type Bounds = (zset: SortedSet, view: View, data: Data) => Span;

const EMPTY: Span = { from: 0, to: 0 };

/**
 * Parses the first and the last index; negative ones count from the end. A range by rank has no offset.
 * @throws CommandFailure
 */
function rankBounds(firstBytes: ByteString, lastBytes: ByteString): Bounds {
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
function scoreBounds(minBytes: ByteString, maxBytes: ByteString): Bounds {
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
function lexBounds(minBytes: ByteString, maxBytes: ByteString): Bounds {
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

export type Pair = readonly [member: ByteString, score: number];

/** Returns a member and its score as a reply. */
export const pairReply = ([member, score]: Pair): Reply => array([bulk(member), double(score)]);

/** Returns members as a reply, each followed by its score if scores are requested. */
export function pairsReply(members: Iterable<Pair>, withScores: boolean): Reply {
  if (!withScores)
    return bulksReply(
      "array",
      Array.from(members, ([member]) => member),
    );
  const items: Reply[] = [];
  for (const [member, score] of members) items.push(bulk(member), double(score));
  return pairs(items);
}

/** Cost in steps of inserting a member into the result, in addition to the cost of storing the result. */
const STORED_STEPS = 3;

/**
 * Stores a sorted set of these pairs in a key and replaces any previous value; without pairs the key is removed.
 * @returns the number of members
 */
export function storeSortedSet(data: Data, key: ByteString, pairs: Iterable<Pair>): Reply {
  const result = new SortedSet();
  for (const [member, score] of pairs) {
    data.effort.work(STORED_STEPS + member.length / BYTES_PER_STEP);
    result.set(member, score);
  }
  if (result.size > 0) data.put(key, result);
  else if (data.get(key) !== undefined) data.delete(key);
  return result.size === 0 ? ZERO : integer(result.size);
}

/** Cost in steps of each member that is read before it is removed, in addition to its removal. */
export const REMOVED_STEPS = 20;

/** Removes a span of ranks. @returns the removed pairs, lowest first */
export function removeRange(data: Data, entry: Typed<SortedSet>, { from, to }: Span): Pair[] {
  const { isSmall, size } = entry.value;
  data.effort.work(REMOVED_STEPS * Math.max(0, to - from));
  const removed = [...entry.value.range(from, to)];
  if (removed.length === size) data.delete(entry.key);
  else for (const [member] of removed) data.score(entry, isSmall ? copied(member) : member, undefined);
  return removed;
}
