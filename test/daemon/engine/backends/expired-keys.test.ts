/** Tests that keys that expire at the same time are dropped in several turns, regardless of their number. */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { MemoryBackend } from "../../../../daemon/engine/backends/memory-backend.js";
import { type Environment, realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { nextTurn, until } from "../../../support/until.js";

const KEYS = 20_000;
const START = 1_000_000;
/** A time in milliseconds that is longer than the interval between two rounds. */
const ROUND_MS = 100;

test("a round that drops many expired keys runs in several turns, even if the next round starts meanwhile", async () => {
  let now = START;
  let uptime = 0;
  // Each reading of the clock ends a turn.
  const environment: Environment = { ...realEnvironment, clock: () => now, uptime: () => (uptime += 1000) };
  const backend = new MemoryBackend(environment);
  for (let key = 0; key < KEYS; key++)
    backend.execute(["SET", `key:${key}`, "v", "PX", "5"], { at: START, db: 0, id: "unit" });
  const remaining = () => backend.database.keyspaces[0]?.size ?? 0;
  assert.equal(remaining(), KEYS);
  now += 1000;

  mock.timers.enable({ apis: ["setInterval"] });
  try {
    await backend.start();
    mock.timers.tick(ROUND_MS);
    const firstTurn = KEYS - remaining();
    assert.ok(firstTurn > 0 && firstTurn < KEYS / 10, `${firstTurn} keys in the first turn`);
    const dropSome = async () => {
      const before = remaining();
      mock.timers.tick(ROUND_MS);
      await nextTurn();
      const dropped = before - remaining();
      assert.ok(dropped > 0 && dropped <= firstTurn, `${dropped} keys in one turn`);
      return remaining() === 0;
    };
    await until("all expired keys are dropped", dropSome, { pause: nextTurn });

    // Keys that expire afterwards are dropped as well.
    await nextTurn();
    backend.execute(["SET", "later", "v", "PX", "5"], { at: now, db: 0, id: "unit" });
    now += 1000;
    mock.timers.tick(ROUND_MS);
    assert.equal(remaining(), 0);
  } finally {
    mock.timers.reset();
    await backend.stop();
  }
});
