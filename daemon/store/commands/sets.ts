/** Sets. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { bulksReply } from "../../../protocol/lazy-replies.js";
import {
  array,
  bulk,
  bulkOrNil,
  EMPTY_ARRAY,
  integer,
  NIL,
  ONE,
  type Reply,
  set,
  ZERO,
} from "../../../protocol/reply.js";
import type { Choice } from "../../../protocol/version-2/envelope.js";
import { custom, mustBePositive, syntaxError } from "../arguments/command-errors.js";
import { integerFrom } from "../arguments/number-arguments.js";
import { countPage, scanCursor, scanOptions, scanReply } from "../arguments/scan-arguments.js";
import { event, ifChanged, ifCounted, smoveEvents, storedEvent } from "../events/event-rules.js";
import { BYTES_PER_STEP } from "../keyspace/effort-budget.js";
import { isCompact } from "../keyspace/encoding-name.js";
import type { Data, Typed } from "../keyspace/mutators.js";
import { seededChoice } from "../keyspace/seeded-choice.js";
import type { Unit } from "../keyspace/unit.js";
import { family, sourcesLookedUp } from "../rows/command-row.js";
import { COUNTED_KEYS_SEARCH } from "../rows/key-searches.js";
import { counted, inspect, read, update, write } from "../rows/key-spec.js";
import { MemberSet } from "../values/member-set.js";
import { copied } from "../values/tables/packed-elements.js";
import { visitPage } from "../values/tables/scan-page.js";
import { chosenIndexes, signedCount } from "./random-count.js";

export const sets = family("set", {
  SADD: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "1.0.0",
    complexity: "O(N), N: members named",
    summary: "Adds members to a set, which is created if absent.",
    cost: "arguments",
    events: event("s", "sadd", ifCounted),
    keyFlags: ["RW insert"],
    method: "key member ...members: number",
    keepsExpiryOf: 1,
    setsAgain: true,
    run: sadd,
  },
  SCARD: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [inspect(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Counts the members of a set.",
    method: "key: number",
    run: (data, argv) => integer(data.getAs(MemberSet, argv[1]!)?.value.size ?? 0),
  },
  SDIFF: {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1, -1)],
    since: "1.0.0",
    complexity: "O(N), N: members of all sets",
    summary: "Returns the members of the first set that are in no other set.",
    tips: ["nondeterministic_output_order"],
    method: "key ...keys: @list",
    reply: "set",
    run: (data, argv) => combined(data, argv, difference),
  },
  SDIFFSTORE: {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [write(1), read(2, -1)],
    since: "1.0.0",
    complexity: "O(N), N: members of all sets",
    summary: "Stores the members of the first set that are in no other set.",
    events: storedEvent("s", "sdiffstore"),
    lookedUp: sourcesLookedUp,
    method: "key ...keys: number",
    run: (data, argv) => combinedStore(data, argv, difference),
  },
  SINTER: {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1, -1)],
    since: "1.0.0",
    complexity: "O(N*M), N: members of the smallest set, M: sets",
    summary: "Returns the members that all sets have.",
    tips: ["nondeterministic_output_order"],
    method: "key ...keys: @list",
    reply: "set",
    run: (data, argv) => combined(data, argv, intersection),
  },
  SINTERCARD: {
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: counted(read, 1),
    since: "7.0.0",
    complexity: "O(N*M), N: members of the smallest set, M: sets",
    summary: "Counts the members that all sets have, up to a limit.",
    keyFlags: ["RO access"],
    keySearches: COUNTED_KEYS_SEARCH,
    run: sintercard,
  },
  SINTERSTORE: {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [write(1), read(2, -1)],
    since: "1.0.0",
    complexity: "O(N*M), N: members of the smallest set, M: sets",
    summary: "Stores the members that all sets have.",
    events: storedEvent("s", "sinterstore"),
    lookedUp: sourcesLookedUp,
    keyFlags: ["RW update", "RO access"],
    method: "key ...keys: number",
    run: (data, argv) => combinedStore(data, argv, intersection),
  },
  SISMEMBER: {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [inspect(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns whether a set has a member.",
    method: "key member: number",
    run: (data, argv) => presence(data.getAs(MemberSet, argv[1]!)?.value, argv[2]!),
  },
  SMEMBERS: {
    arity: 2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "1.0.0",
    complexity: "O(N), N: members",
    summary: "Returns all members of a set.",
    tips: ["nondeterministic_output_order"],
    method: "key: @list",
    reply: "set",
    run: (data, argv) => allMembers(data, "set", data.getAs(MemberSet, argv[1]!)?.value.members ?? []),
  },
  SMISMEMBER: {
    arity: -3,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "6.2.0",
    complexity: "O(N), N: members named",
    summary: "Returns whether a set has each of several members.",
    method: "key member ...members: number[]",
    run: smismember,
  },
  SMOVE: {
    arity: 4,
    flags: ["write", "fast"],
    keys: [update(1), write(2)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Moves a member from one set to another.",
    cost: "arguments",
    events: smoveEvents,
    keyFlags: ["RW access delete", "RW insert"],
    method: "key1 key2 member: number",
    keepsExpiryOf: 2,
    run: smove,
  },
  SPOP: {
    arity: -2,
    flags: ["write", "fast"],
    keys: [update(1)],
    since: "1.0.0",
    complexity: "O(N), N: members removed",
    summary: "Removes random members and returns them.",
    events: event("s", "spop", ifChanged),
    keyFlags: ["RW access delete"],
    tips: ["nondeterministic_output"],
    method: "key count?: @some",
    reply: "set-with-count",
    isClaim: true,
    run: spop,
  },
  SRANDMEMBER: {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "1.0.0",
    complexity: "O(N), N: members returned",
    summary: "Returns members chosen at random; with a negative count a member may occur more than once.",
    tips: ["nondeterministic_output"],
    method: "key count?: @some",
    run: srandmember,
  },
  SREM: {
    arity: -3,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "1.0.0",
    complexity: "O(N), N: members named",
    summary: "Removes members from a set.",
    cost: "arguments",
    events: event("s", "srem", ifCounted),
    keyFlags: ["RW delete"],
    method: "key member ...members: number",
    run: srem,
  },
  SSCAN: {
    arity: -3,
    flags: ["readonly"],
    keys: [read(1)],
    since: "2.8.0",
    complexity: "O(1) for each call, O(N) for a complete scan, N: members",
    summary: "Returns a page of a set's members and the cursor of the next page.",
    tips: ["nondeterministic_output"],
    method: "key cursor ...options: @scan",
    cursorAt: 2,
    run: sscan,
  },
  SUNION: {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1, -1)],
    since: "1.0.0",
    complexity: "O(N), N: members of all sets",
    summary: "Returns the members of any of the sets.",
    tips: ["nondeterministic_output_order"],
    method: "key ...keys: @list",
    reply: "set",
    run: (data, argv) => combined(data, argv, union),
  },
  SUNIONSTORE: {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [write(1), read(2, -1)],
    since: "1.0.0",
    complexity: "O(N), N: members of all sets",
    summary: "Stores the members of any of the sets.",
    events: storedEvent("s", "sunionstore"),
    lookedUp: sourcesLookedUp,
    method: "key ...keys: number",
    run: (data, argv) => combinedStore(data, argv, union),
  },
});

const EMPTY_SET = set([]);

function sadd(data: Data, argv: readonly ByteString[]): Reply {
  const entry = data.getOrPut(MemberSet, argv[1]!);
  let added = 0;
  for (let i = 2; i < argv.length; i++) if (data.setAdd(entry, argv[i]!)) added++;
  return integer(added);
}

function combined(data: Data, argv: readonly ByteString[], operation: SetOperation): Reply {
  return bulksReply("set", membersOf(data, argv.slice(1), operation));
}

function combinedStore(data: Data, argv: readonly ByteString[], operation: SetOperation): Reply {
  return storeSet(data, argv[1]!, membersOf(data, argv.slice(2), operation));
}

function membersOf(data: Data, keys: readonly ByteString[], operation: SetOperation): ByteString[] {
  const operands = operandsOf(data, keys);
  countOperation(data, operation, operands);
  return operation(operands);
}

function sintercard(data: Data, argv: readonly ByteString[]): Reply {
  const count = integerFrom(1, argv[1]!, () => custom("ERR numkeys should be greater than 0"));
  if (count > argv.length - 2) throw custom("ERR Number of keys can't be greater than number of args");
  let limit = 0;
  for (let i = 2 + count; i < argv.length; i += 2) {
    if (argv[i]!.toLowerCase() !== "limit" || i + 1 === argv.length) throw syntaxError();
    limit = integerFrom(0, argv[i + 1]!, () => custom("ERR LIMIT can't be negative"));
  }
  const operands = operandsOf(data, argv.slice(2, 2 + count));
  countOperation(data, intersection, operands);
  return integer(intersection(operands, limit === 0 ? Number.POSITIVE_INFINITY : limit).length);
}

function smismember(data: Data, [, key, ...members]: readonly ByteString[]): Reply {
  const value = data.getAs(MemberSet, key!)?.value;
  return array(members.map((member) => presence(value, member)));
}

function presence(value: MemberSet | undefined, member: ByteString): Reply {
  return value?.has(member) ? ONE : ZERO;
}

function smove(data: Data, [, fromKey, toKey, member]: readonly ByteString[]): Reply {
  // As in Redis, an absent source is detected before the type of the destination is checked. If the source exists, a
  // source or a destination of another type is an error.
  if (data.get(fromKey!) === undefined) return ZERO;
  const from = data.getAs(MemberSet, fromKey!)!;
  const to = data.getAs(MemberSet, toKey!);
  if (from === to || !from.value.has(member!)) return presence(from.value, member!);
  data.setRemove(from, member!);
  data.setAdd(to ?? data.getOrPut(MemberSet, toKey!), member!);
  return ONE;
}

/** Cost in steps of choosing a member and of its undo record, in addition to its removal. */
const POPPED_STEPS = 24;

