/** The runs that detect mutants, each for one seed. */
import { makeWorld, simulate } from "../simulation/simulate.js";
import { foldSeed } from "./fold-seed.js";
import { handoverSeed } from "./handover-seed.js";
import type { Mutant } from "./mutant.js";

/** Runs a seed with a mutant's killer. @returns the problems; empty: everything held */
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
      return makeWorld(seed, null, []).settings.lists ? (await simulate(seed)).problems : [];
    case "simulation":
      // Without later features, their first seeds stay the same.
      return (await simulate(seed, { without: ["lists"] })).problems;
  }
}
