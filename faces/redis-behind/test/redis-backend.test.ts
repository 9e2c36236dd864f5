/**
 * Tests the Redis backend with a real redis-server: bytes, numbers, commands that need their own connection, and
 * faults.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pino } from "pino";
import type { Outcome } from "../../../daemon/engine/backends/backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { parseSpecifications, type RedisSpecification } from "../../../daemon/options/database-list.js";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { type RedisServer, startRedis } from "../../../test/support/redis-server.js";
import { until } from "../../../test/support/until.js";
import { RedisBackend } from "../redis-backend.js";

const ALL_BYTES = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join("");

class Subject implements AsyncDisposable {
  readonly backend: RedisBackend;

  private constructor(text: string, timeout: number) {
    this.backend = new RedisBackend({
      specification: parseSpecifications(text)[0] as RedisSpecification,
      timeout,
      environment: realEnvironment,
      log: pino({ level: "silent" }),
    });
  }

  static async start(text: string, timeout = 5000): Promise<Subject> {
    const subject = new Subject(text, timeout);
    await subject.backend.start();
    return subject;
  }

  async run(...argv: string[]): Promise<Outcome> {
    return await this.backend.execute(argv);
  }

  /** Repeats a command until it succeeds. @returns the successful outcome */
  async eventually(...argv: string[]): Promise<Outcome> {
    let outcome = await this.run(...argv);
    await until(`${argv.join(" ")} succeeds`, async () => {
      if (outcome.kind === "failed") outcome = await this.run(...argv);
      return outcome.kind !== "failed";
    });
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.backend.stop();
  }
}

const bulk = (bytes: string): Outcome => ({ kind: "bulk", bytes });
const OK = bulk("OK");
const at = (redis: RedisServer) => `redis:127.0.0.1:${redis.port}`;
const codeOf = (outcome: Outcome) => (outcome.kind === "failed" ? outcome.code : outcome.kind);

