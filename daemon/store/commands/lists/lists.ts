/** Lists. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { bulksReply } from "../../../../protocol/lazy-replies.js";
import {
  array,
  bulk,
  bulkOrNil,
  EMPTY_ARRAY,
  integer,
  NIL,
  NIL_ARRAY,
  OK,
  type Reply,
  ZERO,
} from "../../../../protocol/reply.js";
import type { Choice } from "../../../../protocol/version-2/envelope.js";
import {
  indexOutOfRange,
  mustBePositive,
  noSuchKey,
  syntaxError,
  wrongArity,
} from "../../arguments/command-errors.js";
import { indexArgument, integerFrom } from "../../arguments/number-arguments.js";
import {
  directedMoveEvents,
  event,
  ifChanged,
  ifCounted,
  ifFound,
  listPopEvents,
  popEvent,
  rightToLeftEvents,
} from "../../events/event-rules.js";
import { REMOVED_ELEMENT_STEPS } from "../../keyspace/effort-budget.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import type { Unit } from "../../keyspace/unit.js";
import { type Flag, family } from "../../rows/command-row.js";
import { COUNTED_KEYS_SEARCH, COUNTED_SECOND_SEARCH } from "../../rows/key-searches.js";
import { counted, inspect, read, update, write } from "../../rows/key-spec.js";
import { type End, List } from "../../values/list.js";
import { copied } from "../../values/tables/packed-elements.js";
import { type MultiplePop, multiplePop, type Popped, popFirst } from "../multiple-pop.js";
import { timeoutArgument, waitsForCounted, waitsForSeveral, waitsForSource } from "../wait-rules.js";
import { chosenAtEnd, linsert, lpos, lrem, popPeek, takeSearched } from "./list-search.js";

/**
 * Flags of the commands that wait for an element. Here they behave as they do within MULTI in Redis: they do not wait,
 * and the reply is nil if there is no element.
 */
const WAITS: readonly Flag[] = ["write", "noscript", "blocking"];

