/** The events of each writing command. Source: redis-server 7.0, the calls of notifyKeyspaceEvent. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { ConsumerGroup } from "../values/streams/consumer-group.js";
import { Stream } from "../values/streams/stream.js";
import type { Value } from "../values/value.js";
import type { CommandEffects } from "./command-effects.js";
import {
  always,
  answered,
  type Condition,
  changed,
  counted,
  type EventRule,
  eachChanged,
  first,
  found,
  movedElement,
  on,
  poppedBy,
  poppedFirst,
  reportOf,
  second,
  stored,
  storedAfter,
} from "./event-kinds.js";

const set = on("$", "set", changed);

/** SETEX and PSETEX set a string with an expiry time. */
const setFor: EventRule = (effects) => {
  set(effects);
  if (changed(effects, first(effects))) effects.report("g", "expire", first(effects));
};

const expires = (effects: CommandEffects, from: number) =>
  effects.hasArgument(from, "EX", "PX", "EXAT", "PXAT");
const setAny: EventRule = (effects) => (expires(effects, 3) ? setFor : set)(effects);

/** `MSET key value …`: a key that occurs twice has two events, but is new only once. */
const setMany: EventRule = (effects) => {
  const reported = new Set<ByteString>();
  for (let i = 1; i < effects.argv.length; i += 2) {
    const key = effects.argv[i] as ByteString;
    if (!reported.has(key) && !effects.existed(key)) effects.report("n", "new", key);
    reported.add(key);
    effects.report("$", "set", key);
  }
};

const removed: EventRule = (effects) => {
  for (const { db, key } of effects.changes.all) effects.report("g", "del", key, db);
};

const expire: EventRule = (effects) => {
  const key = first(effects);
  if (counted(effects, key)) effects.report("g", effects.exists(key) ? "expire" : "del", key);
};

const getAndExpire: EventRule = (effects) => {
  const key = first(effects);
  if (!answered(effects, key)) return;
  if (!effects.exists(key)) effects.report("g", "del", key);
  else if (expires(effects, 2)) effects.report("g", "expire", key);
  else if (effects.changed(key)) effects.report("g", "persist", key);
};

/** RENAME removes a previous value first, so the key is always new. */
const renamed: EventRule = (effects) => {
  const [from, to] = [first(effects), second(effects)];
  if (from === to || !effects.changed(from)) return;
  effects.report("n", "new", to);
  effects.report("g", "rename_from", from);
  effects.report("g", "rename_to", to);
};

const moved: EventRule = (effects) => {
  for (const { db, key } of effects.changes.all) {
    if (db === effects.db) continue;
    effects.report("n", "new", key, db);
    effects.report("g", "move_from", key);
    effects.report("g", "move_to", key, db);
  }
};

const copied: EventRule = (effects) => {
  for (const { db, key } of effects.changes.all) {
    effects.report("n", "new", key, db);
    effects.report("g", "copy_to", key, db);
  }
};

const restored: EventRule = (effects) => {
  const key = first(effects);
  if (effects.exists(key)) {
    effects.report("n", "new", key);
    effects.report("g", "restore", key);
  } else removed(effects);
};

const movedMember: EventRule = (effects) => {
  const [from, to] = [first(effects), second(effects)];
  if (from === to || !effects.changed(from)) return;
  reportOf(effects, "s", "srem", from);
  if (effects.changed(to)) reportOf(effects, "s", "sadd", to);
};

/** Returns a rule for changes of scores: with INCR the reply is a score or nil. */
const scored: EventRule = (effects) =>
  on("z", effects.reply.kind === "integer" ? "zadd" : "zincr", changed)(effects);

const addedEntry: EventRule = (effects) => {
  const key = first(effects);
  if (!answered(effects, key)) return;
  reportOf(effects, "t", "xadd", key);
  if (effects.used("streamTrim", "streamRemove")) effects.report("t", "xtrim", key);
};

/** Reports consumers that were added to groups of the streams that the command names. */
const addedConsumers: EventRule = (effects) => {
  for (const record of effects.records) {
    if (record.mutator !== "consumerAdd") continue;
    const key = effects.argv.find((word, at) => at > 0 && hasGroup(effects.valueOf(word), record.group));
    if (key !== undefined) effects.report("t", "xgroup-createconsumer", key);
  }
};

