/** Builds the commands that copy a key's value from the fold to Redis, and compares both values. */
import { CommandFailure } from "../../daemon/store/arguments/command-errors.js";
import type { Database } from "../../daemon/store/database.js";
import { isExpired } from "../../daemon/store/keyspace/keyspace.js";
import { estimatedBytes } from "../../daemon/store/keyspace/size-estimate.js";
import { Hash } from "../../daemon/store/values/hash.js";
import { List } from "../../daemon/store/values/list.js";
import { MemberSet } from "../../daemon/store/values/member-set.js";
import type { TypeName } from "../../daemon/store/values/object-value.js";
import { SortedSet } from "../../daemon/store/values/sorted-set.js";
import { typeName, type Value } from "../../daemon/store/values/value.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { dumpPayload } from "../redis/store/rdb/dump-payload.js";
import { readListpack } from "../redis/store/rdb/listpack.js";
import { MalformedRdb, RdbReader } from "../redis/store/rdb/rdb-reader.js";
import { readValue } from "../redis/store/rdb/value-reader.js";
import type { Consumer, ConsumerGroup } from "../redis/store/values/streams/consumer-group.js";
import { Stream } from "../redis/store/values/streams/stream.js";
import { STREAM_ID_MAX } from "../redis/store/values/streams/stream-id.js";
import type { MirrorKey } from "./dirty-keys.js";

/** Whether Redis has a type. Keys of other types are not mirrored. */
const IS_IN_REDIS: Readonly<Record<TypeName, boolean>> = {
  string: true,
  list: true,
  hash: true,
  set: true,
  zset: true,
  stream: true,
  document: false,
  table: false,
  collection: false,
};

/** Maximum milliseconds by which Redis's clock may be ahead when a key expires. */
const CLOCK_SLACK_MS = 5000;

/** The number of bytes after a dumped value, for the version and the checksum. */
const FOOTER_BYTES = 10;
/** Redis's type number for sets in listpacks, since version 7.2. */
const PACKED_SET = 20;

/** Elements sampled to estimate a value's size. */
const SAMPLES = 5;

/** A command for Redis. */
export type RedisCommand = readonly (string | Buffer)[];

interface Expected {
  readonly value: Value;
  /** The expiry time in milliseconds since 1970, or 0 if the key does not expire. */
  readonly expire: number;
}

/** Returns the value that a key should have in Redis, or null if the key should not exist there. */
function expectedOf({ db, key }: MirrorKey, database: Database, now: number): Expected | null {
  const entry = database.keyspaces[db]?.find(key);
  if (entry === undefined || isExpired(entry, now)) return null;
  const { value, expire } = entry;
  return IS_IN_REDIS[typeName(value)] ? { value, expire } : null;
}

/**
 * Estimates the size of a key's value in bytes from some of its elements, or returns null if the key should not exist
 * in Redis.
 */
export function expectedBytes(mirrored: MirrorKey, database: Database, now: number): number | null {
  const expected = expectedOf(mirrored, database, now);
  return expected === null ? null : estimatedBytes(mirrored.key, expected.value, expected.expire, SAMPLES);
}

/** Returns the command that copies a key's value to Redis. @param now  milliseconds since 1970 */
export function commandFor(mirrored: MirrorKey, database: Database, now: number): RedisCommand {
  const expected = expectedOf(mirrored, database, now);
  const key = Buffer.from(mirrored.key, "latin1");
  if (expected === null) return ["DEL", key];
  const payload = payloadOf(expected.value);
  return payload === null
    ? ["DEL", key]
    : ["RESTORE", key, String(expected.expire), payload, "REPLACE", "ABSTTL"];
}

/** Returns the dumped value, or null if it is longer than Redis accepts. */
function payloadOf(value: Value): Buffer | null {
  try {
    return Buffer.from(dumpPayload(value), "latin1");
  } catch (failure) {
    if (failure instanceof CommandFailure) return null;
    throw failure;
  }
}

/** A key in Redis, from the replies to DUMP and PEXPIRETIME. */
export interface KeyState {
  /** The dumped value, or null if the key does not exist. Empty if the key exists but should not. */
  readonly dump: Buffer | null;
  /** The expiry time in milliseconds since 1970; negative if there is none. */
  readonly expire: number;
}

