/** Commands on keys of any type. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { bulksReply } from "../../../protocol/lazy-replies.js";
import { bulk, integer, NIL, OK, ONE, type Reply, status, ZERO } from "../../../protocol/reply.js";
import {
  custom,
  dbIndexOutOfRange,
  echoed,
  noSuchKey,
  sameObject,
  syntaxError,
} from "../arguments/command-errors.js";
import { type ExpireUnit, expireTime } from "../arguments/expire-options.js";
import { INT64_MAX, int32Argument, parseInteger } from "../arguments/number-arguments.js";
import { countPage, matcherOf, scanCursor, scanOptions, scanReply } from "../arguments/scan-arguments.js";
import {
  copyEvents,
  deletedEvents,
  event,
  expireEvents,
  ifCounted,
  moveEvents,
  renameEvents,
} from "../events/event-rules.js";
import { isExpired, NO_EXPIRY } from "../keyspace/keyspace.js";
import type { Data } from "../keyspace/mutators.js";
import { seededChoice } from "../keyspace/seeded-choice.js";
import type { Unit } from "../keyspace/unit.js";
import { family, repliesOne, sourcesLookedUp } from "../rows/command-row.js";
import { ONE_KEY_SEARCH, TWO_KEYS_SEARCH } from "../rows/key-searches.js";
import { currentDb, inspect, read, type Touch, touchesOf, update, write } from "../rows/key-spec.js";
import { visitPage } from "../values/tables/scan-page.js";
import { cloneValue, typeName, type Value } from "../values/value.js";

const SECONDS = { ms: 1000, absolute: false } as const;
const MILLISECONDS = { ms: 1, absolute: false } as const;
const UNIX_SECONDS = { ms: 1000, absolute: true } as const;
const UNIX_MILLISECONDS = { ms: 1, absolute: true } as const;

export const generic = family("keyspace", {
  COPY: {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: copyKeys,
    writesOtherDatabases: true,
    keyRange: [1, 2, 1],
    since: "6.2.0",
    complexity: "O(N), N: elements of the value",
    summary: "Copies a key's value to another key, optionally in another database.",
    events: copyEvents,
    lookedUp: sourcesLookedUp,
    keyFlags: ["RO access", "OW update"],
    keySearches: TWO_KEYS_SEARCH,
    method: "key1 key2 ...options: number",
    serves: "unless-empty",
    run: copy,
  },
  DEL: {
    arity: -2,
    flags: ["write"],
    keys: [write(1, -1)],
    since: "1.0.0",
    complexity: "O(N), N: keys",
    summary: "Removes keys.",
    cost: "arguments",
    events: deletedEvents,
    keyFlags: ["RM delete"],
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    method: "key ...keys: number",
    run: del,
  },
  EXISTS: {
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [inspect(1, -1)],
    since: "1.0.0",
    complexity: "O(N), N: keys",
    summary: "Counts the given keys that exist; a key given twice counts twice.",
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    method: "key ...keys: number",
    isUse: false,
    run: countExisting,
  },
  EXPIRE: {
    arity: -3,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Sets a key's time to live in seconds.",
    cost: "arguments",
    events: expireEvents,
    keyFlags: ["RW update"],
    method: "key seconds ...options: number",
    serves: "if-expired",
    setsAgain: repliesOne,
    run: (data, argv, unit) => expire(data, argv, unit, SECONDS, "expire"),
  },
  EXPIREAT: {
    arity: -3,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "1.2.0",
    complexity: "O(1)",
    summary: "Sets the Unix time in seconds at which a key expires.",
    cost: "arguments",
    events: expireEvents,
    keyFlags: ["RW update"],
    method: "key time ...options: number",
    serves: "if-expired",
    setsAgain: repliesOne,
    run: (data, argv, unit) => expire(data, argv, unit, UNIX_SECONDS, "expireat"),
  },
  EXPIRETIME: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "7.0.0",
    complexity: "O(1)",
    summary: "Returns the Unix time in seconds at which a key expires.",
    method: "key: @integer",
    isUse: false,
    run: (data, argv) => remaining(data, argv, (expire) => Math.floor((expire + 500) / 1000)),
  },
  KEYS: {
    arity: 2,
    flags: ["readonly"],
    keys: currentDb("read"),
    since: "1.0.0",
    complexity: "O(N), N: keys of the database",
    categories: ["dangerous"],
    summary: "Returns all keys that match a pattern.",
    tips: ["request_policy:all_shards", "nondeterministic_output_order"],
    method: "pattern: @list",
    run: keys,
  },
  MOVE: {
    arity: 3,
    flags: ["write", "fast"],
    keys: moveKeys,
    writesOtherDatabases: true,
    keyRange: [1, 1, 1],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Moves a key to another database.",
    cost: "arguments",
    events: moveEvents,
    keyFlags: ["RW access update"],
    keySearches: ONE_KEY_SEARCH,
    serves: "unless-empty",
    run: move,
  },
  PERSIST: {
    arity: 2,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "2.2.0",
    complexity: "O(1)",
    summary: "Removes a key's expiry time.",
    cost: "arguments",
    events: event("g", "persist", ifCounted),
    keyFlags: ["RW update"],
    method: "key: number",
    serves: "if-expired",
    run: persist,
  },
  PEXPIRE: {
    arity: -3,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "2.6.0",
    complexity: "O(1)",
    summary: "Sets a key's time to live in milliseconds.",
    cost: "arguments",
    events: expireEvents,
    keyFlags: ["RW update"],
    method: "key milliseconds ...options: number",
    serves: "if-expired",
    setsAgain: repliesOne,
    run: (data, argv, unit) => expire(data, argv, unit, MILLISECONDS, "pexpire"),
  },
  PEXPIREAT: {
    arity: -3,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "2.6.0",
    complexity: "O(1)",
    summary: "Sets the Unix time in milliseconds at which a key expires.",
    cost: "arguments",
    events: expireEvents,
    keyFlags: ["RW update"],
    method: "key time ...options: number",
    serves: "if-expired",
    setsAgain: repliesOne,
    run: (data, argv, unit) => expire(data, argv, unit, UNIX_MILLISECONDS, "pexpireat"),
  },
  PEXPIRETIME: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "7.0.0",
    complexity: "O(1)",
    summary: "Returns the Unix time in milliseconds at which a key expires.",
    method: "key: @integer",
    isUse: false,
    run: (data, argv) => remaining(data, argv, (expire) => expire),
  },
  PTTL: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "2.6.0",
    complexity: "O(1)",
    summary: "Returns the milliseconds until a key expires.",
    tips: ["nondeterministic_output"],
    method: "key: @integer",
    isUse: false,
    run: (data, argv, unit) => remaining(data, argv, (expire) => expire - unit.at),
  },
  RANDOMKEY: {
    arity: 1,
    flags: ["readonly"],
    keys: currentDb("read"),
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns a random key of the database.",
    tips: ["request_policy:all_shards", "nondeterministic_output"],
    method: ": @text?",
    run: randomkey,
  },
  RENAME: {
    arity: 3,
    flags: ["write"],
    keys: [update(1), write(2)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Renames a key, and replaces any key that has the new name.",
    cost: "arguments",
    events: renameEvents,
    keyFlags: ["RW access delete", "OW update"],
    method: 'key1 key2: "OK"',
    run: (data, argv) => {
      rename(data, argv, true);
      return OK;
    },
  },
  RENAMENX: {
    arity: 3,
    flags: ["write", "fast"],
    keys: [update(1), write(2)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Renames a key unless the new name exists.",
    cost: "arguments",
    events: renameEvents,
    keyFlags: ["RW access delete", "OW insert"],
    method: "key1 key2: number",
    serves: "unless-empty",
    run: (data, argv) => (rename(data, argv, false) ? ONE : ZERO),
  },
  SCAN: {
    arity: -2,
    flags: ["readonly"],
    keys: currentDb("read"),
    since: "2.8.0",
    complexity: "O(COUNT) a call",
    summary: "Returns all keys, one page at a time.",
    tips: ["nondeterministic_output", "request_policy:special"],
    method: "cursor ...options: @scan",
    cursorAt: 1,
    run: scan,
  },
  TOUCH: {
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [inspect(1, -1)],
    since: "3.2.1",
    complexity: "O(N), N: keys",
    summary: "Counts the given keys that exist.",
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    method: "key ...keys: number",
    run: countExisting,
  },
  TTL: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns the seconds until a key expires.",
    tips: ["nondeterministic_output"],
    method: "key: @integer",
    isUse: false,
    run: (data, argv, unit) => remaining(data, argv, (expire) => Math.floor((expire - unit.at + 500) / 1000)),
  },
  TYPE: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [inspect(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns the type of a key's value.",
    method: "key: string",
    isUse: false,
    run: type,
  },
  UNLINK: {
    arity: -2,
    flags: ["write", "fast"],
    keys: [write(1, -1)],
    since: "4.0.0",
    complexity: "O(N), N: keys",
    summary: "Removes keys.",
    cost: "arguments",
    events: deletedEvents,
    keyFlags: ["RM delete"],
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    method: "key ...keys: number",
    run: del,
  },
});

/** Returns a touch of the key in the database that an argument names, whether or not that database exists. */
function dbTouch(argument: ByteString | undefined, key: ByteString, access: Touch["access"]): Touch[] {
  const db = parseInteger(argument ?? "");
  return typeof db === "number" && db >= 0 ? [{ db, key, access }] : [];
}

