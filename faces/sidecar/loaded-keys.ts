/**
 * Keys as the daemons have them at one moment, in a database of the sidecar, on which it runs programs. Each version is
 * that of the daemons, so that the database returns it as the key's last writer.
 */
import type { ForwardingClient } from "../../client/forwarding-client.js";
import { CommandFailure, echoed } from "../../daemon/store/arguments/command-errors.js";
import { DATABASES_DEFAULT, Database } from "../../daemon/store/database.js";
import type { NamedKey } from "../../daemon/store/keyspace/named-key.js";
import { DecidedPatterns } from "../../daemon/store/rights/decided-patterns.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error, type Reply } from "../../protocol/reply.js";

export type KeyReader = Pick<ForwardingClient, "readTogether">;

/** The keys that programs need, by their names. */
export type NeededKeys = ReadonlyMap<string, NamedKey>;

export interface LoadedKeys {
  readonly database: Database;
  /** The date for which they were loaded, in milliseconds since 1970. */
  readonly at: number;
  /** The keys that were loaded, by their names. */
  readonly keys: NeededKeys;
  /** A pattern for each of them on whose writes the members decide. */
  readonly patterns: DecidedPatterns;
}

const MALFORMED = error(
  "ERR the daemons did not report these keys as expected: update them to the sidecar's release",
);

/**
 * Loads keys. More than half of the daemons must have reported the same.
 * @param at  the date for which the keys are needed, in milliseconds since 1970
 * @throws CommandFailure  the daemons returned an error
 * @throws DbsyncError  they did not agree, or did not answer
 */
export async function loadKeys(carrier: KeyReader, keys: NeededKeys, at: number): Promise<LoadedKeys> {
  const byDatabase = new Map<number, ByteString[]>();
  for (const { db, key } of keys.values()) {
    const others = byDatabase.get(db);
    if (others === undefined) byDatabase.set(db, [key]);
    else others.push(key);
  }

  const database = new Database({ databases: DATABASES_DEFAULT });
  let patterns = DecidedPatterns.NONE;
  await Promise.all(
    [...byDatabase].map(async ([db, names]) => {
      const reported = reportOf(await readKeys(carrier, db, names), names.length);
      for (const [index, key] of names.entries()) {
        const { isDecided, writer, expiry, payload } = reported[index] as ReportedKey;
        if (isDecided) patterns = patterns.with({ glob: literally(key), db, announcedAt: 0, isBegun: true });
        if (payload === null) continue;
        const argv = ["RESTORE", key, String(Math.max(expiry, 0)), payload, "ABSTTL"];
        const restored = database.execute(argv, { at, db, id: writer });
        if (restored.kind === "error")
          throw new CommandFailure(`ERR the key '${echoed(key)}' cannot be used here: ${restored.text}`);
      }
    }),
  );
  database.isDecided = (db, key) => patterns.hasKey(db, key);
  return { database, at, keys, patterns };
}

/** Requests everything about keys that a program may need, as it is at one moment. */
function readKeys(carrier: KeyReader, db: number, keys: readonly ByteString[]): Promise<Reply> {
  const commands = [
    ["DECIDED", ...keys],
    ["WRITERS", ...keys],
    ...keys.flatMap((key) => [
      ["PEXPIRETIME", key],
      ["DUMP", key],
    ]),
  ];
  return new Promise((resolve, reject) =>
    carrier.readTogether(commands, { db, isStable: false }, { resolve, reject }),
  );
}

interface ReportedKey {
  readonly isDecided: boolean;
  /** Its last writer; empty if the key is absent. */
  readonly writer: ByteString;
  /** In milliseconds since 1970; negative if there is none. */
  readonly expiry: number;
  /** Its value as DUMP returns it; null if the key is absent. */
  readonly payload: ByteString | null;
}

/** @throws CommandFailure */
function reportOf(reply: Reply, count: number): readonly ReportedKey[] {
  if (reply.kind !== "array") throw new CommandFailure(reply.kind === "error" ? reply.text : MALFORMED.text);
  for (const item of reply.items) if (item.kind === "error") throw new CommandFailure(item.text);
  const [decided, writers, ...rest] = reply.items;
  const isComplete = decided?.kind === "array" && writers?.kind === "array" && rest.length === 2 * count;
  if (!isComplete) throw new CommandFailure(MALFORMED.text);

  return Array.from({ length: count }, (_, index) => {
    const isDecided = decided.items[index];
    const writer = writers.items[index];
    const [expiry, value] = rest.slice(2 * index);
    if (isDecided?.kind !== "integer" || writer?.kind !== "bulk" || expiry?.kind !== "integer")
      throw new CommandFailure(MALFORMED.text);

    const payload = value?.kind === "bulk" ? value.bytes : null;
    if ((payload === null) !== (writer.bytes === "")) throw new CommandFailure(MALFORMED.text);

    return {
      isDecided: Number(isDecided.value) === 1,
      writer: writer.bytes,
      expiry: Number(expiry.value),
      payload,
    };
  });
}

/** Returns a pattern that only one key matches. */
const literally = (key: ByteString): ByteString => key.replace(/[\\*?[\]]/g, "\\$&");
