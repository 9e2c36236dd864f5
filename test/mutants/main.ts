/**
 * `npm run mutants`: breaks one rule at a time, and checks that the simulation or a test detects it. `npm run mutants
 * -- dedupe order` tries the mutants whose names contain one of the words. `npm run mutants -- --tested` is for use
 * after a full run of the tests. It assumes that the tests pass, and does not run them without a mutant.
 *
 * With --random, it tries random mutants instead (random/random-mutants.ts).
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildRoot } from "../support/repository.js";
import { forgetSettings } from "../support/test-environment.js";
import { problemsOf } from "./killers.js";
import type { Mutant } from "./mutant.js";
import { tryRandom } from "./random/random-mutants.js";
import { mutants } from "./table.js";
import { end, FAILURE, UNFIT, UNTIL_MS } from "./test-process.js";

/** The number of seeds within which each mutant must be detected. */
const SEEDS_MAX = 3000;
/** Milliseconds after which a run is considered hung. A mutant that hangs is detected. */
const HANGS_AFTER_MS = 60_000;

/** The cases of a test file that a run includes. */
interface Cases {
  readonly isFull: boolean;
  /** Milliseconds without a result of a test after which the run is considered hung. */
  readonly silenceMs: number;
  /** Milliseconds after which the run is considered hung in any case. */
  readonly totalMs: number;
}

/** The cases of usual runs. They detect most mutants, and take a tenth of the time of all cases. */
const USUAL: Cases = { isFull: false, silenceMs: 100_000, totalMs: 300_000 };
const ALL: Cases = { isFull: true, silenceMs: 300_000, totalMs: 900_000 };
const PHASES = [USUAL, ALL];
/** The number of parallel runs. Tests with daemons mostly wait. */
const LANES = availableParallelism() + 1;
const FIRST_SEED = 1;
/** The maximum number of seeds that may fail without a mutant. More failures mean a defect to be fixed first. */
const UNSOUND_MAX = 5;
interface Detection {
  readonly seed: number;
  readonly problem: string;
}

const { values, positionals } = parseArgs({
  options: {
    tested: { type: "boolean", default: false },
    random: { type: "string" },
    seed: { type: "string" },
  },
  allowPositionals: true,
});

const suspect = join(dirname(fileURLToPath(import.meta.url)), "suspect.js");

type Message = { readonly kind: "trying" } | ({ readonly kind: "killed" } & Detection);

/** Tries a mutant. @returns null if the mutant survives */
async function tryMutant(mutant: Mutant, from = mutant.from ?? FIRST_SEED): Promise<Detection | null> {
  if (mutant.test !== undefined) return tryTest(mutant, mutant.test);
  const detection = await tryFrom(mutant, from);
  if (detection === null || Number.isNaN(detection.seed) || (await isSound(mutant, detection.seed)))
    return detection;
  return await tryMutant(mutant, detection.seed + 1);
}

/** Tries a mutant that a test must detect. @returns null if it survives all cases */
async function tryTest(mutant: Mutant, test: string): Promise<Detection | null> {
  for (const cases of PHASES) {
    const detection = await tryFrom(mutant, FIRST_SEED, cases);
    if (detection === null) continue;
    return values.tested || (await isSoundTest(test, cases)) ? detection : null;
  }
  return null;
}

/** Returns whether the seed passes without a mutant. A seed that fails proves nothing. */
async function isSound(mutant: Mutant, seed: number): Promise<boolean> {
  const problems = await problemsOf(mutant, seed);
  if (problems.length === 0) return true;
  if (!unsound.has(seed)) console.error(`seed ${seed} fails without any mutant: ${problems[0]}`);
  unsound.add(seed);
  if (unsound.size > UNSOUND_MAX) throw new Error("the code fails without mutants: fix this first");
  return false;
}

const unsound = new Set<number | string>();
const testRuns = new Map<string, Promise<boolean>>();

/** The folder for temporary files of tests, which are killed after their first failure. */
const leftovers = mkdtempSync(join(tmpdir(), "mutants-"));

forgetSettings();

const variables: NodeJS.ProcessEnv = { ...process.env, TMPDIR: leftovers };
delete variables["DBSYNC_FULL"];

/** Returns the environment variables of a run. */
const variablesOf = ({ isFull }: Cases): NodeJS.ProcessEnv =>
  isFull ? { ...variables, DBSYNC_FULL: "1" } : variables;

/** Returns whether a test file passes without a mutant. The file runs once for all its mutants. */
function isSoundTest(test: string, cases: Cases): Promise<boolean> {
  const name = `${test}, ${cases.isFull ? "all" : "usual"} cases`;
  const run = testRuns.get(name) ?? canPass(test, cases);
  testRuns.set(name, run);
  return run;
}

