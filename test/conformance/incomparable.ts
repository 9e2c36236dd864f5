/**
 * Justified differences between the store and redis-server, and how such replies are compared. All other replies are
 * compared byte by byte, including our errors.
 */

import { parseDouble } from "../../daemon/store/arguments/number-arguments.js";
import { commands } from "../../daemon/store/command-table.js";
import { SortedSet } from "../../daemon/store/values/sorted-set.js";
import { positionOf } from "../../faces/redis/store/commands/geo/geohash.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, double, type Reply } from "../../protocol/reply.js";
import {
  type Call,
  type Comparison,
  chosen,
  endedBy,
  groups,
  type Incomparable,
  integerOf,
  nearly,
  ofKind,
  ownAnswer,
  popped,
  scanned,
  storedDistances,
  unordered,
  withinMulti,
} from "./comparison.js";
import { dumped } from "./dump-comparison.js";
import { isInRedis } from "./families.js";
import { idleOfConsumers, idleOfPending, timed } from "./group-comparison.js";
import { itemsOf, sameReply, shown } from "./resp2-fold.js";
import { addedByClock, trimmedByNode, withoutNodes } from "./stream-comparison.js";

/** Queries to redis-server before a command, so that its reply depends on that command alone; they change nothing. */
export const askedBefore: Readonly<
  Record<string, { readonly reason: string; readonly ask: readonly ByteString[] }>
> = Object.fromEntries(
  ["SORT", "SORT_RO"].map((name) => [
    name,
    {
      reason:
        "SORT rejects numbers if an earlier double was out of range and has set errno; parsing this invalid double resets errno",
      ask: ["ZINCRBY", "", "no double", "m"],
    },
  ]),
);

const sortedUnlessKept: Incomparable = {
  reason: "the order of an unsorted set differs between servers",
  compare: (call) => {
    const { argv, ours, run } = call;
    const words = argv.map((word) => word.toUpperCase());
    const isSet = shown(run(["TYPE", argv[1] as ByteString])) === '+"set"';
    if (!isSet || ours.kind !== "array" || !words.includes("BY")) return undefined;
    const gets = words.filter((word) => word === "GET").length;
    if (!words.includes("LIMIT")) return unordered(gets || 1).compare(call);
    return { ask: [argv], agree: ([theirs]) => itemsOf(theirs).length === ours.items.length };
  },
};

const MOMENTS_MS_MAX = 200_000;

