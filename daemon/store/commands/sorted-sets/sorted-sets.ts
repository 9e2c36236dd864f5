/**
 * Sorted sets: members and their scores. Behaviour and error texts are those of Redis 7; test/conformance checks them.
 * Ranges are in sorted-set-ranges.ts, set operations in sorted-set-algebra.ts.
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  array,
  bulk,
  double,
  EMPTY_ARRAY,
  integer,
  NIL,
  NIL_ARRAY,
  type Reply,
  ZERO,
} from "../../../../protocol/reply.js";
import { formatDouble } from "../../../../protocol/resp/double-text.js";
import type { Choice } from "../../../../protocol/version-2/envelope.js";
import { custom, mustBePositive, syntaxError } from "../../arguments/command-errors.js";
import { integerFrom } from "../../arguments/number-arguments.js";
import {
  countPage,
  scanCursor,
  scanOptions,
  scanReply,
  VISITED_STEPS,
} from "../../arguments/scan-arguments.js";
import {
  event,
  ifChanged,
  ifCounted,
  popEvent,
  scoreEvents,
  sortedSetPopEvents,
} from "../../events/event-rules.js";
import { isCompact } from "../../keyspace/encoding-name.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import { seededChoice } from "../../keyspace/seeded-choice.js";
import type { Unit } from "../../keyspace/unit.js";
import { addsAlways, type ClaimPeek, type Flag, family } from "../../rows/command-row.js";
import { COUNTED_KEYS_SEARCH, COUNTED_SECOND_SEARCH } from "../../rows/key-searches.js";
import { counted, inspect, read, update, write } from "../../rows/key-spec.js";
import { SortedSet } from "../../values/sorted-set.js";
import { copied } from "../../values/tables/packed-elements.js";
import { visitPage } from "../../values/tables/scan-page.js";
import { type MultiplePop, multiplePop, type Popped, popFirst } from "../multiple-pop.js";
import { chosenIndexes, signedCount } from "../random-count.js";
import { timeoutArgument, waitsForCounted, waitsForSeveral } from "../wait-rules.js";
import { zadd } from "./sorted-set-add.js";
import { sortedSetAlgebra } from "./sorted-set-algebra.js";
import {
  type Pair,
  pairReply,
  pairsReply,
  REMOVED_STEPS,
  removeRange,
  sortedSetRanges,
} from "./sorted-set-ranges.js";

/**
 * Half of the range of 64-bit integers. Up to this number, Redis stores the integer scores of a small set as integers.
 */
const INTEGER_TEXT_MAX = 2 ** 62;

/** Flags of commands that wait for a member. Like those on lists, they do not wait here. */
const WAITS: readonly Flag[] = ["write", "noscript", "fast", "blocking"];

