/** The complete state of the store and of redis-server in one comparable form. */

import type { Database } from "../../daemon/store/database.js";
import { isExpired, NO_EXPIRY } from "../../daemon/store/keyspace/keyspace.js";
import { Hash } from "../../daemon/store/values/hash.js";
import { List } from "../../daemon/store/values/list.js";
import { MemberSet } from "../../daemon/store/values/member-set.js";
import { SortedSet } from "../../daemon/store/values/sorted-set.js";
import { typeName, type Value } from "../../daemon/store/values/value.js";
import { Document } from "../../faces/json/store/values/document.js";
import { Collection } from "../../faces/mongo/store/values/collection.js";
import type { ConsumerGroup } from "../../faces/redis/store/values/streams/consumer-group.js";
import { Stream } from "../../faces/redis/store/values/streams/stream.js";
import { STREAM_ID_MAX, streamIdText } from "../../faces/redis/store/values/streams/stream-id.js";
import { Table } from "../../faces/sql/store/values/table.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { formatDouble } from "../../protocol/resp/double-text.js";
import type { RedisConnection } from "../support/redis-connection.js";
import { isWithin } from "./comparison.js";
import { areNear, timesOfStream } from "./group-comparison.js";
import { itemsOf, shown } from "./resp2-fold.js";

/** A key's content. Unordered contents are sorted. */
export interface KeyState {
  readonly contents: string;
  /** Expiry time, in milliseconds since 1970, or -1 if the key does not expire. */
  readonly expire: number;
  /** Times of a stream's groups: of deliveries and of consumers' last activity, in milliseconds since 1970. */
  readonly times: readonly number[];
}

/** The states of the keys, by database and key. */
export type State = ReadonlyMap<string, KeyState>;

/** The connection's methods that query redis-server. */
export type RedisQueries = Pick<RedisConnection, "queue" | "flush" | "call">;

/** The commands that read the complete content of a key, by its type. */
export const READERS: Readonly<Record<string, (key: ByteString) => ByteString[]>> = {
  string: (key) => ["GET", key],
  list: (key) => ["LRANGE", key, "0", "-1"],
  hash: (key) => ["HGETALL", key],
  set: (key) => ["SMEMBERS", key],
  zset: (key) => ["ZRANGE", key, "0", "-1", "WITHSCORES"],
  stream: (key) => ["XINFO", "STREAM", key, "FULL", "COUNT", "0"],
};

export function stateOf(database: Database, at: number): State {
  const state = new Map<string, KeyState>();
  database.keyspaces.forEach((keyspace, db) => {
    for (const entry of keyspace.entries) {
      if (isExpired(entry, at)) continue;
      const { key, value, expire } = entry;
      const times: number[] = [];
      const contents = `${typeName(value)} ${contentsOf(value, times)}`;
      state.set(JSON.stringify([db, key]), { contents, expire: expire === NO_EXPIRY ? -1 : expire, times });
    }
  });
  return state;
}

/** Formats a value. @param times receives the times of groups */
function contentsOf(value: Value, times: number[]): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof List) return JSON.stringify(value.slice());
  if (value instanceof MemberSet) return JSON.stringify([...value.members].sort());
  if (value instanceof Hash)
    return pairsText(value.fields.map((field, index) => [field, value.values[index]!]));
  if (value instanceof SortedSet)
    return scoresText(
      [...value.range(0, value.size)].map(([member, score]) => [member, formatDouble(score)]),
    );
  if (value instanceof Document) return JSON.stringify([...value.entries()]);
  if (value instanceof Collection) return JSON.stringify([...value.documents()]);
  if (value instanceof Table) return JSON.stringify(value.rows);
  if (!(value instanceof Stream)) throw new Error(`no contents of a ${value.type} are known`);

  const { lastId, maxDeletedId, entriesAdded } = value.marks;
  const entries = [...value.range(0n, STREAM_ID_MAX)].map(({ id, fields }) => [streamIdText(id), fields]);
  const added = String(BigInt.asIntN(64, entriesAdded));
  const groups = value.groups.map((group) => groupText(group, times));
  return JSON.stringify([streamIdText(lastId), streamIdText(maxDeletedId), added, entries, groups]);
}

/** Formats a group as `shown` formats the reply of XINFO STREAM FULL; its lag follows from the other fields. */
function groupText({ name, marks, pending, consumers }: ConsumerGroup, times: number[]): readonly string[] {
  const timed = (time: number) => {
    times.push(time);
    return "0";
  };
  const all = [...pending].map(([id, one]) => [
    ...[streamIdText(id), one.consumer.name, timed(one.deliveredAt), String(one.deliveries)],
  ]);
  const each = consumers.map((consumer) => [
    ...[consumer.name, timed(consumer.seenAt)],
    ...[...consumer.pending].flatMap(([id, one]) => [
      ...[streamIdText(id), timed(one.deliveredAt), String(one.deliveries)],
    ]),
  ]);
  const read = marks.entriesRead === null ? "nil" : String(marks.entriesRead);
  return [name, streamIdText(marks.lastId), read, ...all.flat(), ...each.flat()];
}

