/**
 * The commands that remove members from an end of a sorted set. Behaviour and error texts are those of Redis 7;
 * test/conformance checks them.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import { mustBePositive, syntaxError } from "../../arguments/command-errors.js";
import { integerFrom } from "../../arguments/number-arguments.js";
import type { Data } from "../../keyspace/mutators.js";
import { SortedSet } from "../../values/sorted-set.js";
import { type MultiplePop, multiplePop } from "../multiple-pop.js";
import { type Pair, pairReply, pairsReply, removeRange } from "./sorted-set-results.js";

export type PopEnd = "min" | "max";

/** `ZMPOP numkeys key [key …] MIN|MAX [COUNT count]` */
export function zmpop(data: Data, argv: readonly ByteString[]): Reply {
  return popFirst(data, multiplePop(argv, 1, popEndArgument));
}

/** Parses `MIN` or `MAX`. @throws CommandFailure */
export function popEndArgument(word: ByteString): PopEnd {
  const end = word.toLowerCase();
  if (end !== "min" && end !== "max") throw syntaxError();
  return end;
}

/** Removes members from the first existing sorted set. */
export function popFirst(data: Data, { keys, end, count }: MultiplePop<PopEnd>): Reply {
  for (const key of keys) {
    if (data.getAs(SortedSet, key) === undefined) continue;
    const popped = pop(data, key, end, count).map(pairReply);
    return array([bulk(key), array(popped)]);
  }
  return NIL_ARRAY;
}

/** `ZPOPMIN key [count]`, `ZPOPMAX key [count]` */
export function zpop(data: Data, argv: readonly ByteString[], end: PopEnd): Reply {
  if (argv.length > 3) throw syntaxError();
  const count = argv[2] === undefined ? 1 : integerFrom(0, argv[2], mustBePositive);
  const popped = pop(data, argv[1]!, end, count);
  const [only] = popped;
  return argv.length === 2 && only !== undefined ? pairReply(only) : pairsReply(popped, true);
}

/** Removes up to `count` members. @returns the removed members in the order of removal */
export function pop(data: Data, key: ByteString, end: PopEnd, count: number): readonly Pair[] {
  const entry = data.getAs(SortedSet, key);
  if (entry === undefined || count === 0) return [];
  const { size } = entry.value;
  if (end === "min") return removeRange(data, entry, { from: 0, to: Math.min(count, size) });
  return removeRange(data, entry, { from: Math.max(0, size - count), to: size }).reverse();
}