export const lists = family("list", {
  LINDEX: {
    arity: 3,
    flags: ["readonly"],
    keys: [read(1)],
    since: "1.0.0",
    complexity: "O(1) near the ends, otherwise O(N/16384), N: elements of the list",
    summary: "Returns the element at an index, counted from the left or, if negative, from the right.",
    method: "key index: @text?",
    run: lindex,
  },
  LINSERT: {
    arity: 5,
    flags: ["write", "denyoom"],
    keys: [write(1)],
    since: "2.2.0",
    complexity: "O(N), N: elements of the list",
    summary: "Inserts an element before or after the first occurrence of another element.",
    events: event("l", "linsert", ifCounted),
    keyFlags: ["RW insert"],
    method: "key where pivot element: number",
    run: linsert,
  },
  LLEN: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [inspect(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Counts the elements of a list.",
    method: "key: number",
    run: (data, argv) => integer(data.getAs(List, argv[1]!)?.value.size ?? 0),
  },
  LMOVE: {
    arity: 5,
    flags: ["write", "denyoom"],
    keys: [update(1), write(2)],
    since: "6.2.0",
    complexity: "O(1)",
    summary: "Moves an element from one end of a list to one end of another, or of the same list.",
    events: directedMoveEvents,
    keyFlags: ["RW access delete", "RW insert"],
    method: "key1 key2 from to: @text?",
    keepsExpiryOf: 2,
    isClaim: true,
    run: lmove,
  },
  LMPOP: {
    arity: -4,
    flags: ["write", "movablekeys"],
    keys: counted(update, 1),
    since: "7.0.0",
    complexity: "O(N+M), N: keys, M: elements returned",
    summary: "Removes elements from one end of the first non-empty list of several.",
    events: listPopEvents(1),
    keyFlags: ["RW access delete"],
    keySearches: COUNTED_KEYS_SEARCH,
    isClaim: true,
    run: lmpop,
  },
  LPOP: {
    arity: -2,
    flags: ["write", "fast"],
    keys: [update(1)],
    since: "1.0.0",
    complexity: "O(N), N: elements returned",
    summary: "Removes elements from the left end, and returns them.",
    events: event("l", "lpop", ifChanged),
    keyFlags: ["RW access delete"],
    method: "key count?: @some",
    isClaim: true,
    peek: popPeek("left"),
    run: (data, argv, unit) => pop(data, argv, "left", unit),
  },
  LPOS: {
    arity: -3,
    flags: ["readonly"],
    keys: [read(1)],
    since: "6.0.6",
    complexity: "O(N), N: elements of the list, or MAXLEN",
    summary: "Returns the indexes at which an element occurs.",
    method: "key element ...options: number | number[] | null",
    run: lpos,
  },
  LPUSH: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "1.0.0",
    complexity: "O(N), N: elements added",
    summary: "Adds elements to the left end of a list, which is created if absent.",
    cost: "arguments",
    events: event("l", "lpush"),
    keyFlags: ["RW insert"],
    method: "key element ...elements: number",
    keepsExpiryOf: 1,
    run: (data, argv) => push(data, argv, "left"),
  },
  LPUSHX: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "2.2.0",
    complexity: "O(N), N: elements added",
    summary: "Adds elements to the left end of a list that exists.",
    cost: "arguments",
    events: event("l", "lpush", ifCounted),
    keyFlags: ["RW insert"],
    method: "key element ...elements: number",
    run: (data, argv) => pushIfPresent(data, argv, "left"),
  },
  LRANGE: {
    arity: 4,
    flags: ["readonly"],
    keys: [read(1)],
    since: "1.0.0",
    complexity: "O(N), N: elements returned",
    summary: "Returns the elements from one index to another.",
    method: "key start stop: @list",
    run: lrange,
  },
  LREM: {
    arity: 4,
    flags: ["write"],
    keys: [write(1)],
    since: "1.0.0",
    complexity: "O(N), N: elements of the list",
    summary: "Removes all occurrences of an element, or some from the left or the right.",
    events: event("l", "lrem", ifCounted),
    keyFlags: ["RW delete"],
    method: "key count element: number",
    run: lrem,
  },
  LSET: {
    arity: 4,
    flags: ["write", "denyoom"],
    keys: [write(1)],
    since: "1.0.0",
    complexity: "O(1) near the ends, otherwise O(N/16384), N: elements of the list",
    summary: "Replaces the element at an index.",
    events: event("l", "lset"),
    keyFlags: ["RW update"],
    method: 'key index element: "OK"',
    setsAgain: true,
    run: lset,
  },
  LTRIM: {
    arity: 4,
    flags: ["write"],
    keys: [write(1)],
    since: "1.0.0",
    complexity: "O(N), N: elements removed",
    summary: "Removes the elements outside a range of indexes.",
    events: event("l", "ltrim", ifFound),
    keyFlags: ["RW delete"],
    method: 'key start stop: "OK"',
    run: ltrim,
  },
  RPOP: {
    arity: -2,
    flags: ["write", "fast"],
    keys: [update(1)],
    since: "1.0.0",
    complexity: "O(N), N: elements returned",
    summary: "Removes elements from the right end, and returns them.",
    events: event("l", "rpop", ifChanged),
    keyFlags: ["RW access delete"],
    method: "key count?: @some",
    isClaim: true,
    peek: popPeek("right"),
    run: (data, argv, unit) => pop(data, argv, "right", unit),
  },
  RPOPLPUSH: {
    arity: 3,
    flags: ["write", "denyoom"],
    keys: [update(1), write(2)],
    since: "1.2.0",
    complexity: "O(1)",
    summary: "Moves an element from the right end of a list to the left end of another; LMOVE's old form.",
    events: rightToLeftEvents,
    keyFlags: ["RW access delete", "RW insert"],
    method: "key1 key2: @text?",
    keepsExpiryOf: 2,
    isClaim: true,
    run: rpoplpush,
  },
  RPUSH: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "1.0.0",
    complexity: "O(N), N: elements added",
    summary: "Adds elements to the right end of a list, which is created if absent.",
    cost: "arguments",
    events: event("l", "rpush"),
    keyFlags: ["RW insert"],
    method: "key element ...elements: number",
    keepsExpiryOf: 1,
    run: (data, argv) => push(data, argv, "right"),
  },
  RPUSHX: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "2.2.0",
    complexity: "O(N), N: elements added",
    summary: "Adds elements to the right end of a list that exists.",
    cost: "arguments",
    events: event("l", "rpush", ifCounted),
    keyFlags: ["RW insert"],
    method: "key element ...elements: number",
    run: (data, argv) => pushIfPresent(data, argv, "right"),
  },
  BLMOVE: {
    arity: 6,
    flags: [...WAITS, "denyoom"],
    keys: [update(1), write(2)],
    since: "6.2.0",
    complexity: "O(1)",
    categories: ["blocking"],
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
    categories: ["blocking"],
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
    categories: ["blocking"],
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
    categories: ["blocking"],
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
    categories: ["blocking"],
    summary: "Like RPOPLPUSH, but waits for an element; BLMOVE's old form.",
    events: rightToLeftEvents,
    keyFlags: ["RW access delete", "RW insert"],
    waitsFor: waitsForSource(3),
    keepsExpiryOf: 2,
    isClaim: true,
    run: brpoplpush,
  },
});

