/** Hashes. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { bulksReply } from "../../../protocol/lazy-replies.js";
import {
  array,
  bulk,
  bulkOrNil,
  EMPTY_ARRAY,
  integer,
  NIL,
  OK,
  ONE,
  pairs,
  type Reply,
  ZERO,
} from "../../../protocol/reply.js";
import {
  custom,
  nanOrInfinity,
  notFloat,
  overflow,
  syntaxError,
  wrongArity,
} from "../arguments/command-errors.js";
import { addIntegers, INT64_MAX, integerArgument, parseInteger } from "../arguments/number-arguments.js";
import { countPage, scanCursor, scanOptions, scanReply } from "../arguments/scan-arguments.js";
import { addFloats } from "../arithmetic/long-double.js";
import { event, ifCounted } from "../events/event-rules.js";
import { isCompact } from "../keyspace/encoding-name.js";
import type { Data } from "../keyspace/mutators.js";
import { seededChoice } from "../keyspace/seeded-choice.js";
import type { Unit } from "../keyspace/unit.js";
import { family } from "../rows/command-row.js";
import { inspect, read, update, write } from "../rows/key-spec.js";
import { Hash } from "../values/hash.js";
import { visitPage } from "../values/tables/scan-page.js";
import { chosenIndexes, signedCount } from "./random-count.js";

export const hashes = family("hash", {
  HDEL: {
    arity: -3,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "2.0.0",
    complexity: "O(N), N: fields named",
    summary: "Removes fields, and the hash if no fields remain.",
    cost: "arguments",
    events: event("h", "hdel", ifCounted),
    keyFlags: ["RW delete"],
    method: "key field ...fields: number",
    run: hdel,
  },
  HEXISTS: {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [inspect(1)],
    since: "2.0.0",
    complexity: "O(1)",
    summary: "Returns whether a hash has a field.",
    method: "key field: number",
    run: (data, argv) => (valueAt(data, argv) === undefined ? ZERO : ONE),
  },
  HGET: {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "2.0.0",
    complexity: "O(1)",
    summary: "Returns the value of a field.",
    method: "key field: @text?",
    run: (data, argv) => bulkOrNil(valueAt(data, argv)),
  },
  HGETALL: {
    arity: 2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "2.0.0",
    complexity: "O(N), N: fields of the hash",
    summary: "Returns all fields with their values.",
    tips: ["nondeterministic_output_order"],
    method: "key: @list",
    reply: "map",
    run: hgetall,
  },
  HINCRBY: {
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: [update(1)],
    since: "2.0.0",
    complexity: "O(1)",
    summary: "Adds a number to a field's integer; an absent field counts as 0.",
    cost: "arguments",
    events: event("h", "hincrby"),
    method: "key field increment: @integer",
    keepsExpiryOf: 1,
    run: hincrby,
  },
  HINCRBYFLOAT: {
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: [update(1)],
    since: "2.6.0",
    complexity: "O(1)",
    summary: "Adds a floating-point number to a field's number.",
    cost: "arguments",
    events: event("h", "hincrbyfloat"),
    method: "key field increment: string",
    keepsExpiryOf: 1,
    run: hincrbyfloat,
  },
  HKEYS: {
    arity: 2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "2.0.0",
    complexity: "O(N), N: fields of the hash",
    summary: "Returns all fields, without their values.",
    tips: ["nondeterministic_output_order"],
    method: "key: @list",
    run: (data, argv) => hashPart(data, argv, "fields"),
  },
  HLEN: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [inspect(1)],
    since: "2.0.0",
    complexity: "O(1)",
    summary: "Counts the fields of a hash.",
    method: "key: number",
    run: (data, argv) => integer(data.getAs(Hash, argv[1]!)?.value.size ?? 0),
  },
  HMGET: {
    arity: -3,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "2.0.0",
    complexity: "O(N), N: fields named",
    summary: "Returns the values of several fields.",
    method: "key field ...fields: @list?",
    run: hmget,
  },
  HMSET: {
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "2.0.0",
    complexity: "O(N), N: fields named",
    summary: "Sets fields; HSET's old form, which does not return the number of new fields.",
    cost: "arguments",
    events: event("h", "hset"),
    keyFlags: ["RW update"],
    keepsExpiryOf: 1,
    setsAgain: true,
    run: hmset,
  },
  HRANDFIELD: {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "6.2.0",
    complexity: "O(N), N: fields returned",
    summary: "Returns random fields.",
    tips: ["nondeterministic_output"],
    method: "key ...options: @some",
    reply: "pairs-with-values",
    run: hrandfield,
  },
  HSCAN: {
    arity: -3,
    flags: ["readonly"],
    keys: [read(1)],
    since: "2.8.0",
    complexity: "O(N), N: COUNT; a complete scan: fields of the hash",
    summary: "Returns the fields and values page by page.",
    tips: ["nondeterministic_output"],
    method: "key cursor ...options: @scan",
    cursorAt: 2,
    run: hscan,
  },
  HSET: {
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "2.0.0",
    complexity: "O(N), N: fields named",
    summary: "Sets fields of a hash, which is created if absent.",
    cost: "arguments",
    events: event("h", "hset"),
    keyFlags: ["RW update"],
    method: "key field value ...more: number",
    keepsExpiryOf: 1,
    setsAgain: true,
    run: hset,
  },
  HSETNX: {
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "2.0.0",
    complexity: "O(1)",
    summary: "Sets a field if it is absent.",
    cost: "arguments",
    events: event("h", "hset", ifCounted),
    keyFlags: ["RW insert"],
    method: "key field value: number",
    keepsExpiryOf: 1,
    run: hsetnx,
  },
  HSTRLEN: {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [inspect(1)],
    since: "3.2.0",
    complexity: "O(1)",
    summary: "Returns the length of a field's value in bytes.",
    method: "key field: number",
    run: (data, argv) => integer(valueAt(data, argv)?.length ?? 0),
  },
  HVALS: {
    arity: 2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "2.0.0",
    complexity: "O(N), N: fields of the hash",
    summary: "Returns all values, without their fields.",
    tips: ["nondeterministic_output_order"],
    method: "key: @list",
    run: (data, argv) => hashPart(data, argv, "values"),
  },
});

const NO_FIELDS = { fields: [], values: [] };

/** Returns the value of the field that `command key field` names. */
function valueAt(data: Data, argv: readonly ByteString[]): ByteString | undefined {
  return data.getAs(Hash, argv[1]!)?.value.get(argv[2]!);
}

