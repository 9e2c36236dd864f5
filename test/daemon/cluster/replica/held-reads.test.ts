/** Tests that signed clients and sidecars also receive entries of streams only when their dates are closed. */
import "../../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { TimelineBackend } from "../../../../daemon/cluster/replica/timeline-backend.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { Database } from "../../../../daemon/store/database.js";

const UNIT = { at: 0, db: 0, id: "i".repeat(34) };

/** Returns a backend whose stream `s` has the entry 5-0, and the function that closes all dates. */
function backendWithEntry() {
  const database = new Database({ databases: 1 });
  database.execute(["XADD", "s", "5-0", "f", "v"], UNIT);
  const timeline = { database, failure: null, standstill: null, flushing: null, undone: 0 };
  const backend = new TimelineBackend(timeline, realEnvironment);
  const waiting: (() => void)[] = [];
  backend.closedDates = { newest: 9, closedTo: () => 4, close: (_, done) => void waiting.push(done) };
  return { backend, closeAll: () => waiting.forEach((done) => void done()) };
}

test("a single XREAD waits, and other reads do not", async () => {
  const { backend, closeAll } = backendWithEntry();
  const waiting = backend.execute(["XREAD", "STREAMS", "s", "0"], UNIT);
  assert.ok(waiting instanceof Promise);
  assert.ok(!(backend.execute(["XRANGE", "s", "-", "+"], UNIT) instanceof Promise));
  assert.ok(
    !(backend.execute(["XREAD", "STREAMS", "s", "5-0"], UNIT) instanceof Promise),
    "nothing is held back",
  );
  closeAll();
  assert.equal(((await waiting) as { kind: string }).kind, "map");
});

test("an XREAD of a unit with several commands does not wait", () => {
  const { backend } = backendWithEntry();
  const reply = backend.executeTogether([["XREAD", "STREAMS", "s", "0"]], UNIT);
  assert.equal(reply.kind, "array");
  assert.ok(
    !(backend.execute(["XREAD", "STREAMS", "s", "0"], { ...UNIT, takesSteps: false }) instanceof Promise),
  );
});
