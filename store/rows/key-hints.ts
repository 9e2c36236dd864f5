/**
 * The part of COMMAND's reply that describes keys in addition to their indexes: how each is used, in Redis's words, and
 * how its index is found. Most of it follows from the row; the exceptions are listed here. Source: redis-server 7.0,
 * test/conformance/command-table.test.ts.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Command } from "./command-row.js";
import { type KeyRange, permissionFor, type Touch, touchesOf } from "./key-spec.js";

/** Flags, and the commands that have them. Semicolons separate the flags of a command's key specifications. */
const FLAGS: readonly (readonly [flags: string, names: string])[] = [
  ["OW insert", "MSETNX SETNX"],
  ["RM delete", "DEL UNLINK"],
  ["RO access;OW update", "COPY"],
  ["RO access;OW update;OW update", "GEORADIUS GEORADIUSBYMEMBER"],
  ["RO access;RO access", "SORT_RO"],
  ["RO access;RO access;OW update", "SORT"],
  ["RO access", "EVALSHA_RO EVAL_RO FCALL_RO SINTERCARD ZDIFF ZINTER ZINTERCARD ZUNION XREAD XREADGROUP"],
  ["OW update;RO access", "ZDIFFSTORE ZINTERSTORE ZUNIONSTORE"],
  ["RW access delete", "BLMPOP BLPOP BRPOP BZMPOP BZPOPMAX BZPOPMIN"],
  ["RW access delete", "GETDEL LMPOP LPOP RPOP SPOP ZMPOP ZPOPMAX ZPOPMIN"],
  ["RW access delete;OW insert", "RENAMENX"],
  ["RW access delete;OW update", "RENAME"],
  ["RW access delete;RW insert", "BLMOVE BRPOPLPUSH LMOVE RPOPLPUSH SMOVE"],
  ["RW access", "PFDEBUG"],
  ["RW access insert;RO access", "PFMERGE"],
  ["RW access update", "EVAL EVALSHA FCALL MOVE"],
  ["RW access update variable_flags", "BITFIELD SET"],
  [
    "RW delete",
    "HDEL LREM LTRIM SREM XAUTOCLAIM XDEL XGROUP|DELCONSUMER XGROUP|DESTROY XTRIM ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE",
  ],
  [
    "RW insert",
    "XGROUP|CREATE XGROUP|CREATECONSUMER APPEND HSETNX LINSERT LPUSH LPUSHX PFADD RPUSH RPUSHX SADD",
  ],
  [
    "RW update",
    "EXPIRE EXPIREAT GEOADD HMSET HSET LSET PERSIST PEXPIRE PEXPIREAT SETRANGE XACK XADD XCLAIM XGROUP|SETID XSETID ZADD",
  ],
  ["RW update;RO access", "SINTERSTORE"],
];

const flagsByName: ReadonlyMap<string, readonly string[]> = new Map(
  FLAGS.flatMap(([flags, names]) => names.split(" ").map((name) => [name, flags.split(";")] as const)),
);

/** How to find the keys in the arguments, starting at an index. */
export type FoundKeys =
  | {
      readonly type: "range";
      /** The last key, relative to the first one; if negative, relative to the end. */
      readonly lastkey: number;
      readonly keystep: number;
      /**
       * Number of parts into which the arguments are divided, of which the first contains the keys; 0 means no
       * division.
       */
      readonly limit: number;
    }
  | {
      readonly type: "keynum";
      readonly keynumidx: number;
      readonly firstkey: number;
      readonly keystep: number;
    }
  | { readonly type: "unknown" };

/** How to find the index of the first key. */
export type KeysBegin =
  | { readonly type: "index"; readonly index: number }
  | { readonly type: "keyword"; readonly keyword: string; readonly startfrom: number }
  | { readonly type: "unknown" };

type KeySearch = readonly [KeysBegin, FoundKeys];

