/**
 * Tests Redis settings that are accepted and reported, settings that have an effect, and the fields of INFO that change
 * over time.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OK } from "../../../protocol/reply.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { startRedis } from "../../../test/support/redis-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { seed } from "../../../test/support/seed.js";
import { SeededRandom } from "../../../test/support/seeded-random.js";
import { until } from "../../../test/support/until.js";
import { answers, lines, RedisComparison } from "./redis-comparison.js";
import { startResp } from "./scene.js";

const skip = skipWithout("redis-server");
let comparison: RedisComparison;
before(async () => {
  if (skip === false) comparison = await RedisComparison.start();
});
after(() => comparison?.[Symbol.asyncDispose]());

/** Settings whose values differ from those of a new redis-server, because they say how this daemon works. */
const OWN_VALUES = [
  ...["appendfsync", "client-output-buffer-limit", "dir", "port", "proto-max-bulk-len"],
  ...["sanitize-dump-payload", "stream-node-max-bytes"],
];

test("CONFIG GET reports the defaults of Redis, except where this daemon differs", { skip }, async () => {
  await using ours = await startResp();
  await using redis = await startRedis();
  const settingsOf = async (port: number) => {
    using client = await RedisConnection.open(port);
    const words = (await client.value("CONFIG", "GET", "*")) as string[];
    return new Map(words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1]]] : [])));
  };
  const [given, wanted] = [await settingsOf(ours.port), await settingsOf(redis.port)];
  const differing = [...given].filter(([name, value]) => wanted.has(name) && wanted.get(name) !== value);
  assert.deepEqual(differing.map(([name]) => name).sort(), OWN_VALUES);
});

/** Values that are set one after the other. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  "acllog-max-len": ["10", "-1", "128"],
  appendonly: ["no", "maybe"],
  "auto-aof-rewrite-min-size": ["32mb"],
  "client-output-buffer-limit": [
    ...["normal 1mb 2mb 60", "normal 0 0 0", "slave 1 2", "foo 1 2 3", "constructor 0 0 0", "normal -1 0 0"],
    ...[
      "replica 1mb 1mb 60 pubsub 32mb 8mb 60",
      "Normal 2mb 0 0 slave 0 0 0 pubsub 0 0 0",
      "normal 256mb 0 0",
    ],
  ],
  "hll-sparse-max-bytes": ["5000", "3000"],
  "latency-tracking": ["no", "yes"],
  "latency-tracking-info-percentiles": ["50 99", "101", "", "50 99 99.9"],
  "lfu-decay-time": ["2"],
  "lfu-log-factor": ["5", "-1"],
  loglevel: ["debug", "verbose", "warning", "foo", "constructor", "notice"],
  "notify-keyspace-events": ["KEA", "AKE", "Kl$", "xyz", "gxe", ""],
  "repl-timeout": ["30", "0"],
  "replica-read-only": ["no", "yes"],
  save: ["3600 1 300 100", "foo", "10", ""],
  "stop-writes-on-bgsave-error": ["no", "yes"],
  "tcp-keepalive": ["300", "0", "-1", "60"],
};

for (const [name, values] of Object.entries(VALUES)) {
  test(`CONFIG SET ${name} accepts and reports the same values as Redis`, { skip }, async () => {
    // The servers' defaults differ, so the test sets each value first.
    await comparison.assertSame(
      lines(
        ...(name === "client-output-buffer-limit" ? [`CONFIG SET ${name} "slave 0 0 0 pubsub 0 0 0"`] : []),
      ) + lines(...values.flatMap((value) => [`CONFIG SET ${name} "${value}"`, `CONFIG GET ${name}`])),
    );
  });
}

/** Settings that are numbers, with their bounds. */
const BOUNDS: Readonly<Record<string, readonly [min: number, max: number]>> = {
  "lfu-decay-time": [0, 2 ** 31 - 1],
  "lfu-log-factor": [0, 2 ** 31 - 1],
  "list-compress-depth": [0, 2 ** 31 - 1],
  "list-max-listpack-size": [-(2 ** 31), 2 ** 31 - 1],
  "maxmemory-eviction-tenacity": [0, 100],
  "maxmemory-samples": [1, 2 ** 31 - 1],
  "min-replicas-max-lag": [0, 2 ** 31 - 1],
  "repl-diskless-sync-delay": [0, 2 ** 31 - 1],
  "repl-ping-replica-period": [1, 2 ** 31 - 1],
  "repl-timeout": [1, 2 ** 31 - 1],
  "replica-priority": [0, 2 ** 31 - 1],
  "shutdown-timeout": [0, 2 ** 31 - 1],
  "active-expire-effort": [1, 10],
};

