/**
 * Replays all vectors recorded from php-dbsync's daemon, with both backends: the daemon must return the same bytes, and
 * close the connection or leave it open like php-dbsync, except for the differences in differences.ts.
 */
import "../../support/installed-families.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pino } from "pino";
import type { Backend } from "../../../daemon/engine/backends/backend.js";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { parseSpecifications, type RedisSpecification } from "../../../daemon/options/database-list.js";
import { RedisBackend } from "../../../faces/redis-behind/redis-backend.js";
import { runDaemon } from "../../support/daemon-process.js";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { type RedisServer, startRedis } from "../../support/redis-server.js";
import { repositoryRoot } from "../../support/repository.js";
import { nextTurn, until } from "../../support/until.js";
import { differenceOf, differences, type OwnOutcome } from "./differences.js";
import { type InProcessDaemon, type InProcessOptions, startInProcess } from "./in-process.js";

interface Vector {
  readonly name: string;
  readonly signed: boolean;
  readonly request_hex: string;
  readonly response_hex: string | null;
  readonly closed: boolean;
  readonly segments?: readonly number[];
}

const folder = join(repositoryRoot, "test", "vectors", "php-dbsync");
const vectors = JSON.parse(readFileSync(join(folder, "vectors.json"), "utf8")) as Vector[];
const key = (bits: number) => join(folder, `test-rsa${bits}-public.pem`);

/** The time limit in milliseconds. It is needed because one vector has a command that blocks forever. */
const BACKEND_TIMEOUT = 3000;

/** The commands that create the state in a vector's note. */
const SEEDS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "signed2048-ping": [
    ["SET", "n", "1"],
    ["RPUSH", "l", "a", "b", "c"],
  ],
  "hazard-nested-array": [["SET", "here", "1"]],
  "hazard-mget-with-missing": [["SET", "here", "1"]],
  "hazard-lrange-empty-element": [["RPUSH", "le", "a", "", "c"]],
  "hazard-get-binary": [["SET", "bin", "ab\0cd"]],
  "reply-20000-bytes": [["SET", "kb20", "y".repeat(20_000)]],
};

/** Vectors that continue with the state of the preceding vector. */
const CONTINUES = /^(unsigned-(?!ping|to-)|signed2048-(?!ping)|signed4096-(?!ping)|two-databases-incr)/;

/** The remainder of a frame that a vector leaves unfinished, to check that the daemon still waits for it. */
const COMPLETIONS: Readonly<Record<string, string>> = {
  "truncated-header": "5:PING\0",
  "truncated-frame": "NG\0",
  "length-too-long": "\0".repeat(95),
};

const PONG = "ds:13:redis:5:PONG\0";
const TWO_PONGS = "ds:26:redis:5:PONG\0redis:5:PONG\0";

/** Returns a further request that the daemon of this vector answers, and its answer. */
function probeOf(vector: Vector): { request: string; answer: string } {
  const answer = vector.name.startsWith("two-databases") ? TWO_PONGS : PONG;
  const completion = COMPLETIONS[vector.name];
  if (completion !== undefined) return { request: completion, answer };
  const bits = keysOf(vector)[0] === key(4096) ? 4096 : 2048;
  const name = keysOf(vector).length === 0 ? "unsigned-ping" : `signed${bits}-ping`;
  const ping = vectors.find((other) => other.name === name) as Vector;
  return { request: Buffer.from(ping.request_hex, "hex").toString("latin1"), answer };
}

function keysOf({ name, signed }: Vector): string[] {
  if (name === "signed-to-plain-daemon") return [];
  if (name.startsWith("signed4096")) return [key(4096)];
  return signed || name === "unsigned-to-signed-daemon" ? [key(2048)] : [];
}

/** Sends the bytes in the recorded pieces. Each piece waits for the answer to the preceding one, if there is one. */
async function replay(vector: Vector, client: RawClient): Promise<void> {
  const request = Buffer.from(vector.request_hex, "hex").toString("latin1");
  let at = 0;
  for (const size of vector.segments ?? [request.length]) {
    client.send(request.slice(at, at + size));
    at += size;
    if (vector.name === "raw-ping-twice") await received(client, PONG.length);
    // The test writes the second piece after the first was sent, so that they arrive in two segments.
    else if (at < request.length) await nextTurn();
  }
  if (vector.name.endsWith("-then-halfclose")) client.socket.end();
}

async function received(client: RawClient, bytes: number): Promise<void> {
  await until(`${bytes} bytes are received`, () => client.received.length >= bytes || client.hasEnded, {
    pause: nextTurn,
  });
}

/** Sends a vector. @returns the outcome in the form of the expected one */
async function outcomeOf(vector: Vector, client: RawClient, expected: OwnOutcome): Promise<OwnOutcome> {
  await replay(vector, client);
  if (expected.closed) {
    const bytes = await client.readToClose();
    return { response: bytes === "" ? null : bytes, closed: true };
  }
  // The answer to a further request shows that no other bytes arrive and that the connection is open.
  const probe = probeOf(vector);
  await received(client, expected.response?.length ?? 0);
  client.send(probe.request);
  const bytes = await client.read((expected.response?.length ?? 0) + probe.answer.length);
  assert.ok(bytes.endsWith(probe.answer), `the connection is no longer open: ${JSON.stringify(bytes)}`);
  const response = bytes.slice(0, -probe.answer.length);
  return { response: response === "" ? null : response, closed: false };
}

let servers: RedisServer[] = [];

before(async () => {
  servers = await Promise.all([startRedis(), startRedis()]);
});

after(async () => {
  for (const server of servers) await server.stop();
});

