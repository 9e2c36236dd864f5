/**
 * Tests transactions with WATCH through a sidecar while daemons hang, are killed and catch up, and those of clients of
 * the daemons themselves, on which the members of a list decide, with the changes under a condition of other clients
 * without keys. Acknowledged transactions are applied, and transactions answered with nil are not. No connection reads
 * data older than its own acknowledged writes.
 */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Redis } from "ioredis";
import { amount, some } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { contributionsOf } from "../support/face-contributions.js";
import { freePort } from "../support/free-port.js";
import { pause } from "../support/pause.js";
import { RedisConnection } from "../support/redis-connection.js";
import { authorizeDaemons } from "../support/resp-trio.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";
import type { FaceTransport } from "./contenders.js";
import { Increments } from "./increments.js";

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

/** The number of kills, and the milliseconds before and after each of them. */
const KILLS = amount(2, 6);
const RUN_MS = 1_000;
/** Milliseconds until a client whose daemon is down connects again, or sends a refused change again. */
const AGAIN_MS = 50;

const FACES = [
  ...(await contributionsOf<{ readonly transport: FaceTransport }>("contender.js")).values(),
].map(({ transport }) => transport);

/** Counts with transactions at a daemon until the test is over. A new connection follows each broken one. */
async function countAt(port: number, increments: Increments, how: "set" | "script", isOver: () => boolean) {
  while (!isOver()) {
    const line = await RedisConnection.open(port).catch(() => null);
    try {
      while (line !== null && !isOver())
        if ((await increments.add(line, how)) !== true) await pause(AGAIN_MS);
    } catch {
      // The daemon was killed before EXEC was sent.
    }
    line?.[Symbol.dispose]();
    await pause(AGAIN_MS);
  }
}

/** The answers to the changes of a counter by the clients of a face. */
interface Changes {
  readonly counter: string;
  applied: number;
  unknown: number;
}

/** Changes a counter at a daemon until the test is over. */
async function changeAt(
  t: TestContext,
  { open }: FaceTransport,
  port: number,
  changes: Changes,
  isOver: () => boolean,
) {
  while (!isOver()) {
    const contender = await open(t, port).catch(() => null);
    for (let isOpen = contender !== null; isOpen && !isOver(); ) {
      const answer = await contender?.change(changes.counter, (value) =>
        value === null ? undefined : String(Number(value) + 1),
      );
      if (answer === "applied") changes.applied++;
      else if (answer === "unknown") changes.unknown++;
      isOpen = answer === "applied" || answer === "nil";
    }
    await pause(AGAIN_MS);
  }
}

test(`no change under a condition is lost that clients of three daemons made while daemons were killed (seed ${seed})`, async (t) => {
  const random = new SeededRandom(seed, Object.keys(FAULTS).length);
  const options = ["resp", ...FACES.map(({ option }) => option)];
  const portsOf = () => Promise.all(options.map(() => freePort()));
  const ports = [await portsOf(), await portsOf(), await portsOf()];
  const args = (index: number) =>
    options.flatMap((option, at) => [`--${option}`, String(ports[index]?.[at])]);
  await using trio = await Trio.start(args);
  await authorizeDaemons(trio);
  await trio.list();
  await using client = trio.client();
  const counters = { set: new Increments("set"), script: new Increments("script") };
  const changes = FACES.map(({ option }): Changes => ({ counter: option, applied: 0, unknown: 0 }));
  for (const { counter } of changes) await client.call(["SET", counter, "0"]);
  await trio.level(LEVEL_MS);

  let isOver = false;
  const work = ports.flatMap(([resp = 0, ...others]) => [
    countAt(resp, counters.set, "set", () => isOver),
    countAt(resp, counters.script, "script", () => isOver),
    ...FACES.map((face, at) => changeAt(t, face, others[at] as number, changes[at] as Changes, () => isOver)),
  ]);
  for (let kill = 0; kill < KILLS; kill++) {
    await pause(RUN_MS);
    const victim = random.below(trio.ports.length);
    await trio.end(victim, "SIGKILL");
    await pause(RUN_MS);
    await trio.start(victim);
    await trio.until("all daemons are live", async () =>
      (await trio.statuses()).every(({ state }) => state === "live"),
    );
  }
  isOver = true;
  await Promise.all(work);
  await trio.level(LEVEL_MS);

  for (const index of trio.ports.keys()) {
    await using one = trio.client([index]);
    const value = async (key: string) => Number((await one.call<string | null>(["GET", key])) ?? 0);
    for (const [key, increments] of Object.entries(counters)) {
      increments.check(await value(key));
      assert.ok(increments.acknowledged > 0);
    }
    for (const { counter, applied, unknown } of changes) {
      const count = await value(counter);
      assert.ok(applied > 0 && count >= applied && count <= applied + unknown, `${applied} ≤ ${count}`);
    }
  }
  const { set, script } = counters;
  t.diagnostic(
    `acknowledged: ${set.acknowledged} (${set.unknown} unknown), scripts ${script.acknowledged} (${script.unknown}), ` +
      changes.map(({ counter, applied, unknown }) => `${counter} ${applied} (${unknown})`).join(),
  );
});
