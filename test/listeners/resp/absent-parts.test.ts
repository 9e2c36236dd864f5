/**
 * Tests that commands about clusters, modules and replicas are answered as by a redis-server that has none of them.
 */
import { after, before, test } from "node:test";
import { skipWithout } from "../../support/requirements.js";
import { BesideRedis, lines } from "./beside-redis.js";

const skip = skipWithout("redis-server");
let beside: BesideRedis;
before(async () => {
  if (skip === false)
    beside = await BesideRedis.start({ enableDebugCommand: "yes" }, ["--enable-debug-command", "yes"]);
});
after(() => beside?.[Symbol.asyncDispose]());

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
  "what later versions have": ["WAITAOF 0 0 0", "EXPIRETIME nothing", "HEXPIRE h 1 FIELDS 1 f"],
  "DEBUG of test suites": [
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

for (const [what, commands] of Object.entries(CONVERSATIONS))
  test(what, { skip }, async () => {
    await beside.assertSame(lines(...commands));
  });
