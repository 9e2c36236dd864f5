/** Tests a real Redis that mirrors the fold: it reaches the same state after every fault. */
import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../../daemon/store/command-table.js";
import { randomCall } from "../../../test/conformance/call.js";
import { comparedGrammars } from "../../../test/conformance/families.js";
import { Generator } from "../../../test/conformance/grammar.js";
import { amount } from "../../../test/support/amount.js";
import { listenAtFreePort } from "../../../test/support/free-port.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { type RedisServer, startRedis } from "../../../test/support/redis-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { SeededRandom, seedOfRun } from "../../../test/support/seeded-random.js";
import { until } from "../../../test/support/until.js";
import { MARK_KEY } from "../mirror-mark.js";
import { differences, MirroredFold, OTHER, startMirror, untilLevel } from "./mirrored.js";

const skip = skipWithout("redis-server");
const seed = seedOfRun();
const CALLS = amount(600, 2500);
const LATE = 0.1;
const LATE_MAX = 30;
const FLUSHES = new Set(["FLUSHALL", "FLUSHDB", "SWAPDB"]);

const writing = comparedGrammars.filter(({ name }) => {
  const command = commandTable.resolve([...name.split("|"), ..."x".repeat(9)]);
  return command instanceof CommandFailure || command.writes;
});

/** A port in front of Redis that can stop forwarding subscribed connections while both ends stay open. */
class HalfOpen {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #subscribed = new Set<readonly [Socket, Socket]>();

