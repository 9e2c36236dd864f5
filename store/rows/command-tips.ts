/**
 * The tips of COMMAND, which inform proxies and testers about a command's replies: whether a repeated command has the
 * same reply, and how to combine the replies of several servers. Source: redis-server 7.0,
 * test/conformance/command-table.test.ts.
 */

const SHARDS = "request_policy:all_shards";
const NODES = "request_policy:all_nodes";
const SEVERAL = "request_policy:multi_shard";
const ALL = "response_policy:all_succeeded";
const SUM = "response_policy:agg_sum";
const MIN = "response_policy:agg_min";
const SPECIAL = "response_policy:special";
const RANDOM = "nondeterministic_output";
const UNORDERED = "nondeterministic_output_order";

/** Tips, and the names of the commands that have them. */
const TIPS: readonly (readonly [tips: readonly string[], names: string])[] = [
  [[SEVERAL], "MGET"],
  [[SEVERAL, ALL], "MSET"],
  [[SEVERAL, MIN], "MSETNX"],
  [[SEVERAL, SUM], "DEL EXISTS TOUCH UNLINK"],
  [[SHARDS, UNORDERED], "KEYS"],
  [[SHARDS, RANDOM], "RANDOMKEY"],
  [[RANDOM, "request_policy:special"], "SCAN"],
  [[RANDOM], "DUMP OBJECT|ENCODING OBJECT|FREQ OBJECT|IDLETIME OBJECT|REFCOUNT PTTL TTL"],
  [
    [RANDOM],
    "HRANDFIELD HSCAN SPOP SRANDMEMBER SSCAN XADD XAUTOCLAIM XCLAIM XINFO|CONSUMERS XPENDING XTRIM ZRANDMEMBER ZSCAN",
  ],
  [[RANDOM], "CLIENT|INFO CLIENT|LIST LASTSAVE TIME"],
  [[UNORDERED], "HGETALL HKEYS HVALS SDIFF SINTER SMEMBERS SUNION"],
  [[UNORDERED], "COMMAND COMMAND|DOCS COMMAND|INFO COMMAND|LIST FUNCTION|LIST MODULE|LIST"],
  [
    [SHARDS, ALL],
    "FLUSHALL FLUSHDB FUNCTION|DELETE FUNCTION|FLUSH FUNCTION|LOAD FUNCTION|RESTORE MEMORY|PURGE PING",
  ],
  [[SHARDS, "response_policy:one_succeeded"], "FUNCTION|KILL SCRIPT|KILL"],
  [[RANDOM, SHARDS, SPECIAL], "FUNCTION|STATS INFO MEMORY|DOCTOR MEMORY|MALLOC-STATS MEMORY|STATS"],
  [[SHARDS, "response_policy:agg_logical_and"], "SCRIPT|EXISTS"],
  [[NODES, ALL], "CONFIG|SET LATENCY|RESET SCRIPT|FLUSH SCRIPT|LOAD SLOWLOG|RESET"],
  [[SHARDS, MIN], "WAIT"],
  [[SHARDS, SUM], "DBSIZE"],
  [[RANDOM, NODES, SPECIAL], "LATENCY|DOCTOR LATENCY|HISTOGRAM LATENCY|HISTORY LATENCY|LATEST"],
  [[NODES, RANDOM], "SLOWLOG|GET"],
  [[NODES, SUM, RANDOM], "SLOWLOG|LEN"],
];

const byName: ReadonlyMap<string, readonly string[]> = new Map(
  TIPS.flatMap(([tips, names]) => names.split(" ").map((name) => [name, tips] as const)),
);

/** @param name  as in the command table */
export function tipsOf(name: string): readonly string[] {
  return byName.get(name) ?? [];
}