/** The comparisons, by the command's name in the store's table. */
export const incomparable: Readonly<Record<string, Incomparable>> = {
  TTL: nearly(1000),
  PTTL: nearly(1),
  EXPIRETIME: nearly(1000),
  PEXPIRETIME: nearly(1),
  KEYS: unordered(),
  RANDOMKEY: {
    reason: "redis-server chooses at random, and the store by a seed from the unit",
    compare: ({ ours }) => ({
      ask: [["KEYS", "*"]],
      agree: ([all]) =>
        ours.kind === "nil" ? itemsOf(all).length === 0 : groups(all, 1).includes(shown(ours)),
    }),
  },
  SCAN: scanned(1, 1),
  DBSIZE: {
    reason: "both sides count expired keys that have not been removed yet, but not the same keys",
    compare: ({ ours, run }) => {
      const present = itemsOf(run(["KEYS", "*"])).length;
      const agree: Comparison["agree"] = ([all]) =>
        itemsOf(all).length === present && integerOf(ours) >= present;
      return { ask: [["KEYS", "*"]], agree };
    },
  },
  PFCOUNT: {
    reason: "redis-server caches the estimate in the key; here a read changes nothing",
    compare: ({ argv, ours, run }) => {
      const key = argv[1] as ByteString;
      const estimate = run(["GETRANGE", key, "8", "15"]);
      const isKept = argv.length === 2 && estimate.kind === "bulk" && estimate.bytes !== "";
      return {
        ask: isKept ? [argv, ["SETRANGE", key, "8", estimate.bytes]] : [argv],
        agree: ([theirs]) => theirs !== undefined && sameReply(ours, theirs),
      };
    },
  },
  HGETALL: unordered(2),
  HKEYS: unordered(),
  HVALS: unordered(),
  HRANDFIELD: chosen((key) => ["HGETALL", key], 2),
  HSCAN: scanned(2, 2),
  SMEMBERS: unordered(),
  SINTER: unordered(),
  SUNION: unordered(),
  SDIFF: unordered(),
  SPOP: popped,
  SRANDMEMBER: chosen((key) => ["SMEMBERS", key], 1),
  SSCAN: scanned(2, 1),
  BLMOVE: withinMulti(),
  BLMPOP: withinMulti(),
  BLPOP: withinMulti(),
  BRPOP: withinMulti(),
  BRPOPLPUSH: withinMulti(),
  BZMPOP: withinMulti(),
  BZPOPMAX: withinMulti(),
  BZPOPMIN: withinMulti(),
  ZRANDMEMBER: chosen((key) => ["ZRANGE", key, "0", "-1", "WITHSCORES"], 2),
  ZSCAN: scanned(2, 2, memberAndScore),
  DUMP: dumped,
  "MEMORY|USAGE": {
    reason:
      "values take different amounts of memory in each server; redis-server counts expired values until a client accesses them",
    compare: (call) => {
      const kinds = ofKind("integer", "").compare(call);
      if (kinds === undefined) return undefined;
      const { ask, agree } = kinds;
      return {
        ask: [["EXISTS", call.argv[2] ?? ""], ...ask],
        agree: ([, ...theirs], lag) => agree(theirs, lag),
      };
    },
  },
  "OBJECT|ENCODING": ofKind("bulk", "it depends on a value's history; encodings.test.ts compares new values"),
  ...Object.fromEntries(
    [
      "ACL",
      "CLIENT",
      "COMMAND",
      "CONFIG",
      "FUNCTION",
      "LATENCY",
      "MEMORY",
      "MODULE",
      "PUBSUB",
      "SCRIPT",
      "SLOWLOG",
    ].map((name) => [`${name}|HELP`, ofKind("array", "it describes our subcommands")]),
  ),
  "OBJECT|HELP": ofKind("array", "it describes our subcommands"),
  "OBJECT|IDLETIME": {
    ...ofKind("integer", "the last use of a key is not tracked: an error, where redis-server returns a time"),
    errors: true,
  },
  "OBJECT|REFCOUNT": ofKind(
    "integer",
    "it depends on a value's history; encodings.test.ts compares new values",
  ),
  WAIT: withinMulti(),
  SORT: sortedUnlessKept,
  SORT_RO: sortedUnlessKept,
  XADD: addedByClock,
  XTRIM: trimmedByNode,
  XREAD: withinMulti((argv) => argv.some((word) => word.toUpperCase() === "BLOCK")),
  XREADGROUP: withinMulti((argv) => argv.some((word) => word.toUpperCase() === "BLOCK")),
  XPENDING: timed(idleOfPending),
  "XGROUP|HELP": ownAnswer("it describes the subcommands in our words"),
  "XINFO|CONSUMERS": timed(idleOfConsumers),
  "XINFO|HELP": ownAnswer("it describes our subcommands"),
  "XINFO|STREAM": withoutNodes,
  GEORADIUS: storedDistances(lastStoredist),
  GEORADIUSBYMEMBER: storedDistances(lastStoredist),
  GEOSEARCHSTORE: storedDistances((argv) =>
    argv.some((word) => word.toUpperCase() === "STOREDIST") ? argv[1] : undefined,
  ),
  TIME: ownAnswer("redis-server has its own clock"),
  SELECT: {
    reason: "the store has no connections, so state that a connection would have is reset",
    compare: ({ argv, ours, db }) => ({
      ask: [argv, ["SELECT", String(db)]],
      agree: ([theirs]) => theirs !== undefined && sameReply(ours, theirs),
    }),
  },
  EXEC: {
    reason: "redis-server reports a wrong number of arguments as an aborted transaction",
    errors: true,
    compare: ({ argv }) => ({ ask: [argv], agree: ([theirs]) => theirs?.kind === "error" }),
  },
  MULTI: endedBy("DISCARD"),
  WATCH: endedBy("UNWATCH"),
  COMMAND: ownAnswer("it describes the server's own commands; each row is compared in command-table.test.ts"),
  "COMMAND|COUNT": ownAnswer("it describes the server's own commands"),
  "COMMAND|DOCS": ownAnswer("it describes the server's own commands, in our words"),
  "COMMAND|GETKEYSANDFLAGS": {
    reason: "for PFCOUNT see otherKeys",
    compare: ({ argv, ours }) => ({
      ask: [argv],
      agree: ([theirs]) =>
        otherKeys[argv[2]?.toUpperCase() ?? ""] !== undefined ||
        (theirs !== undefined && sameReply(ours, theirs)),
    }),
  },
  "COMMAND|INFO": ownAnswer(
    "it describes the server's own commands; each row is compared in command-table.test.ts",
  ),
  "COMMAND|LIST": ownAnswer("it describes the server's own commands"),
  ...Object.fromEntries(
    commands
      .filter((command) => !isInRedis(command))
      .map(({ name }) => [name, { ...ownAnswer("redis-server does not have it"), errors: true }]),
  ),
};

/** Returns the argument after STOREDIST, unless a STORE comes later. */
function lastStoredist(argv: readonly ByteString[]): ByteString | undefined {
  const index = argv.findLastIndex((word) => /^STORE(DIST)?$/i.test(word));
  return argv[index]?.toUpperCase() === "STOREDIST" ? argv[index + 1] : undefined;
}

