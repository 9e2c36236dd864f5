/** Strings. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, bulkOrNil, integer, NIL, OK, ONE, type Reply, ZERO } from "../../../protocol/reply.js";
import {
  custom,
  invalidExpire,
  nanOrInfinity,
  notFloat,
  notInteger,
  offsetOutOfRange,
  overflow,
  stringTooLong,
  syntaxError,
  wrongArity,
} from "../arguments/command-errors.js";
import { expireTime, expireUnits } from "../arguments/expire-options.js";
import {
  addIntegers,
  INT64_MIN,
  indexArgument,
  integerArgument,
  parseInteger,
} from "../arguments/number-arguments.js";
import { addFloats } from "../arithmetic/long-double.js";
import {
  deletedEvents,
  event,
  expiringSetEvents,
  getexEvents,
  ifCounted,
  incrementEvents,
  msetnxEvents,
  optionalExpirySetEvents,
  setEvents,
  severalSetEvents,
} from "../events/event-rules.js";
import { type KeyEntry, NO_EXPIRY } from "../keyspace/keyspace.js";
import type { Data } from "../keyspace/mutators.js";
import { stringLength, stringPart } from "../keyspace/string-parts.js";
import type { Unit } from "../keyspace/unit.js";
import { allLookedUp, family } from "../rows/command-row.js";
import { ONE_KEY_SEARCH } from "../rows/key-searches.js";
import { inspect, read, type Touch, update, write } from "../rows/key-spec.js";
import { STRING_BYTES_MAX } from "../values/value.js";
import { longestCommonSubsequence } from "./longest-common-subsequence.js";

export const strings = family("string", {
  APPEND: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "2.0.0",
    complexity: "O(1)",
    summary: "Appends to a string, which is created if absent.",
    cost: "arguments",
    events: event("$", "append"),
    keyFlags: ["RW insert"],
    method: "key value: number",
    keepsExpiryOf: 1,
    run: append,
  },
  DECR: {
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: [update(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Subtracts one from a key's integer; an absent key counts as 0.",
    cost: "arguments",
    events: incrementEvents,
    method: "key: @integer",
    keepsExpiryOf: 1,
    run: (data, argv) => increment(data, argv, -1),
  },
  DECRBY: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [update(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Subtracts a number from a key's integer.",
    cost: "arguments",
    events: incrementEvents,
    method: "key decrement: @integer",
    keepsExpiryOf: 1,
    run: decrby,
  },
  GET: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Returns the string of a key.",
    method: "key: @text?",
    run: get,
  },
  GETDEL: {
    arity: 2,
    flags: ["write", "fast"],
    keys: [update(1)],
    since: "6.2.0",
    complexity: "O(1)",
    summary: "Returns the string of a key, and removes the key.",
    cost: "arguments",
    events: deletedEvents,
    lookedUp: allLookedUp,
    keyFlags: ["RW access delete"],
    method: "key: @text?",
    isClaim: true,
    run: getdel,
  },
  GETEX: {
    arity: -2,
    flags: ["write", "fast"],
    keys: [update(1)],
    since: "6.2.0",
    complexity: "O(1)",
    summary: "Returns the string of a key, and sets or removes its expiry time.",
    cost: "arguments",
    events: getexEvents,
    lookedUp: allLookedUp,
    method: "key ...options: @text?",
    setsAgain: (argv, reply) => argv.length > 3 && reply.kind !== "nil",
    run: getex,
  },
  GETRANGE: {
    arity: 4,
    flags: ["readonly"],
    keys: [read(1)],
    since: "2.4.0",
    complexity: "O(N), N: bytes returned",
    summary: "Returns a part of a string.",
    method: "key start end: string",
    run: getrange,
  },
  GETSET: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [update(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Sets a key and returns its previous value.",
    cost: "arguments",
    events: setEvents,
    lookedUp: allLookedUp,
    method: "key value: @text?",
    run: getset,
  },
  INCR: {
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: [update(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Adds one to a key's integer; an absent key counts as 0.",
    cost: "arguments",
    events: incrementEvents,
    method: "key: @integer",
    keepsExpiryOf: 1,
    run: (data, argv) => increment(data, argv, 1),
  },
  INCRBY: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [update(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Adds a number to a key's integer.",
    cost: "arguments",
    events: incrementEvents,
    method: "key increment: @integer",
    keepsExpiryOf: 1,
    run: (data, argv) => increment(data, argv, integerArgument(argv[2]!)),
  },
  INCRBYFLOAT: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [update(1)],
    since: "2.6.0",
    complexity: "O(1)",
    summary: "Adds a floating-point number to a key's number.",
    cost: "arguments",
    events: event("$", "incrbyfloat"),
    method: "key increment: string",
    keepsExpiryOf: 1,
    run: incrbyfloat,
  },
  LCS: {
    arity: -3,
    flags: ["readonly"],
    keys: [read(1, 2)],
    since: "7.0.0",
    complexity: "O(N*M), N and M: the strings' lengths",
    summary: "Returns the longest common subsequence of two strings.",
    cost: "query",
    method: "key1 key2 ...options: @reply",
    reply: "map-with-idx",
    run: longestCommonSubsequence,
  },
  MGET: {
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [read(1, -1)],
    since: "1.0.0",
    complexity: "O(N), N: keys",
    summary: "Returns the strings of several keys.",
    tips: ["request_policy:multi_shard"],
    method: "key ...keys: @list?",
    run: mget,
  },
  MSET: {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [write(1, -1, 2)],
    since: "1.0.1",
    complexity: "O(N), N: keys",
    summary: "Sets several keys.",
    cost: "arguments",
    events: severalSetEvents,
    tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
    method: 'key value ...more: "OK"',
    run: mset,
  },
  MSETNX: {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [write(1, -1, 2)],
    since: "1.0.1",
    complexity: "O(N), N: keys",
    summary: "Sets several keys if none of them exists.",
    cost: "arguments",
    events: msetnxEvents,
    keyFlags: ["OW insert"],
    tips: ["request_policy:multi_shard", "response_policy:agg_min"],
    method: "key value ...more: number",
    serves: "unless-empty",
    run: msetnx,
  },
  PSETEX: {
    arity: 4,
    flags: ["write", "denyoom"],
    keys: [write(1)],
    since: "2.6.0",
    complexity: "O(1)",
    summary: "Sets a key with a time to live in milliseconds.",
    cost: "arguments",
    events: expiringSetEvents,
    method: 'key milliseconds value: "OK"',
    run: (data, argv, unit) =>
      setex(data, argv, expireTime(argv[2]!, expireUnits["PX"]!, unit.at, "psetex", true)),
  },
  SET: {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: setKeys,
    keyRange: [1, 1, 1],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Sets a key to a string.",
    cost: "arguments",
    events: optionalExpirySetEvents,
    keyFlags: ["RW access update variable_flags"],
    keySearches: ONE_KEY_SEARCH,
    method: "key value ...options: @text?",
    serves: "unless-empty",
    keepsExpiryOf: (argv) => (argv.length > 3 && argv.slice(3).some(isKeptBy) ? 1 : undefined),
    run: set,
  },
  SETEX: {
    arity: 4,
    flags: ["write", "denyoom"],
    keys: [write(1)],
    since: "2.0.0",
    complexity: "O(1)",
    summary: "Sets a key with a time to live in seconds.",
    cost: "arguments",
    events: expiringSetEvents,
    method: 'key seconds value: "OK"',
    run: (data, argv, unit) =>
      setex(data, argv, expireTime(argv[2]!, expireUnits["EX"]!, unit.at, "setex", true)),
  },
  SETNX: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "1.0.0",
    complexity: "O(1)",
    summary: "Sets a key if it is absent.",
    cost: "arguments",
    events: event("$", "set", ifCounted),
    keyFlags: ["OW insert"],
    method: "key value: number",
    serves: "unless-empty",
    keepsExpiryOf: 1,
    run: setnx,
  },
  SETRANGE: {
    arity: 4,
    flags: ["write", "denyoom"],
    keys: [write(1)],
    since: "2.2.0",
    complexity: "O(N), N: the string's length",
    summary: "Overwrites a part of a string, which is first padded with NULs if it is too short.",
    events: event("$", "setrange", ({ argv }) => argv[3] !== ""),
    keyFlags: ["RW update"],
    method: "key offset value: number",
    keepsExpiryOf: 1,
    setsAgain: true,
    run: setrange,
  },
  STRLEN: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [inspect(1)],
    since: "2.2.0",
    complexity: "O(1)",
    summary: "Returns the length of a string in bytes.",
    method: "key: number",
    run: strlen,
  },
  SUBSTR: {
    arity: 4,
    flags: ["readonly"],
    keys: [read(1)],
    since: "1.0.0",
    complexity: "O(N), N: bytes returned",
    summary: "Returns a part of a string; GETRANGE's old name.",
    run: getrange,
  },
});

function append(data: Data, argv: readonly ByteString[]): Reply {
  const [, key, suffix] = argv as [string, ByteString, ByteString];
  const entry = data.getString(key);
  if (entry === undefined) {
    data.put(key, suffix);
    return integer(suffix.length);
  }
  if (stringLength(entry) + suffix.length > STRING_BYTES_MAX) throw stringTooLong();
  if (suffix !== "") data.patch(entry, stringLength(entry), suffix);
  return integer(stringLength(entry));
}

function increment(data: Data, argv: readonly ByteString[], by: number | bigint): Reply {
  const key = argv[1]!;
  const entry = data.getString(key);
  const old = entry === undefined ? 0 : parseInteger(entry.value);
  if (old === undefined) throw notInteger();
  const sum = addIntegers(old, by);
  if (sum === undefined) throw overflow();
  if (entry === undefined) data.put(key, String(sum));
  else if (sum !== old) data.setBytes(entry, String(sum));
  return integer(sum);
}

function decrby(data: Data, argv: readonly ByteString[]): Reply {
  const by = integerArgument(argv[2]!);
  if (by === INT64_MIN) throw custom("ERR decrement would overflow");
  return increment(data, argv, -by);
}

function get(data: Data, argv: readonly ByteString[]): Reply {
  return bulkOrNil(data.getString(argv[1]!)?.value);
}

function getdel(data: Data, argv: readonly ByteString[], { choice, taken }: Unit): Reply {
  const entry = data.getString(argv[1]!);
  if (entry === undefined || (choice !== undefined && choice[0] !== entry.value)) return NIL;
  data.delete(entry.key);
  taken?.push(entry.value);
  return bulk(entry.value);
}

function getset(data: Data, argv: readonly ByteString[]): Reply {
  const old = data.getString(argv[1]!)?.value;
  data.put(argv[1]!, argv[2]!);
  return bulkOrNil(old);
}

function getrange(data: Data, argv: readonly ByteString[]): Reply {
  let start = indexArgument(argv[2]!);
  let end = indexArgument(argv[3]!);
  const entry = data.getString(argv[1]!);
  if (entry === undefined || (start < 0 && end < 0 && start > end)) return bulk("");
  const length = stringLength(entry);
  if (start < 0) start = Math.max(0, start + length);
  if (end < 0) end = Math.max(0, end + length);
  return bulk(stringPart(entry, start, end + 1));
}

function incrbyfloat(data: Data, argv: readonly ByteString[]): Reply {
  const key = argv[1]!;
  const entry = data.getString(key);
  const sum = addFloats(entry?.value ?? "0", argv[2]!);
  if (sum === "not-a-float") throw notFloat();
  if (sum === "infinite") throw nanOrInfinity();
  const changed = entry ?? data.put(key, sum);
  if (entry !== undefined && entry.value !== sum) data.setBytes(entry, sum);
  data.forms?.note(changed, "embstr");
  return bulk(sum);
}

function mget(data: Data, argv: readonly ByteString[]): Reply {
  const values: Reply[] = [];
  for (let i = 1; i < argv.length; i++) {
    const value = data.get(argv[i]!)?.value;
    values.push(typeof value === "string" ? bulk(value) : NIL);
  }
  return array(values);
}

function mset(data: Data, argv: readonly ByteString[]): Reply {
  if (argv.length % 2 === 0) throw wrongArity("mset");
  for (let i = 1; i < argv.length; i += 2) data.put(argv[i]!, argv[i + 1]!);
  return OK;
}

function msetnx(data: Data, argv: readonly ByteString[]): Reply {
  if (argv.length % 2 === 0) throw wrongArity("msetnx");
  for (let i = 1; i < argv.length; i += 2) if (data.get(argv[i]!) !== undefined) return ZERO;
  for (let i = 1; i < argv.length; i += 2) data.put(argv[i]!, argv[i + 1]!);
  return ONE;
}

function setex(data: Data, argv: readonly ByteString[], expire: number): Reply {
  data.put(argv[1]!, argv[3]!, expire);
  return OK;
}

function setnx(data: Data, argv: readonly ByteString[]): Reply {
  if (data.get(argv[1]!) !== undefined) return ZERO;
  data.put(argv[1]!, argv[2]!);
  return ONE;
}

function strlen(data: Data, argv: readonly ByteString[]): Reply {
  const entry = data.getString(argv[1]!);
  return entry === undefined ? ZERO : integer(stringLength(entry));
}

function setrange(data: Data, argv: readonly ByteString[]): Reply {
  const [, key, , bytes] = argv as [string, ByteString, ByteString, ByteString];
  const offset = indexArgument(argv[2]!);
  if (offset < 0) throw offsetOutOfRange();
  const entry = data.getString(key);
  const length = entry === undefined ? 0 : stringLength(entry);
  const end = offset + bytes.length;
  if (bytes === "") return integer(length);
  if (end > STRING_BYTES_MAX) throw stringTooLong();
  if (entry === undefined || length < end || stringPart(entry, offset, end) !== bytes)
    data.patch(entry ?? data.put(key, ""), offset, bytes);
  return integer(Math.max(length, end));
}

/** The options of SET and GETEX, parsed from left to right. Both commands exclude the same options together. */
interface StringOptions {
  condition: "NX" | "XX" | undefined;
  get: boolean;
  /** `EX`, `PX`, `EXAT` or `PXAT` with its argument, or the option that the client uses instead of them. */
  expiry: { readonly option: string; readonly argument: ByteString } | "KEEPTTL" | "PERSIST" | undefined;
}

