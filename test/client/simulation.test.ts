/**
 * Simulates thousands of short runs of a client with simulated sockets and a simulated clock. Daemons answer, hang,
 * refuse, close and change their mood; calls arrive one by one and in groups; clients are closed at any time.
 * DBSYNC_SEED replays all runs; together with DBSYNC_RUN, it replays only the run with that number.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openClientWith } from "../../client/dbsync-send.js";
import type { OutboxClient } from "../../client/outbox-client.js";
import { readOptions } from "../../client/settings/client-settings.js";
import type { EnvelopeSigner } from "../../client/settings/signing-key.js";
import { DELIVERY_LINGER_MS } from "../../client/shared/connections.js";
import { DbsyncError, type Outcome } from "../../client/shared/errors.js";
import { amount } from "../support/amount.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { FakeDaemon } from "./fake-daemon-v2.js";
import {
  judgeOrder,
  MOODS,
  type SimulatedCall,
  type SimulatedServer,
  SimulatedWorld,
} from "./simulated-world.js";

const onlyRun = process.env["DBSYNC_RUN"];
const RUNS = onlyRun === undefined ? [...Array(amount(50, 200)).keys()] : [Number(onlyRun)];

/** The maximum error of a clock in milliseconds. */
const DAY_MS = 86_400_000;

/** The resolution of timers, one millisecond. */
const TIMER_MS = 1;

/** The linger, and the rounding of a timer. */
const LINGER_MS = DELIVERY_LINGER_MS + TIMER_MS;

/** The milliseconds after the last call, longer than any deadline, backoff or idle timeout. */
const AFTERMATH_MS = 60_000;

const POLICIES = ["first", "first", "all-equal", "majority", "all", 1] as const;

function daemonIn(world: SimulatedWorld, id: number, clock: { difference: number }, own: number): FakeDaemon {
  return new FakeDaemon({ id: id + 1, clock: () => 1_790_000_000_000 + world.time + clock.difference + own });
}

/** Creates a signer that takes simulated time, like another thread. */
function signerIn(world: SimulatedWorld, random: SeededRandom): EnvelopeSigner {
  return {
    keyId: "k".repeat(32),
    sign: () => Buffer.alloc(64),
    signAsync: () =>
      new Promise((resolve) => world.at(random.below(20) / 10, () => resolve(Buffer.alloc(64)))),
  };
}

interface JudgedCall extends SimulatedCall {
  readonly deadline: number;
  settledAt: number | null;
  /** The hosts, by the error or the outcomes, that have not applied the command and never will. */
  untouched: readonly string[];
}