export const sortedSets = family("sortedset", {
  ZADD: {
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "1.2.0",
    complexity: "O(log(N)) for each member, N: members",
    summary: "Adds members to a sorted set, which is created if absent, or changes their scores.",
    cost: "arguments",
    events: scoreEvents,
    keyFlags: ["RW update"],
    method: "key ...rest: number | string | null",
    reply: "double",
    keepsExpiryOf: 1,
    setsAgain: addsAlways,
    run: (data, argv) => zadd(data, argv, false),
  },
  ZCARD: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [inspect(1)],
    since: "1.2.0",
    complexity: "O(1)",
    summary: "Counts the members of a sorted set.",
    method: "key: number",
    run: (data, argv) => integer(data.getAs(SortedSet, argv[1]!)?.value.size ?? 0),
  },
  ZINCRBY: {
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: [update(1)],
    since: "1.2.0",
    complexity: "O(log(N)), N: members",
    summary: "Adds to a member's score; an absent member counts as 0.",
    cost: "arguments",
    events: event("z", "zincr", ifChanged),
    method: "key increment member: string",
    reply: "double",
    keepsExpiryOf: 1,
    run: (data, argv) => zadd(data, argv, true),
  },
  ZMPOP: {
    arity: -4,
    flags: ["write", "movablekeys"],
    keys: counted(update, 1),
    since: "7.0.0",
    complexity: "O(K+M*log(N)), K: keys, M: members removed, N: members",
    summary: "Removes the lowest or highest members of the first sorted set that exists.",
    events: sortedSetPopEvents(1),
    keyFlags: ["RW access delete"],
    keySearches: COUNTED_KEYS_SEARCH,
    reply: "popped",
    isClaim: true,
    run: zmpop,
  },
  ZMSCORE: {
    arity: -3,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "6.2.0",
    complexity: "O(N), N: members named",
    summary: "Returns the scores of several members.",
    method: "key member ...members: @list?",
    reply: "doubles",
    run: zmscore,
  },
  ZPOPMAX: {
    arity: -2,
    flags: ["write", "fast"],
    keys: [update(1)],
    since: "5.0.0",
    complexity: "O(log(N)*M), N: members, M: members removed",
    summary: "Removes the members with the highest scores and returns them.",
    events: event("z", "zpopmax", ifChanged),
    keyFlags: ["RW access delete"],
    method: "key count?: @list",
    reply: "score-or-scores",
    isClaim: true,
    peek: popPeek("max"),
    run: (data, argv, unit) => zpop(data, argv, "max", unit),
  },
  ZPOPMIN: {
    arity: -2,
    flags: ["write", "fast"],
    keys: [update(1)],
    since: "5.0.0",
    complexity: "O(log(N)*M), N: members, M: members removed",
    summary: "Removes the members with the lowest scores and returns them.",
    events: event("z", "zpopmin", ifChanged),
    keyFlags: ["RW access delete"],
    method: "key count?: @list",
    reply: "score-or-scores",
    isClaim: true,
    peek: popPeek("min"),
    run: (data, argv, unit) => zpop(data, argv, "min", unit),
  },
  ZRANDMEMBER: {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "6.2.0",
    complexity: "O(log(N)*M), N: members, M: members returned",
    summary: "Returns members chosen at random; with a negative count a member may occur more than once.",
    tips: ["nondeterministic_output"],
    method: "key ...options: @some",
    reply: "scores-after-count",
    run: zrandmember,
  },
  ZRANK: {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "2.0.0",
    complexity: "O(log(N)), N: members",
    summary: "Returns a member's rank, counted from the lowest score.",
    method: "key member: number | null",
    run: (data, argv) => rank(data, argv, (_, index) => index),
  },
  ZREM: {
    arity: -3,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "1.2.0",
    complexity: "O(log(N)*M), N: members, M: members named",
    summary: "Removes members from a sorted set.",
    cost: "arguments",
    events: event("z", "zrem", ifCounted),
    keyFlags: ["RW delete"],
    method: "key member ...members: number",
    run: zrem,
  },
  ZREVRANK: {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "2.0.0",
    complexity: "O(log(N)), N: members",
    summary: "Returns a member's rank, counted from the highest score.",
    method: "key member: number | null",
    run: (data, argv) => rank(data, argv, (size, index) => size - 1 - index),
  },
  ZSCAN: {
    arity: -3,
    flags: ["readonly"],
    keys: [read(1)],
    since: "2.8.0",
    complexity: "O(1) for each call, O(N) for a complete scan, N: members",
    summary: "Returns a page of a sorted set's members and scores and the cursor of the next page.",
    tips: ["nondeterministic_output"],
    method: "key cursor ...options: @scan",
    cursorAt: 2,
    run: zscan,
  },
  ZSCORE: {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "1.2.0",
    complexity: "O(1)",
    summary: "Returns a member's score.",
    method: "key member: @text?",
    reply: "double",
    run: (data, argv) => doubleOrNil(data.getAs(SortedSet, argv[1]!)?.value.get(argv[2]!)),
  },
  BZMPOP: {
    arity: -5,
    flags: ["write", "blocking", "movablekeys"],
    keys: counted(update, 2),
    since: "7.0.0",
    complexity: "O(K+M*log(N)), K: keys, M: members removed, N: members",
    categories: ["blocking"],
    summary: "Like ZMPOP, but waits for a member.",
    events: sortedSetPopEvents(2),
    keyFlags: ["RW access delete"],
    keySearches: COUNTED_SECOND_SEARCH,
    reply: "popped",
    waitsFor: waitsForCounted("zset"),
    isClaim: true,
    run: bzmpop,
  },
  BZPOPMAX: {
    arity: -3,
    flags: WAITS,
    keys: [update(1, -2)],
    since: "5.0.0",
    complexity: "O(log(N)), N: members",
    categories: ["blocking"],
    summary: "Waits for a member in any of several sorted sets and removes the highest.",
    events: popEvent("z", "zpopmax"),
    keyFlags: ["RW access delete"],
    reply: "one-popped",
    waitsFor: waitsForSeveral("zset"),
    isClaim: true,
    run: (data, argv, unit) => blockingPop(data, argv, "max", unit),
  },
  BZPOPMIN: {
    arity: -3,
    flags: WAITS,
    keys: [update(1, -2)],
    since: "5.0.0",
    complexity: "O(log(N)), N: members",
    categories: ["blocking"],
    summary: "Waits for a member in any of several sorted sets and removes the lowest.",
    events: popEvent("z", "zpopmin"),
    keyFlags: ["RW access delete"],
    reply: "one-popped",
    waitsFor: waitsForSeveral("zset"),
    isClaim: true,
    run: (data, argv, unit) => blockingPop(data, argv, "min", unit),
  },
  ...sortedSetRanges,
  ...sortedSetAlgebra,
});

