/**
 * Commands that are not in the table, but that the daemon's Redis may know. The daemon does not know their keys and
 * categories, except that the commands listed here are administrative. Source: redis-server 7.0, COMMAND LIST FILTERBY
 * ACLCAT admin; and MIGRATE, which is not in that category, but makes Redis connect to any address that the command
 * names.
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** The administrative commands, each with all its subcommands, although some of these only read. */
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

/** @param name the name in upper or lower case */
export function administers(name: ByteString): boolean {
  return ADMINISTERING.has(name.toLowerCase());
}
