/**
 * The commands on lists that wait for an element. Here they behave as they do within MULTI in Redis: they do
 * not wait, and the reply is nil if there is no element. Behaviour and error texts are those of Redis 7;
 * test/conformance checks them.
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { array, bulk, NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import { directedMoveEvents, listPopEvents, popEvent, rightToLeftEvents } from "../../events/event-rules.js";
import type { Data } from "../../keyspace/mutators.js";
import type { Unit } from "../../keyspace/unit.js";
import type { Flag, Row } from "../../rows/command-row.js";
import { COUNTED_SECOND_SEARCH } from "../../rows/key-searches.js";
import { counted, update, write } from "../../rows/key-spec.js";
import type { End } from "../../values/list.js";
import { multiplePop } from "../multiple-pop.js";
import { timeoutArgument } from "../timeout-arguments.js";
import { waitsForCounted, waitsForSeveral, waitsForSource } from "../wait-rules.js";
import { endArgument, move, popFirstList, popReply } from "./list-moves.js";

const WAITS: readonly Flag[] = ["write", "noscript", "blocking"];
const categories = ["blocking"];

export const blockingLists: Readonly<Record<string, Row>> = {
  BLMOVE: {
    arity: 6,
    flags: [...WAITS, "denyoom"],
    keys: [update(1), write(2)],
    since: "6.2.0",
    complexity: "O(1)",
    categories,
    summary: "Like LMOVE, but waits for an element.",
    events: directedMoveEvents,
    keyFlags: ["RW access delete", "RW insert"],
    waitsFor: waitsForSource(5),
    keepsExpiryOf: 2,
    isClaim: true,
    run: blmove,
  },
  BLMPOP: {
    arity: -5,
    flags: ["write", "blocking", "movablekeys"],
    keys: counted(update, 2),
    since: "7.0.0",
    complexity: "O(N+M), N: keys, M: elements returned",
    categories,
    summary: "Like LMPOP, but waits for an element.",
    events: listPopEvents(2),
    keyFlags: ["RW access delete"],
    keySearches: COUNTED_SECOND_SEARCH,
    waitsFor: waitsForCounted("list"),
    isClaim: true,
    run: blmpop,
  },
  BLPOP: {
    arity: -3,
    flags: WAITS,
    keys: [update(1, -2)],
    since: "2.0.0",
    complexity: "O(N), N: keys",
    categories,
    summary: "Waits for an element in any of several lists and removes it from the left end.",
    events: popEvent("l", "lpop"),
    keyFlags: ["RW access delete"],
    waitsFor: waitsForSeveral("list"),
    isClaim: true,
    run: (data, argv, unit) => blockingPop(data, argv, "left", unit),
  },
  BRPOP: {
    arity: -3,
    flags: WAITS,
    keys: [update(1, -2)],
    since: "2.0.0",
    complexity: "O(N), N: keys",
    categories,
    summary: "Waits for an element in any of several lists and removes it from the right end.",
    events: popEvent("l", "rpop"),
    keyFlags: ["RW access delete"],
    waitsFor: waitsForSeveral("list"),
    isClaim: true,
    run: (data, argv, unit) => blockingPop(data, argv, "right", unit),
  },
  BRPOPLPUSH: {
    arity: 4,
    flags: [...WAITS, "denyoom"],
    keys: [update(1), write(2)],
    since: "2.2.0",
    complexity: "O(1)",
    categories,
    summary: "Like RPOPLPUSH, but waits for an element; BLMOVE's old form.",
    events: rightToLeftEvents,
    keyFlags: ["RW access delete", "RW insert"],
    waitsFor: waitsForSource(3),
    keepsExpiryOf: 2,
    isClaim: true,
    run: brpoplpush,
  },
};

/** `BLPOP key [key …] timeout`, `BRPOP key [key …] timeout` */
function blockingPop(data: Data, argv: readonly ByteString[], end: End, unit: Unit): Reply {
  timeoutArgument(argv.at(-1)!);
  const popped = popFirstList(data, { keys: argv.slice(1, -1), end, count: 1 }, unit);
  return popped === null ? NIL_ARRAY : array([bulk(popped.key), bulk(popped.items[0]!)]);
}

/** `BLMPOP timeout numkeys key [key …] LEFT|RIGHT [COUNT count]` */
function blmpop(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const pop = multiplePop(argv, 2, endArgument);
  timeoutArgument(argv[1]!);
  return popReply(popFirstList(data, pop, unit));
}

/** `BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout` */
function blmove(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const from = endArgument(argv[3]!);
  const to = endArgument(argv[4]!);
  timeoutArgument(argv[5]!);
  return move(data, { source: argv[1]!, from, target: argv[2]!, to }, unit);
}

/** `BRPOPLPUSH source destination timeout` */
function brpoplpush(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  timeoutArgument(argv[3]!);
  return move(data, { source: argv[1]!, from: "right", target: argv[2]!, to: "left" }, unit);
}