function zmscore(data: Data, [, key, ...members]: readonly ByteString[]): Reply {
  const value = data.getAs(SortedSet, key!)?.value;
  return array(members.map((member) => doubleOrNil(value?.get(member))));
}

function zrandmember(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const count = argv[2] === undefined ? undefined : signedCount(argv[2]);
  const withScores = argv.length === 4 && argv[3]!.toLowerCase() === "withscores";
  if (argv.length > 3 && !withScores) throw syntaxError();
  // The number of items, twice that of the members, must fit in 63 bits.
  if (withScores && Math.abs(count!) >= 2 ** 62) throw custom("ERR value is out of range");

  const value = data.getAs(SortedSet, argv[1]!)?.value;
  if (value === undefined) return count === undefined ? NIL : EMPTY_ARRAY;

  const choose = seededChoice(unit);
  if (count === undefined) return bulk(value.at(choose(value.size))[0]);
  if (count >= value.size) {
    data.effort.answer(value.size);
    return pairsReply(value.range(0, value.size), withScores);
  }

  return pairsReply(
    chosenIndexes(data, choose, value.size, count).map((index) => value.at(index)),
    withScores,
  );
}

function rank(
  data: Data,
  argv: readonly ByteString[],
  counted: (size: number, index: number) => number,
): Reply {
  const value = data.getAs(SortedSet, argv[1]!)?.value;
  const index = value?.rank(argv[2]!);
  return index === undefined ? NIL : integer(counted(value!.size, index));
}

function zrem(data: Data, argv: readonly ByteString[]): Reply {
  const entry = data.getAs(SortedSet, argv[1]!);
  if (entry === undefined) return ZERO;
  const { value } = entry;
  const before = value.size;
  for (let i = 2; i < argv.length && value.size > 0; i++) data.score(entry, argv[i]!, undefined);
  return integer(before - value.size);
}

function zscan(data: Data, argv: readonly ByteString[], { encoding }: Unit): Reply {
  const cursor = scanCursor(argv[2]!);
  const value = data.getAs(SortedSet, argv[1]!)?.value;
  if (value === undefined) return scanReply(0, []);

  const options = scanOptions(data, argv, { first: 3, cursor });
  const membersAndScores: ByteString[] = [];
  if (value.isSmall || isCompact(value, encoding)) {
    data.effort.work(VISITED_STEPS * value.size);
    for (const [member, score] of value.range(0, value.size))
      if (options.matches(member)) membersAndScores.push(member, scoreText(score));
    return scanReply(0, membersAndScores);
  }

  const { members, scores } = value;
  const visit = (index: number) => {
    const member = members[index]!;
    if (options.matches(member)) membersAndScores.push(member, scoreText(scores[index]!));
  };

  countPage(data, value.size, options, false);
  return scanReply(visitPage(value, options, false, visit), membersAndScores);
}

/** Returns a score as ZSCAN writes it: as a text, with all digits of integers. */
function scoreText(score: number): ByteString {
  const isInteger = Number.isInteger(score) && Math.abs(score) <= INTEGER_TEXT_MAX;
  return isInteger ? BigInt(score).toString() : formatDouble(score);
}

function doubleOrNil(score: number | undefined): Reply {
  return score === undefined ? NIL : double(score);
}

/** `BZMPOP timeout numkeys key [key …] MIN|MAX [COUNT count]` */
function bzmpop(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const request = multiplePop(argv, 2, popEndArgument);
  timeoutArgument(argv[1]!);
  return popReply(popFirstSet(data, request, unit));
}

/** `BZPOPMIN key [key …] timeout`, `BZPOPMAX key [key …] timeout` */
function blockingPop(data: Data, argv: readonly ByteString[], end: PopEnd, unit: Unit): Reply {
  timeoutArgument(argv.at(-1)!);
  const popped = popFirstSet(data, { keys: argv.slice(1, -1), end, count: 1 }, unit);
  if (popped === null) return NIL_ARRAY;
  const [member, score] = popped.items[0]!;
  return array([bulk(popped.key), bulk(member), double(score)]);
}

