/**
 * Tests that unmodified clients of Redis, memcached and MongoDB see linearizable answers on decided keys while daemons
 * have faults (plain-rounds.ts). `npm run chaos -- --rounds 200 --decided-keys` runs many rounds.
 */
import { test } from "node:test";
import { seedOfRun } from "../../../support/seeded-random.js";
import { FAULT_KINDS } from "../faults.js";
import { runPlainRounds } from "./plain-rounds.js";

const ROUND_MS = 3_000;

test("the commands of unmodified clients on decided keys are linearizable during each kind of fault", async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`replay with DBSYNC_SEED=${seed} npm test -- system/linearizability/decided-keys`);
  await runPlainRounds({
    seed,
    rounds: FAULT_KINDS.length,
    roundMs: ROUND_MS,
    say: (line) => t.diagnostic(line),
  });
});
