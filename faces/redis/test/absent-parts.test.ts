/** Tests that commands for clusters, modules and replicas are answered as by a redis-server that has none of them. */
import { after, before, test } from "node:test";
import { skipWithout } from "../../../test/support/requirements.js";
import { lines, RedisComparison } from "./redis-comparison.js";

const skip = skipWithout("redis-server");
let comparison: RedisComparison;
before(async () => {
  if (skip === false)
    comparison = await RedisComparison.start({ enableDebugCommand: "yes" }, [
      "--enable-debug-command",
      "yes",
    ]);
});
after(() => comparison?.[Symbol.asyncDispose]());

const CONVERSATIONS: Readonly<Record<string, readonly string[]>> = {
  "Redis Cluster": [
    ...[
      "CLUSTER INFO",
      "CLUSTER SLOTS",
      "CLUSTER SHARDS",
      "CLUSTER NODES",
      "CLUSTER MYID",
      "CLUSTER KEYSLOT k",
    ],
    ...["READONLY", "READWRITE", "ASKING", "READONLY x"],
  ],
  modules: ["MODULE LIST", "HELLO 3", "MODULE LIST", "MODULE", "MODULE LOAD", "MODULE NONSENSE"],
  replicas: [
    ...["REPLICAOF NO ONE", "SLAVEOF no one", "ROLE", "FAILOVER", "FAILOVER ABORT", "WAIT 0 0"],
    ...["REPLCONF", "REPLCONF rdb-only 1", "REPLCONF rdb-only", "PSYNC ?", "SYNC x"],
  ],
  "commands of later versions": ["WAITAOF 0 0 0", "EXPIRETIME nothing", "HEXPIRE h 1 FIELDS 1 f"],
  "DEBUG commands of test suites": [
    ...["HSET h f v", "RPUSH l a", "SET s v", "DEBUG LISTPACK h", "DEBUG LISTPACK l", "DEBUG LISTPACK none"],
    ...["DEBUG QUICKLIST l", "DEBUG QUICKLIST l 1", "DEBUG QUICKLIST s", "DEBUG STRINGMATCH-LEN 1 a"],
    ...["DEBUG SET-ACTIVE-EXPIRE 0", "DEBUG SET-ACTIVE-EXPIRE 1", "DEBUG QUICKLIST-PACKED-THRESHOLD 100b"],
    ...[
      "DEBUG REPLYBUFFER PEAK-RESET-TIME never",
      "DEBUG REPLYBUFFER RESIZING 0",
      "DEBUG REPLYBUFFER NONSENSE 1",
    ],
    ...[
      "DEBUG PAUSE-CRON 0",
      "DEBUG LOG hello",
      "DEBUG SET-SKIP-CHECKSUM-VALIDATION 0",
      "DEBUG AOF-FLUSH-SLEEP 0",
    ],
  ],
};

for (const [title, commands] of Object.entries(CONVERSATIONS))
  test(title, { skip }, async () => {
    await comparison.assertSame(lines(...commands));
  });
