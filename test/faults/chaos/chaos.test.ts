/**
 * Runs chaos.ts until everything has happened once: daemons with a member list are killed, cut off, removed, replaced,
 * damaged and restarted.
 */
import { test } from "node:test";
import { seedOfRun } from "../../support/seeded-random.js";
import { runChaos } from "./chaos.js";

const ROUND_MS = 4000;

test("whatever happens to its daemons and members, a cluster ends equal, and nothing acknowledged is lost", async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`replay with DBSYNC_SEED=${seed} npm test -- faults/chaos`);
  await runChaos({
    seed,
    seconds: 0,
    roundMs: ROUND_MS,
    writers: 2,
    old: null,
    say: (line) => t.diagnostic(line),
  });
});
