/**
 * Commands that the table does not know, but the daemon's Redis may. Their keys and categories are unknown too; only those that administer
 * are known. Source: redis-server 7.0, COMMAND LIST FILTERBY ACLCAT admin; and MIGRATE, which is in no such category, and makes that Redis
 * connect to any address that the command names.
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** Each with all its subcommands, though some of them only look. */
const ADMINISTERING: ReadonlySet<string> = new Set([
  ...["acl", "bgrewriteaof", "bgsave", "client", "cluster", "config", "debug", "failover", "lastsave"],
  ...[
    "latency",
    "migrate",
    "module",
    "monitor",
    "pfdebug",
    "pfselftest",
    "psync",
    "replconf",
    "replicaof",
    "role",
  ],
  ...["save", "shutdown", "slaveof", "slowlog", "sync"],
]);

/** @param name  in any case */
export function administers(name: ByteString): boolean {
  return ADMINISTERING.has(name.toLowerCase());
}
