/**
 * Union, intersection and difference of sorted sets (and sets, whose scores are 1). Behaviour and error texts are those
 * of Redis 7; test/conformance checks them. As in Redis, scores are added in the order of the operands' sizes, since
 * sums of doubles depend on the order.
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { integer, type Reply } from "../../../../protocol/reply.js";
import { custom, notInteger, syntaxError, wrongType } from "../../arguments/command-errors.js";
import { doubleArgument, integerFrom } from "../../arguments/number-arguments.js";
import { storedEvent } from "../../events/event-rules.js";
import type { Data } from "../../keyspace/mutators.js";
import { type Row, sourcesLookedUp } from "../../rows/command-row.js";
import { COUNTED_KEYS_SEARCH, STORED_AND_COUNTED_SEARCH } from "../../rows/key-searches.js";
import { counted, read, write } from "../../rows/key-spec.js";
import { MemberSet } from "../../values/member-set.js";
import { SortedSet } from "../../values/sorted-set.js";
import { type Pair, pairsReply, storeSortedSet } from "./sorted-set-ranges.js";

const OPERATIONS = { union, inter: intersection, diff: difference } as const;
type Name = keyof typeof OPERATIONS;

const reader = (name: Name, complexity: string, summary: string): Row => ({
  arity: -3,
  flags: ["readonly", "movablekeys"],
  keys: counted(read, 1),
  since: "6.2.0",
  complexity,
  summary,
  run: (data, argv) => answer(data, argv, name),
});

const storer = (name: Name, since: string, complexity: string, summary: string): Row => ({
  arity: -4,
  flags: ["write", "denyoom", "movablekeys"],
  keys: counted(read, 2, [write(1)]),
  keyRange: [1, 1, 1],
  since,
  complexity,
  summary,
  run: (data, argv) => store(data, argv, name),
});

const OF_DIFFERENCE = "O(L+R*log(R)), L: members of all sets, R: members of the result";
const OF_INTERSECTION = "O(N*K+R*log(R)), N: members of the smallest set, K: sets, R: members of the result";
const OF_UNION = "O(N+R*log(R)), N: members of all sets, R: members of the result";

export const sortedSetAlgebra: Readonly<Record<string, Row>> = {
  ZDIFF: {
    ...reader("diff", OF_DIFFERENCE, "Returns the members of the first sorted set that are in no other."),
    keyFlags: ["RO access"],
    keySearches: COUNTED_KEYS_SEARCH,
    reply: "scores-after-keys",
  },
  ZDIFFSTORE: {
    ...storer(
      "diff",
      "6.2.0",
      OF_DIFFERENCE,
      "Stores the members of the first sorted set that are in no other.",
    ),
    events: storedEvent("z", "zdiffstore"),
    lookedUp: sourcesLookedUp,
    keyFlags: ["OW update", "RO access"],
    keySearches: STORED_AND_COUNTED_SEARCH,
  },
  ZINTER: {
    ...reader(
      "inter",
      OF_INTERSECTION,
      "Returns the members that all sorted sets have, with combined scores.",
    ),
    keyFlags: ["RO access"],
    keySearches: COUNTED_KEYS_SEARCH,
    reply: "scores-after-keys",
  },
  ZINTERCARD: {
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: counted(read, 1),
    since: "7.0.0",
    complexity: "O(N*K), N: members of the smallest set, K: sets",
    summary: "Counts the members that all sorted sets have, up to a limit.",
    keyFlags: ["RO access"],
    keySearches: COUNTED_KEYS_SEARCH,
    run: zintercard,
  },
  ZINTERSTORE: {
    ...storer(
      "inter",
      "2.0.0",
      OF_INTERSECTION,
      "Stores the members that all sorted sets have, with combined scores.",
    ),
    events: storedEvent("z", "zinterstore"),
    lookedUp: sourcesLookedUp,
    keyFlags: ["OW update", "RO access"],
    keySearches: STORED_AND_COUNTED_SEARCH,
  },
  ZUNION: {
    ...reader(
      "union",
      OF_UNION,
      "Returns the members that any of the sorted sets has, with combined scores.",
    ),
    keyFlags: ["RO access"],
    keySearches: COUNTED_KEYS_SEARCH,
    reply: "scores-after-keys",
  },
  ZUNIONSTORE: {
    ...storer(
      "union",
      "2.0.0",
      OF_UNION,
      "Stores the members of any of the sorted sets, with combined scores.",
    ),
    events: storedEvent("z", "zunionstore"),
    lookedUp: sourcesLookedUp,
    keyFlags: ["OW update", "RO access"],
    keySearches: STORED_AND_COUNTED_SEARCH,
  },
};

interface Operand {
  readonly value: SortedSet | MemberSet | undefined;
  weight: number;
}

/** Cost in steps of each member of a sorted set that is read. */
const READ_STEPS = 6;
/** Cost in steps of each member of a set that is read. */
const READ_IN_SET_STEPS = 3;
/** Cost in steps of looking up a member in a sorted set. */
const LOOKUP_STEPS = 10;
/** Cost in steps of looking up a member in a set. */
const LOOKUP_IN_SET_STEPS = 5;
/** Cost in steps of each member that is sorted for a reply. */
const ANSWERED_STEPS = 20;

