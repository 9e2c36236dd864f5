/**
 * Redis commands that are not in the table. Rules may name them, because user files come from Redis servers, and the
 * daemon's backend may be a Redis server. Source: redis-server 7.0, COMMAND LIST;
 * test/conformance/command-table.test.ts.
 */

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
