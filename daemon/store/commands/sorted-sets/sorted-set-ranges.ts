/**
 * Counts, reads, stores and removes ranges of sorted sets. Behaviour and error texts are those of Redis 7;
 * test/conformance checks them.
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { EMPTY_ARRAY, integer, type Reply, ZERO } from "../../../../protocol/reply.js";
import { custom, syntaxError } from "../../arguments/command-errors.js";
import { indexArgument } from "../../arguments/number-arguments.js";
import { event, ifCounted, storedEvent } from "../../events/event-rules.js";
import type { Data } from "../../keyspace/mutators.js";
import type { Row } from "../../rows/command-row.js";
import { sourcesLookedUp } from "../../rows/counted-lookups.js";
import { read, write } from "../../rows/key-spec.js";
import { SortedSet } from "../../values/sorted-set.js";
import {
  type Bounds,
  lexBounds,
  rankBounds,
  type Span,
  scoreBounds,
  type View,
} from "./sorted-set-bounds.js";
import { pairsReply, removeRange, storeSortedSet } from "./sorted-set-results.js";

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