/** Formats an item of ZSCAN, the only command that writes a large integer in a form that depends on the encoding. */
function memberAndScore(reply: Reply, index: number): string {
  const number = index === 1 && reply.kind === "bulk" ? parseDouble(reply.bytes) : undefined;
  return number === undefined ? shown(reply) : String(number + 0);
}

/**
 * How redis-server encodes small collections: always compactly, by its defaults, or never compactly. The replies must
 * be the same, except for those named below.
 */
export type Encoding = "compact" | "default" | "large";

/**
 * Whether Redis leaves the result of a call unspecified: a range of members in a sorted set with different scores,
 * where the store behaves like the compact encoding, but applies LIMIT within the range; the order in which SORT
 * returns elements of equal weight; and the order of members at the same distance, if sorted by it. Such calls are
 * skipped.
 */
export function isUnspecified(
  name: string,
  argv: readonly ByteString[],
  encoding: Encoding,
  { find, run }: { find: (key: ByteString) => unknown; run: Call["run"] },
): boolean {
  const words = argv.map((word) => word.toUpperCase());
  if (/^X(AUTOCLAIM|CLAIM|PENDING)$/.test(name)) return isIdleForMoments(argv[4] ?? "");
  if (/^SORT(_RO)?$/.test(name)) return words.includes("ALPHA") && hasTies(argv, words, run);
  const source = find(argv[/^(ZRANGE|GEOSEARCH)STORE$/.test(name) ? 2 : 1] ?? "");
  if (!(source instanceof SortedSet)) return false;
  if (/^GEO(SEARCH|RADIUS)/.test(name))
    return words.some((word) => /^(ASC|DESC|COUNT)$/.test(word)) && someShareAPlace(source);
  const byName = /^Z(LEXCOUNT|(REM|REV)?RANGEBYLEX)$/.test(name);
  if (!byName && !(/^ZRANGE(STORE)?$/.test(name) && words.includes("BYLEX"))) return false;
  if (encoding === "compact" && !words.includes("LIMIT")) return false;
  return !source.hasOneScore();
}

/** Whether an idle time is so short that both sides would have to check at exactly the same time. */
const isIdleForMoments = (milliseconds: ByteString) =>
  Number(milliseconds) > 0 && Number(milliseconds) < MOMENTS_MS_MAX;

function someShareAPlace(source: SortedSet): boolean {
  const positions = source.scores.map((score) => JSON.stringify(positionOf(score)));
  return new Set(positions).size < positions.length;
}

/** Whether different elements may have the same weight for SORT ALPHA: redis-server compares only up to a NUL byte. */
function hasTies(argv: readonly ByteString[], words: readonly string[], run: Call["run"]): boolean {
  const patterns = argv.filter((_, index) => words[index - 1] === "BY");
  const got = (pattern: ByteString) =>
    groups(run(["SORT_RO", argv[1] ?? "", "BY", "nosort", "GET", pattern]), 1);
  const elements = new Set(got("#"));
  return ["#", ...patterns].some((pattern) => {
    return new Set(got(pattern).map((text) => text.slice(1, -1).split("\\u0000")[0])).size < elements.size;
  });
}

/**
 * Returns a reply about sorted sets without the sign of -0 scores, which depends on redis-server's encoding. The store
 * has no scores of -0.
 */
export function withoutNegativeZero(reply: Reply): Reply {
  if (reply.kind === "bulk" && reply.bytes === "-0") return bulk("0");
  if (reply.kind === "double") return double(reply.value + 0);
  if (reply.kind === "array") return array(reply.items.map(withoutNegativeZero));
  return reply;
}

/** Flags in COMMAND INFO that our rows do not have, and why. The remaining fields are equal. */
export const otherFlags: Readonly<Record<string, string>> = {
  allow_busy: "a script that would keep the store busy is stopped",
  no_mandatory_keys: "the number of keys shows that a script may have none",
  skip_monitor: "MONITOR shows a script and its commands like others",
  no_async_loading: "commands are not served while data is loaded",
  skip_slowlog: "EXEC is not in the slow log, but the row does not declare it",
};

/** Commands whose keys redis-server uses differently. */
export const otherKeys: Readonly<Record<string, string>> = {
  PFCOUNT: "redis-server caches the estimate in the key; here a read changes nothing",
};

/** Flags of redis-server that our row does not have: libraries are not data, so there is no write to record. */
export const otherRows: Readonly<Record<string, string>> = {
  "FUNCTION|DELETE": "write",
  "FUNCTION|FLUSH": "write",
  "FUNCTION|LOAD": "write",
  "FUNCTION|RESTORE": "write",
};