const at = (index: number): KeysBegin => ({ type: "index", index });
const afterKeyword = (keyword: string, startfrom: number): KeysBegin => ({
  type: "keyword",
  keyword,
  startfrom,
});
const range = (lastkey: number, keystep = 1, limit = 0): FoundKeys => ({
  type: "range",
  lastkey,
  keystep,
  limit,
});
const NUMBERED: FoundKeys = { type: "keynum", keynumidx: 0, firstkey: 1, keystep: 1 };
const UNKNOWN: KeySearch = [{ type: "unknown" }, { type: "unknown" }];
const FIRST: KeySearch = [at(1), range(0)];
const storing = (startfrom: number): readonly KeySearch[] => [
  FIRST,
  [afterKeyword("STORE", startfrom), range(0)],
  [afterKeyword("STOREDIST", startfrom), range(0)],
];

/** Key positions that do not follow from ranges in the row. */
const KEY_SEARCHES: readonly (readonly [searches: readonly KeySearch[], names: string])[] = [
  [[FIRST], "BITFIELD MOVE SET"],
  [[FIRST, [at(2), range(0)]], "COPY"],
  [[[at(1), NUMBERED]], "LMPOP SINTERCARD ZDIFF ZINTER ZINTERCARD ZMPOP ZUNION"],
  [[[at(2), NUMBERED]], "BLMPOP BZMPOP EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO"],
  [[FIRST, [at(2), NUMBERED]], "ZDIFFSTORE ZINTERSTORE ZUNIONSTORE"],
  [[[afterKeyword("STREAMS", 1), range(-1, 1, 2)]], "XREAD"],
  [[[afterKeyword("STREAMS", 4), range(-1, 1, 2)]], "XREADGROUP"],
  [[FIRST, UNKNOWN], "SORT_RO"],
  [[FIRST, UNKNOWN, UNKNOWN], "SORT"],
  [storing(6), "GEORADIUS"],
  [storing(5), "GEORADIUSBYMEMBER"],
];

const searchesByName: ReadonlyMap<string, readonly KeySearch[]> = new Map(
  KEY_SEARCHES.flatMap(([searches, names]) => names.split(" ").map((name) => [name, searches] as const)),
);

export interface KeyHint {
  readonly flags: readonly string[];
  readonly begin: KeysBegin;
  readonly found: FoundKeys;
}

/** Returns a hint for each group of keys in a command's row or in the tables above. */
export function keyHints({ name, keys }: Command): readonly KeyHint[] {
  const ranges = typeof keys === "function" ? [] : keys;
  const searches = searchesByName.get(name) ?? ranges.map(searchOf);
  const known = flagsByName.get(name);
  return searches.map(([begin, found], i) => ({
    flags: known?.[i]?.split(" ") ?? derived(ranges[i]),
    begin,
    found,
  }));
}

function searchOf({ first, last, step }: KeyRange): KeySearch {
  return [at(first), range(last < 0 ? last : last - first, step)];
}

/** A key that a call names, and how it is used. */
export interface KeyUse {
  readonly key: ByteString;
  readonly flags: readonly string[];
}

/**
 * Returns the keys of a call in the order of the row. Flags that depend on the arguments follow from the permission.
 * @param argv the arguments of the call
 */
export function keyUses({ name, keys }: Command, argv: readonly ByteString[]): readonly KeyUse[] {
  const known = flagsByName.get(name);
  const varies = known?.[0]?.includes("variable_flags") ?? false;
  if (typeof keys !== "function")
    return keys.flatMap((group, i) => usesOf(touchesOf([group], argv), known?.[i]));
  return usesOf(touchesOf(keys, argv), varies || known?.length !== 1 ? undefined : known[0]);
}

/** @param flags the flags of all keys; undefined if they follow from the permissions */
function usesOf(touches: readonly Touch[], flags: string | undefined): readonly KeyUse[] {
  return touches.flatMap((touch) =>
    touch.key === null ? [] : [{ key: touch.key, flags: flags?.split(" ") ?? derived(touch) }],
  );
}

/**
 * Returns the flags that follow from the permission: `access` if a key's data are returned, `update` if they may be
 * changed.
 */
function derived(use: KeyRange | Touch | undefined): readonly string[] {
  if (use === undefined) return [];
  const answers = permissionFor({ db: null, key: null, ...use }).includes("R");
  if (use.access === "read") return answers ? ["RO", "access"] : ["RO"];
  return answers ? ["RW", "access", "update"] : ["OW", "update"];
}
