/** Number B9. Of two daemons the one that never stopped takes writes all the time, also while the other one returns. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { letIn, respPort } from "../faults/resp-trio.js";
import { Trio } from "../faults/trio.js";
import { amount } from "../support/amount.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { RedisLine, said } from "./redis-line.js";
import { pause, until } from "./scene.js";

const RETURNS = amount(4, 12);
const STAYS = 0;
const RETURNING = 1;

test("a live daemon takes writes while its only peer is killed and returns", {
  timeout: 1_200_000,
}, async (context) => {
  const random = new SeededRandom(seed());
  await using trio = await Trio.start(["--resp", "0"], 2);
  await letIn(trio);
  using line = await RedisLine.open(await respPort(trio, STAYS));
  await until("a write is taken", async () => (await line.call("SET", "first", "1")) === "OK");
  await trio.untilNoneIsLate();

  const refused: string[] = [];
  let written = 0;
  let over = false;
  const writing = (async () => {
    while (!over) {
      const answer = await line.call("SET", `k:${written % 100}`, written);
      if (answer === "OK") written++;
      else refused.push(said(answer));
      await pause(5);
    }
  })();
  for (let round = 0; round < RETURNS; round++) {
    await trio.end(RETURNING, random.chance(0.7) ? "SIGKILL" : "SIGTERM");
    await pause(random.between(200, 3_000));
    await trio.start(RETURNING);
    await trio.until(
      "the other daemon is live again",
      async () => (await trio.status(RETURNING)).state === "live",
    );
    await pause(random.between(0, 1_000));
  }
  over = true;
  await writing;
  context.diagnostic(`${written} writes were taken`);
  assert.deepEqual([...new Set(refused)], [], `${refused.length} writes were refused`);
});
