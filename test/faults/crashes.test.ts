/** Three daemons under kill -9, SIGSTOP, restarts, a lost folder and a damaged file: chaos.ts for some seconds. */
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { seedOfRun } from "../support/seeded-random.js";
import { runChaos } from "./chaos.js";

/** DBSYNC_CHAOS_SECONDS, or what suits. */
function secondsOf(env: NodeJS.ProcessEnv): number {
  const given = env["DBSYNC_CHAOS_SECONDS"];
  if (given === undefined) return amount(6, 60);
  const seconds = Number(given);
  if (!(seconds > 0)) throw new Error(`DBSYNC_CHAOS_SECONDS must be a number above 0, not "${given}".`);
  return seconds;
}

test("three daemons that are killed, frozen, robbed and damaged end equal, and nothing acknowledged is lost", async (t) => {
  const seed = seedOfRun();
  const seconds = secondsOf(process.env);
  t.diagnostic(`replay with DBSYNC_SEED=${seed} DBSYNC_CHAOS_SECONDS=${seconds} npm test -- faults/crashes`);
  await runChaos({ seed, seconds, say: (line) => t.diagnostic(line) });
});