/** Simulates one run and checks it. @returns the numbers of calls that succeeded and failed */
async function live(random: SeededRandom, version: 1 | 2): Promise<{ good: number; failed: number }> {
  const world = new SimulatedWorld(random);
  const hosts = ["a", "b", "c", "d"].slice(0, random.between(1, 4));
  const clock = { difference: random.between(-60_000, 60_000) };
  for (const [index, host] of hosts.entries()) {
    const speaksVersion2 = version === 2 && random.chance(0.8);
    const own = random.chance(0.1) ? random.oneOf([-DAY_MS, DAY_MS]) : random.between(-500, 500);
    const daemon = speaksVersion2 ? daemonIn(world, index, clock, own) : null;
    world.servers.set(host, { mood: random.oneOf(MOODS), daemon, received: [] });
  }
  const servers = hosts.map((host) => `${host}:1`);
  const keepalive = random.chance(0.9);
  const usual = { servers, key: false, keepalive } as const;
  const options = version === 1 ? ({ ...usual, versions: "1" } as const) : usual;
  const settings = readOptions(options, () => assert.fail("no defaults"));
  const signing =
    version === 1
      ? { sign: null, signer: null }
      : { sign: () => Buffer.alloc(1), signer: signerIn(world, random) };
  const client = openClientWith(settings, world, signing);
  const calls: JudgedCall[] = [];
  const tally = { good: 0, failed: 0 };
  let lastSettled = 0;

  const call = () => {
    const timeout = random.oneOf([20, 300, 3_000, 10_000]);
    const record: JudgedCall = {
      command: `${random.chance(0.3) ? "GET" : "INCR"} n${calls.length}`,
      startedAt: world.time,
      deadline: world.time + timeout,
      settledAt: null,
      untouched: [],
    };
    calls.push(record);

    const settle = (outcome: "good" | "failed") => {
      assert.equal(record.settledAt, null, "a call settles once");
      record.settledAt = lastSettled = world.time;
      tally[outcome]++;
    };

    const hasCondition = version === 2 && random.chance(0.3);
    const options = hasCondition
      ? { timeout, if: [{ key: "n", writer: null }] }
      : { timeout, policy: random.oneOf(POLICIES) };
    const promise: Promise<unknown> = random.chance(0.8)
      ? client.send(record.command, options)
      : client.sendAll(record.command, options).then(({ outcomes }) => {
          record.untouched = untouchedIn(outcomes);
        });

    promise.then(
      () => settle("good"),
      (error) => {
        assert.ok(error instanceof DbsyncError, String(error));
        record.untouched = error.effect === "not-applied" ? hosts : untouchedIn(error.outcomes);
        settle("failed");
      },
    );
  };

  const plan = random.between(1, 25);
  for (let step = 0; step < plan; step++) {
    const crowd = random.chance(0.1) ? random.between(2, 40) : 1;
    world.at(random.below(8_000), () => {
      for (let caller = 0; caller < crowd; caller++) call();
    });
    if (random.chance(0.3)) {
      const server = world.servers.get(random.oneOf(hosts)) as SimulatedServer;
      world.at(random.below(8_000), () => (server.mood = random.oneOf(MOODS)));
    }
    if (version === 2 && random.chance(0.05)) {
      world.at(random.below(8_000), () => (clock.difference = random.between(-60_000, 60_000)));
    }
  }
  if (random.chance(0.2))
    world.at(random.below(9_000), () => client.closeWith(random.oneOf(["closed", "reset"])));

  await world.runUntil(8_000 + AFTERMATH_MS, () => {
    const open = calls.filter(({ settledAt }) => settledAt === null);
    for (const { deadline, command } of open)
      assert.ok(world.time <= deadline + TIMER_MS, `${command} is overdue`);
    if (open.length > 0)
      assert.ok(world.isHeldSince(Number.POSITIVE_INFINITY), "the process stays alive for a call");
    else if (world.time > lastSettled + LINGER_MS) {
      assert.ok(!world.isHeldSince(world.time - LINGER_MS), "nothing keeps the process alive");
    }
  });
  judgeEnd(world, client, calls);
  for (const { command, untouched } of calls) {
    if (command.startsWith("GET ")) continue;
    for (const host of untouched)
      assert.ok(!world.servers.get(host)?.received.includes(command), `${host} applied ${command} after all`);
  }
  return tally;
}

/** Returns the hosts whose outcome states that the command was not applied. */
function untouchedIn(outcomes: readonly Outcome[]): string[] {
  return outcomes.flatMap((outcome) =>
    outcome.status === "failed" && outcome.effect === "not-applied"
      ? [outcome.address.split(":")[0] ?? ""]
      : [],
  );
}

function judgeEnd(world: SimulatedWorld, client: OutboxClient, calls: SimulatedCall[]): void {
  assert.ok(
    calls.every(({ settledAt }) => settledAt !== null),
    "every call has settled",
  );
  assert.equal(client.isBusy, false, "every delivery has ended once");
  assert.equal(world.openSockets, 0, "no socket is left");
  assert.equal(world.timers.size, 0, "no timer is left");
  judgeOrder(world, calls);
}

for (const version of [1, 2] as const) {
  test(`a client with version ${version} settles every call once, in time and in order, and leaves no sockets or timers`, async (t) => {
    const seed = seedOfRun();
    const total = { good: 0, failed: 0 };
    for (const run of RUNS) {
      try {
        const tally = await live(new SeededRandom(seed, run), version);
        total.good += tally.good;
        total.failed += tally.failed;
      } catch (error) {
        throw new Error(`run ${run} of DBSYNC_SEED=${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
    t.diagnostic(`seed ${seed}: ${RUNS.length} runs, ${total.good} calls answered, ${total.failed} failed`);
    if (onlyRun !== undefined) return;
    assert.ok(total.good > RUNS.length && total.failed > RUNS.length, "many calls succeed and many fail");
  });
}