const hasGroup = (value: Value | undefined, group: ConsumerGroup) =>
  value instanceof Stream && value.group(group.name) === group;

/**
 * Whether at least one of BITFIELD's operations has written. A changed key does not prove this: even if all operations
 * fail, the string may have grown.
 */
const setsBits: Condition = (effects, key) => {
  const { argv, reply } = effects;
  if (!effects.changed(key) || reply.kind !== "array") return false;
  const parts = argv.flatMap((word) => (/^(get|set|incrby)$/i.test(word) ? [word.toUpperCase()] : []));
  return reply.items.some(({ kind }, i) => kind !== "nil" && parts[i] !== "GET");
};

const changedBits: EventRule = (effects) => {
  const key = first(effects);
  if (setsBits(effects, key)) reportOf(effects, "$", "setbit", key);
  else if (!effects.existed(key) && effects.exists(key)) effects.report("n", "new", key);
};

const silent: EventRule = () => {};
const incremented = on("$", "incrby");
const [leftPopped, rightPopped] = [on("l", "lpop", changed), on("l", "rpop", changed)];
const rightToLeft = movedElement(() => ["RIGHT", "LEFT"]);
const byWords = movedElement((argv) => [argv[3] as string, argv[4] as string]);
const ENDS = { LEFT: "lpop", RIGHT: "rpop" };
const EXTREMES = { MIN: "zpopmin", MAX: "zpopmax" };
const near = storedAfter("z", "georadiusstore", /^store(dist)?$/i, 5);

const KEYS: Readonly<Record<string, EventRule>> = {
  COPY: copied,
  DEL: removed,
  EXPIRE: expire,
  EXPIREAT: expire,
  MOVE: moved,
  PEXPIRE: expire,
  PEXPIREAT: expire,
  PERSIST: on("g", "persist", counted),
  RENAME: renamed,
  RENAMENX: renamed,
  RESTORE: restored,
  SORT: storedAfter("l", "sortstore", /^store$/i, 2),
  UNLINK: removed,
  FLUSHALL: silent,
  FLUSHDB: silent,
  SWAPDB: silent,
};

const STRINGS: Readonly<Record<string, EventRule>> = {
  APPEND: on("$", "append"),
  BITFIELD: changedBits,
  BITOP: stored("$", "set", second),
  DECR: incremented,
  DECRBY: incremented,
  INCR: incremented,
  INCRBY: incremented,
  GETDEL: removed,
  GETEX: getAndExpire,
  GETSET: set,
  INCRBYFLOAT: on("$", "incrbyfloat"),
  MSET: setMany,
  MSETNX: (effects) => counted(effects, "") && setMany(effects),
  PSETEX: setFor,
  SET: setAny,
  SETBIT: on("$", "setbit", changed),
  SETEX: setFor,
  SETNX: on("$", "set", counted),
  SETRANGE: on("$", "setrange", ({ argv }) => argv[3] !== ""),
  PFADD: on("$", "pfadd", counted),
  PFDEBUG: silent,
  PFMERGE: on("$", "pfadd"),
};

const LISTS: Readonly<Record<string, EventRule>> = {
  BLMOVE: byWords,
  BLMPOP: poppedBy("l", ENDS, 2),
  BLPOP: poppedFirst("l", "lpop"),
  BRPOP: poppedFirst("l", "rpop"),
  BRPOPLPUSH: rightToLeft,
  LINSERT: on("l", "linsert", counted),
  LMOVE: byWords,
  LMPOP: poppedBy("l", ENDS, 1),
  LPOP: leftPopped,
  LPUSH: on("l", "lpush"),
  LPUSHX: on("l", "lpush", counted),
  LREM: on("l", "lrem", counted),
  LSET: on("l", "lset"),
  LTRIM: on("l", "ltrim", found),
  RPOP: rightPopped,
  RPOPLPUSH: rightToLeft,
  RPUSH: on("l", "rpush"),
  RPUSHX: on("l", "rpush", counted),
};

