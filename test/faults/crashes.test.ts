/** Three daemons under kill -9, SIGSTOP, restarts, a lost folder and a damaged file: chaos.ts for a minute. */
import { test } from "node:test";
import { seedOfRun } from "../support/seeded-random.js";
import { runChaos } from "./chaos.js";

const SECONDS_USUAL = 20;
const SECONDS_CI = 60;

/** DBSYNC_CHAOS_SECONDS, or what suits the place. */
function secondsOf(env: NodeJS.ProcessEnv): number {
  const given = env["DBSYNC_CHAOS_SECONDS"];
  if (given === undefined) return env["CI"] ? SECONDS_CI : SECONDS_USUAL;
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
