/** What a daemon that hangs beside others costs a client. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import type { OutcomeMessage } from "../../client/channels.js";
import type { FanOutClient } from "../../client/client.js";
import { bytesInUse } from "../support/garbage.js";
import { client2Of, ServedDaemon } from "./served-daemon.js";

const MEBIBYTE = 1024 * 1024;
const VALUE = "x".repeat(32 * 1024);

interface Scene extends AsyncDisposable {
  readonly client: FanOutClient;
  readonly hung: string;
  /** What the daemons know is no cost of the client's. */
  readonly forget: () => void;
}

/** Two daemons of which one has said hello, and says nothing any more. */
async function sceneWith(reply: string): Promise<Scene> {
  const daemons = [
    await ServedDaemon.start({ id: 1, reply: () => ({ kind: "bulk", bytes: reply }) }),
    await ServedDaemon.start({ id: 2 }),
  ] as const;
  const client = client2Of(daemons, { timeout: 20_000 });
  await client.sendAll("PING");
  daemons[1].passes = () => [];
  return {
    client,
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

async function growthOf({ client, forget }: Scene, command: readonly string[]): Promise<number> {
  const before = bytesInUse();
  for (let i = 0; i < 3_000; i++) {
    await client.send(command);
    forget();
  }
  return bytesInUse() - before;
}

test("writes of 32 KiB beside a daemon that hangs keep no more than 64 MiB", async () => {
  await using scene = await sceneWith("OK");
  const grown = await growthOf(scene, ["SET", "k", VALUE]);
  assert.ok(grown < 100 * MEBIBYTE, `${Math.round(grown / MEBIBYTE)} MiB`);
});

test("replies of 32 KiB are not kept for a daemon that hangs", async () => {
  await using scene = await sceneWith(VALUE);
  const grown = await growthOf(scene, ["GET", "k"]);
  assert.ok(grown < 40 * MEBIBYTE, `${Math.round(grown / MEBIBYTE)} MiB`);
});

test("a call leaves the queue of a daemon that hangs at its deadline, also behind one with more time", async () => {
  await using scene = await sceneWith("OK");
  const { client, hung } = scene;
  const ended: OutcomeMessage[] = [];
  const listener = (message: unknown) => {
    const outcome = message as OutcomeMessage;
    if (outcome.address === hung) ended.push(outcome);
  };
  // The first makes it owe an answer; once another has answered later it is sent nothing more.
  await client.send("SET a 1");
  await new Promise((resolve) => setTimeout(resolve, 300));
  await client.send("SET b 1");
  subscribe("dbsync:outcome", listener);
  await client.send("SET c 1", { timeout: 20_000 });
  await client.send("SET d 1", { timeout: 50 });
  const startedAt = performance.now();
  while (ended.length === 0 && performance.now() < startedAt + 5_000)
    await new Promise((resolve) => setTimeout(resolve, 20));
  unsubscribe("dbsync:outcome", listener);
  assert.deepEqual(
    ended.map(({ stage, effect, ms }) => ({ stage, effect, ms })),
    [{ stage: "timeout", effect: "not-applied", ms: null }],
  );
});
