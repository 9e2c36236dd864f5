/**
 * `npm run explore`: runs the randomised tests (simulation, differential, permutation, fuzz and other tests that use a seed)
 * with fresh seeds for five minutes. Prints each failure with the command that reproduces it, then exits with 1. Failures
 * that the same seed does not reproduce are printed as well (docs/decisions/0029).
 *   --minutes N   time limit
 *   --runs N      number of runs, without a time limit
 *   --seed N      derives all seeds from this one, to repeat the same runs
 *   WORD …        only test files whose path below test/ contains one of the words
 */
import { randomInt } from "node:crypto";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chosenFiles } from "../support/chosen-files.js";
import { buildRoot } from "../support/repository.js";
import { SeededRandom } from "../support/seeded-random.js";
import { forgetSettings } from "../support/test-environment.js";
import { Explorer, type Finding } from "./explorer.js";
import { again, turns } from "./plan.js";
import { randomisedFiles } from "./randomised-files.js";

const { values, positionals } = parseArgs({
  options: { minutes: { type: "string" }, runs: { type: "string" }, seed: { type: "string" } },
  allowPositionals: true,
});

const MINUTES_USUAL = 5;
const SEEDS = 2 ** 32;

/** Returns the error in the command line, or null. */
function problemOf(files: readonly string[]): string | null {
  const { minutes, runs, seed } = values;
  if (minutes !== undefined && !(Number(minutes) > 0))
    return `--minutes must be a number above 0, not "${minutes}".`;
  if (runs !== undefined && !(Number.isSafeInteger(Number(runs)) && Number(runs) > 0))
    return `--runs must be a whole number above 0, not "${runs}".`;
  if (seed !== undefined && !(/^\d+$/.test(seed) && Number(seed) < SEEDS))
    return `--seed must be a whole number from 0 to ${SEEDS - 1}, not "${seed}".`;
  if (files.length === 0)
    return `No randomised test file's path below test/ holds ${positionals.join(" or ")}.`;
  return null;
}

/** Returns the milliseconds requested; a given number of runs has no time limit. */
function milliseconds(): number {
  if (values.minutes !== undefined) return Number(values.minutes) * 60_000;
  return values.runs === undefined ? MINUTES_USUAL * 60_000 : Number.POSITIVE_INFINITY;
}

async function main(): Promise<void> {
  const folder = join(buildRoot, "test");
  const files = chosenFiles(randomisedFiles(folder), positionals);
  const problem = problemOf(files);
  if (problem !== null) {
    console.error(problem);
    process.exitCode = 2;
    return;
  }
  forgetSettings();
  const ms = milliseconds();
  const end = Date.now() + ms;
  const random = new SeededRandom(values.seed === undefined ? randomInt(SEEDS) : Number(values.seed));
  const explorer = new Explorer({
    folder,
    turns: turns(files, () => random.below(SEEDS)),
    lanes: availableParallelism(),
    ms,
    most: values.runs === undefined ? Number.POSITIVE_INFINITY : Number(values.runs),
    found: tell,
    progress: (done, findings) => {
      if (!process.stdout.isTTY) return;
      const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      const rest = Number.isFinite(left) ? `${left} s left` : `${Number(values.runs) - done} left`;
      process.stdout.write(`\r\x1b[K${done} runs, ${findings} found something, ${rest}`);
    },
  });
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.once(signal, () => {
      explorer.end();
      process.exit(code);
    });
  }
  const { turns: done, findings, races } = await explorer.run();
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  console.log(
    `${done} runs of ${files.length} randomised test files: ${findings} found something${races === 0 ? "" : `, ${races} what their seed does not find again`}.`,
  );
  if (findings > 0) process.exitCode = 1;
}

function tell({ turn, output, repeats }: Finding): void {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  console.log(
    `${output}\n${repeats ? "Again:" : "Not found again, so it hangs on time as well; tried:"} ${again(turn)}\n`,
  );
}

await main();
