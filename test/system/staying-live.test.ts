/**
 * Tests two daemon processes. One daemon runs all the time and refuses no write. The other daemon is killed and
 * restarted after a while, sometimes only after the running daemon reports that it is isolated.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { amount } from "../support/amount.js";
import { RedisConnection } from "../support/redis-connection.js";
import { authorizeDaemons, respPort } from "../support/resp-trio.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";

const ROUNDS = amount(2, 4);
/** The share of rounds in which the running daemon becomes isolated. */
const ISOLATED = 0.8;
const EXTRA_MS_MAX = 2_500;
const EVERY_MS_MAX = 15;

test(`a running daemon refuses no write while its peer is restarted (seed ${seedOfRun()})`, async () => {
  const random = new SeededRandom(seedOfRun());
  await using trio = await Trio.start(["--resp", "0"], 2);
  await authorizeDaemons(trio);
  using client = await RedisConnection.open(await respPort(trio, 0));

  let isOver = false;
  let written = 0;
  const errors: string[] = [];
  const writing = (async () => {
    while (!isOver) {
      client.queue(["INCR", "writes"]);
      const [reply] = await client.flush();
      if (reply?.kind === "integer") written++;
      else errors.push(JSON.stringify(reply));
      await sleep(random.between(0, EVERY_MS_MAX));
    }
  })();

  for (let round = 0; round < ROUNDS; round++) {
    await trio.end(1, random.chance(0.7) ? "SIGKILL" : "SIGTERM");
    if (random.chance(ISOLATED))
      await trio.until(
        "the running daemon is isolated",
        async () => (await trio.status(0)).state === "isolated",
      );
    await sleep(random.below(EXTRA_MS_MAX));

    await trio.start(1);
    await trio.until("both daemons are live", async () =>
      (await trio.statuses()).every(({ state }) => state === "live"),
    );
    assert.deepEqual(errors, [], `round ${round}`);
  }

  isOver = true;
  await writing;
  client.queue(["GET", "writes"]);
  const [counted] = await client.flush();
  assert.deepEqual(counted, { kind: "bulk", bytes: String(written) });
  assert.deepEqual(errors, []);
});
