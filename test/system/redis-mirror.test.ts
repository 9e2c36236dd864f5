/**
 * Tests a daemon with --data and a Redis mirror, both as processes. The mirror is killed, restored from old dumps,
 * stopped, and repaired by `dbsync repair`.
 */
import assert from "node:assert/strict";
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type State, stateDifferences, stateOfRedis } from "../conformance/state.js";
import { amount } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { RedisConnection } from "../support/redis-connection.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { until } from "../support/until.js";
import { type Cluster, startCluster } from "../tools/cli/cluster.js";

const skip = skipWithout("redis-server");
const seed = seedOfRun();
const ROUNDS = amount(1, 5);
const ENVELOPES = 20;
const DBS = [0, 1];
const app = makeKeyPair();

describe("a mirrored daemon", { skip }, () => {
  let cluster: Cluster;
  let redis: RedisServer;
  let daemon: DaemonProcess;
  const ports = { resp: 0, redis: 0, daemon: 0, admin: 0 };
  const random = new SeededRandom(seed, 20);
  const at = (name: string) => join(cluster.folder, name);
  const startServer = () =>
    startRedis({ port: ports.redis, args: ["--dir", cluster.folder, "--dbfilename", "dump.rdb"] });
  const start = () =>
    startDaemon([
      ...[
        "-s",
        app.file,
        "--root-key",
        at("root-public.pem"),
        "--data",
        at("data"),
        "-p",
        String(ports.daemon),
      ],
      ...["-d", `redis:127.0.0.1:${ports.redis}`, "--mirror-keys", "1000", "--fsync", "interval=100"],
      ...["--resp", String(ports.resp), "--admin", String(ports.admin)],
    ]);
  const repair = (...words: string[]) =>
    cluster.run(["repair", "-s", `127.0.0.1:${ports.daemon}`, "-k", at("root.pem"), ...words]);

  before(async () => {
    cluster = await startCluster(1);
    for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort();
    redis = await startServer();
    daemon = await start();
  });
  after(async () => {
    await daemon.stop();
    await redis.stop();
    await cluster[Symbol.asyncDispose]();
  });

  async function stateAt(port: number): Promise<State> {
    using connection = await RedisConnection.open(port);
    const state = new Map(await stateOfRedis(connection, DBS));
    state.delete(JSON.stringify([0, "dbsync:mirror:mark"]));
    return state;
  }

  /** Waits until the daemon and the mirror are equal. Reports the differences after the timeout. */
  async function untilSame(): Promise<void> {
    let last: readonly string[] = [];
    const isSame = async () => {
      last = stateDifferences(await stateAt(ports.resp), await stateAt(ports.redis), 0);
      return last.length === 0;
    };
    await until("the daemon and the mirror are equal", isSame).catch((problem: Error) => {
      throw new Error(`${problem.message}: ${last.slice(0, 5).join("; ")}`);
    });
  }

  /** Writes values of all types, a few per envelope, and waits for the answers. */
  async function write(count = ENVELOPES): Promise<void> {
    using client = await EnvelopeClient.open(ports.daemon, app);
    for (let i = 0; i < count; i++) await client.replies(Array.from({ length: 10 }, randomWrite));
  }

  function randomWrite(): readonly string[] {
    const [key, number] = [String(random.below(60)), String(random.below(9))];
    return random.oneOf<readonly string[]>([
      ["INCR", `n${key}`],
      ["RPUSH", `l${key}`, number],
      ["LPOP", `l${key}`],
      ["HINCRBY", `h${key}`, number, "1"],
      ["ZADD", `z${key}`, number, String(random.below(5))],
      ["DEL", `n${key}`],
      ["XADD", `x${key}`, "*", "field", number],
      ["SET", `n${key}`, "1", "EX", "1000"],
    ]);
  }

  test("writes the same state to Redis, even if commands arrive late", async () => {
    await write();
    using client = await EnvelopeClient.open(ports.daemon, app);

    const late = { at: Date.now() - 5000 };
    for (const key of ["1", "2", "3"])
      await client.replies(
        [
          ["RPUSH", `l${key}`, "late"],
          ["APPEND", `n${key}`, "7"],
        ],
        late,
      );
    await client.replies([["SET", "elsewhere", "1"]], { db: 1 });

    await untilSame();
    const text = await (await fetch(`http://127.0.0.1:${ports.admin}/metrics`)).text();
    assert.match(text, /^dbsyncd_mirror_connected 1$/m);
    assert.match(text, /^dbsyncd_mirror_written_keys_total [1-9]/m);
    assert.match(text, /^dbsyncd_mirror_foreign_keys_total 0$/m);
  });

  test(`and its mirror become equal after either is killed during writes (seed ${seed})`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const writing = write().catch(() => {});
      await write(random.below(ENVELOPES));
      daemon.kill("SIGKILL");
      await daemon.ended();
      await writing;
      daemon = await start();
      await write();
      await untilSame();
      // Without a dump, Redis starts empty.
      await redis.stop();
      await write(4 * ENVELOPES);
      redis = await startServer();
      await untilSame();
    }
  });

  test("updates a mirror that was restored from an old dump, and logs this", async () => {
    await untilSame();
    using connection = await RedisConnection.open(ports.redis);
    await connection.call("SAVE");
    copyFileSync(at("dump.rdb"), at("old.rdb"));
    await write();
    await untilSame();
    await redis.stop();
    copyFileSync(at("old.rdb"), at("dump.rdb"));
    redis = await startServer();
    await daemon.logged(
      ({ reason }) => reason === "its mark is older than the last one: Redis was restored from a dump",
    );
    await untilSame();
    rmSync(at("dump.rdb"));
  });

  test("and its mirror are compared and repaired by dbsync repair, which fails if a repair is impossible", async () => {
    const { code, stdout, stderr } = await repair();
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^127\.0\.0\.1:\d+: redis:127\.0\.0\.1:\d+: [\d,]+ keys compared, none differed\n$/);
    await redis.stop();
    const failed = await repair("--timeout", "5000");
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /redis:127\.0\.0\.1:\d+ cannot be written: |No daemon answered/);
    redis = await startServer();
    const mended = await repair("--json");
    assert.equal(mended.code, 0, mended.stderr);
    assert.equal(JSON.parse(mended.stdout).trouble, null);
    await untilSame();
  });
});