function stringOptions(argv: readonly ByteString[], first: number, command: "set" | "getex"): StringOptions {
  const options: StringOptions = { condition: undefined, get: false, expiry: undefined };
  for (let i = first; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    if (command === "set" && option === "GET") {
      options.get = true;
    } else if (command === "set" && (option === "NX" || option === "XX")) {
      if (options.condition !== undefined && options.condition !== option) throw syntaxError();
      options.condition = option;
    } else if (option === (command === "set" ? "KEEPTTL" : "PERSIST")) {
      if (options.expiry !== undefined && options.expiry !== option) throw syntaxError();
      options.expiry = option as "KEEPTTL" | "PERSIST";
    } else if (option in expireUnits && i + 1 < argv.length) {
      if (options.expiry !== undefined && !repeats(options.expiry, option)) throw syntaxError();
      options.expiry = { option, argument: argv[++i]! };
    } else {
      throw syntaxError();
    }
  }
  return options;
}

/** Whether an option is repeated, which is accepted; the last argument counts. */
function repeats(expiry: NonNullable<StringOptions["expiry"]>, option: string): boolean {
  return typeof expiry === "object" && expiry.option === option;
}

function expiryOf(expiry: StringOptions["expiry"], at: number, name: string): number {
  if (typeof expiry !== "object") return NO_EXPIRY;
  const unit = expireUnits[expiry.option];
  if (unit === undefined) throw invalidExpire(name);
  return expireTime(expiry.argument, unit, at, name, true);
}

