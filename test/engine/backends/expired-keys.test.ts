/** Tests that keys that expire together are dropped in several turns, however many they are. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { MemoryBackend } from "../../../engine/backends/memory.js";
import { type Environment, realEnvironment } from "../../../net/process/environment.js";

const KEYS = 20_000;
const START = 1_000_000;
/** Milliseconds, longer than the time between two rounds. */
const ROUND_MS = 100;

test("dropping many expired keys takes one turn at a time, though the next rounds come meanwhile", async () => {
  let now = START;
  let uptime = 0;
  // Each reading of the clock ends a turn.
  const environment: Environment = { ...realEnvironment, clock: () => now, uptime: () => (uptime += 1000) };
  const backend = new MemoryBackend(environment);
  for (let key = 0; key < KEYS; key++)
    backend.execute(["SET", `key:${key}`, "v", "PX", "5"], { at: START, db: 0, id: "unit" });
  const left = () => backend.database.keyspaces[0]?.size ?? 0;
  assert.equal(left(), KEYS);
  now += 1000;

  mock.timers.enable({ apis: ["setInterval"] });
  try {
    await backend.start();
    mock.timers.tick(ROUND_MS);
    const ofOneTurn = KEYS - left();
    assert.ok(ofOneTurn > 0 && ofOneTurn < KEYS / 10, `${ofOneTurn} keys in the first turn`);
    while (left() > 0) {
      const before = left();
      mock.timers.tick(ROUND_MS);
      await new Promise<void>((turn) => setImmediate(turn));
      const dropped = before - left();
      assert.ok(dropped > 0 && dropped <= ofOneTurn, `${dropped} keys in one turn`);
    }

    // Keys that expire afterwards are dropped as well.
    await new Promise<void>((turn) => setImmediate(turn));
    backend.execute(["SET", "later", "v", "PX", "5"], { at: now, db: 0, id: "unit" });
    now += 1000;
    mock.timers.tick(ROUND_MS);
    assert.equal(left(), 0);
  } finally {
    mock.timers.reset();
    await backend.stop();
  }
});