function spop(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  if (argv.length > 3) throw syntaxError();
  const count = argv[2] === undefined ? undefined : integerFrom(0, argv[2], mustBePositive);
  const entry = data.getAs(MemberSet, argv[1]!);
  if (entry === undefined) return count === undefined ? NIL : EMPTY_SET;

  const { value } = entry;
  if (unit.choice !== undefined) return popChosen(data, entry, unit.choice, count === undefined);

  if (count !== undefined && count >= value.size) {
    const { members } = value;
    data.delete(entry.key);
    for (const member of members) unit.taken?.push(member);
    return bulksReply("set", members);
  }
  data.effort.work(POPPED_STEPS * (count ?? 1));
  const choose = seededChoice(unit);
  const popped: Reply[] = [];
  for (let remaining = count ?? 1; remaining > 0; remaining--) {
    const member = copied(value.at(choose(value.size)));
    data.setRemove(entry, member);
    popped.push(bulk(member));
    unit.taken?.push(member);
  }

  return count === undefined ? popped[0]! : set(popped);
}

/** Removes the chosen members that are still in the set. @param isOne  whether the reply is a single member */
function popChosen(data: Data, entry: Typed<MemberSet>, choice: Choice, isOne: boolean): Reply {
  data.effort.work(POPPED_STEPS * choice.length);
  const popped = [...new Set(choice)].filter((member) => entry.value.has(member));
  if (popped.length === entry.value.size) data.delete(entry.key);
  else for (const member of popped) data.setRemove(entry, member);
  if (isOne) return bulkOrNil(popped[0]);
  return set(popped.map(bulk));
}