for (const [name, [min, max]] of Object.entries(BOUNDS))
  test(`CONFIG SET ${name} accepts ${min} to ${max} as Redis does`, { skip }, async () => {
    const values = [min, min - 1, max, max + 1];
    await comparison.assertSame(
      lines(...values.flatMap((value) => [`CONFIG SET ${name} ${value}`, `CONFIG GET ${name}`])),
    );
    await using ours = await startResp();
    const accepted = await answers(ours.port, lines(...values.map((value) => `CONFIG SET ${name} ${value}`)));
    assert.match(accepted, /^\+OK\r\n-ERR [^\r]*\r\n\+OK\r\n-ERR [^\r]*\r\n/);
  });

test("CONFIG SET accepts the nodes of streams as they are, and refuses all others, which would trim differently on each daemon", async () => {
  await using scene = await startResp();
  using client = await RedisConnection.open(scene.port);
  const set = (name: string, value: string) => client.call("CONFIG", "SET", name, value);
  for (const [name, value] of [
    ["stream-node-max-entries", "100"],
    ["stream-node-max-bytes", "0"],
  ] as const) {
    assert.deepEqual(await set(name, value), OK);
    assert.deepEqual(await client.call("CONFIG", "SET", "timeout", "0", name, value), OK);
    for (const other of ["50", "1", "4096", "-1", "x"]) {
      const refusal = await set(name, other);
      assert.ok(refusal.kind === "error");
      assert.match(refusal.text, new RegExp(`'${name}'\\) - the nodes of streams always have 100 entries`));
    }
    const found = await client.call("CONFIG", "GET", name);
    assert.deepEqual(found, {
      kind: "array",
      items: [name, value].map((bytes) => ({ kind: "bulk", bytes })),
    });
  }
});

test("event classes are reported in Redis's order, in whatever order they were set", { skip }, async () => {
  const random = new SeededRandom(seed(), 0);
  for (let round = 0; round < 20; round++) {
    const flags = Array.from({ length: random.below(12) }, () => random.oneOf([..."Ag$lshzxeKEtmdn"])).join(
      "",
    );
    await comparison.assertSame(
      lines(`CONFIG SET notify-keyspace-events "${flags}"`, "CONFIG GET notify-keyspace-events"),
    );
  }
});

test("client-output-buffer-limit and acllog-max-len take effect when a client sets them", async () => {
  await using ours = await startResp();
  using client = await RedisConnection.open(ours.port);
  await client.call("CONFIG", "SET", "client-output-buffer-limit", "normal 64kb 0 0");
  await client.call("SET", "k", "v".repeat(100_000));
  using reader = await RawClient.open(ours.port);
  reader.send(lines("GET k"));
  assert.equal(await reader.rest(), "", "an answer that is too long closes the connection");
  await client.call("ACL", "SETUSER", "ann", "on", ">p");
  await client.call("CONFIG", "SET", "acllog-max-len", "1");
  for (const name of ["ann", "ben", "cid"]) await client.call("AUTH", name, "wrong");
  const log = await client.call("ACL", "LOG");
  assert.equal(log.kind === "array" ? log.items.length : -1, 1);
});

test("INFO reports the load, the peak, percentiles and rejected connections", { skip }, async () => {
  await using ours = await startResp({ limits: { maxConnections: 1 } });
  const client = await RedisConnection.open(ours.port);
  const info = async (section: string) => {
    const reply = await client.call("INFO", section);
    return reply.kind === "bulk" ? reply.bytes : "";
  };

  assert.match(await info("stats"), /\r\nrejected_connections:0\r\n/);
  assert.match(await answers(ours.port, ""), /max number of clients/);
  assert.match(await info("stats"), /\r\nrejected_connections:1\r\n/);
  await until("load is shown", async () => /\r\ninstantaneous_ops_per_sec:[1-9]/.test(await info("stats")));

  const memory = await info("memory");
  const bytesOf = (name: string) => Number(new RegExp(`^${name}:(\\d+)\r$`, "m").exec(memory)?.[1]);
  assert.equal(
    bytesOf("used_memory_vm_total"),
    bytesOf("used_memory_vm_eval") + bytesOf("used_memory_vm_functions"),
  );
  assert.equal(
    bytesOf("used_memory_scripts"),
    bytesOf("used_memory_scripts_eval") + bytesOf("used_memory_functions"),
  );
  assert.match(memory, /\r\nused_memory_peak:[1-9]\d*\r\nused_memory_peak_human:[^\r]+\r\n/);

  const latencies =
    /^# Latencystats\r\nlatency_percentiles_usec_info:p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}\r\n$/;
  assert.match(await info("latencystats"), latencies);

  await client.call("CONFIG", "SET", "latency-tracking", "no");
  assert.equal(await info("latencystats"), "# Latencystats\r\n");
  client[Symbol.dispose]();

  // Redis lists the commands in the order of its table.
  const shape = async (port: number) => {
    const reply = await answers(port, lines("CONFIG RESETSTAT", "SET a 1", "INFO latencystats"));
    return reply
      .replaceAll(/=\d+\.\d+/g, "=N")
      .replaceAll(/\$\d+/g, "$")
      .split("\r\n")
      .sort();
  };
  assert.deepEqual(await shape(comparison.ours.port), await shape(comparison.redis.port));
});
