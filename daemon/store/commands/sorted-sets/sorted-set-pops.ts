/**
 * The commands that remove members from an end of a sorted set. Behaviour and error texts are those of Redis 7;
 * test/conformance checks them.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { array, bulk, NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import type { Choice } from "../../../../protocol/version-2/envelope.js";
import { mustBePositive, syntaxError } from "../../arguments/command-errors.js";
import { integerFrom } from "../../arguments/number-arguments.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import type { Unit } from "../../keyspace/unit.js";
import type { ClaimPeek } from "../../rows/claim-peek.js";
import { SortedSet } from "../../values/sorted-set.js";
import { copied } from "../../values/tables/packed-elements.js";
import { type MultiplePop, multiplePop, type Popped, popFirst } from "../multiple-pop.js";
import { type Pair, pairReply, pairsReply, REMOVED_STEPS, removeRange } from "./sorted-set-results.js";

export type PopEnd = "min" | "max";

/** `ZMPOP numkeys key [key …] MIN|MAX [COUNT count]` */
export function zmpop(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  return popReply(popFirstSet(data, multiplePop(argv, 1, popEndArgument), unit));
}

/** Parses `MIN` or `MAX`. @throws CommandFailure */
export function popEndArgument(word: ByteString): PopEnd {
  const end = word.toLowerCase();
  if (end !== "min" && end !== "max") throw syntaxError();
  return end;
}

/** Removes members from the first existing sorted set, or the chosen ones. Returns null if there are none. */
export const popFirstSet = (data: Data, { keys, end, count }: MultiplePop<PopEnd>, unit: Unit) =>
  popFirst(keys, {
    data,
    type: SortedSet,
    unit,
    remove: (entry, chosen) => pop(data, entry, { end, count, chosen }, unit),
  });

/** Returns the reply to ZMPOP. */
export const popReply = (popped: Popped<Pair> | null): Reply =>
  popped === null ? NIL_ARRAY : array([bulk(popped.key), array(popped.items.map(pairReply))]);

/** `ZPOPMIN key [count]`, `ZPOPMAX key [count]` */
export function zpop(data: Data, argv: readonly ByteString[], end: PopEnd, unit: Unit): Reply {
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
export const popPeek = (end: PopEnd): ClaimPeek => ({
  keyAt: 1,
  find: (set, argv, peeked) => {
    if (argv.length > 2) return null;
    if (!(set instanceof SortedSet)) return [];
    const rank = peeked.take(end === "min" ? "first" : "last", set.size);
    return rank === null ? [] : recordedPair(set.at(rank), set.isSmall);
  },
});

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
