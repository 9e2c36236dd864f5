/**
 * Tests transactions with WATCH through a sidecar while daemons hang, are killed and catch up. Acknowledged
 * transactions are applied, and transactions answered with nil are not. No connection reads data older than its own
 * acknowledged writes.
 */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import { some } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { pause } from "../support/pause.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";

/** The numbers of rounds per kind of fault, of counting clients, and of clients that only write and read. */
const ROUNDS = Number(process.env["DBSYNC_EXEC_ROUNDS"] ?? 1);
const COUNTERS = 3;
const WRITERS = 6;
/** Milliseconds of a hang, and of the time before and after the hang. */
const HANG_MS = 9_000;
const ASIDE_MS = 2_000;
const LEVEL_MS = 90_000;

const seed = seedOfRun();
/** The reported outcomes of transactions, by token. */
class Outcomes {
  readonly applied: string[] = [];
  readonly nil: string[] = [];
  readonly notApplied: string[] = [];
  unknown = 0;
  /** Reads that returned an older value than an acknowledged write of the same connection. */
  readonly stale: string[] = [];
  reads = 0;
}

/** Whether a failed command may have been applied. With the listed errors it was certainly not applied. */
const isUnknown = ({ message }: Error) => !/^(NOTAPPLIED|EXECABORT)/.test(message);

async function count(redis: Redis, key: string, name: string, outcomes: Outcomes, isOver: () => boolean) {
  let highest = 0;
  for (let number = 0; !isOver(); number++) {
    const token = `${name}:${number}`;
    try {
      await redis.watch(key);
      const value = Number((await redis.get(key)) ?? 0);
      outcomes.reads++;
      if (value < highest) outcomes.stale.push(`${name} read ${value} after ${highest}`);
      highest = Math.max(highest, value);
      const [replies] = await Promise.allSettled([
        redis
          .multi()
          .set(key, value + 1)
          .rpush(`${key}:log`, token)
          .exec(),
      ]);
      if (replies.status === "rejected") {
        if (isUnknown(replies.reason as Error)) outcomes.unknown++;
        else outcomes.notApplied.push(token);
      } else if (replies.value === null) outcomes.nil.push(token);
      else {
        outcomes.applied.push(token);
        highest = value + 1;
      }
    } catch {
      await redis.unwatch().catch(() => {});
    }
  }
}

async function writeAndRead(redis: Redis, key: string, outcomes: Outcomes, isOver: () => boolean) {
  let written = 0;
  for (let number = 1; !isOver(); number++) {
    try {
      await redis.set(key, number);
      written = number;
    } catch {
      // The command may have been applied, so a read may return a higher value.
    }
    const value = await redis.get(key).then(Number, () => null);
    if (value === null) continue;
    outcomes.reads++;
    if (value < written) outcomes.stale.push(`${key} read ${value} after ${written}`);
  }
}

type Fault = (trio: Trio, victims: readonly [number, number]) => Promise<void>;

const FAULTS: Readonly<Record<string, Fault>> = {
  "a kill, a hang and a restart": async (trio, [one, other]) => {
    await trio.end(one, "SIGKILL");
    trio.daemon(other).kill("SIGSTOP");
    await pause(HANG_MS / 2);
    await trio.start(one);
    await pause(HANG_MS / 2);
    trio.daemon(other).kill("SIGCONT");
  },
  "a hang": async (trio, [one]) => {
    trio.daemon(one).kill("SIGSTOP");
    await pause(HANG_MS);
    trio.daemon(one).kill("SIGCONT");
  },
  "a hang while another daemon catches up": async (trio, [one, other]) => {
    await trio.end(one, "SIGKILL");
    await pause(ASIDE_MS);
    const started = trio.start(one);
    trio.daemon(other).kill("SIGSTOP");
    await pause(HANG_MS);
    trio.daemon(other).kill("SIGCONT");
    await started;
  },
};

for (const [name, fault] of some(Object.entries(FAULTS)))
  test(`acknowledged transactions are applied, and refused transactions are not, during ${name} (seed ${seed})`, async (t) => {
    const random = new SeededRandom(seed, Object.keys(FAULTS).indexOf(name));
    await using trio = await Trio.start();
    const key = join(trio.folder(0), "sidecar.pem");
    writeFileSync(key, trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    await using sidecar = await startDaemon([
      ...["-d", `dbsync:${trio.servers}`, "--key", key, "--resp", "0"],
    ]);
    const port = await sidecar.portOf("Redis clients");
    const open = () => new Redis({ port, maxRetriesPerRequest: null }).on("error", () => {});
    const clients = Array.from({ length: COUNTERS + WRITERS }, open);
    t.after(() => {
      for (const client of clients) client.disconnect();
    });
    for (let round = 0; round < ROUNDS; round++) {
      const outcomes = new Outcomes();
      const counter = `counter:${round}`;
      let isOver = false;
      const work = clients.map((client, index) =>
        index < COUNTERS
          ? count(client, counter, String(index), outcomes, () => isOver)
          : writeAndRead(client, `own:${round}:${index}`, outcomes, () => isOver),
      );
      await pause(ASIDE_MS);
      const [one, other] = random.shuffled([...trio.ports.keys()]) as [number, number];
      await fault(trio, [one, other]);
      await pause(ASIDE_MS);
      await trio.until("all daemons are live", async () =>
        (await trio.statuses()).every(({ state }) => state === "live"),
      );
      isOver = true;
      await Promise.all(work);
      await trio.level(LEVEL_MS);
      const { applied, nil, notApplied, unknown, stale, reads } = outcomes;
      t.diagnostic(
        `round ${round}: ${applied.length} acknowledged, ${nil.length} nil, ${unknown} unknown, ${reads} reads`,
      );
      for (const index of trio.ports.keys()) {
        await using client = trio.client([index]);
        const log = (await client.call(["LRANGE", `${counter}:log`, 0, -1])) as string[];
        assert.deepEqual(
          applied.filter((token) => !log.includes(token)),
          [],
          "every acknowledged transaction is applied",
        );
        assert.deepEqual(
          [...nil, ...notApplied].filter((token) => log.includes(token)),
          [],
          "no transaction that returned nil or an error is applied",
        );
        assert.equal(
          Number(await client.call(["GET", counter])),
          log.length,
          "each transaction is counted once",
        );
        assert.ok(log.length <= applied.length + unknown);
      }
      assert.deepEqual(stale, [], "no read is older than an acknowledged write");
      assert.ok(applied.length > 0, "some transactions were acknowledged");
    }
    assert.deepEqual(trio.errors, []);
  });
