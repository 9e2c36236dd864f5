/**
 * Tests conditions that the members of a list decide, with real daemons and six sidecars. Transactions with WATCH
 * increment a counter, and `SET lock NX` has one owner at a time, while daemons hang and are killed: every acknowledged
 * increment counts, and none counts that was answered with nil.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import { amount } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Trio } from "./trio.js";

const SIDECARS = 6;
const ROUNDS = Number(process.env["DBSYNC_EXEC_ROUNDS"] ?? amount(1, 3));
/** Milliseconds of each phase. */
const PHASE_MS = Number(process.env["DBSYNC_EXEC_MS"] ?? amount(2_000, 5_000));
const LEVEL_MS = 90_000;
/** How long the owner of a lock holds it. */
const HOLD_MS = 5;

const seed = seedOfRun();
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether a failed command may have been applied. With the listed errors it was certainly not applied. */
const isUnknown = ({ message }: Error) => !/^(NOTAPPLIED|EXECABORT)/.test(message);

class Counts {
  applied = 0;
  unknown = 0;
  nil = 0;
}

async function increment(redis: Redis, key: string, counts: Counts): Promise<void> {
  try {
    await redis.watch(key);
    const value = Number((await redis.get(key)) ?? 0);
    const [exec] = await Promise.allSettled([
      redis
        .multi()
        .set(key, value + 1)
        .exec(),
    ]);
    if (exec.status === "rejected") counts.unknown += isUnknown(exec.reason as Error) ? 1 : 0;
    else if (exec.value === null) counts.nil++;
    else counts.applied++;
  } catch {
    await redis.unwatch().catch(() => {});
  }
}

/** The clients that have received OK for the lock, and have not released it. */
class Lock {
  taken = 0;
  readonly owners = new Set<string>();
  readonly problems: string[] = [];
}

async function takeLock(redis: Redis, key: string, name: string, lock: Lock): Promise<void> {
  const token = `${name}:${lock.taken}`;
  const answer = await redis.set(key, token, "PX", 120_000, "NX").catch(() => null);
  if (answer !== "OK") return;
  lock.taken++;
  if (lock.owners.size > 0) lock.problems.push(`${name} owns it while ${[...lock.owners]} does`);
  lock.owners.add(name);
  await pause(HOLD_MS);
  const owner = await redis.get(key).catch(() => token);
  if (owner !== token) lock.problems.push(`${name} has lost it to ${owner}`);
  lock.owners.delete(name);
  for (let isReleased = false; !isReleased; )
    isReleased = await redis.del(key).then(
      () => true,
      () => false,
    );
}

test(`the members decide on conditions of six sidecars, while daemons hang and are killed (seed ${seed})`, async (t) => {
  const random = new SeededRandom(seed);
  await using trio = await Trio.start();
  await trio.list();
  const key = join(trio.folder(0), "sidecar.pem");
  writeFileSync(key, trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const clients: Redis[] = [];
  t.after(async () => {
    for (const client of clients) client.disconnect();
    for (const sidecar of sidecars) await sidecar[Symbol.asyncDispose]();
  });
  const sidecars: DaemonProcess[] = [];
  for (let i = 0; i < SIDECARS; i++) {
    const sidecar = await startDaemon(["-d", `dbsync:${trio.servers}`, "--key", key, "--resp", "0"]);
    sidecars.push(sidecar);
    const { port } = await sidecar.logged(({ msg }) => msg === "serving Redis clients");
    clients.push(new Redis({ port: port as number, maxRetriesPerRequest: null }).on("error", () => {}));
  }
  for (const client of clients) await client.set("connected", "yes");
  for (let round = 0; round < ROUNDS; round++) {
    const counts = new Counts();
    const lock = new Lock();
    const [counter, lockKey] = [`counter:${round}`, `lock:${round}`];
    let isOver = false;
    const work = clients.map(async (client, index) => {
      while (!isOver) {
        await increment(client, counter, counts);
        if (index % 2 === 0) await takeLock(client, lockKey, String(index), lock);
      }
    });
    await pause(PHASE_MS);
    const victim = random.below(trio.ports.length);
    if (random.chance(0.5)) {
      await trio.end(victim, "SIGKILL");
      await pause(PHASE_MS);
      await trio.start(victim);
    } else {
      trio.daemon(victim).kill("SIGSTOP");
      await pause(PHASE_MS);
      trio.daemon(victim).kill("SIGCONT");
    }
    await pause(PHASE_MS);
    await trio.until("all daemons are live", async () =>
      (await trio.statuses()).every(({ state }) => state === "live"),
    );
    isOver = true;
    await Promise.all(work);
    await trio.level(LEVEL_MS);
    const value = Number(await clients[0]?.get(counter));
    const { applied, unknown, nil } = counts;
    t.diagnostic(
      `${applied} acknowledged, ${nil} nil, ${unknown} unknown, counter ${value}; the lock was taken ${lock.taken} times`,
    );
    assert.ok(applied > 0 && lock.taken > 0);
    assert.ok(value >= applied && value <= applied + unknown, `${applied} ≤ ${value} ≤ ${applied + unknown}`);
    assert.deepEqual(lock.problems, []);
  }
});
