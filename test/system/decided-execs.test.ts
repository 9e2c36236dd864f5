/**
 * Tests conditions that the members of a list decide, with real daemons, six sidecars, three signed clients of one
 * daemon each, and a Redis client of each daemon, which only counts. Transactions increment a counter, and `SET NX`
 * gives a lock or a lease to one owner at a time: without faults, with all kinds of faults, and while daemons are
 * restarted one after the other. Every acknowledged increment counts, and none counts that was answered with nil.
 * `DBSYNC_EXEC_ROUNDS=50` runs 50 rounds of each test.
 */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Redis } from "ioredis";
import { amount, some } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { pause } from "../support/pause.js";
import { buildRoot } from "../support/repository.js";
import { authorizeDaemons } from "../support/resp-trio.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";
import { type Contender, Contest, DaemonContender, RedisContender, SignedContender } from "./contenders.js";

const SIDECARS = 6;
const ROUNDS = Number(process.env["DBSYNC_EXEC_ROUNDS"] ?? amount(1, 2));
/** Milliseconds of each phase. */
const PHASE_MS = Number(process.env["DBSYNC_EXEC_MS"] ?? amount(1_000, 1_500));
const LEVEL_MS = 90_000;
const CALL_MS = 5_000;
/** Milliseconds by which a wrong clock is ahead or behind. */
const OFF_MS = 20_000;

const seed = seedOfRun();
const program = join(buildRoot, "test", "system", "programs", "clock-off.js");
/** Three daemons whose links can be cut, and whose clocks can be made wrong. */
class Members implements AsyncDisposable {
  readonly trio: Trio;
  /** The port of each daemon for Redis clients. */
  readonly ports: readonly number[];

  private constructor(trio: Trio, ports: readonly number[]) {
    this.trio = trio;
    this.ports = ports;
  }

  static async start(): Promise<Members> {
    const ports = [await freePort(), await freePort(), await freePort()];
    const trio = await Trio.make((index) => ["--resp", String(ports[index])]);
    await trio.openLinks();
    const members = new Members(trio, ports);
    try {
      for (const index of trio.ports.keys()) await members.startOne(index);
      await members.untilLive();
      await authorizeDaemons(trio);
      await trio.list();
    } catch (problem) {
      await members[Symbol.asyncDispose]();
      throw problem;
    }
    return members;
  }

  /** Starts a daemon with a correct clock. Every second daemon's clock can fall behind, and the others' get ahead. */
  async startOne(index: number): Promise<void> {
    const off = String(index % 2 === 0 ? OFF_MS : -OFF_MS);
    await this.trio.start(index, { program, env: { CLOCK_OFF_MS: off, CLOCK_IS_RIGHT: "1" } });
  }

  async untilLive(): Promise<void> {
    await this.trio.until("all daemons are live", async () =>
      (await this.trio.statuses()).every(({ state }) => state === "live"),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.trio[Symbol.asyncDispose]();
  }
}

/** Starts the sidecars and the clients. They end with the test. */
async function startContenders(
  t: TestContext,
  { trio }: Members,
  failed: (message: string) => void,
): Promise<Contender[]> {
  const key = join(trio.folder(0), "sidecar.pem");
  writeFileSync(key, trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });

  const contenders: Contender[] = [];
  for (let number = 0; number < SIDECARS; number++) {
    const sidecar = await startDaemon(["-d", `dbsync:${trio.servers}`, "--key", key, "--resp", "0"]);
    const port = await sidecar.portOf("Redis clients");
    const redis = new Redis({ port, maxRetriesPerRequest: null }).on("error", () => {});
    t.after(async () => {
      redis.disconnect();
      await sidecar[Symbol.asyncDispose]();
    });
    await redis.set("connected", "yes");
    contenders.push(new RedisContender(`sidecar ${number}`, redis, failed));
  }

  for (const index of trio.ports.keys()) {
    const client = trio.client([index], { timeout: CALL_MS });
    t.after(() => client.close());
    await client.call("GET connected");
    contenders.push(new SignedContender(`client ${index}`, client, failed));
  }
  return contenders;
}

type Fault = (members: Members, victim: number) => Promise<void>;

