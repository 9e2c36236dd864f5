/**
 * `npm run model`: checks the models of docs/model with spin, and that spin finds each seeded mistake. It installs spin
 * and gcc if they are missing. `npm run model -- conditions` runs the searches whose names contain the word, also those
 * that are omitted without a word because they take long;
 *   --write     writes the steps to each mistake to docs/model/traces
 *   --seed N    the order of random searches
 */
import { rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installPackages } from "../support/install-packages.js";
import { scratchFolder } from "../support/scratch-folder.js";
import { searches } from "./models.js";
import type { Search } from "./search.js";
import { keptTrace, type Outcome, runSearch, tracePath } from "./spin.js";

/** The number of parallel searches. Each needs a processor, and up to MEMORY_MIB of memory. */
const LANES = Math.min(availableParallelism(), 2);

const { values, positionals } = parseArgs({
  options: { write: { type: "boolean", default: false }, seed: { type: "string", default: "1" } },
  allowPositionals: true,
});

const PROGRAMS = [
  { program: "spin", debianPackage: "spin", purpose: "the model checker" },
  { program: "gcc", debianPackage: "gcc", purpose: "the compiler of the searches" },
  { program: "cpp", debianPackage: "cpp", purpose: "the preprocessor of the models" },
  {
    program: "gcc",
    check: ["-xc", "-E", "-include", "stdlib.h", "/dev/null"],
    debianPackage: "libc6-dev",
    purpose: "the headers of C",
  },
];

/** Returns why the outcome of a search is not the expected one; null if it is. */
function problemOf({ violates, trace }: Search, outcome: Outcome): string | null {
  if (outcome.incomplete !== null) return `the search is incomplete: ${outcome.incomplete}`;
  if (violates === null)
    return outcome.trace === null ? null : `a rule does not hold:\n${indented(outcome.trace)}`;
  if (outcome.trace === null) return `the checker did not find the mistake (violated: ${violates})`;
  if (!outcome.trace.endsWith(`violated: ${violates}\n`))
    return `another rule than "${violates}" does not hold:\n${indented(outcome.trace)}`;
  if (trace === undefined || keptTrace(trace) === outcome.trace) return null;
  return `docs/model/traces/${trace}.txt has other steps (npm run model -- --write):\n${indented(outcome.trace)}`;
}

const indented = (text: string) => text.replace(/^(?=.)/gm, "    ");

const scratch = scratchFolder("model");

async function check(search: Search, index: number): Promise<boolean> {
  const start = performance.now();
  const folder = join(scratch, String(index));
  const outcome = await runSearch(search, folder, Number(values.seed));
  rmSync(folder, { recursive: true });
  if (values.write && search.trace !== undefined && outcome.trace !== null)
    writeFileSync(tracePath(search.trace), outcome.trace);
  const problem = problemOf(search, outcome);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${problem === null ? "ok    " : "FAILED"} ${search.name}: ${summaryOf(search, outcome)}, ${seconds} s`,
  );
  if (problem !== null) console.log(`  ${problem}`);
  return problem === null;
}

function summaryOf({ search }: Search, { states, depth, trace }: Outcome): string {
  const found =
    trace === null ? "no rule is violated" : `found after ${trace.trimEnd().split("\n").length - 1} steps`;
  const extent = { all: "all", shortest: "the nearest", random: "a random selection of" }[search];
  return `${found} in ${extent} ${states.toLocaleString("en")} states, at most ${depth} steps deep`;
}

async function main(): Promise<void> {
  if (installPackages(PROGRAMS, "The models need").missing.length > 0) {
    process.exitCode = 1;
    return;
  }

  const chosen = searches.filter(({ name, isLong }) =>
    positionals.length === 0 ? isLong !== true : positionals.some((word) => name.includes(word)),
  );
  if (chosen.length === 0) {
    console.error(`No name of a search contains ${positionals.join(" or ")}.`);
    process.exitCode = 2;
    return;
  }

  const waiting = [...chosen.entries()];
  let failed = 0;
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      if (!(await check(next[1], next[0]))) failed++;
  };
  await Promise.all(Array.from({ length: LANES }, lane));

  if (failed === 0) console.log(`All ${chosen.length} searches ended as expected.`);
  else {
    console.log(`${failed} of ${chosen.length} searches did not end as expected.`);
    process.exitCode = 1;
  }
}

await main();
