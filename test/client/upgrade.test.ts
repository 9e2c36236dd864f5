/** Simulates version 1 daemons that are upgraded to version 2 while a client is never idle. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openClientWith } from "../../client/dbsync-send.js";
import type { OutboxClient } from "../../client/outbox-client.js";
import { readSendOptions } from "../../client/settings/client-settings.js";
import { amount } from "../support/amount.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { FakeDaemon } from "./fake-daemon-v2.js";
import { judgeOrder, type SimulatedServer, SimulatedWorld } from "./simulated-world.js";

const RUNS = amount(1, 10);
const UPGRADE_MS = 20_000;
/** RECHECK_MS of legacy-link.ts, and sufficient time for a hello. */
const NOTICED_MS = 60_000 + 3_000;
const END_MS = UPGRADE_MS + NOTICED_MS + 10_000;
const WORKERS = 4;

interface TimedCall {
  readonly command: string;
  readonly startedAt: number;
  settledAt: number | null;
}

/** Creates a client. @param signingMs  the milliseconds that a signature takes, in parallel with calls */
function clientIn(world: SimulatedWorld, signingMs: number): OutboxClient {
  const servers = [...world.servers.keys()].map((host) => `${host}:1`);
  const settings = readSendOptions({ servers, key: false, versions: "1,2" }, () =>
    assert.fail("no defaults"),
  );
  const sign = () => Buffer.alloc(64);
  const signAsync = () => new Promise<Buffer>((resolve) => world.at(signingMs, () => resolve(sign())));
  const signer = { keyId: "k".repeat(32), sign, signAsync };
  return openClientWith(settings, world, { sign, signer });
}

/**
 * Simulates one daemon that answers immediately, and one that always has pending answers and begins with version 1.
 */
async function live(random: SeededRandom, isMixed: boolean): Promise<void> {
  const world = new SimulatedWorld(random);
  const newDaemon = (id: number) => new FakeDaemon({ id, clock: () => world.wallClock() });
  const fast: SimulatedServer = { mood: "answer", daemon: isMixed ? newDaemon(1) : null, received: [] };
  const slow: SimulatedServer = { mood: "slow", daemon: null, received: [] };
  world.servers.set("fast", fast).set("slow", slow);
  world.at(UPGRADE_MS, () => {
    fast.daemon ??= newDaemon(1);
    slow.daemon = newDaemon(2);
  });
  const client = clientIn(world, 1);
  const calls: TimedCall[] = [];

  const work = () => {
    if (world.time > END_MS) return;
    const call: TimedCall = { command: `INCR n${calls.length}`, startedAt: world.time, settledAt: null };
    calls.push(call);
    const settled = () => {
      call.settledAt = world.time;
      world.at(random.below(400), work);
    };
    client.send(call.command).then(settled, (error) => assert.fail(error));
  };
  for (let worker = 0; worker < WORKERS; worker++) world.at(random.below(400), work);

  await world.runUntil(UPGRADE_MS, () => {});
  await world.runUntil(UPGRADE_MS + NOTICED_MS, () => assert.ok(client.isBusy));
  const noticed = [fast.daemon, slow.daemon].map((daemon) => (daemon?.applied.length ?? 0) > 0);
  await world.runUntil(END_MS + 10_000, () => {});
  client.closeWith("closed");
  judgeOrder(world, calls);
  assert.deepEqual(noticed, [true, true], "envelopes are sent");
  for (const { command, startedAt, settledAt } of calls)
    assert.ok((settledAt ?? END_MS) - startedAt < 200, `${command} waited for the slow daemon`);
}

for (const isMixed of [false, true]) {
  const setting = isMixed ? "next to one that already spoke version 2" : "together with all other daemons";
  test(`a busy client notices a daemon that is upgraded ${setting}, and keeps the order of its calls`, async () => {
    const seed = seedOfRun();
    for (let run = 0; run < RUNS; run++) {
      await live(new SeededRandom(seed, run), isMixed).catch((error: Error) => {
        throw new Error(`run ${run} of DBSYNC_SEED=${seed}: ${error.message}`, { cause: error });
      });
    }
  });
}

test("calls that are being signed when the client notices an upgraded daemon still reach the daemon", async () => {
  const seed = seedOfRun();
  for (let run = 0; run < RUNS; run++) {
    const world = new SimulatedWorld(new SeededRandom(seed, run));
    for (const [index, host] of ["one", "two"].entries()) {
      const daemon = new FakeDaemon({ id: index + 1, clock: () => world.wallClock() });
      const server: SimulatedServer = { mood: "answer", daemon: index === 0 ? daemon : null, received: [] };
      world.servers.set(host, server);
      world.at(UPGRADE_MS, () => (server.daemon = daemon));
    }
    const client = clientIn(world, 50);
    const failures: string[] = [];
    let calls = 0;
    const call = () => {
      client.sendAll(`INCR n${calls++}`).then(({ outcomes }) => {
        if (!outcomes.every(({ status }) => status === "ok")) failures.push(JSON.stringify(outcomes));
      }, assert.fail);
    };
    call();
    for (let time = NOTICED_MS - 3_500; time < NOTICED_MS; time += 4) world.at(time, call);
    await world.runUntil(NOTICED_MS + 10_000, () => {});
    client.closeWith("closed");
    assert.deepEqual(failures, [], `run ${run} of DBSYNC_SEED=${seed}`);
    const applied = world.servers.get("two")?.daemon?.applied.length ?? 0;
    assert.ok(applied > 0, "the daemon receives envelopes");
    assert.equal(world.servers.get("two")?.received.length, calls);
  }
});
