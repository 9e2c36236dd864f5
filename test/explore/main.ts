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
import { Explorer, type Finding } from "./explorer.js";
import { again, turns } from "./plan.js";
import { randomisedFiles } from "./randomised-files.js";

const { values, positionals } = parseArgs({
  options: { minutes: { type: "string" }, runs: { type: "string" }, seed: { type: "string" } },
  allowPositionals: true,
});

const MINUTES_DEFAULT = 5;
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
  if (files.length === 0) return `No path of a randomised test file contains ${positionals.join(" or ")}.`;
  return null;
}

/** Returns the duration in milliseconds. It is infinite if the number of runs is given. */
function milliseconds(): number {
  if (values.minutes !== undefined) return Number(values.minutes) * 60_000;
  return values.runs === undefined ? MINUTES_DEFAULT * 60_000 : Number.POSITIVE_INFINITY;
}

async function main(): Promise<void> {
  const files = chosenFiles(randomisedFiles(buildRoot), positionals);
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
    folder: buildRoot,
    turns: turns(files, () => random.below(SEEDS)),
    lanes: availableParallelism(),
    ms,
    most: values.runs === undefined ? Number.POSITIVE_INFINITY : Number(values.runs),
    found: report,
    progress: (done, findings) => {
      if (!process.stdout.isTTY) return;
      const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      const remaining = Number.isFinite(seconds) ? `${seconds} s left` : `${Number(values.runs) - done} left`;
      process.stdout.write(`\r\x1b[K${done} runs, ${findings} failed, ${remaining}`);
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
    `${done} runs of ${files.length} randomised test files: ${findings} failed${races === 0 ? "" : `, ${races} of them not reproducibly`}.`,
  );
  if (findings > 0) process.exitCode = 1;
}

function report({ turn, output, repeats }: Finding): void {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  console.log(
    `${output}\n${repeats ? "Repeat it with:" : "Not reproducible, so it also depends on timing. Tried:"} ${again(turn)}\n`,
  );
}

await main();