/** Returns the keys of SET, which with the option GET also reads the previous value. */
function setKeys(argv: readonly ByteString[]): Touch[] {
  const answers = argv.some((word, index) => index > 2 && word.toUpperCase() === "GET");
  return [{ db: null, key: argv[1] ?? "", access: "write", needs: answers ? "RW" : "W" }];
}

/** Whether an option of SET leaves the expiry of an existing key. */
const isKeptBy = (option: ByteString): boolean => ["KEEPTTL", "NX"].includes(option.toUpperCase());

function set(data: Data, argv: readonly ByteString[], unit: { at: number }): Reply {
  const key = argv[1]!;
  if (argv.length === 3) {
    data.put(key, argv[2]!);
    return OK;
  }

  const options = stringOptions(argv, 3, "set");
  const expire = expiryOf(options.expiry, unit.at, "set");
  const old: KeyEntry | undefined = options.get ? data.getString(key) : data.get(key);
  if (options.get) data.lookups.note(key, old !== undefined);
  const answer = options.get ? bulkOrNil(old?.value as ByteString | undefined) : OK;
  if (options.condition === (old === undefined ? "XX" : "NX")) return options.get ? answer : NIL;
  if (expire !== NO_EXPIRY && expire <= unit.at) {
    if (old !== undefined) data.delete(key);
  } else {
    data.put(key, argv[2]!, options.expiry === "KEEPTTL" ? (old?.expire ?? NO_EXPIRY) : expire);
  }
  return answer;
}

function getex(data: Data, argv: readonly ByteString[], unit: { at: number }): Reply {
  const options = stringOptions(argv, 2, "getex");
  const entry = data.getString(argv[1]!);
  if (entry === undefined) return NIL;
  const expire = expiryOf(options.expiry, unit.at, "getex");
  const answer = bulk(entry.value);
  if (expire !== NO_EXPIRY && expire <= unit.at) data.delete(entry.key);
  else if (options.expiry !== undefined && entry.expire !== expire) data.expire(entry, expire);
  return answer;
}
