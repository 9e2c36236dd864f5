/**
 * Runs rounds.ts: signed clients and clients of sidecars change registers, locks and counters while daemons have faults
 * and lists change, and all their answers must be linearizable. `npm run chaos -- --rounds 200` runs many rounds.
 */
import { test } from "node:test";
import { amount, isFull } from "../../support/amount.js";
import { seedOfRun } from "../../support/seeded-random.js";
import { FAULT_KINDS, type FaultKind } from "./faults.js";
import { runRounds } from "./rounds.js";

const ROUND_MS = amount(2_000, 3_000);
const CLUSTERS = amount(1, 2);
/** The kinds of faults of a short run: those that need processes. The simulation has the faults of the network, too. */
const FEW: readonly FaultKind[] = ["kill"];

test("the units that the members decide are linearizable, whatever fails", async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`replay with DBSYNC_SEED=${seed} npm test -- system/linearizability`);
  const kinds = isFull ? FAULT_KINDS : FEW;
  await runRounds({
    seed,
    kinds,
    rounds: kinds.length * CLUSTERS,
    roundMs: ROUND_MS,
    sidecars: amount(1, 2),
    say: (line) => t.diagnostic(line),
  });
});
