/** The commands that give a key in Redis its value in the fold, and the comparison of both. */
import type { ByteString } from "../../protocol/byte-string.js";
import { CommandFailure } from "../../store/arguments/errors.js";
import type { Database } from "../../store/database.js";
import { isExpired } from "../../store/keyspace/keyspace.js";
import { estimatedBytes } from "../../store/keyspace/size-estimate.js";
import { dumpPayload } from "../../store/rdb/dump-payload.js";
import { readListpack } from "../../store/rdb/listpack.js";
import { MalformedRdb } from "../../store/rdb/malformed-rdb.js";
import { RdbReader } from "../../store/rdb/rdb-reader.js";
import { readValue } from "../../store/rdb/value-reader.js";
import { MemberSet } from "../../store/values/member-set.js";
import { typeName, type Value } from "../../store/values/value.js";
import type { MirrorKey } from "./dirty-keys.js";
import { isSameValue } from "./same-value.js";

/** Types that Redis does not know; keys of these types are left out. */
const OWN_TYPES: ReadonlySet<string> = new Set(["document", "table", "collection"]);

/** Milliseconds by which Redis's clock may be ahead when a key expires. */
const CLOCK_SLACK_MS = 5000;

/** Bytes of version and checksum after a dumped value. */
const FOOTER_BYTES = 10;
/** Redis's type number of sets in listpacks, as of 7.2. */
const PACKED_SET = 20;

/** Elements sampled to estimate a value's size. */
const SAMPLES = 5;

/** A command for Redis. */
export type RedisCommand = readonly (string | Buffer)[];

interface Expected {
  readonly value: Value;
  /** Milliseconds since 1970; 0: it does not expire. */
  readonly expire: number;
}

/** Returns what Redis is to have of a key; null: nothing. */
function expectedOf({ db, key }: MirrorKey, database: Database, now: number): Expected | null {
  const entry = database.keyspaces[db]?.find(key);
  if (entry === undefined || isExpired(entry, now)) return null;
  const { value, expire } = entry;
  return OWN_TYPES.has(typeName(value)) ? null : { value, expire };
}

/** Estimates the bytes of a key's value by some of its elements; null: Redis is to have no such key. */
export function expectedBytes(mirrored: MirrorKey, database: Database, now: number): number | null {
  const expected = expectedOf(mirrored, database, now);
  return expected === null ? null : estimatedBytes(mirrored.key, expected.value, expected.expire, SAMPLES);
}

/** Returns the command that gives a key its value in Redis. @param now  milliseconds since 1970 */
export function commandFor(mirrored: MirrorKey, database: Database, now: number): RedisCommand {
  const expected = expectedOf(mirrored, database, now);
  const key = Buffer.from(mirrored.key, "latin1");
  if (expected === null) return ["DEL", key];
  const payload = payloadOf(expected.value);
  return payload === null
    ? ["DEL", key]
    : ["RESTORE", key, String(expected.expire), payload, "REPLACE", "ABSTTL"];
}

/** Returns the dumped value; null: it is longer than Redis accepts. */
function payloadOf(value: Value): Buffer | null {
  try {
    return Buffer.from(dumpPayload(value), "latin1");
  } catch (failure) {
    if (failure instanceof CommandFailure) return null;
    throw failure;
  }
}

/** A key in Redis: the answers of DUMP and PEXPIRETIME. */
export interface Found {
  /** null: there is no such key; empty for a key that should not exist. */
  readonly dump: Buffer | null;
  /** Milliseconds since 1970; below 0: none. */
  readonly expire: number;
}

/** `unreadable`: it has a newer format than this release knows, and must be written again. */
export type Comparison = "same" | "different" | "unreadable";

export function compareKey(mirrored: MirrorKey, found: Found, database: Database, now: number): Comparison {
  const expected = expectedOf(mirrored, database, now);
  if (expected === null) {
    // An expired key is removed there by itself, according to another clock.
    const isGoing = found.expire > 0 && found.expire <= now;
    return found.dump === null || isGoing ? "same" : "different";
  }
  const { expire } = expected;
  if (found.dump === null) return expire > 0 && expire <= now + CLOCK_SLACK_MS ? "same" : "different";
  if (Math.max(0, found.expire) !== expire) return "different";
  const value = valueOfDump(found.dump);
  if (value === null) return "unreadable";
  return isSameValue(expected.value, value) ? "same" : "different";
}

/** Parses a dumped value; null: its format is not known. */
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

/** Returns a key as text for log lines. */
export const shownKey = ({ db, key }: MirrorKey): ByteString => `${db}:${key.slice(0, 100)}`;