function hdel(data: Data, argv: readonly ByteString[]): Reply {
  const entry = data.getAs(Hash, argv[1]!);
  if (entry === undefined) return ZERO;
  let removed = 0;
  for (let i = 2; i < argv.length; i++) if (data.hashRemove(entry, argv[i]!)) removed++;
  return integer(removed);
}

/** Returns all fields or all values of a hash. */
function hashPart(data: Data, argv: readonly ByteString[], part: "fields" | "values"): Reply {
  const hash = data.getAs(Hash, argv[1]!)?.value ?? NO_FIELDS;
  data.effort.answer(hash.fields.length);
  return bulksReply("array", hash[part]);
}

function hgetall(data: Data, argv: readonly ByteString[]): Reply {
  const { fields, values } = data.getAs(Hash, argv[1]!)?.value ?? NO_FIELDS;
  data.effort.answer(fields.length);
  const both: ByteString[] = [];
  for (let index = 0; index < fields.length; index++) both.push(fields[index]!, values[index]!);
  return bulksReply("map", both);
}

function hmget(data: Data, argv: readonly ByteString[]): Reply {
  const hash = data.getAs(Hash, argv[1]!)?.value;
  return array(argv.slice(2).map((field) => bulkOrNil(hash?.get(field))));
}

/** Sets the fields of `name key field value [field value …]`. @returns the number of new fields */
function setFields(data: Data, argv: readonly ByteString[], name: string): number {
  if (argv.length % 2 !== 0) throw wrongArity(name);
  const entry = data.getOrPut(Hash, argv[1]!);
  let added = 0;
  for (let i = 2; i < argv.length; i += 2) if (data.hashPut(entry, argv[i]!, argv[i + 1]!)) added++;
  return added;
}

function hmset(data: Data, argv: readonly ByteString[]): Reply {
  setFields(data, argv, "hmset");
  return OK;
}