/** Parses an index argument as a position from the left, which may be outside the list. @throws CommandFailure */
function positionArgument(bytes: ByteString, size: number): number {
  const index = indexArgument(bytes);
  return index < 0 ? index + size : index;
}

/** Returns the positions `from` ≤ position < `to` between two indexes, both inclusive; empty if `from` ≥ `to`. */
function positionsBetween(start: number, end: number, size: number): { from: number; to: number } {
  const from = start < 0 ? Math.max(0, start + size) : Math.min(start, size);
  const last = end < 0 ? end + size : Math.min(end, size - 1);
  return { from, to: Math.max(from, last + 1) };
}

function lindex(data: Data, argv: readonly ByteString[]): Reply {
  const list = data.getAs(List, argv[1]!)?.value;
  if (list === undefined) return NIL;
  const position = positionArgument(argv[2]!, list.size);
  return position < 0 || position >= list.size ? NIL : bulk(list.at(position));
}

function push(data: Data, argv: readonly ByteString[], end: End): Reply {
  const entry = data.getOrPut(List, argv[1]!);
  for (let i = 2; i < argv.length; i++) data.listPush(entry, end, argv[i]!);
  return integer(entry.value.size);
}

function pushIfPresent(data: Data, argv: readonly ByteString[], end: End): Reply {
  return data.getAs(List, argv[1]!) === undefined ? ZERO : push(data, argv, end);
}

function lrange(data: Data, argv: readonly ByteString[]): Reply {
  const start = indexArgument(argv[2]!);
  const end = indexArgument(argv[3]!);
  const list = data.getAs(List, argv[1]!)?.value;
  if (list === undefined) return EMPTY_ARRAY;
  const { from, to } = positionsBetween(start, end, list.size);
  data.effort.answer(Math.max(0, to - from));
  return bulksReply("array", list.slice(from, to));
}

function lset(data: Data, argv: readonly ByteString[]): Reply {
  const entry = data.getAs(List, argv[1]!);
  if (entry === undefined) throw noSuchKey();
  const list = entry.value;
  const position = positionArgument(argv[2]!, list.size);
  if (position < 0 || position >= list.size) throw indexOutOfRange();
  if (list.at(position) !== argv[3]) data.listSplice(entry, position, 1, [argv[3]!]);
  return OK;
}

function ltrim(data: Data, argv: readonly ByteString[]): Reply {
  const start = indexArgument(argv[2]!);
  const end = indexArgument(argv[3]!);
  const entry = data.getAs(List, argv[1]!);
  if (entry === undefined) return OK;

  const { size } = entry.value;
  const { from, to } = positionsBetween(start, end, size);
  if (from >= to) {
    data.delete(entry.key);
  } else {
    takeOff(data, entry, "right", size - to);
    takeOff(data, entry, "left", from);
  }

  return OK;
}

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

/** Removes elements from an end and returns them in the order of removal; a list that becomes empty is removed. */
function takeOff(data: Data, entry: Typed<List>, end: End, count: number): ByteString[] {
  const list = entry.value;
  const { size } = list;
  if (count >= size) {
    data.effort.answer(size);
    const elements = list.slice();
    data.delete(entry.key);
    return end === "left" ? elements : elements.reverse();
  }

  const popped: ByteString[] = [];
  if (count * 2 < size) {
    data.effort.work(REMOVED_ELEMENT_STEPS * count);
    for (let i = 0; i < count; i++) popped.push(data.listPop(entry, end));
    return popped;
  }

  // Removing the elements in one change needs only one undo record. This change copies the remaining elements, but at
  // least as many elements are removed as remain.
  const from = end === "left" ? 0 : size - count;
  const elements = list.slice(from, from + count);
  data.listSplice(entry, from, count, []);
  return end === "left" ? elements : elements.reverse();
}

/** Removes the chosen elements that are still in the list, and returns them. */
function takeChosen(data: Data, entry: Typed<List>, end: End, chosen: Choice): ByteString[] {
  const atEnd = chosenAtEnd(data, entry.value, end, chosen);
  if (atEnd === 1 && chosen.length === 1) return [data.listPop(entry, end, chosen[0])];
  const isEmptied = atEnd === entry.value.size;
  const taken = atEnd === 0 ? [] : takeOff(data, entry, end, atEnd);
  if (atEnd === chosen.length || isEmptied) return taken;
  return taken.concat(takeSearched(data, entry, end, chosen.slice(atEnd)));
}

