/** Finds the keys that a command looks up and uses, for statistics and for eviction. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { KeyUsage } from "./keyspace/key-usage.js";
import { isExpired, type Keyspace } from "./keyspace/keyspace.js";
import type { Unit } from "./keyspace/unit.js";
import type { Command } from "./rows/command-row.js";
import { touchesOf } from "./rows/key-spec.js";

/** Counts a use of each key that a command touches. */
export function countUse(
  usage: KeyUsage,
  keyspaces: readonly Keyspace[],
  { isUse, keys }: Command,
  argv: readonly ByteString[],
  unit: Unit,
): void {
  if (!isUse) return;
  for (const { db, key } of touchesOf(keys, argv)) {
    const entry = key === null ? undefined : keyspaces[db ?? unit.db]?.find(key);
    if (entry !== undefined) usage.count(entry, unit.at);
  }
}

/** Returns which keys exist. @param at milliseconds since 1970; a key that has expired by then counts as absent */
export function lookUpKeys(
  keyspace: Keyspace | undefined,
  keys: readonly ByteString[],
  at: number,
): readonly { readonly key: ByteString; readonly isFound: boolean }[] {
  return keys.map((key) => {
    const entry = keyspace?.find(key);
    return { key, isFound: entry !== undefined && !isExpired(entry, at) };
  });
}

interface ExpiredKey {
  readonly db: number;
  readonly key: ByteString;
  /** The expiry time, in milliseconds since 1970. */
  readonly expire: number;
}

/**
 * Yields the keys that a command may write and that have expired by the unit's date. Each key is yielded only once,
 * provided that the caller removes it before the next step.
 */
export function* expiredWrites(
  keyspaces: readonly Keyspace[],
  { keys }: Command,
  argv: readonly ByteString[],
  unit: Unit,
): Generator<ExpiredKey> {
  for (const { db, key, access } of touchesOf(keys, argv)) {
    if (key === null || access === "read") continue;
    const number = db ?? unit.db;
    const entry = keyspaces[number]?.find(key);
    if (entry !== undefined && isExpired(entry, unit.at)) yield { db: number, key, expire: entry.expire };
  }
}