/**
 * The result of comparing a key. `unreadable` means that this release cannot read the format of the value in Redis, so
 * the key must be written again.
 */
export type Comparison = "same" | "different" | "unreadable";

export function compareKey(
  mirrored: MirrorKey,
  found: KeyState,
  database: Database,
  now: number,
): Comparison {
  const expected = expectedOf(mirrored, database, now);
  if (expected === null) {
    // Ignore an expired key: Redis will remove it, but its clock may differ from this one.
    const isExpiring = found.expire > 0 && found.expire <= now;
    return found.dump === null || isExpiring ? "same" : "different";
  }

  const { expire } = expected;
  if (found.dump === null) return expire > 0 && expire <= now + CLOCK_SLACK_MS ? "same" : "different";
  if (Math.max(0, found.expire) !== expire) return "different";

  const value = valueOfDump(found.dump);
  if (value === null) return "unreadable";

  return isSameValue(expected.value, value) ? "same" : "different";
}

/** Parses a dumped value, or returns null if its format is unknown. */
function valueOfDump(dump: Buffer): Value | null {
  const bytes = dump.subarray(0, Math.max(0, dump.length - FOOTER_BYTES));
  try {
    return bytes[0] === PACKED_SET ? packedSet(bytes) : readValue(new RdbReader(bytes));
  } catch (reason) {
    if (reason instanceof MalformedRdb) return null;
    throw reason;
  }
}

function packedSet(bytes: Buffer): MemberSet {
  const set = new MemberSet();
  for (const member of readListpack(new RdbReader(bytes.subarray(1)).readBytes())) set.push(member);
  return set;
}

/** Formats a key for log lines. */
export const keyText = ({ db, key }: MirrorKey): ByteString => `${db}:${key.slice(0, 100)}`;

/**
 * Compares two values as a Redis client sees them. The order of elements in sets and hashes, and of consumer groups in
 * streams, does not matter.
 */
export function isSameValue(one: Value, other: Value): boolean {
  if (typeof one === "string" || typeof other === "string") return one === other;
  if (one instanceof Stream) return other instanceof Stream && isSameStream(one, other);
  if (other instanceof Stream || one.size !== other.size) return false;
  if (one instanceof List) return other instanceof List && isSameList(one, other);
  if (one instanceof MemberSet)
    return other instanceof MemberSet && one.members.every((member) => other.has(member));
  if (one instanceof Hash) return other instanceof Hash && isSameHash(one, other);
  return one instanceof SortedSet && other instanceof SortedSet && isSameSortedSet(one, other);
}

function isSameList(one: List, other: List): boolean {
  const elements = other.slice();
  return one.slice().every((element, index) => element === elements[index]);
}

function isSameHash({ fields, values }: Hash, other: Hash): boolean {
  const theirs = other.values;
  return fields.every((field, index) => {
    const found = other.find(field);
    return found >= 0 && theirs[found] === values[index];
  });
}

function isSameSortedSet(one: SortedSet, other: SortedSet): boolean {
  for (const [member, score] of one.range(0, one.size)) if (other.get(member) !== score) return false;
  return true;
}

function isSameStream(one: Stream, other: Stream): boolean {
  return (
    one.size === other.size && streamText(one) === streamText(other) && groupsText(one) === groupsText(other)
  );
}

function streamText(stream: Stream): string {
  const { lastId, maxDeletedId, entriesAdded } = stream.marks;
  const entries = [...stream.range(0n, STREAM_ID_MAX)].map(({ id, fields }) => [String(id), ...fields]);
  return JSON.stringify([String(lastId), String(maxDeletedId), String(entriesAdded), entries]);
}

const groupsText = (stream: Stream): string => stream.groups.map(groupText).sort().join();

function groupText({ name, marks, pending, consumers }: ConsumerGroup): string {
  const waiting = [...pending].map(([id, one]) => [String(id), one.deliveredAt, one.deliveries]);
  const read = marks.entriesRead === null ? null : String(marks.entriesRead);
  return JSON.stringify([name, String(marks.lastId), read, waiting, [...consumers].map(consumerText).sort()]);
}

function consumerText({ name, seenAt, pending }: Consumer): string {
  return JSON.stringify([name, seenAt, [...pending].map(([id]) => String(id))]);
}
