/** What Redis is to have of a key, as the commands that make it so; and whether what it has is that. */
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

/** Types that Redis does not know; keys of these are left out. */
const OWN_TYPES: ReadonlySet<string> = new Set(["document", "table", "collection"]);

/** Milliseconds by which Redis's clock may be ahead when a key's time is over. */
const CLOCK_SLACK_MS = 5000;

/** Bytes of version and checksum behind a dumped value. */
const FOOTER_BYTES = 10;
/** Redis's number of sets in listpacks, as of 7.2. */
const PACKED_SET = 20;

/** Elements of a value by which it is told how long it is. */
const SAMPLES = 5;

/** A command for Redis. */
export type RedisCommand = readonly (string | Buffer)[];

interface Expected {
  readonly value: Value;
  /** Milliseconds since 1970; 0: it stays. */
  readonly expire: number;
}

/** What the fold has of a key that Redis can have; null: nothing. */
function expectedOf({ db, key }: MirrorKey, database: Database, now: number): Expected | null {
  const entry = database.keyspaces[db]?.find(key);
  if (entry === undefined || isExpired(entry, now)) return null;
  const { value, expire } = entry;
  return OWN_TYPES.has(typeName(value)) ? null : { value, expire };
}

/** Bytes that its value will take about, by some of its elements; null: Redis is to have no such key. */
export function expectedBytes(mirrored: MirrorKey, database: Database, now: number): number | null {
  const expected = expectedOf(mirrored, database, now);
  return expected === null ? null : estimatedBytes(mirrored.key, expected.value, expected.expire, SAMPLES);
}

/** @param now  milliseconds since 1970 */
export function commandFor(mirrored: MirrorKey, database: Database, now: number): RedisCommand {
  const expected = expectedOf(mirrored, database, now);
  const key = Buffer.from(mirrored.key, "latin1");
  if (expected === null) return ["DEL", key];
  const payload = payloadOf(expected.value);
  return payload === null
    ? ["DEL", key]
    : ["RESTORE", key, String(expected.expire), payload, "REPLACE", "ABSTTL"];
}

/** null: it is longer than Redis takes. */
function payloadOf(value: Value): Buffer | null {
  try {
    return Buffer.from(dumpPayload(value), "latin1");
  } catch (failure) {
    if (failure instanceof CommandFailure) return null;
    throw failure;
  }
}

/** Of a key in Redis: what DUMP and PEXPIRETIME answer. */
export interface Found {
  /** null: there is no such key; of one that there should not be nothing is in it. */
  readonly dump: Buffer | null;
  /** Milliseconds since 1970; below 0: none. */
  readonly expire: number;
}

/** `unreadable`: it is of a newer form than is known here, so that it is to be written anew. */
export type Comparison = "same" | "different" | "unreadable";

export function compareKey(mirrored: MirrorKey, found: Found, database: Database, now: number): Comparison {
  const expected = expectedOf(mirrored, database, now);
  if (expected === null) {
    // One whose time is over goes by itself there, by another clock.
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

/** null: of a form that is not known. */
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

/** For people. */
export const shownKey = ({ db, key }: MirrorKey): ByteString => `${db}:${key.slice(0, 100)}`;
