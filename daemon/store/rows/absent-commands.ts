/**
 * Redis commands that are not in the table. Rules may name them, because user files come from Redis servers, and the
 * daemon's backend may be a Redis server. Source: redis-server 7.0, COMMAND LIST;
 * test/conformance/command-table.test.ts.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** The absent subcommands of each absent container. */
const CONTAINERS: Readonly<Record<string, string>> = {
  CLUSTER:
    "ADDSLOTS ADDSLOTSRANGE BUMPEPOCH COUNT-FAILURE-REPORTS COUNTKEYSINSLOT DELSLOTS DELSLOTSRANGE FAILOVER FLUSHSLOTS FORGET " +
    "GETKEYSINSLOT HELP INFO KEYSLOT LINKS MEET MYID NODES REPLICAS REPLICATE RESET SAVECONFIG SET-CONFIG-EPOCH SETSLOT SHARDS " +
    "SLAVES SLOTS",
};

export const ABSENT_COMMANDS: ReadonlySet<string> = new Set([
  ..."LATENCY|GRAPH MIGRATE RESTORE-ASKING".split(" "),
  ...Object.entries(CONTAINERS).flatMap(([container, names]) => [
    container,
    ...names.split(" ").map((name) => `${container}|${name}`),
  ]),
]);

/** The administrative commands without a row, and containers of which a newer Redis may have further subcommands. */
const ADMINISTERING: ReadonlySet<string> = new Set(
  "acl client cluster config latency migrate module slowlog".split(" "),
);

/**
 * Whether a command that is not in the table, but that the daemon's Redis may know, is administrative. The daemon does
 * not know its keys and its other categories. Source: redis-server 7.0, COMMAND LIST FILTERBY ACLCAT admin; and
 * MIGRATE, which is not in that category, but makes Redis connect to any address that the command names.
 * @param name the name in upper or lower case
 */
export function administers(name: ByteString): boolean {
  return ADMINISTERING.has(name.toLowerCase());
}