/**
 * Returns whether a test file can pass. A file that fails is reported and runs once more, because occasional failures
 * are the concern of `npm test`.
 */
async function canPass(test: string, cases: Cases): Promise<boolean> {
  if ((await passes(test, cases)) || (await passes(test, cases))) return true;
  unsound.add(test);
  return false;
}

/**
 * Runs a test file and prints its failures. If a failure occurs in no other run, its cause can be found only from this
 * output.
 */
async function passes(test: string, cases: Cases): Promise<boolean> {
  const child = spawn(process.execPath, [join(buildRoot, test)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: variablesOf(cases),
    timeout: cases.totalMs,
  });
  const [output, errors, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  if (code === 0) return true;
  console.error(`${test} fails without any mutant (${code ?? signal}):\n${failuresOf(output)}${errors}`);
  return false;
}

/** Returns the failed tests and reasons from the output of a test file. */
function failuresOf(output: string): string {
  return output
    .split(/^(?=# Subtest: )/m)
    .filter((part) => /^not ok /m.test(part))
    .join("");
}

const suspects = new Set<ChildProcess>();

function tryFrom(
  { name, test, from: first = FIRST_SEED }: Mutant,
  from: number,
  cases: Cases = ALL,
): Promise<Detection | null> {
  const silenceMs = test === undefined ? HANGS_AFTER_MS : cases.silenceMs;
  return new Promise((resolve) => {
    const child = fork(suspect, [name, String(from), String(first + SEEDS_MAX - from)], {
      env: { ...variablesOf(cases), DBSYNC_UNTIL_MS: UNTIL_MS },
      execArgv: ["--test-reporter=tap"],
      stdio: ["ignore", test === undefined ? "ignore" : "pipe", "pipe", "ipc"],
      detached: true,
    });
    suspects.add(child);
    let detection: Detection | null = null;
    let output = "";
    const hangs = (): void => {
      detection = { seed: Number.NaN, problem: "hangs" };
      end(child);
    };
    const silence = setTimeout(hangs, silenceMs);
    const limit = test === undefined ? undefined : setTimeout(hangs, cases.totalMs);
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (bytes) => {
        silence.refresh();
        output += bytes;
        // One failure is sufficient. The remaining tests would wait in vain for effects that the mutant prevents.
        if (FAILURE.test(output)) end(child);
      });
    child.on("message", (message: Message) => {
      silence.refresh();
      if (message.kind === "killed") detection = message;
    });
    child.on("close", (code) => {
      clearTimeout(silence);
      clearTimeout(limit);
      end(child);
      suspects.delete(child);
      if (detection === null && code !== 0)
        detection = {
          seed: Number.NaN,
          problem: UNFIT.exec(output)?.[0] ?? test ?? `breaks off: ${output.slice(0, 300)}`,
        };
      resolve(detection);
    });
  });
}

/** Returns why a row of the table is out of date, or null. A mutant whose code has changed proves nothing. */
function staleness({ name, file, find }: Mutant): string | null {
  const times = readFileSync(join(buildRoot, file), "utf8").split(find).length - 1;
  return times === 1 ? null : `${name}: the text that it replaces occurs ${times} times in ${file}`;
}

function verdictOn(detection: Detection | null): string {
  if (detection === null) return "LIVES ";
  return UNFIT.test(detection.problem) ? "UNFIT " : "killed";
}

function detectionText(detection: Detection | null, first: number): string {
  if (detection === null) return "no run detects it";
  const seeds = Number.isNaN(detection.seed) ? "" : `after ${detection.seed - first + 1} seeds: `;
  return `${seeds}${detection.problem.split("\n")[0]}`;
}

async function main(words: readonly string[]): Promise<void> {
  const chosen = mutants.filter(
    ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
  );
  const stale = chosen.map(staleness).filter((text) => text !== null);
  for (const text of stale) console.error(text);
  // The last mutants in the table start servers and take the longest time, so they run first.
  const queue = chosen.filter((mutant) => staleness(mutant) === null).reverse();
  let alive = stale.length;
  const work = async () => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const startedAt = performance.now();
      const detection = await tryMutant(mutant);
      if (detection === null || UNFIT.test(detection.problem)) alive++;
      const took = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
      console.log(
        `${verdictOn(detection)} ${mutant.name}, ${took}: ${detectionText(detection, mutant.from ?? FIRST_SEED)}`,
      );
    }
  };
  await Promise.all(Array.from({ length: LANES }, work));
  console.log(`${chosen.length - alive} of ${chosen.length} mutants were detected`);
  if (alive > 0 || unsound.size > 0 || chosen.length === 0) process.exitCode = 1;
}

process.once("exit", () => {
  for (const child of suspects) end(child);
  rmSync(leftovers, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));

if (values.random === undefined) await main(positionals);
else await tryRandom(values.random, values.seed, positionals);
