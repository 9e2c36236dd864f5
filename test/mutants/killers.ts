/** The kinds of runs that can detect mutants, each with one seed. */
import { makeWorld, simulate } from "../simulation/simulate.js";
import { foldSeed } from "./fold-seed.js";
import { handoverSeed } from "./handover-seed.js";
import type { Mutant } from "./mutant.js";

/** Runs a seed with the kind of run of a mutant. @returns the problems, or an empty list if there are none */
export async function problemsOf(
  { killer = "simulation" }: Mutant,
  seed: number,
): Promise<readonly string[]> {
  switch (killer) {
    case "fold":
      return foldSeed(seed);
    case "handover":
      return await handoverSeed(seed);
    case "lists":
      return makeWorld(seed, null, []).settings.lists
        ? (await simulate(seed, { without: ["contention", "patterns"] })).problems
        : [];
    case "simulation":
      // Later features are disabled, so that the first seeds still produce the runs that detect these mutants.
      return (await simulate(seed, { without: ["lists"] })).problems;
  }
}
