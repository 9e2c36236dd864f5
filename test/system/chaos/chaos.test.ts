/**
 * Runs chaos.ts until each kind of fault has happened once: daemons with a member list are killed, disconnected,
 * removed, replaced, damaged and restarted.
 */
import { test } from "node:test";
import { seedOfRun } from "../../support/seeded-random.js";
import { runChaos } from "./chaos.js";

const ROUND_MS = 4000;

test("a cluster converges after all kinds of faults, and loses no acknowledged write", async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`replay with DBSYNC_SEED=${seed} npm test -- system/chaos`);
  await runChaos({
    seed,
    seconds: 0,
    roundMs: ROUND_MS,
    writers: 2,
    old: null,
    say: (line) => t.diagnostic(line),
  });
});