/** What a call removes from a list. */
interface Removal {
  readonly end: End;
  readonly count: number;
  /** What a daemon has recorded that it removes, or undefined. */
  readonly chosen: Choice | undefined;
}

/** Removes elements, and adds them to what the unit has taken. */
function remove(data: Data, entry: Typed<List>, { end, count, chosen }: Removal, unit: Unit): ByteString[] {
  if (chosen !== undefined) return takeChosen(data, entry, end, chosen);
  const elements = takeOff(data, entry, end, count);
  if (unit.taken !== undefined) for (const element of elements) unit.taken.push(copied(element));
  return elements;
}

/** `LPOP key [count]`, `RPOP key [count]` */
function pop(data: Data, argv: readonly ByteString[], end: End, unit: Unit): Reply {
  if (argv.length > 3) throw wrongArity(end === "left" ? "lpop" : "rpop");
  const { choice: chosen } = unit;
  if (argv[2] === undefined) {
    const entry = data.getAs(List, argv[1]!);
    if (entry === undefined) return NIL;
    if (chosen !== undefined) return bulkOrNil(takeChosen(data, entry, end, chosen)[0]);
    if (unit.omitsChanges) {
      const { value: list } = entry;
      unit.taken?.push(copied(list.at(end === "left" ? 0 : list.size - 1)));
      return NIL;
    }
    const element = data.listPop(entry, end);
    unit.taken?.push(element);
    return bulk(element);
  }

  const count = integerFrom(0, argv[2], mustBePositive);
  const entry = data.getAs(List, argv[1]!);
  if (entry === undefined) return NIL_ARRAY;

  return bulksReply("array", remove(data, entry, { end, count, chosen }, unit));
}

/** `LMPOP numkeys key [key …] LEFT|RIGHT [COUNT count]` */
function lmpop(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  return popReply(popFirstList(data, multiplePop(argv, 1, endArgument), unit));
}

/** Removes elements from the first existing list, or the chosen ones. Returns null if there are none. */
const popFirstList = (data: Data, { keys, end, count }: MultiplePop<End>, unit: Unit) =>
  popFirst(keys, {
    data,
    type: List,
    unit,
    remove: (entry, chosen) => remove(data, entry, { end, count, chosen }, unit),
  });

/** Returns the reply to LMPOP. */
const popReply = (popped: Popped<ByteString> | null): Reply =>
  popped === null ? NIL_ARRAY : array([bulk(popped.key), bulksReply("array", popped.items)]);

/** `LMOVE source destination LEFT|RIGHT LEFT|RIGHT` */
function lmove(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const from = endArgument(argv[3]!);
  const to = endArgument(argv[4]!);
  return move(data, { source: argv[1]!, from, target: argv[2]!, to }, unit);
}

/** `RPOPLPUSH source destination` */
function rpoplpush(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  return move(data, { source: argv[1]!, from: "right", target: argv[2]!, to: "left" }, unit);
}

interface Move {
  readonly source: ByteString;
  readonly from: End;
  readonly target: ByteString;
  readonly to: End;
}

/**
 * Moves an element from one end of a list to one end of another, or of the same list. Returns nil if the source is
 * absent, or if the chosen element is no longer in it.
 */
function move(data: Data, { source, from, target, to }: Move, unit: Unit): Reply {
  const entry = data.getAs(List, source);
  if (entry === undefined) return NIL;

  data.getAs(List, target); // reports a wrong type before anything changes
  const list = entry.value;
  const { choice: chosen, taken } = unit;
  const isAtEnd = chosen === undefined || chosenAtEnd(data, list, from, chosen) === chosen.length;
  // An element that moves within one list may keep its position. It is then not removed and added again, because
  // removing the only element would also remove the key and its expiry time.
  if (source === target && isAtEnd && (from === to || list.size === 1) && chosen?.length !== 0) {
    const element = list.at(from === "left" ? 0 : list.size - 1);
    taken?.push(copied(element));
    return bulk(element);
  }

  const element =
    chosen === undefined ? copied(data.listPop(entry, from)) : takeChosen(data, entry, from, chosen)[0];
  if (element === undefined) return NIL;

  taken?.push(element);
  data.listPush(data.getOrPut(List, target), to, copied(element));
  return bulk(element);
}

/** Parses `LEFT` or `RIGHT`. @throws CommandFailure */
function endArgument(bytes: ByteString): End {
  const name = bytes.toUpperCase();
  if (name === "LEFT") return "left";
  if (name === "RIGHT") return "right";
  throw syntaxError();
}