/**
 * Counts the members that are about to be read and looked up.
 * @param more additional steps for each member that is read
 * @throws BudgetExceeded
 */
function countOperation({ effort }: Data, name: Name, operands: readonly Operand[], more = 0): void {
  const read = ({ value }: Operand) =>
    (value?.size ?? 0) * (more + (value instanceof SortedSet ? READ_STEPS : READ_IN_SET_STEPS));
  if (name === "union") {
    for (const operand of operands) effort.work(read(operand));
    return;
  }

  const [first, ...others] = name === "inter" ? bySize(operands) : operands;
  if (first === undefined) return;
  effort.work(read(first));
  const size = first.value?.size ?? 0;
  for (const { value } of others)
    effort.work(size * (value instanceof SortedSet ? LOOKUP_STEPS : LOOKUP_IN_SET_STEPS));
}

type Combine = (score: number, other: number) => number;

const AGGREGATES: Readonly<Record<string, Combine>> = {
  sum: (score, other) => numberOrZero(score + other),
  // Not Math.min, which returns NaN if `other` is NaN (0 times infinity): the score must not change then.
  // biome-ignore lint/complexity/useMathMinMax: see above
  min: (score, other) => (other < score ? other : score),
  // biome-ignore lint/complexity/useMathMinMax: see above
  max: (score, other) => (other > score ? other : score),
};
const SCORE_IN_SET = 1;

interface Query {
  readonly operands: readonly Operand[];
  readonly combine: Combine;
  readonly withScores: boolean;
}

function answer(data: Data, argv: readonly ByteString[], name: Name): Reply {
  const { operands, combine, withScores } = combination(data, argv, 1, name);
  countOperation(data, name, operands, ANSWERED_STEPS);
  const pairs = [...OPERATIONS[name](operands, combine)];
  return pairsReply(pairs.sort(byScoreThenMember), withScores);
}

function store(data: Data, argv: readonly ByteString[], name: Name): Reply {
  const { operands, combine } = combination(data, argv, 2, name);
  countOperation(data, name, operands);
  return storeSortedSet(data, argv[1]!, OPERATIONS[name](operands, combine));
}

function zintercard(data: Data, argv: readonly ByteString[]): Reply {
  const { operands, next } = operandsOf(data, argv, 1);
  let limit = 0;
  for (let i = next; i < argv.length; i += 2) {
    if (argv[i]!.toLowerCase() !== "limit" || i + 1 === argv.length) throw syntaxError();
    limit = integerFrom(0, argv[i + 1]!, () => custom("ERR LIMIT can't be negative"));
  }
  countOperation(data, "inter", operands);
  let count = 0;
  for (const _ of intersection(operands, AGGREGATES["sum"]!)) if (++count === limit) break;
  return integer(count);
}