describe("the redis backend", () => {
  test("all bytes are preserved in keys, values and replies", async () => {
    await using redis = await startRedis();
    await using subject = await Subject.start(at(redis));
    assert.deepEqual(await subject.run("SET", ALL_BYTES, ALL_BYTES), OK);
    assert.deepEqual(await subject.run("GET", ALL_BYTES), bulk(ALL_BYTES));
    assert.deepEqual(await subject.run("STRLEN", ALL_BYTES), { kind: "integer", value: 256 });
    assert.deepEqual(await subject.run("HSET", "h", "\xff", ""), { kind: "integer", value: 1 });
    assert.deepEqual(await subject.run("hgetall", "h"), { kind: "array", items: [bulk("\xff"), bulk("")] });
    assert.deepEqual(await subject.run("MSET", "\xe9", "1", "b", "2"), OK);
    assert.deepEqual(await subject.run("GET", "\xe9"), bulk("1"));
  });

  test("64-bit integers are returned exactly", async () => {
    await using redis = await startRedis();
    await using subject = await Subject.start(at(redis));
    await subject.run("SET", "n", "9223372036854775806");
    assert.deepEqual(await subject.run("INCR", "n"), { kind: "integer", value: 9223372036854775807n });
    assert.deepEqual(await subject.run("DECR", "m"), { kind: "integer", value: -1 });
  });

  test("errors, nils, doubles and nested arrays have the form of RESP2", async () => {
    await using redis = await startRedis();
    await using subject = await Subject.start(at(redis));

    await subject.run("ZADD", "z", "1.5", "a");
    assert.deepEqual(await subject.run("ZRANGE", "z", "0", "-1", "WITHSCORES"), {
      kind: "array",
      items: [bulk("a"), bulk("1.5")],
    });
    assert.deepEqual(await subject.run("GET", "none"), { kind: "nil" });
    assert.deepEqual(await subject.run("GET", "z"), {
      kind: "error",
      text: "WRONGTYPE Operation against a key holding the wrong kind of value",
    });
    assert.equal((await subject.run("n\xf6pe")).kind, "error");
    assert.deepEqual(await subject.run("EVAL", "return {1,{2,false},{err='no'}}", "0"), {
      kind: "array",
      items: [
        { kind: "integer", value: 1 },
        { kind: "array", items: [{ kind: "integer", value: 2 }, { kind: "nil" }] },
        { kind: "error", text: "no" },
      ],
    });
  });

  test("commands that change or block a connection run on their own connection", async () => {
    await using redis = await startRedis();
    await using subject = await Subject.start(at(redis));
    await subject.run("SET", "k", "0");

    for (const argv of [["SELECT", "1"], ["MULTI"], ["WATCH", "k"], ["CLIENT", "SETNAME", "x"]]) {
      assert.deepEqual(await subject.run(...argv), OK, argv.join(" "));
      assert.deepEqual(await subject.run("GET", "k"), bulk("0"), argv.join(" "));
    }
    assert.deepEqual(await subject.run("CLIENT", "GETNAME"), { kind: "nil" });
    assert.equal((await subject.run("EXEC")).kind, "error");

    const waiting = subject.run("BLPOP", "queue", "0");
    assert.deepEqual(await subject.run("GET", "k"), bulk("0"));
    await until("the command waits", async () =>
      /blocked_clients:1/.test(JSON.stringify(await subject.run("INFO", "clients"))),
    );
    await subject.run("RPUSH", "queue", "v");
    assert.deepEqual(await waiting, { kind: "array", items: [bulk("queue"), bulk("v")] });
  });

  test("commands for which version 1 has no answer are refused with the reason", async () => {
    await using redis = await startRedis();
    await using subject = await Subject.start(at(redis));
    const refusals = [
      ["subscribe", "c"],
      ["PSUBSCRIBE", "c"],
      ["MONITOR"],
      ["SYNC"],
      ["PSYNC", "?", "-1"],
      ["QUIT"],
      ["RESET"],
    ];
    for (const argv of [...refusals, ["CLIENT", "REPLY", "OFF"]]) {
      const outcome = await subject.run(...argv);
      assert.equal(codeOf(outcome), "not-carried", argv.join(" "));
    }
    assert.equal((await subject.run("PING")).kind, "bulk");
  });

  test("the user name, the password and the database number of a URL are used", async () => {
    await using redis = await startRedis({ args: ["--requirepass", "p@ss,word"] });
    await using subject = await Subject.start(`redis://default:p%40ss%2Cword@127.0.0.1:${redis.port}/3`);
    assert.deepEqual(await subject.run("SET", "k", "v"), OK);
    assert.match(JSON.stringify(await subject.run("CLIENT", "LIST")), /db=3/);
    assert.match(JSON.stringify(await subject.run("INFO", "keyspace")), /db3:keys=1/);
    await using wrong = await Subject.start(`redis://default:wrong@127.0.0.1:${redis.port}`);
    const outcome = await wrong.run("GET", "k");
    assert.equal(codeOf(outcome), "database-down");
    assert.match(JSON.stringify(outcome), /WRONGPASS/);
    assert.doesNotMatch(JSON.stringify(outcome), /p@ss|wrong@/);
  });

  test("a failure is reported immediately with its reason while the database is down, and commands succeed when it is up again", async () => {
    const redis = await startRedis();
    await using subject = await Subject.start(at(redis));
    assert.deepEqual(await subject.run("SET", "k", "v"), OK);
    redis.kill("SIGSTOP");
    const pending = subject.run("GET", "k");
    redis.kill("SIGKILL");
    const lost = await pending;
    assert.ok(lost.kind === "failed" && lost.code === "database-lost" && lost.effect === "unknown");
    assert.match(lost.detail, /^redis:127\.0\.0\.1:\d+: (read ECONNRESET|the connection was lost)$/);
    await redis.stop();
    const outcome = await subject.run("GET", "k");
    assert.match(String(codeOf(outcome)), /database-(lost|down)/);
    await using again = await startRedis({ port: redis.port });
    assert.equal(again.port, redis.port);
    assert.deepEqual(await subject.eventually("PING"), bulk("PONG"));
  });

  test("a command is never sent twice", async () => {
    const redis = await startRedis();
    await using subject = await Subject.start(at(redis), 2000);
    assert.deepEqual(await subject.run("INCR", "n"), { kind: "integer", value: 1 });
    redis.kill("SIGSTOP");
    const outcomes = await Promise.all([subject.run("INCR", "n"), subject.run("INCR", "n")]);
    for (const outcome of outcomes) assert.match(String(codeOf(outcome)), /database-(timeout|lost)/);
    assert.match(String(codeOf(await subject.run("INCR", "n"))), /database-(timeout|down)/);
    redis.kill("SIGCONT");
    const value = await subject.eventually("GET", "n");
    // Writes that were sent before the hang may have been executed, but none of them twice.
    assert.ok(
      value.kind === "bulk" && Number(value.bytes) >= 1 && Number(value.bytes) <= 3,
      JSON.stringify(value),
    );
    await redis.stop();
  });
});

test("a hung Redis closes its callers' connections in time and does not block other clients", async () => {
  await using redis = await startRedis();
  await using daemon = await startDaemon(["-d", at(redis), "--backend-timeout", "3s"]);
  using client = await RawClient.open(daemon.port);
  assert.equal(await client.ask("SET k v"), "OK");
  redis.kill("SIGSTOP");
  const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(daemon.port)));
  for (const each of clients) each.command("GET k");
  // This command is refused without Redis, while the other commands wait for Redis.
  client.command("SUBSCRIBE c");
  assert.equal(await client.rest(), "");
  assert.ok(clients.every(({ ended }) => !ended));
  const startedAt = performance.now();
  for (const each of clients) assert.equal(await each.rest(), "");
  assert.ok(performance.now() - startedAt < 30_000, "the callers wait at the same time");

  redis.kill("SIGCONT");
  await until("the daemon answers again", async () => {
    using late = await RawClient.open(daemon.port);
    return (await late.ask("GET k")) === "v";
  });
  await until("the timeout is logged", () => daemon.log.some(({ reason }) => reason === "database-timeout"));
});

test("a daemon starts while its Redis is down, reports the failure, and serves once Redis is up", async () => {
  const redis = await startRedis();
  await redis.stop();
  await using daemon = await startDaemon(["-d", at(redis)]);
  const line = await daemon.logged(({ msg }) => msg.startsWith("database not connected"));
  assert.match(String(line["reason"]), /ECONNREFUSED/);
  using client = await RawClient.open(daemon.port);
  client.command("PING");
  assert.equal(await client.rest(), "");
  await using again = await startRedis({ port: redis.port });
  assert.equal(again.port, redis.port);
  await daemon.logged(({ msg }) => msg === "database connected");
  using late = await RawClient.open(daemon.port);
  assert.equal(await late.ask("PING"), "PONG");
});