function hscan(data: Data, argv: readonly ByteString[], { encoding }: Unit): Reply {
  const cursor = scanCursor(argv[2]!);
  const hash = data.getAs(Hash, argv[1]!)?.value;
  // As in Redis, the options are not checked if there is nothing to scan.
  if (hash === undefined) return array([bulk("0"), EMPTY_ARRAY]);

  const options = scanOptions(data, argv, { first: 3, cursor });
  const { fields, values } = hash;
  const fieldsAndValues: ByteString[] = [];
  const visit = (index: number) => {
    const field = fields[index]!;
    if (options.matches(field)) fieldsAndValues.push(field, values[index]!);
  };

  const isSmall = isCompact(hash, encoding);
  countPage(data, hash.size, options, isSmall);
  return scanReply(visitPage(hash, options, isSmall, visit), fieldsAndValues);
}

function hset(data: Data, argv: readonly ByteString[]): Reply {
  return integer(setFields(data, argv, "hset"));
}

function hsetnx(data: Data, argv: readonly ByteString[]): Reply {
  if (valueAt(data, argv) !== undefined) return ZERO;
  data.hashPut(data.getOrPut(Hash, argv[1]!), argv[2]!, argv[3]!);
  return ONE;
}

/** `HINCRBY key field increment` */
function hincrby(data: Data, argv: readonly ByteString[]): Reply {
  const [, key, field] = argv as [string, ByteString, ByteString];
  const by = integerArgument(argv[3]!);
  const old = parseInteger(data.getAs(Hash, key)?.value.get(field) ?? "0");
  if (old === undefined) throw custom("ERR hash value is not an integer");
  const sum = addIntegers(old, by);
  if (sum === undefined) throw overflow();
  data.hashPut(data.getOrPut(Hash, key), field, String(sum));
  return integer(sum);
}

/**
 * `HINCRBYFLOAT key field increment`. As in Redis 7, the increment is checked first, then the type of the key, then the
 * value of the field.
 */
function hincrbyfloat(data: Data, argv: readonly ByteString[]): Reply {
  const [, key, field, by] = argv as [string, ByteString, ByteString, ByteString];
  checkIncrement(by);
  const sum = addFloats(data.getAs(Hash, key)?.value.get(field) ?? "0", by);
  if (sum === "not-a-float") throw custom("ERR hash value is not a float");
  if (sum === "infinite") throw nanOrInfinity();
  data.hashPut(data.getOrPut(Hash, key), field, sum);
  return bulk(sum);
}

function checkIncrement(by: ByteString): void {
  const sum = addFloats("0", by);
  if (sum === "not-a-float") throw notFloat();
  if (sum === "infinite") throw custom("ERR value is NaN or Infinity");
}

/** Maximum count with WITHVALUES: twice as many items must fit in 64 bits. */
const COUNT_WITH_VALUES_MAX = INT64_MAX / 2n;

/**
 * `HRANDFIELD key [count [WITHVALUES]]`. The choice follows from the unit's seed, so every daemon returns the same
 * fields, although daemons need not agree on the reply of a reading command.
 */
function hrandfield(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const choose = seededChoice(unit);
  if (argv.length > 2) return randomFields(data, argv, choose);
  const hash = data.getAs(Hash, argv[1]!)?.value;
  return hash === undefined ? NIL : bulk(hash.fields[choose(hash.size)]!);
}

function randomFields(data: Data, argv: readonly ByteString[], choose: (n: number) => number): Reply {
  const count = signedCount(argv[2]!);
  const withValues = argv.length > 3;
  if (withValues && (argv.length > 4 || argv[3]!.toUpperCase() !== "WITHVALUES")) throw syntaxError();
  if (withValues && isTooLarge(BigInt(argv[2]!))) throw custom("ERR value is out of range");

  const hash = data.getAs(Hash, argv[1]!)?.value;
  if (hash === undefined) return EMPTY_ARRAY;

  const indexes = chosenIndexes(data, choose, hash.size, count);
  const { fields, values } = hash;
  const items: Reply[] = [];
  for (const index of indexes) {
    items.push(bulk(fields[index]!));
    if (withValues) items.push(bulk(values[index]!));
  }

  return withValues ? pairs(items) : array(items);
}

function isTooLarge(count: bigint): boolean {
  return count > COUNT_WITH_VALUES_MAX || count < -COUNT_WITH_VALUES_MAX;
}