/** Parses keys, then options; a key of another type is reported before an invalid option. @throws CommandFailure */
function combination(data: Data, argv: readonly ByteString[], countAt: number, name: Name): Query {
  const { operands, next } = operandsOf(data, argv, countAt);
  const isStore = countAt > 1;
  let combine = AGGREGATES["sum"]!;
  let withScores = false;
  for (let i = next; i < argv.length; i++) {
    const option = argv[i]!.toLowerCase();
    const remaining = argv.length - i - 1;
    if (option === "weights" && name !== "diff" && remaining >= operands.length) {
      for (const operand of operands) {
        operand.weight = doubleArgument(argv[++i]!, () => custom("ERR weight value is not a float"));
      }
    } else if (option === "aggregate" && name !== "diff" && remaining >= 1) {
      const chosen = argv[++i]!.toLowerCase();
      if (!Object.hasOwn(AGGREGATES, chosen)) throw syntaxError();
      combine = AGGREGATES[chosen]!;
    } else if (option === "withscores" && !isStore) {
      withScores = true;
    } else {
      throw syntaxError();
    }
  }

  return { operands, combine, withScores };
}

/** @returns the operands and the index after their keys @throws CommandFailure */
function operandsOf(data: Data, argv: readonly ByteString[], countAt: number) {
  const count = integerFrom(Number.NEGATIVE_INFINITY, argv[countAt]!, notInteger);
  if (count < 1) throw custom(`ERR at least 1 input key is needed for '${argv[0]!.toLowerCase()}' command`);

  const next = countAt + 1 + count;
  if (next > argv.length) throw syntaxError();

  const operands = argv.slice(countAt + 1, next).map((key): Operand => {
    const value = data.get(key)?.value;
    if (value instanceof SortedSet || value instanceof MemberSet || value === undefined)
      return { value, weight: 1 };
    throw wrongType();
  });
  return { operands, next };
}

function union(operands: readonly Operand[], combine: Combine): Iterable<Pair> {
  const scores = new Map<ByteString, number>();
  for (const { value, weight } of bySize(operands)) {
    for (const [member, score] of pairsOf(value)) {
      const weighted = numberOrZero(weight * score);
      const current = scores.get(member);
      scores.set(member, current === undefined ? weighted : combine(current, weighted));
    }
  }
  return scores;
}

function* intersection(operands: readonly Operand[], combine: Combine): Generator<Pair> {
  const [smallest, ...others] = bySize(operands);
  for (const [member, score] of pairsOf(smallest?.value)) {
    let combined: number | undefined = numberOrZero(smallest!.weight * score);
    for (const { value, weight } of others) {
      const other = scoreIn(value, member);
      combined = other === undefined ? undefined : combine(combined, weight * other);
      if (combined === undefined) break;
    }
    if (combined !== undefined) yield [member, combined];
  }
}

function* difference([first, ...others]: readonly Operand[]): Generator<Pair> {
  for (const pair of pairsOf(first?.value)) {
    if (others.every(({ value }) => scoreIn(value, pair[0]) === undefined)) yield pair;
  }
}

/** Sorts by size, smallest first; operands of equal size keep their order. */
function bySize(operands: readonly Operand[]): Operand[] {
  return operands.toSorted((a, b) => (a.value?.size ?? 0) - (b.value?.size ?? 0));
}

function pairsOf(value: Operand["value"]): Iterable<Pair> {
  if (value instanceof SortedSet) return value.range(0, value.size);
  return (value?.members ?? []).map((member) => [member, SCORE_IN_SET]);
}

function scoreIn(value: Operand["value"], member: ByteString): number | undefined {
  if (value instanceof SortedSet) return value.get(member);
  return value?.has(member) ? SCORE_IN_SET : undefined;
}

function byScoreThenMember([member, score]: Pair, [otherMember, otherScore]: Pair): number {
  if (score !== otherScore) return score < otherScore ? -1 : 1;
  return member < otherMember ? -1 : 1;
}

/** Infinity minus infinity, and infinity times 0, count as 0. */
function numberOrZero(score: number): number {
  return Number.isNaN(score) ? 0 : score;
}
