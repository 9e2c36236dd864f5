/** Tests -d redis-sentinel with real processes: a master, its replica, and three sentinels. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Logger, pino } from "pino";
import type { Outcome } from "../../../daemon/engine/backends/backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { parseRedisGroup } from "../../../daemon/options/addresses/redis-addresses.js";
import { bulk, integer } from "../../../protocol/reply.js";
import { skipUnlessFull } from "../../../test/support/amount.js";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { refusingAddress } from "../../../test/support/free-port.js";
import { askRedis, textOf } from "../../../test/support/redis-connection.js";
import {
  MASTER_NAME,
  RedisSentinels,
  startReplica,
  startSentinel,
} from "../../../test/support/redis-sentinels.js";
import { type RedisServer, startRedis } from "../../../test/support/redis-server.js";
import { until } from "../../../test/support/until.js";
import { redisSentinel } from "../redis-sentinel.js";
import type { RedisGroupBackend } from "../server-group.js";
import { CountingLoad } from "./failing-over.js";

function backendFor(text: string, more: { timeout?: number; waitReplicas?: number; log?: Logger } = {}) {
  return redisSentinel({
    specification: parseRedisGroup(text),
    timeout: 4_000,
    environment: realEnvironment,
    log: pino({ level: "silent" }),
    ...more,
  });
}

/** Time in which each sentinel is queried at least once, in milliseconds. */
const QUERIED_MS = 1_500;

test("a sentinel with an earlier config-epoch, which was cut off, does not decide which master receives commands", async () => {
  await using old = await startRedis();
  await using current = await startRedis();
  const epoch = (number: number) => [`sentinel config-epoch ${MASTER_NAME} ${number}`];
  const cutOff = await startSentinel(old.port, 1, epoch(1));
  const upToDate = await startSentinel(current.port, 1, epoch(2));

  const backend = backendFor(
    `redis-sentinel:${MASTER_NAME}@127.0.0.1:${cutOff.port},127.0.0.1:${upToDate.port}`,
  );
  try {
    await backend.start();
    await until(
      "the backend is connected to the current master",
      async () => backend.up && backend.server === `127.0.0.1:${current.port}`,
    );

    await pause(QUERIED_MS);
    assert.equal(backend.server, `127.0.0.1:${current.port}`);
    assert.deepEqual(await backend.execute(["SET", "k", "v"]), bulk("OK"));
    assert.equal(await textOf(current.port, "GET", "k"), "v");
  } finally {
    await backend.stop();
    await Promise.all([cutOff.stop(), upToDate.stop()]);
  }
});

describe("-d redis-sentinel", () => {
  let group: RedisSentinels;
  let backend: RedisGroupBackend;
  const run = async (...argv: string[]): Promise<Outcome> => await backend.execute(argv);

  before(async () => {
    group = await RedisSentinels.start();
    backend = backendFor(`redis-sentinel://${MASTER_NAME}@${group.places}/3`, {
      timeout: 4_000,
      waitReplicas: 1,
    });
    await backend.start();
  });
  after(async () => {
    await backend?.stop();
    await group?.[Symbol.asyncDispose]();
  });

  test("commands are sent to the master that the sentinels name, in the database of -d", async () => {
    const [master] = group.servers as [RedisServer];
    assert.deepEqual(await run("SET", "k", "v"), bulk("OK"));
    assert.equal(backend.server, `127.0.0.1:${master.port}`);
    assert.match(await textOf(master.port, "INFO", "keyspace"), /db3:keys=1/);
    const together = [
      ["INCR", "n"],
      ["MGET", "k", "n"],
    ];
    assert.deepEqual(await backend.executeTogether(together), {
      kind: "array",
      items: [integer(1), { kind: "array", items: [bulk("v"), bulk("1")] }],
    });
  });

  test("a master that becomes a replica is replaced, and commands sent in the meantime keep their order", {
    skip: skipUnlessFull,
  }, async () => {
    const before = await group.masterPort();
    let [isMoved, rounds, epoch] = [false, 0, 0];
    const writing = (async () => {
      for (; !isMoved || rounds < 5; rounds++) {
        const key = `log:${epoch}`;
        const sent = await Promise.all([run("APPEND", key, `${rounds},`), run("APPEND", key, "-")]);
        // Commands that were sent when the connection ended may still be executed at any time, so they are not
        // repeated.
        if (sent.some(({ kind }) => kind === "failed")) [epoch, rounds] = [epoch + 1, 0];
      }
    })();

    await askRedis((group.sentinels[0] as { port: number }).port, "SENTINEL", "FAILOVER", MASTER_NAME);
    await until("a replica has become the master", async () => (await group.masterPort()) !== before, {
      mayFail: true,
    });
    await until(
      "the backend is connected to the new master",
      async () => backend.server !== `127.0.0.1:${before}` && backend.up,
    );

    isMoved = true;
    await writing;
    const log = await run("GET", `log:${epoch}`);
    assert.ok(log.kind === "bulk" && /^(\d+,-)+$/.test(log.bytes), JSON.stringify(log));

    for (const { port } of group.servers)
      await until(
        "the replica is connected to its master",
        async () => /role:master|master_link_status:up/.test(await textOf(port, "INFO", "replication")),
        { mayFail: true },
      );
  });

  test("an unknown master name, a server that is not a sentinel, and an unreachable address are reported differently", async () => {
    const [{ port }] = group.servers as [RedisServer];
    const unreachable = await refusingAddress();
    for (const [text, reason] of [
      [
        `redis-sentinel:other@${group.places}`,
        /no sentinel names the master "other": .*No such master with that name/,
      ],
      [`redis-sentinel:main@127.0.0.1:${port}`, /unknown command 'SENTINEL'/],
      [
        `redis-sentinel:main@${unreachable}`,
        new RegExp(`no sentinel names the master "main": ${unreachable}: connect ECONNREFUSED`),
      ],
    ] as const) {
      const reasons: unknown[] = [];
      const log = pino(
        { level: "error" },
        { write: (line: string) => reasons.push((JSON.parse(line) as { reason: unknown }).reason) },
      );
      const wrong = backendFor(text, { timeout: 500, log });
      await wrong.start();
      const outcome = await wrong.execute(["GET", "k"]);
      assert.ok(outcome.kind === "failed" && outcome.effect === "not-applied");
      assert.match(outcome.detail, reason);
      assert.match(outcome.detail, /for 500 ms \(--backend-timeout\)$/);
      // The backend logs the reason once a minute, so the first one must be correct.
      await until("a reason is logged", async () => reasons.length > 0);
      assert.match(String(reasons[0]), reason);
      await wrong.stop();
    }
  });

  test("after a master is killed under load, acknowledged writes exist and no write was applied twice", {
    skip: skipUnlessFull,
  }, async () => {
    const list = `redis-sentinel:${MASTER_NAME}@${group.places}`;
    await using daemon = await startDaemon(["-d", list, "--wait-replicas", "1", "--backend-timeout", "6s"]);
    await using load = new CountingLoad(daemon, 60);
    await load.more(600);

    const before = await group.masterPort();
    const killed = group.servers.find(({ port }) => port === before) as RedisServer;
    killed.kill("SIGKILL");
    await until("a replica has become the master", async () => (await group.masterPort()) !== before, {
      mayFail: true,
    });
    await killed.stop();

    // Without a replica no write would be confirmed. The replica starts empty, so it must not become the next master.
    const replica = await startReplica(await group.masterPort(), ["--replica-priority", "0"]);
    group.servers[group.servers.indexOf(killed)] = replica;
    await load.servesAgain();
    await load.more(1_000);
    await load.check();
  });
});