function copyKeys(argv: readonly ByteString[]): Touch[] {
  const destination = argv[2] ?? "";
  const touches = touchesOf([read(1), write(2)], argv);
  for (let i = 3; i + 1 < argv.length; i++) {
    if (argv[i]!.toUpperCase() === "DB") touches.push(...dbTouch(argv[i + 1], destination, "write"));
  }
  return touches;
}

function moveKeys(argv: readonly ByteString[]): Touch[] {
  return [...touchesOf([update(1)], argv), ...dbTouch(argv[2], argv[1] ?? "", "write")];
}

function copy(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const [, source, destination] = argv as [string, ByteString, ByteString];
  let db = unit.db;
  let replace = false;
  for (let i = 3; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    if (option === "REPLACE") replace = true;
    else if (option === "DB" && i + 1 < argv.length) db = databaseArgument(data, argv[++i]!);
    else throw syntaxError();
  }
  if (db === unit.db && source === destination) throw sameObject();

  const entry = data.get(source);
  if (entry === undefined || (!replace && data.get(destination, db) !== undefined)) return ZERO;

  const { value } = entry;
  checkFits(value, destination);

  // A string is shared, not copied.
  if (typeof value === "string") data.effort.produce(1);
  else value.countCopy(data.effort);
  data.put(destination, cloneValue(value), entry.expire, db);
  return ONE;
}

