/**
 * A process with one mutant. It runs seeds until one detects the mutant, and reports this seed to its parent process.
 */
import { register } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildRoot } from "../support/repository.js";
import type { Mutant } from "./mutant.js";
import { mutants } from "./table.js";

const [name, first = "1", most = "500"] = process.argv.slice(2);
const mutant = mutants.find((each) => each.name === name);
if (mutant === undefined) throw new Error(`no mutant is named "${name}"`);
const { file, find, replace } = mutant;
register("./break-module.js", import.meta.url, {
  data: { url: pathToFileURL(join(buildRoot, file)).href, find, replace },
});

if (mutant.test !== undefined) {
  process.disconnect?.();
  // The exit code reports the failure.
  await import(pathToFileURL(join(buildRoot, mutant.test)).href);
} else await trySeeds(mutant);

async function trySeeds(suspected: Mutant): Promise<void> {
  // This import comes after the registration of the hook, which breaks modules from here on.
  const { problemsOf } = await import("./killers.js");
  for (let seed = Number(first); seed < Number(first) + Number(most); seed++) {
    process.send?.({ kind: "trying" });
    const problems = await problemsOf(suspected, seed);
    if (problems.length === 0) continue;
    process.send?.({ kind: "killed", seed, problem: (problems[0] as string).slice(0, 300) });
    break;
  }
  process.disconnect?.();
}
