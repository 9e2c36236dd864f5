/** The seed of property tests. It is printed once, so that a failure can be replayed. */
import { seedOfRun } from "./seeded-random.js";

let chosen: number | undefined;

export function seed(): number {
  if (chosen === undefined) {
    chosen = seedOfRun();
    console.log(`seed: replay with DBSYNC_SEED=${chosen}`);
  }
  return chosen;
}
