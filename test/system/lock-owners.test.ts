/**
 * Tests which clients share a lock (`SET lock me NX`) safely at daemons with a member list, as docs/consistency.md
 * lists them. The members decide for signed JavaScript clients and for sidecars. They do not for Redis clients of a
 * daemon, so two of these, or one of them and a signed client, may both own the lock.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { Redis } from "ioredis";
import { amount } from "../support/amount.js";
import { authorizeDaemons, respPort } from "../support/resp-trio.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";

const ROUNDS = amount(20, 40);
const LIFETIME_MS = "120000";

let trio: Trio;
/** The number of the next lock. Each lock is used once. */
let lock = 0;
before(async () => {
  trio = await Trio.start(["--resp", "0"]);
  await authorizeDaemons(trio);
  await trio.list();
});
after(() => trio[Symbol.asyncDispose]());

/** Sets a lock if it is absent. @returns whether the client owns the lock */
type Acquire = (key: string, owner: string) => Promise<boolean>;

/** Lets two clients race for locks at the same moment. @returns the numbers of locks with no, one and two owners */
async function race(t: TestContext, clients: readonly [Acquire, Acquire]) {
  const counts: [number, number, number] = [0, 0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const key = `lock:${lock++}`;
    const answers = await Promise.all(clients.map((acquire, index) => acquire(key, String(index))));
    counts[answers.filter(Boolean).length as 0 | 1 | 2]++;
  }
  const [none, one, two] = counts;
  t.diagnostic(`${ROUNDS} locks: ${two} with two owners, ${one} with one, ${none} with none`);
  return { none, one, two };
}

async function redisAt(t: TestContext, port: number): Promise<Acquire> {
  const redis = new Redis({ port });
  t.after(() => redis.disconnect());
  await redis.ping();
  return async (key, owner) => (await redis.set(key, owner, "PX", LIFETIME_MS, "NX")) === "OK";
}

/** Makes a signed client of all daemons, which requests decisions once it is connected. */
async function signed(t: TestContext): Promise<Acquire> {
  const client = trio.client();
  t.after(() => client.close());
  await client.call("DEL nothing", { policy: "all" });
  return async (key, owner) => (await client.call(["SET", key, owner, "PX", LIFETIME_MS, "NX"])) === "OK";
}

async function sidecar(t: TestContext): Promise<Acquire> {
  const key = join(trio.folder(0), "sidecar.pem");
  writeFileSync(key, trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const daemon = await startSidecar(key, trio.servers, ["--resp", "0"]);
  t.after(() => daemon[Symbol.asyncDispose]());
  return await redisAt(t, await daemon.portOf("Redis clients"));
}

test("two signed clients never both own a lock, and one of them does", async (t) => {
  const { two, one } = await race(t, [await signed(t), await signed(t)]);
  assert.deepEqual([two, one], [0, ROUNDS]);
});

test("the clients of two sidecars never both own a lock, and one of them does", async (t) => {
  const { two, one } = await race(t, [await sidecar(t), await sidecar(t)]);
  assert.deepEqual([two, one], [0, ROUNDS]);
});

test("a signed client and the client of a sidecar never both own a lock", async (t) => {
  const { two, one } = await race(t, [await signed(t), await sidecar(t)]);
  assert.deepEqual([two, one], [0, ROUNDS]);
});

test("Redis clients of two daemons may both own a lock: the members do not decide", async (t) => {
  const ports = await Promise.all([0, 1].map((index) => respPort(trio, index)));
  const { two } = await race(t, [await redisAt(t, ports[0] ?? 0), await redisAt(t, ports[1] ?? 0)]);
  assert.ok(two > 0);
});

test("a Redis client of a daemon may own the lock that a signed client owns by a decision", async (t) => {
  const { two } = await race(t, [await redisAt(t, await respPort(trio, 0)), await signed(t)]);
  assert.ok(two > 0);
});

test("Redis clients of one daemon never both own a lock", async (t) => {
  const port = await respPort(trio, 0);
  const { two, one } = await race(t, [await redisAt(t, port), await redisAt(t, port)]);
  assert.deepEqual([two, one], [0, ROUNDS]);
});
