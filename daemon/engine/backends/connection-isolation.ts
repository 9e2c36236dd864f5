/**
 * Finds Redis commands that change the state of their connection, or block it. In php-dbsync each command had its own
 * connection. Here commands share a connection, so such commands run on a connection of their own, or are refused.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { commands } from "../../store/command-table.js";
import type { ConnectionUse } from "../../store/rows/command-row.js";

/** Where a command runs. `shared`: on the shared connection. `own`: on a new connection, closed after the reply. */
export type Isolation =
  | { readonly kind: "shared" }
  | { readonly kind: "own" }
  | { readonly kind: "none"; readonly reason: string };

const SHARED: Isolation = { kind: "shared" };
const OWN: Isolation = { kind: "own" };
const none = (reason: string): Isolation => ({ kind: "none", reason });

const ISOLATIONS: Readonly<Record<ConnectionUse, Isolation>> = {
  changes: OWN,
  alone: OWN,
  listens: none(
    "it turns the connection into a stream of messages, and version 1 has only one answer for each request",
  ),
  replicates: none("it turns the connection into a replication link"),
  ends: none("it ends or resets its connection, which other clients share"),
  silences: none("it may switch off the reply that the client waits for"),
};

/** The isolation by name. WAITAOF has no row, because only newer Redis servers have it. */
const TABLE: ReadonlyMap<string, Isolation> = new Map([
  ...commands.flatMap(({ name, connectionUse, waitsFor }) => {
    const use = connectionUse ?? (waitsFor === undefined ? null : "alone");
    return use === null ? [] : [[name, ISOLATIONS[use]] as const];
  }),
  ["WAITAOF", OWN],
]);

/** @param name  in upper case */
export function isolationOf(name: string, argv: readonly ByteString[]): Isolation {
  const isolation = TABLE.get(name) ?? SHARED;
  return isolation === OWN ? (TABLE.get(`${name}|${argv[1]?.toUpperCase()}`) ?? OWN) : isolation;
}
