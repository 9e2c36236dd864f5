/** Returns, stores or removes the results of commands on sorted sets. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { bulksReply } from "../../../../protocol/lazy-replies.js";
import { array, bulk, double, integer, pairs, type Reply, ZERO } from "../../../../protocol/reply.js";
import { BYTES_PER_STEP } from "../../keyspace/effort-budget.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import { SortedSet } from "../../values/sorted-set.js";
import { copied } from "../../values/tables/packed-elements.js";
import type { Span } from "./sorted-set-bounds.js";

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