function databaseArgument(data: Data, bytes: ByteString): number {
  const db = int32Argument(bytes);
  if (db < 0 || db >= data.databases) throw dbIndexOutOfRange();
  return db;
}

function del(data: Data, argv: readonly ByteString[]): Reply {
  let removed = 0;
  for (let i = 1; i < argv.length; i++) {
    if (data.get(argv[i]!) === undefined) continue;
    data.delete(argv[i]!);
    removed++;
  }
  return integer(removed);
}

function countExisting(data: Data, argv: readonly ByteString[]): Reply {
  let count = 0;
  for (let i = 1; i < argv.length; i++) if (data.get(argv[i]!) !== undefined) count++;
  return integer(count);
}

/** Parses NX, XX, GT and LT of the EXPIRE commands. @throws CommandFailure */
function expireConditions(argv: readonly ByteString[]): ReadonlySet<string> {
  const conditions = new Set<string>();
  for (let i = 3; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    if (!["NX", "XX", "GT", "LT"].includes(option))
      throw custom(`ERR Unsupported option ${echoed(argv[i]!)}`);
    conditions.add(option);
  }

  if (conditions.has("NX") && conditions.size > 1) {
    throw custom("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (conditions.has("GT") && conditions.has("LT")) {
    throw custom("ERR GT and LT options at the same time are not compatible");
  }

  return conditions;
}

function expire(
  data: Data,
  argv: readonly ByteString[],
  unit: Unit,
  expireUnit: ExpireUnit,
  name: string,
): Reply {
  const conditions = expireConditions(argv);
  const time = expireTime(argv[2]!, expireUnit, unit.at, name, false);
  const entry = data.get(argv[1]!);
  if (entry === undefined) return ZERO;

  const current = entry.expire === NO_EXPIRY ? Number.POSITIVE_INFINITY : entry.expire;
  if (conditions.has("NX") && entry.expire !== NO_EXPIRY) return ZERO;
  if (conditions.has("XX") && entry.expire === NO_EXPIRY) return ZERO;
  if (conditions.has("GT") && time <= current) return ZERO;
  if (conditions.has("LT") && time >= current) return ZERO;

  if (time <= unit.at) data.delete(entry.key);
  else if (time !== entry.expire) data.expire(entry, time);
  return ONE;
}

function remaining(data: Data, argv: readonly ByteString[], measure: (expire: number) => number): Reply {
  const entry = data.get(argv[1]!);
  if (entry === undefined) return integer(-2);
  if (entry.expire === NO_EXPIRY) return integer(-1);
  const time = Math.max(0, measure(entry.expire));
  // Stored as a double, the highest 64-bit times are rounded to one more than the highest 64-bit integer.
  if (time > INT64_MAX) return integer(INT64_MAX);
  return integer(time);
}

function keys(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const pattern = argv[1]!;
  // Fast path: most keys that do not match differ from the pattern before its first special character.
  const literal = pattern.slice(0, pattern.search(/[*?[\\]|$/));
  const matches = matcherOf(pattern, data);
  const names: ByteString[] = [];
  data.effort.answer(data.keyspace().size);
  for (const entry of data.keyspace().entries) {
    const { key } = entry;
    if (pattern !== "*" && (!key.startsWith(literal) || !matches(key))) continue;
    if (!isExpired(entry, unit.at)) names.push(key);
  }

  return bulksReply("array", names);
}

function move(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const key = argv[1]!;
  const db = databaseArgument(data, argv[2]!);
  if (db === unit.db) throw sameObject();
  const entry = data.get(key);
  if (entry === undefined || data.get(key, db) !== undefined) return ZERO;
  const { value, expire } = entry;
  data.delete(key);
  data.put(key, value, expire, db);
  return ONE;
}

function persist(data: Data, argv: readonly ByteString[]): Reply {
  const entry = data.get(argv[1]!);
  if (entry === undefined || entry.expire === NO_EXPIRY) return ZERO;
  data.expire(entry, NO_EXPIRY);
  return ONE;
}

/**
 * Number of random choices that may hit expired keys before all keys are searched. Expired keys that have not been
 * dropped yet can outnumber the keys that still exist.
 */
const RANDOM_TRIES = 100;

function randomkey(data: Data, _: readonly ByteString[], unit: Unit): Reply {
  const { entries } = data.keyspace();
  if (entries.length === 0) return NIL;
  const choose = seededChoice(unit);
  for (let i = 0; i < RANDOM_TRIES; i++) {
    const entry = entries[choose(entries.length)]!;
    if (!isExpired(entry, unit.at)) return bulk(entry.key);
  }
  const entry = data.walked().find((candidate) => !isExpired(candidate, unit.at));
  return entry === undefined ? NIL : bulk(entry.key);
}

/** @throws CommandFailure if a value of this type may not be in the key */
function checkFits(value: Value, key: ByteString): void {
  if (typeof value !== "string" && value.fits?.(key) === false)
    throw custom(
      `ERR a ${typeName(value)} cannot be in the key '${key}': choose a name that is valid for it`,
    );
}

/** @returns whether the key was renamed */
function rename(data: Data, argv: readonly ByteString[], over: boolean): boolean {
  const [, from, to] = argv as [string, ByteString, ByteString];
  const entry = data.get(from);
  if (entry === undefined) throw noSuchKey();
  if (from === to) return false;
  if (!over && data.get(to) !== undefined) return false;
  const { value, expire } = entry;
  checkFits(value, to);
  data.delete(from);
  data.put(to, value, expire);
  return true;
}

function scan(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const options = scanOptions(data, argv, { first: 2, cursor: scanCursor(argv[1]!), allowType: true });
  const keyspace = data.keyspace();
  const { entries } = keyspace;
  countPage(data, entries.length, options, false);
  const names: ByteString[] = [];
  const next = visitPage(keyspace, options, false, (index) => {
    const entry = entries[index]!;
    if (isExpired(entry, unit.at) || !options.matches(entry.key)) return;
    if (options.type === undefined || typeName(entry.value) === options.type) names.push(entry.key);
  });
  return scanReply(next, names);
}

function type(data: Data, argv: readonly ByteString[]): Reply {
  const entry = data.get(argv[1]!);
  return status(entry === undefined ? "none" : typeName(entry.value));
}
