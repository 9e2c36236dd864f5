/**
 * The commands on sorted sets that wait for a member; like those on lists, they do not wait here. Behaviour and error
 * texts are those of Redis 7; test/conformance checks them.
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { array, bulk, double, NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import { popEvent, sortedSetPopEvents } from "../../events/event-rules.js";
import type { Data } from "../../keyspace/mutators.js";
import type { Unit } from "../../keyspace/unit.js";
import type { Flag, Row } from "../../rows/command-row.js";
import { COUNTED_SECOND_SEARCH } from "../../rows/key-searches.js";
import { counted, update } from "../../rows/key-spec.js";
import { multiplePop } from "../multiple-pop.js";
import { timeoutArgument } from "../timeout-arguments.js";
import { waitsForCounted, waitsForSeveral } from "../wait-rules.js";
import { type PopEnd, popEndArgument, popFirstSet, popReply } from "./sorted-set-pops.js";

const WAITS: readonly Flag[] = ["write", "noscript", "fast", "blocking"];
const categories = ["blocking"];

export const blockingSortedSets: Readonly<Record<string, Row>> = {
  BZMPOP: {
    arity: -5,
    flags: ["write", "blocking", "movablekeys"],
    keys: counted(update, 2),
    since: "7.0.0",
    complexity: "O(K+M*log(N)), K: keys, M: members removed, N: members",
    categories,
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
    categories,
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
    categories,
    summary: "Waits for a member in any of several sorted sets and removes the lowest.",
    events: popEvent("z", "zpopmin"),
    keyFlags: ["RW access delete"],
    reply: "one-popped",
    waitsFor: waitsForSeveral("zset"),
    isClaim: true,
    run: (data, argv, unit) => blockingPop(data, argv, "min", unit),
  },
};

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
