/**
 * Finds Redis commands that change the state of their connection, or block it. In php-dbsync each command had its own
 * connection. Here commands share a connection, so such commands run on a connection of their own, or are refused.
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** Where a command runs. `shared`: on the shared connection. `own`: on a new connection, closed after the reply. */
export type Isolation =
  | { readonly kind: "shared" }
  | { readonly kind: "own" }
  | { readonly kind: "none"; readonly reason: string };

const SHARED: Isolation = { kind: "shared" };
const OWN: Isolation = { kind: "own" };
const none = (reason: string): Isolation => ({ kind: "none", reason });

const MESSAGES = none(
  "it turns the connection into a stream of messages, and version 1 has only one answer for each request",
);
const REPLICATION = none("it turns the connection into a replication link");
const ENDS_CONNECTION = none("it ends or resets its connection, which other clients share");
const SILENT = none("it may switch off the reply that the client waits for");

const TABLE: ReadonlyMap<string, Isolation> = new Map([
  ...["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"].map(
    row(MESSAGES),
  ),
  ...["MONITOR"].map(row(MESSAGES)),
  ...["SYNC", "PSYNC", "REPLCONF"].map(row(REPLICATION)),
  ...["QUIT", "RESET"].map(row(ENDS_CONNECTION)),
  // Commands that change the state of the connection.
  ...["SELECT", "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "AUTH", "HELLO", "CLIENT", "READONLY"].map(
    row(OWN),
  ),
  ...["READWRITE", "ASKING", "SCRIPT"].map(row(OWN)),
  // Commands that wait.
  ...["BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"].map(row(OWN)),
  ...["XREAD", "XREADGROUP", "WAIT", "WAITAOF", "DEBUG", "SHUTDOWN", "FAILOVER"].map(row(OWN)),
]);

function row(isolation: Isolation): (name: string) => [string, Isolation] {
  return (name) => [name, isolation];
}

/** @param name  in upper case */
export function isolationOf(name: string, argv: readonly ByteString[]): Isolation {
  const isolation = TABLE.get(name) ?? SHARED;
  if (isolation === OWN && name === "CLIENT" && argv[1]?.toUpperCase() === "REPLY") return SILENT;
  return isolation;
}