type PopEnd = "min" | "max";

/** `ZMPOP numkeys key [key …] MIN|MAX [COUNT count]` */
function zmpop(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  return popReply(popFirstSet(data, multiplePop(argv, 1, popEndArgument), unit));
}

/** Parses `MIN` or `MAX`. @throws CommandFailure */
function popEndArgument(word: ByteString): PopEnd {
  const end = word.toLowerCase();
  if (end !== "min" && end !== "max") throw syntaxError();
  return end;
}

/** Removes members from the first existing sorted set, or the chosen ones. Returns null if there are none. */
const popFirstSet = (data: Data, { keys, end, count }: MultiplePop<PopEnd>, unit: Unit) =>
  popFirst(keys, {
    data,
    type: SortedSet,
    unit,
    remove: (entry, chosen) => pop(data, entry, { end, count, chosen }, unit),
  });

/** Returns the reply to ZMPOP. */
const popReply = (popped: Popped<Pair> | null): Reply =>
  popped === null ? NIL_ARRAY : array([bulk(popped.key), array(popped.items.map(pairReply))]);

/** `ZPOPMIN key [count]`, `ZPOPMAX key [count]` */
function zpop(data: Data, argv: readonly ByteString[], end: PopEnd, unit: Unit): Reply {
  if (argv.length > 3) throw syntaxError();
  const count = argv[2] === undefined ? 1 : integerFrom(0, argv[2], mustBePositive);
  const entry = data.getAs(SortedSet, argv[1]!);
  const popped = entry === undefined ? [] : pop(data, entry, { end, count, chosen: unit.choice }, unit);
  const [only] = popped;
  return argv.length === 2 && only !== undefined ? pairReply(only) : pairsReply(popped, true);
}

/** What a call removes from a sorted set. */
interface Removal {
  readonly end: PopEnd;
  readonly count: number;
  /** The members that a daemon has recorded, each followed by its score; undefined: the command chooses. */
  readonly chosen: Choice | undefined;
}

/** Removes up to `count` members, or the chosen ones. @returns the removed members in the order of removal */
function pop(
  data: Data,
  entry: Typed<SortedSet>,
  { end, count, chosen }: Removal,
  { taken, omitsChanges }: Unit,
): readonly Pair[] {
  if (chosen !== undefined) return removeChosen(data, entry, chosen);
  if (count === 0) return [];

  const { size, isSmall } = entry.value;
  const [from, to] = end === "min" ? [0, Math.min(count, size)] : [Math.max(0, size - count), size];
  const removed = omitsChanges ? [...entry.value.range(from, to)] : removeRange(data, entry, { from, to });
  if (end === "max") removed.reverse();
  if (taken !== undefined)
    for (const pair of removed) for (const part of recordedPair(pair, isSmall)) taken.push(part);
  return removed;
}

/** Returns a member and its score as they are recorded. The members of a large set are separate strings. */
const recordedPair = ([member, score]: Pair, isSmall: boolean): [ByteString, ByteString] => [
  isSmall ? copied(member) : member,
  String(score),
];

/** Finds the member that ZPOPMIN or ZPOPMAX without a count takes. */
function popPeek(end: PopEnd): ClaimPeek {
  return {
    keyAt: 1,
    find: (set, argv, peeked) => {
      if (argv.length > 2) return null;
      if (!(set instanceof SortedSet)) return [];
      const rank = peeked.take(end === "min" ? "first" : "last", set.size);
      return rank === null ? [] : recordedPair(set.at(rank), set.isSmall);
    },
  };
}

/** Removes the chosen members that still have the same scores. */
function removeChosen(data: Data, entry: Typed<SortedSet>, chosen: Choice): readonly Pair[] {
  data.effort.work((REMOVED_STEPS * chosen.length) / 2);
  const { value } = entry;
  if (chosen.length === 2 && value.size > 1) {
    const only: Pair = [chosen[0]!, Number(chosen[1])];
    if (value.get(only[0]) !== only[1]) return [];
    data.score(entry, only[0], undefined);
    return [only];
  }

  const removed = new Map<ByteString, number>();
  for (let i = 0; i + 1 < chosen.length; i += 2) {
    const [member, score] = [chosen[i]!, Number(chosen[i + 1])];
    // A member that was added again with another score is not what the client received.
    if (value.get(member) === score) removed.set(member, score);
  }

  if (removed.size === value.size) data.delete(entry.key);
  else for (const member of removed.keys()) data.score(entry, member, undefined);
  return [...removed];
}