function redisBackend(port: number): Backend {
  const [specification] = parseSpecifications(`redis:127.0.0.1:${port}`);
  return new RedisBackend({
    specification: specification as RedisSpecification,
    timeout: BACKEND_TIMEOUT,
    environment: realEnvironment,
    log: pino({ level: "silent" }),
  });
}

/** Returns a backend whose server refuses connections. */
async function deadBackend(): Promise<Backend> {
  return redisBackend(await freePort());
}

async function backendsOf({ name }: Vector, role: "memory" | "redis"): Promise<Backend[]> {
  if (role === "memory") return [new MemoryBackend(realEnvironment)];
  const [first, second] = servers as [RedisServer, RedisServer];
  if (name === "only-database-down") return [await deadBackend()];
  if (name === "second-database-down") return [redisBackend(first.port), await deadBackend()];
  if (name.startsWith("two-databases")) return [redisBackend(first.port), redisBackend(second.port)];
  return [redisBackend(first.port)];
}

async function run(backend: Backend, argv: readonly string[]): Promise<void> {
  const outcome = await backend.execute(argv, { at: realEnvironment.clock(), db: 0, id: `seed ${argv}` });
  assert.ok(outcome.kind !== "failed" && outcome.kind !== "error", JSON.stringify(outcome));
}

/** Vectors that need several databases or are only about Redis. */
const REDIS_ONLY = /^(two-databases|second-database-down|only-database-down)/;

function expectedOf(vector: Vector, role: "memory" | "redis"): OwnOutcome {
  const own = differenceOf(vector.name, role);
  if (own !== null) return own;
  const original =
    vector.response_hex === null ? null : Buffer.from(vector.response_hex, "hex").toString("latin1");
  const port = String(servers[0]?.port);
  // This is the only answer that contains a property of the server itself.
  const value =
    vector.name === "hazard-array-with-newline" ? `redis:${port.length + 6}:port\n${port}\0` : null;
  return { response: value === null ? original : `ds:${value.length}:${value}`, closed: vector.closed };
}

for (const role of ["memory", "redis"] as const) {
  describe(`php-dbsync's vectors with the ${role} backend`, () => {
    let daemon: InProcessDaemon | null = null;
    let backends: Backend[] = [];

    async function restart(vector: Vector): Promise<InProcessDaemon> {
      await daemon?.[Symbol.asyncDispose]();
      backends = await backendsOf(vector, role);
      const closeAfterAnswer = vector.name === "no-keepalive-daemon";
      const limits = { backendTimeout: BACKEND_TIMEOUT };
      const options: InProcessOptions = { backends, keys: keysOf(vector), closeAfterAnswer, limits };
      daemon = await startInProcess(options);
      if (role === "redis" && !vector.name.endsWith("-down"))
        for (const backend of backends) await run(backend, ["FLUSHALL"]);
      for (const argv of SEEDS[vector.name] ?? []) await run(backends[0] as Backend, argv);
      return daemon;
    }

    after(async () => await daemon?.[Symbol.asyncDispose]());

    for (const vector of vectors) {
      const { name } = vector;
      if (name === "unknown-database-type" || (role === "memory" && REDIS_ONLY.test(name))) continue;
      if (role === "redis" && name === "no-database-configured") continue;
      const as = differenceOf(name, role) === null ? "by php-dbsync" : "listed in the table of differences";
      test(`${name} is answered as ${as}`, {
        timeout: 120_000,
      }, async () => {
        const running = daemon !== null && CONTINUES.test(name) ? daemon : await restart(vector);
        if (name === "two-databases-incr-differs-2") await run(backends[0] as Backend, ["SET", "n2", "41"]);
        using client = await RawClient.open(running.port);
        const expected = expectedOf(vector, role);
        const outcome = await outcomeOf(vector, client, expected);
        assert.deepEqual(outcome, { response: expected.response, closed: expected.closed });
        if (expected.afterwards !== undefined) {
          using other = await RawClient.open(running.port);
          assert.equal(await other.request(expected.afterwards[0]), expected.afterwards[1]);
        }
      });
    }
  });
}

test("a daemon refuses to start with an unknown type of database, and names the known types", async () => {
  const { code, stderr } = await runDaemon(["-d", "nosuchtype:127.0.0.1:1"]);
  assert.equal(code, 2);
  assert.match(stderr, /unknown database type "nosuchtype"\. Expected memory, redis:host:port/);
});

test("the first of two databases keeps the write when the second is down", async () => {
  const [first] = servers as [RedisServer, RedisServer];
  const backend = redisBackend(first.port);
  await using daemon = await startInProcess({ backends: [backend, await deadBackend()] });
  using client = await RawClient.open(daemon.port);
  client.sendCommand("SET pd 1");
  assert.equal(await client.readToClose(), "");
  const outcome = await backend.execute(["GET", "pd"], { at: 0, db: 0, id: "check" });
  assert.deepEqual(outcome, { kind: "bulk", bytes: "1" });
});

test("the table of differences contains only recorded vectors that differ", () => {
  const byName = new Map(vectors.map((vector) => [vector.name, vector]));
  for (const [name, outcome] of differences.flatMap(({ vectors: own }) => Object.entries(own))) {
    const vector = byName.get(name);
    assert.ok(vector !== undefined, name);
    const response =
      vector.response_hex === null ? null : Buffer.from(vector.response_hex, "hex").toString("latin1");
    const outcomes: readonly OwnOutcome[] = "closed" in outcome ? [outcome] : outcome;
    for (const own of outcomes) {
      const same = own.response === response && own.closed === vector.closed && own.afterwards === undefined;
      // In the recording the connection ended because the daemon ended.
      const died = /hazard-(subscribe|integer)/.test(name);
      assert.ok(!same || died, `${name} does not differ`);
    }
  }
});
