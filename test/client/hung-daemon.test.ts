/** Tests the cost of a hung daemon for a client of several daemons. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { OutboxClient } from "../../client/outbox-client.js";
import { SLACK_MS, STALL_MS } from "../../client/shared/connections.js";
import { bytesInUse } from "../support/garbage.js";
import { HandClock } from "./hand-clock.js";
import { client2Of, ServedDaemon } from "./served-daemon.js";
import { hearOutcomes } from "./test-client.js";

const MEBIBYTE = 1024 * 1024;
const VALUE = "x".repeat(32 * 1024);

interface Scene extends AsyncDisposable {
  readonly client: OutboxClient;
  readonly clock: HandClock;
  readonly hung: string;
  /** Removes the daemons' data, which must not count as the client's memory. */
  readonly forget: () => void;
}

/** Starts two daemons, one of which sends only its hello. */
async function sceneWith(reply: string): Promise<Scene> {
  const daemons = [
    await ServedDaemon.start({ id: 1, reply: () => ({ kind: "bulk", bytes: reply }) }),
    await ServedDaemon.start({ id: 2 }),
  ] as const;

  const clock = new HandClock();
  const client = client2Of(daemons, { clock });
  await client.sendAll("PING");
  daemons[1].passes = () => [];
  return {
    client,
    clock,
    hung: daemons[1].address,
    forget() {
      for (const { daemon } of daemons) {
        daemon.forget();
        daemon.applied.length = 0;
      }
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
    },
  };
}

/** Measures the growth of the client's memory over several seconds. */
async function growthOf({ client, clock, forget }: Scene, command: readonly string[]): Promise<number> {
  const before = bytesInUse();
  for (let i = 0; i < 3_000; i++) {
    await client.send(command);
    clock.advance(1);
    forget();
  }
  return bytesInUse() - before;
}

test("writes of 32 KiB with a hung daemon use no more than 64 MiB", async () => {
  await using scene = await sceneWith("OK");
  const grown = await growthOf(scene, ["SET", "k", VALUE]);
  assert.ok(grown < 100 * MEBIBYTE, `${Math.round(grown / MEBIBYTE)} MiB`);
});

test("a hung daemon does not make the client retain replies of 32 KiB", async () => {
  await using scene = await sceneWith(VALUE);
  const grown = await growthOf(scene, ["GET", "k"]);
  assert.ok(grown < 40 * MEBIBYTE, `${Math.round(grown / MEBIBYTE)} MiB`);
});

test("a call is removed from a hung daemon's queue at its deadline, even after a call with a later deadline", async () => {
  await using scene = await sceneWith("OK");
  const { client, clock, hung } = scene;

  // The hung daemon does not answer the first call. Once the other daemon has answered the second call, the client
  // sends nothing further to the hung daemon.
  await client.send("SET a 1");
  clock.advance(STALL_MS + 1);
  await client.send("SET b 1");
  using outcomes = hearOutcomes();
  await client.send("SET c 1", { timeout: 20_000 });
  await client.send("SET d 1", { timeout: 50 });
  clock.advance(50 + SLACK_MS);
  const ended = outcomes.told.filter(({ address }) => address === hung);
  assert.deepEqual(
    ended.map(({ stage, effect, ms }) => ({ stage, effect, ms })),
    [{ stage: "timeout", effect: "not-applied", ms: null }],
  );
});