const FAULTS: Readonly<Record<string, Fault>> = {
  stop: async ({ trio }, victim) => {
    trio.daemon(victim).kill("SIGSTOP");
    await pause(PHASE_MS);
    trio.daemon(victim).kill("SIGCONT");
  },
  kill: async (members, victim) => {
    await members.trio.end(victim, "SIGKILL");
    await pause(PHASE_MS);
    await members.startOne(victim);
  },
  cut: async (members, victim) => {
    members.trio.cutOff([victim]);
    await pause(PHASE_MS);
    members.trio.cutOff([]);
  },
  clock: async ({ trio }, victim) => {
    trio.daemon(victim).kill("SIGUSR2");
    await pause(PHASE_MS);
    trio.daemon(victim).kill("SIGUSR2");
  },
};

type Course = (members: Members, random: SeededRandom, contest: Contest) => Promise<void>;

/** What happens in a round, by the name of the test. */
const COURSES: Readonly<Record<string, Course>> = {
  "while daemons hang, are killed and disconnected, and have wrong clocks": async (
    members,
    random,
    contest,
  ) => {
    // Clocks are wrong by more than the lifetime of a lease, which docs/consistency.md advises against.
    contest.hasLeases = false;
    for (const kind of random.shuffled(Object.keys(FAULTS))) {
      await pause(PHASE_MS / 3);
      await FAULTS[kind]?.(members, random.below(members.trio.ports.length));
    }
    await pause(PHASE_MS / 3);
  },
  "without a fault": async () => {
    await pause(PHASE_MS * 2);
  },
  "while daemons are restarted one after the other": async (members, random) => {
    for (const index of random.shuffled([...members.trio.ports.keys()])) {
      await members.trio.end(index, "SIGTERM");
      await members.startOne(index);
      await members.untilLive();
    }
    await pause(PHASE_MS / 3);
  },
};

for (const [name, course] of some(Object.entries(COURSES)))
  test(`the members decide on conditions of six sidecars and three clients, ${name} (seed ${seed})`, async (t) => {
    const random = new SeededRandom(seed, Object.keys(COURSES).indexOf(name));
    let [acknowledged, owners] = [0, 0];
    const failures = new Map<string, number>();
    const failed = (message: string) => {
      const text = message.replaceAll(/127\.0\.0\.1:\d+/g, "a daemon");
      failures.set(text, (failures.get(text) ?? 0) + 1);
    };
    t.after(() => {
      for (const [message, count] of failures) t.diagnostic(`${count} × ${message}`);
    });

    await using members = await Members.start();
    const { trio } = members;
    const contenders = await startContenders(t, members, failed);
    const counting = members.ports.map((port, at) => new DaemonContender(`daemon ${at}`, port, failed));
    t.after(() => {
      for (const contender of counting) contender[Symbol.dispose]();
    });

    for (let round = 0; round < ROUNDS; round++) {
      const contest = new Contest(String(round));
      const work = contenders.map((contender) => contest.run(contender));
      const counted = counting.map((contender) => contest.count(contender));

      await course(members, random, contest);
      await members.untilLive();
      contest.isOver = true;
      await Promise.all(work);
      const ofDaemons = await Promise.all(counted);
      await trio.level(LEVEL_MS);

      const { counts, taken, problems } = contest;
      const values = await Promise.all(
        trio.ports.map(async (_, index) => {
          await using client = trio.client([index]);
          return Number(await client.call(["GET", contest.counter]));
        }),
      );
      t.diagnostic(
        `round ${round + 1}: ${counts.applied} acknowledged (${ofDaemons} by daemons' own clients), ${counts.nil} nil, ${counts.refused} refused, ${counts.unknown} unknown, ` +
          `counter ${values}; the lock was taken ${taken.lock} times, the lease ${taken.lease} times`,
      );

      assert.deepEqual(problems, []);
      const { applied, unknown } = counts;
      for (const value of values)
        assert.ok(
          value >= applied && value <= applied + unknown,
          `${applied} ≤ ${value} ≤ ${applied + unknown}`,
        );

      acknowledged += applied;
      owners += taken.lock;
    }
    assert.ok(acknowledged > 0 && owners > 0);
  });