function allMembers({ effort }: Data, kind: "array" | "set", members: readonly ByteString[]): Reply {
  effort.answer(members.length);
  return bulksReply(kind, members);
}

function srandmember(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  if (argv.length > 3) throw syntaxError();
  const count = argv[2] === undefined ? undefined : signedCount(argv[2]);
  const members = data.getAs(MemberSet, argv[1]!)?.value.members;
  if (members === undefined) return count === undefined ? NIL : EMPTY_ARRAY;

  const choose = seededChoice(unit);
  if (count === undefined) return bulk(members[choose(members.length)]!);
  if (count >= members.length) return allMembers(data, "array", members);

  return bulksReply(
    "array",
    chosenIndexes(data, choose, members.length, count).map((index) => members[index]!),
  );
}

function srem(data: Data, argv: readonly ByteString[]): Reply {
  const entry = data.getAs(MemberSet, argv[1]!);
  if (entry === undefined) return ZERO;
  let removed = 0;
  for (let i = 2; i < argv.length; i++) if (data.setRemove(entry, argv[i]!)) removed++;
  return integer(removed);
}

function sscan(data: Data, argv: readonly ByteString[], { encoding }: Unit): Reply {
  const cursor = scanCursor(argv[2]!);
  const value = data.getAs(MemberSet, argv[1]!)?.value;
  if (value === undefined) return scanReply(0, []);

  const options = scanOptions(data, argv, { first: 3, cursor });
  const isSmall = isCompact(value, encoding);
  // The sets that Redis stores compactly contain only integers, which Redis returns in ascending order.
  const members = isSmall ? inOrder(value.members) : value.members;
  const matches: ByteString[] = [];
  const visit = (index: number) => {
    if (options.matches(members[index]!)) matches.push(members[index]!);
  };

  countPage(data, members.length, options, isSmall);
  return scanReply(visitPage(value, options, isSmall, visit), matches);
}