const SETS: Readonly<Record<string, EventRule>> = {
  SADD: on("s", "sadd", counted),
  SDIFFSTORE: stored("s", "sdiffstore"),
  SMOVE: movedMember,
  SINTERSTORE: stored("s", "sinterstore"),
  SPOP: on("s", "spop", changed),
  SREM: on("s", "srem", counted),
  SUNIONSTORE: stored("s", "sunionstore"),
};

const SORTED_SETS: Readonly<Record<string, EventRule>> = {
  BZMPOP: poppedBy("z", EXTREMES, 2),
  BZPOPMAX: poppedFirst("z", "zpopmax"),
  BZPOPMIN: poppedFirst("z", "zpopmin"),
  ZADD: scored,
  ZDIFFSTORE: stored("z", "zdiffstore"),
  ZINCRBY: on("z", "zincr", changed),
  ZINTERSTORE: stored("z", "zinterstore"),
  ZMPOP: poppedBy("z", EXTREMES, 1),
  ZPOPMAX: on("z", "zpopmax", changed),
  ZPOPMIN: on("z", "zpopmin", changed),
  ZRANGESTORE: stored("z", "zrangestore"),
  ZREM: on("z", "zrem", counted),
  ZREMRANGEBYLEX: on("z", "zremrangebylex", counted),
  ZREMRANGEBYRANK: on("z", "zremrangebyrank", counted),
  ZREMRANGEBYSCORE: on("z", "zremrangebyscore", counted),
  ZUNIONSTORE: stored("z", "zunionstore"),
  GEOADD: scored,
  GEORADIUS: near,
  GEORADIUSBYMEMBER: near,
  GEOSEARCHSTORE: stored("z", "geosearchstore"),
};

const HASHES: Readonly<Record<string, EventRule>> = {
  HDEL: on("h", "hdel", counted),
  HINCRBY: on("h", "hincrby"),
  HINCRBYFLOAT: on("h", "hincrbyfloat"),
  HMSET: on("h", "hset"),
  HSET: on("h", "hset"),
  HSETNX: on("h", "hset", counted),
};

const STREAMS: Readonly<Record<string, EventRule>> = {
  XADD: addedEntry,
  XDEL: on("t", "xdel", counted),
  XSETID: on("t", "xsetid"),
  XTRIM: on("t", "xtrim", counted),
  XACK: silent,
  XAUTOCLAIM: addedConsumers,
  XCLAIM: addedConsumers,
  XREADGROUP: addedConsumers,
  "XGROUP|CREATE": on("t", "xgroup-create", always, second),
  "XGROUP|CREATECONSUMER": on("t", "xgroup-createconsumer", counted, second),
  "XGROUP|DELCONSUMER": on("t", "xgroup-delconsumer", (effects) => effects.used("consumerRemove"), second),
  "XGROUP|DESTROY": on("t", "xgroup-destroy", counted, second),
  "XGROUP|SETID": on("t", "xgroup-setid", always, second),
};

/** Commands for types that Redis does not have. */
const OWN = [
  ..."DOC.CREATE DOC.DELETE DOC.DROP DOC.EMPTY DOC.INDEX|CREATE DOC.INDEX|DROP DOC.INSERT DOC.MEMBER|ADD".split(
    " ",
  ),
  ..."DOC.MEMBER|DROP DOC.UPDATE SQL".split(" "),
  ..."MDB.CREATE MDB.CREATEINDEXES MDB.DELETE MDB.DROP MDB.DROPDATABASE MDB.DROPINDEXES MDB.FINDANDMODIFY".split(
    " ",
  ),
  ..."MDB.INSERT MDB.RENAME MDB.UPDATE".split(" "),
].map((name): readonly [string, EventRule] => [name, eachChanged(name.toLowerCase().replace("|", "-"))]);

/** Rules by the names in the command table. */
export const EVENT_RULES: ReadonlyMap<string, EventRule> = new Map([
  ...[KEYS, STRINGS, LISTS, SETS, SORTED_SETS, HASHES, STREAMS].flatMap(Object.entries<EventRule>),
  ...OWN,
]);
