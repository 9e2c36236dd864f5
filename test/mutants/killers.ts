/** What finds mutants out, each for one seed. */
import { simulate } from "../simulation/simulate.js";
import { foldSeed } from "./fold-seed.js";
import { handoverSeed } from "./handover-seed.js";
import type { Mutant } from "./mutant.js";

/** @returns what went wrong; nothing: all held */
export async function problemsOf(
  { killer = "simulation" }: Mutant,
  seed: number,
): Promise<readonly string[]> {
  switch (killer) {
    case "fold":
      return foldSeed(seed);
    case "handover":
      return await handoverSeed(seed);
    case "simulation":
      // They fail without any mutant too.
      return (await simulate(seed)).problems;
  }
}