  private constructor(target: number) {
    this.#server = createServer((socket) => {
      const pair = [socket, connect(target, "127.0.0.1")] as const;
      this.#pairs.add(pair);
      for (const [from, to] of [pair, pair.toReversed()] as [Socket, Socket][]) {
        from.on("data", (chunk: Buffer) => {
          if (/subscribe/i.test(chunk.toString("latin1"))) this.#subscribed.add(pair);
          to.write(chunk);
        });
        from.on("error", () => {});
        from.on("close", () => to.destroy());
      }
    });
  }

  static async open(target: number): Promise<HalfOpen> {
    const port = new HalfOpen(target);
    await listenAtFreePort(port.#server);
    return port;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stall(): void {
    for (const pair of this.#subscribed) for (const socket of pair) socket.pause();
  }

  close(): void {
    this.#server.close();
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }
}

describe("a mirror", { skip }, () => {
  let server: RedisServer;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());
  beforeEach(async () => {
    using redis = await RedisConnection.open(server.port);
    await redis.call("FLUSHALL");
  });

  test(`the mirror has the fold's keys of every type, even if units are late (seed ${seed})`, async () => {
    const fold = new MirroredFold();
    await using running = await startMirror(fold, server.port);
    const random = new SeededRandom(seed, 19);
    const g = new Generator({ random, now: Date.now() });
    for (let call = 0; call < CALLS; call++) {
      const grammar = random.oneOf(writing);
      const isRare = FLUSHES.has(grammar.name) && random.chance(0.9);
      if (isRare) continue;
      const argv = randomCall(g, grammar);
      const db = random.below(2);
      if (random.chance(LATE)) fold.applyLate(argv, random.below(LATE_MAX), db);
      else fold.apply(argv, db);
      if (random.chance(0.05)) await new Promise((resolve) => setImmediate(resolve));
      if (call % 500 === 499) {
        await untilLevel(running);
        assert.deepEqual(await differences(fold, server.port), []);
      }
    }
    assert.equal(running.figures.foreign, 0);
  });

  test("other clients' writes to the mirror are reverted and logged", async () => {
    const fold = new MirroredFold();
    await using running = await startMirror(fold, server.port);
    fold.apply(["SET", "k", "ours"]);
    fold.apply(["HSET", "h", "a", "1", "b", "2"], 3);
    await untilLevel(running);
    using stranger = await RedisConnection.open(server.port);
    stranger.queue(["SET", "k", "theirs"]);
    stranger.queue(["SET", "new", "theirs"]);
    stranger.queue(["SELECT", "3"]);
    stranger.queue(["HDEL", "h", "a"]);
    await stranger.flush();
    await until("all three writes are found", () => running.figures.foreign === 3);
    await untilLevel(running);
    assert.deepEqual(await differences(fold, server.port), []);
    assert.ok(running.log.some(({ msg }) => msg.startsWith("other clients have written to the mirror")));
  });

  test("a key that expires in the mirror does not count as another client's write", async () => {
    const fold = new MirroredFold();
    await using running = await startMirror(fold, server.port);
    fold.apply(["SET", "short", "v", "PXAT", String(Date.now() + 300)]);
    fold.apply(["SET", "gone", "v", "PXAT", String(Date.now() - 1)]);
    fold.apply(["SET", "long", "v", "EX", "1000"]);
    await untilLevel(running);
    using redis = await RedisConnection.open(server.port);
    await until("the expired key is removed", async () => {
      const reply = await redis.call("EXISTS", "short");
      return reply.kind === "integer" && reply.value === 0;
    });
    // Once this write is found, Redis's event about the expired key has been processed.
    await redis.call("SET", "long", "theirs");
    await until("the other client's write is found", () => running.figures.foreign > 0);
    assert.equal(running.figures.foreign, 1);
  });

  test("the mirror is filled again after other clients have emptied it or removed the mark", async () => {
    const fold = new MirroredFold();
    await using running = await startMirror(fold, server.port);
    for (let i = 0; i < 1200; i++) fold.apply(["SET", `k${i}`, String(i)]);
    await untilLevel(running);
    using stranger = await RedisConnection.open(server.port);
    for (const command of [["FLUSHALL"], ["SELECT", "0"], ["DEL", MARK_KEY]]) {
      await stranger.call(...command);
      await until(`the effect of ${command.join(" ")} is repaired`, async () => {
        const mark = await stranger.call("EXISTS", MARK_KEY);
        const isMarked = mark.kind === "integer" && mark.value === 1;
        return (
          isMarked && running.figures.state === "level" && (await differences(fold, server.port)).length === 0
        );
      });
    }
    assert.ok(running.log.some(({ msg }) => msg === "the mirror differs from what was written to it"));
  });

  test("a Redis with another daemon's mark is not touched until an administrator takes it over", async () => {
    const other = new MirroredFold();
    const fold = new MirroredFold();
    fold.apply(["SET", "k", "ours"]);
    other.apply(["SET", "k", "theirs"]);
    await using first = await startMirror(other, server.port, { daemon: OTHER });
    await untilLevel(first);

    await using second = await startMirror(fold, server.port);
    await until("the second mirror is refused", () => second.figures.state === "refused");
    assert.match(second.figures.trouble ?? "", /^it is the mirror of daemon bbbbbbbbbbbb….* --take-over/);
    assert.deepEqual(await differences(other, server.port), []);

    second.mirror.repair(true);
    await untilLevel(second);
    assert.deepEqual(await differences(fold, server.port), []);

    await until("the first daemon stops writing", () => {
      other.apply(["SET", "more", "theirs"]);
      return first.figures.state === "refused";
    });
    assert.deepEqual(await differences(fold, server.port), []);
  });

  test("a Redis that has keys but no mark is not touched either", async () => {
    using redis = await RedisConnection.open(server.port);
    await redis.call("SET", "precious", "1");
    const fold = new MirroredFold();
    await using running = await startMirror(fold, server.port);
    await until("the Redis is refused", () => running.figures.state === "refused");
    assert.match(running.figures.trouble ?? "", /^it has keys but no mark/);
    await redis.call("FLUSHALL");
    await untilLevel(running);
  });

  test("a mirror continues without a comparison if nothing changed while it was stopped", async () => {
    const fold = new MirroredFold();
    fold.apply(["SET", "k", "v"]);
    const { mirror, ...first } = await startMirror(fold, server.port);
    await until("the mirror is level", () => mirror.figures.state === "level");

    fold.apply(["SET", "last", "before the stop"]);
    await first[Symbol.asyncDispose]();
    assert.deepEqual(await differences(fold, server.port), []);
    {
      await using second = await startMirror(fold, server.port);
      await untilLevel(second);
      assert.deepEqual([second.figures.comparing, second.figures.compared], [null, null]);
    }

    fold.apply(["SET", "k", "while no mirror ran"]);
    await using third = await startMirror(fold, server.port);
    await untilLevel(third);
    assert.equal(third.figures.compared?.reason, "the timeline is not the same as before");

    const { named, different, checked, total } = third.figures.compared;
    assert.deepEqual([named, different], [["0:k"], 1]);
    // Redis has the mark too.
    assert.deepEqual([checked, total], [5, 5]);
    assert.deepEqual(await differences(fold, server.port), []);
  });

  test("while Redis is full the fold continues, deletions free memory, and the mirror catches up when there is space", async () => {
    const fold = new MirroredFold();
    await using running = await startMirror(fold, server.port);
    fold.apply(["SET", "big", "x".repeat(1_000_000)]);
    await untilLevel(running);

    using redis = await RedisConnection.open(server.port);
    await redis.call("CONFIG", "SET", "maxmemory", "1");
    fold.apply(["SET", "more", "y".repeat(1000)]);
    fold.apply(["DEL", "big"]);
    await until("the full memory is reported", () => running.figures.trouble?.startsWith("OOM") === true);
    await until("the deleted keys are deleted in Redis", async () => {
      const reply = await redis.call("EXISTS", "big");
      return reply.kind === "integer" && reply.value === 0;
    });
    assert.equal(running.figures.state, "behind");

    await redis.call("CONFIG", "SET", "maxmemory", "0");
    await untilLevel(running);
    assert.equal(running.figures.trouble, null);
    assert.deepEqual(await differences(fold, server.port), []);
  });

  test("a Redis that refuses writes is reported continuously, and receives everything once it accepts them", async () => {
    const fold = new MirroredFold();
    await using running = await startMirror(fold, server.port);
    await untilLevel(running);

    using redis = await RedisConnection.open(server.port);
    await redis.call("CONFIG", "SET", "min-replicas-to-write", "1");
    fold.apply(["SET", "a", "1"]);
    await until("the refusal is reported", () => running.figures.trouble?.startsWith("NOREPLICAS") === true);
    assert.equal(running.figures.state, "refused");

    const lines = () => running.log.filter(({ msg }) => msg === "mirror connected").length;
    const before = lines();
    const connections = async () => {
      const info = await redis.call("INFO", "stats");
      return info.kind === "bulk" ? Number(/total_connections_received:(\d+)/.exec(info.bytes)?.[1]) : 0;
    };

    const since = await connections();
    running.mirror.repair(false);
    await until("the mirror has tried again", async () => (await connections()) >= since + 4);
    assert.deepEqual([running.figures.trouble?.slice(0, 10), lines()], ["NOREPLICAS", before]);

    await redis.call("CONFIG", "SET", "min-replicas-to-write", "0");
    await untilLevel(running);
    assert.equal(running.figures.trouble, null);
    assert.deepEqual(await differences(fold, server.port), []);
  });

  test("documents are left out, and a comparison finds changed keys beyond the limit", async () => {
    const fold = new MirroredFold();
    await using running = await startMirror(fold, server.port, { keys: 1000 });
    await untilLevel(running);
    fold.apply(["DOC.SET", "d", "1", "{}"]);
    for (let i = 0; i < 3000; i++) fold.apply(["RPUSH", `l${i}`, "a", "b"]);
    await untilLevel(running);
    fold.apply(["DEL", "d"]);
    await untilLevel(running);
    assert.deepEqual(await differences(fold, server.port), []);
    assert.match(running.figures.compared?.reason ?? "", /^more keys changed than --mirror-keys/);
  });

  test("a connection that stays open but receives nothing is closed, and a comparison finds what it missed", async (t) => {
    const fold = new MirroredFold();
    fold.apply(["SET", "k", "ours"]);
    const between = await HalfOpen.open(server.port);
    t.after(() => between.close());
    await using running = await startMirror(fold, between.port, { pingInterval: 50, timeout: () => 1000 });
    await untilLevel(running);
    between.stall();
    using redis = await RedisConnection.open(server.port);
    await redis.call("SET", "k", "theirs");
    await until("the change is reverted", async () => (await differences(fold, server.port)).length === 0);
    await until("the comparison is done", () => running.figures.compared?.reason === "it was disconnected");
  });

  test("a comparison finds changes that no event reported", async () => {
    const fold = new MirroredFold();
    fold.apply(["ZADD", "z", "1", "a", "2", "b"]);
    fold.apply(["SADD", "s", "1", "2"]);
    {
      await using running = await startMirror(fold, server.port);
      await untilLevel(running);
    }
    using redis = await RedisConnection.open(server.port);
    await redis.call("ZADD", "z", "3", "a");
    await redis.call("EXPIRE", "s", "1000");
    await using running = await startMirror(fold, server.port, { compareEvery: 100 });
    await until("both changes are found", () => running.figures.different === 2);
    await until("both are corrected", async () => (await differences(fold, server.port)).length === 0);
    const number = running.mirror.repair(false);
    await until("the comparison is done", () => (running.figures.compared?.number ?? 0) >= number);
  });
});