/** Reads redis-server's state. @param dbs numbers of the databases to read */
export async function stateOfRedis(redis: RedisQueries, dbs: readonly number[]): Promise<State> {
  const state = new Map<string, KeyState>();
  for (const db of dbs) {
    redis.queue(["SELECT", String(db)]);
    redis.queue(["KEYS", "*"]);
    const listed = itemsOf((await redis.flush())[1]).map(textOf);
    for (const key of listed) redis.queue(["TYPE", key]);
    const listedTypes = (await redis.flush()).map(textOf);
    // A key may be removed while the state is read, for example by a mirror.
    const isThere = (_: unknown, i: number) => listedTypes[i] !== "none";
    const [keys, types] = [listed.filter(isThere), listedTypes.filter(isThere)];
    keys.forEach((key, i) => {
      redis.queue(READERS[types[i]!]!(key));
      redis.queue(["PEXPIRETIME", key]);
    });
    const replies = await redis.flush();
    keys.forEach((key, i) => {
      const times: number[] = [];
      const contents = `${types[i]} ${contentsOfReply(types[i]!, replies[2 * i]!, times)}`;
      const expire = Number(textOf(replies[2 * i + 1]!));
      state.set(JSON.stringify([db, key]), { contents, expire, times });
    });
  }
  return state;
}

/** Formats a reader's reply; unordered contents are sorted. @param times receives the times of a stream's groups */
export function contentsOfReply(type: string, reply: Reply, times: number[] = []): string {
  const texts = itemsOf(reply).map(textOf);
  const pairs = texts.flatMap((text, i) => (i % 2 === 0 ? [[text, texts[i + 1]!] as const] : []));
  switch (type) {
    case "string":
      return JSON.stringify(textOf(reply));
    case "list":
      return JSON.stringify(texts);
    case "set":
      return JSON.stringify(texts.sort());
    case "hash":
      return pairsText(pairs);
    case "stream":
      return streamText(timesOfStream(reply, times));
    default:
      return scoresText(pairs);
  }
}

/**
 * Returns the differences, one line for each key, or an empty array if the states are equal.
 * @param lag maximum milliseconds by which redis-server has set expiry times later
 */
export function stateDifferences(ours: State, theirs: State, lag: number): string[] {
  const differences: string[] = [];
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    const actual = ours.get(name);
    const other = theirs.get(name);
    const same =
      actual?.contents === other?.contents &&
      isWithin(actual?.expire ?? 0, other?.expire ?? 0, lag) &&
      areNear(actual?.times ?? [], other?.times ?? [], lag);
    if (!same)
      differences.push(`${name}: ours ${displayedState(actual)}, redis-server's ${displayedState(other)}`);
  }
  return differences;
}

function displayedState(state: KeyState | undefined): string {
  return state === undefined
    ? "is absent"
    : `${state.contents} until ${state.expire}, times ${state.times.join()}`;
}

/** Formats a stream. @param info the reply of XINFO STREAM FULL, without its times */
function streamText(info: Reply): string {
  const fields = fieldsIn(info);
  const marks = ["last-generated-id", "max-deleted-entry-id", "entries-added"].map((name) =>
    textOf(fields.get(name)!),
  );
  const entries = itemsOf(fields.get("entries")).map((entry) => {
    const [id, fields] = itemsOf(entry);
    return [textOf(id!), itemsOf(fields).map(textOf)];
  });
  const groups = itemsOf(fields.get("groups")).map((group) => groupTextOf(fieldsIn(group)));
  return JSON.stringify([...marks, entries, groups]);
}

function groupTextOf(fields: ReadonlyMap<string, Reply>): readonly string[] {
  const flat = (name: string, from = fields) =>
    itemsOf(from.get(name)).flatMap((item) => itemsOf(item).map(textOf));
  const consumers = itemsOf(fields.get("consumers")).map(fieldsIn);
  return [
    ...["name", "last-delivered-id", "entries-read"].map((name) => textOf(fields.get(name)!)),
    ...flat("pending"),
    ...consumers.flatMap((one) => [
      ...[textOf(one.get("name")!), textOf(one.get("seen-time")!), ...flat("pending", one)],
    ]),
  ];
}

/** Returns the values of a flat map by their names. */
function fieldsIn(reply: Reply): Map<string, Reply> {
  const items = itemsOf(reply);
  return new Map(items.flatMap((name, i) => (i % 2 === 0 ? [[textOf(name), items[i + 1]!] as const] : [])));
}

function pairsText(pairs: readonly (readonly [string, string])[]): string {
  return JSON.stringify([...pairs].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Formats pairs of member and score; a score of -0 becomes 0, as in `withoutNegativeZero`. */
function scoresText(pairs: readonly (readonly [string, string])[]): string {
  return JSON.stringify(pairs.map(([member, score]) => [member, score === "-0" ? "0" : score]));
}

/** Returns the text of a string or a number. */
export function textOf(reply: Reply): string {
  if (reply.kind === "bulk") return reply.bytes;
  if (reply.kind === "status") return reply.text;
  return reply.kind === "integer" ? String(reply.value) : shown(reply);
}