function inOrder(integers: readonly ByteString[]): readonly ByteString[] {
  const parsed = integers.map(BigInt);
  return integers
    .map((_, index) => index)
    .sort((a, b) => (parsed[a]! < parsed[b]! ? -1 : 1))
    .map((index) => integers[index]!);
}

/** A set, or undefined for an absent key. */
type Operand = MemberSet | undefined;
/**
 * An intersection, union or difference of sets. The order of a stored result is part of the state, so it depends only
 * on the dense order of each set and on the positions of the sets among the arguments.
 * @returns the distinct members of the result
 */
type SetOperation = (operands: readonly Operand[]) => ByteString[];

/** Cost in steps of each member that is read. */
const READ_STEPS = 3;
/** Cost in steps of looking up a member in another set. */
const LOOKUP_STEPS = 5;

/** Returns the sets of keys. @throws CommandFailure if a key has a value of another type */
function operandsOf(data: Data, keys: readonly ByteString[]): Operand[] {
  return keys.map((key) => data.getAs(MemberSet, key)?.value);
}

/** Counts the members that an operation is about to read and to look up. @throws BudgetExceeded */
function countOperation({ effort }: Data, operation: SetOperation, operands: readonly Operand[]): void {
  const sizes = operands.map((operand) => operand?.size ?? 0);
  if (operation === union) {
    effort.work(READ_STEPS * sizes.reduce((sum, size) => sum + size, 0));
    return;
  }
  // Each member of one set is looked up in the remaining sets.
  const first = sizes[0] ?? 0;
  const read = operation === intersection ? sizes.reduce((min, size) => Math.min(min, size), first) : first;
  effort.work(read * (READ_STEPS + LOOKUP_STEPS * (sizes.length - 1)));
}

/**
 * Returns members in the order of the smallest set, or of the first of several smallest ones.
 * @param limit maximum number of members
 */
function intersection(operands: readonly Operand[], limit = Number.POSITIVE_INFINITY): ByteString[] {
  const sets = operands.filter((operand) => operand !== undefined);
  if (sets.length < operands.length) return [];
  const [smallest, ...others] = sets.sort((a, b) => a.size - b.size);
  const members: ByteString[] = [];
  for (const member of smallest?.members ?? []) {
    if (members.length >= limit) break;
    if (others.every((other) => other.has(member))) members.push(member);
  }
  return members;
}

/** Returns the first set's members, followed by those that each further set adds. */
function union(operands: readonly Operand[]): ByteString[] {
  const [first, other, ...more] = operands.filter((operand) => operand !== undefined);
  // For two sets the first one can be used for look-ups: building a set of all members takes three times as long.
  if (first !== undefined && more.length === 0)
    return [...first.members, ...(other?.members.filter((member) => !first.has(member)) ?? [])];
  const members = new Set<ByteString>();
  for (const operand of operands) for (const member of operand?.members ?? []) members.add(member);
  return [...members];
}

/** Returns the first set's members that no other set has. */
function difference([first, ...others]: readonly Operand[]): ByteString[] {
  if (first === undefined) return [];
  return first.members.filter((member) => !others.some((other) => other?.has(member)));
}

/**
 * Stores a set of these members in a key and replaces any previous value; without members the key is removed.
 * @returns the number of members
 */
function storeSet(data: Data, key: ByteString, members: readonly ByteString[]): Reply {
  if (members.length === 0) {
    if (data.get(key) !== undefined) data.delete(key);
    return ZERO;
  }

  const result = new MemberSet();
  for (const member of members) {
    data.effort.work(member.length / BYTES_PER_STEP);
    result.push(member);
  }

  data.put(key, result);
  return integer(members.length);
}
