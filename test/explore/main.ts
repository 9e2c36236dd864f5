/**
 * `npm run explore`: runs the randomised tests (simulation, differential, permutation, fuzz and other tests that use
 * a seed) with new seeds for five minutes. Prints each failure with the command that repeats it, and then exits with
 * 1. This includes failures that the same seed does not reproduce.
 *   --minutes N   time limit
 *   --runs N      number of runs, without a time limit
 *   --seed N      derives all seeds from this one, to repeat the same runs
 *   WORD …        only test files whose path contains one of the words
 */
import { randomInt } from "node:crypto";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { chosenFiles } from "../support/chosen-files.js";
import { buildRoot } from "../support/repository.js";
import { SeededRandom } from "../support/seeded-random.js";
import { forgetSettings } from "../support/test-environment.js";
import { Explorer, type Failure } from "./explorer.js";
import { planRuns, repeatCommand } from "./plan.js";
import { randomisedFiles } from "./randomised-files.js";

const { values, positionals } = parseArgs({
  options: { minutes: { type: "string" }, runs: { type: "string" }, seed: { type: "string" } },
  allowPositionals: true,
});

const MINUTES_DEFAULT = 5;
/** The number of seeds: a seed has 32 bits. */
const SEEDS = 2 ** 32;

/** Returns the error in the command line, or null. */
function argumentError(files: readonly string[]): string | null {
  const { minutes, runs, seed } = values;
  if (minutes !== undefined && !(Number(minutes) > 0))
    return `--minutes must be a number above 0, not "${minutes}".`;
  if (runs !== undefined && !(Number.isSafeInteger(Number(runs)) && Number(runs) > 0))
    return `--runs must be a whole number above 0, not "${runs}".`;
  if (seed !== undefined && !(/^\d+$/.test(seed) && Number(seed) < SEEDS))
    return `--seed must be a whole number from 0 to ${SEEDS - 1}, not "${seed}".`;
  if (files.length === 0) return `No path of a randomised test file contains ${positionals.join(" or ")}.`;
  return null;
}

/** Returns the duration of the exploration. It is infinite if only the number of runs is given. */
function durationOption(): number {
  if (values.minutes !== undefined) return Number(values.minutes) * 60_000;
  return values.runs === undefined ? MINUTES_DEFAULT * 60_000 : Number.POSITIVE_INFINITY;
}

async function main(): Promise<void> {
  const files = chosenFiles(randomisedFiles(buildRoot), positionals);
  const error = argumentError(files);
  if (error !== null) {
    console.error(error);
    process.exitCode = 2;
    return;
  }

  forgetSettings();
  const durationMs = durationOption();
  const end = Date.now() + durationMs;
  const random = new SeededRandom(values.seed === undefined ? randomInt(SEEDS) : Number(values.seed));

  const explorer = new Explorer({
    folder: buildRoot,
    plan: planRuns(files, () => random.below(SEEDS)),
    concurrency: availableParallelism(),
    durationMs,
    runsMax: values.runs === undefined ? Number.POSITIVE_INFINITY : Number(values.runs),
    onFailure: printFailure,
    onProgress: (runs, failures) => {
      if (!process.stdout.isTTY) return;
      const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      const remaining = Number.isFinite(seconds) ? `${seconds} s left` : `${Number(values.runs) - runs} left`;
      process.stdout.write(`\r\x1b[K${runs} runs, ${failures} failed, ${remaining}`);
    },
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.once(signal, () => {
      explorer.kill();
      process.exit(code);
    });
  }

  const { runs, failures, races } = await explorer.explore();
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  console.log(
    `${runs} runs of ${files.length} randomised test files: ${failures} failed${races === 0 ? "" : `, ${races} of them not reproducibly`}.`,
  );
  if (failures > 0) process.exitCode = 1;
}

function printFailure({ run, output, isReproducible }: Failure): void {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  console.log(
    `${output}\n${isReproducible ? "Repeat it with:" : "Not reproducible, so it also depends on timing. Tried:"} ${repeatCommand(run)}\n`,
  );
}

await main();
