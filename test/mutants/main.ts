/**
 * `npm run mutants`: breaks one rule at a time, and checks that the simulation or a test detects it. `npm run mutants
 * -- dedupe order` tries the mutants whose names contain one of the words. `npm run mutants -- --tested` is for use
 * after a full run of the tests. It assumes that the tests pass, and does not run them without a mutant.
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
import { mutants } from "./table.js";

/** The number of seeds within which each mutant must be detected. */
const SEEDS_MAX = 3000;
/** Milliseconds after which a run is considered hung. A mutant that hangs is detected. */
const HANGS_AFTER_MS = 60_000;
/** The same limit for a test file, which contains many tests and may share the machine. */
const TEST_HANGS_AFTER_MS = 300_000;
/** The number of parallel runs. Tests with daemons mostly wait. */
const LANES = availableParallelism() + 1;
const FIRST_SEED = 1;
/** The maximum number of seeds that may fail without a mutant. More failures mean a defect to be fixed first. */
const UNSOUND_MAX = 5;
/** Matches the first failure and its reason in the TAP output of a test file. */
const FAILURE = /^( *)not ok .*\n\1 {2}---\n[\s\S]*?^\1 {2}\.\.\.$/m;
/** Matches errors of the mutant's own code, which do not show that the rule is tested. */
const UNFIT = /(?:ReferenceError|SyntaxError): .*/;

interface Detection {
  readonly seed: number;
  readonly problem: string;
}

const { values, positionals } = parseArgs({
  options: { tested: { type: "boolean", default: false } },
  allowPositionals: true,
});

const suspect = join(dirname(fileURLToPath(import.meta.url)), "suspect.js");

type Message = { readonly kind: "trying" } | ({ readonly kind: "killed" } & Detection);

/** Tries a mutant. @returns null if the mutant survives */
async function tryMutant(mutant: Mutant): Promise<Detection | null> {
  for (let { from = FIRST_SEED } = mutant; ; ) {
    const detection = await tryFrom(mutant, from);
    if (detection === null) return null;
    if (mutant.test !== undefined)
      return values.tested || (await isSoundTest(mutant.test)) ? detection : null;
    if (Number.isNaN(detection.seed) || (await isSound(mutant, detection.seed))) return detection;
    from = detection.seed + 1;
  }
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

/** Tests run in full, since a short run could miss the mutant. */
const inFull = { ...process.env, DBSYNC_FULL: "1", TMPDIR: leftovers };

/** With a mutant, tests wait for conditions for a shorter time. */
const withMutant = { ...inFull, DBSYNC_UNTIL_MS: "40000" };

/** Returns whether a test file passes without a mutant. The file runs once for all its mutants. */
function isSoundTest(test: string): Promise<boolean> {
  const run = testRuns.get(test) ?? canPass(test);
  testRuns.set(test, run);
  return run;
}

/**
 * Returns whether a test file can pass. A file that fails is reported and runs once more, because occasional failures
 * are the concern of `npm test`.
 */
async function canPass(test: string): Promise<boolean> {
  if ((await passes(test)) || (await passes(test))) return true;
  unsound.add(test);
  return false;
}

/**
 * Runs a test file and prints its failures. If a failure occurs in no other run, its cause can be found only from this
 * output.
 */
async function passes(test: string): Promise<boolean> {
  const child = spawn(process.execPath, [join(buildRoot, test)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: inFull,
    // While mutants run in parallel, the file may take twice as long.
    timeout: 2 * TEST_HANGS_AFTER_MS,
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

/** Kills a test file and the servers that it has started. */
function end(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), "SIGKILL");
  } catch {
    // The process has already ended.
  }
}

function tryFrom({ name, test, from: first = FIRST_SEED }: Mutant, from: number): Promise<Detection | null> {
  return new Promise((resolve) => {
    const child = fork(suspect, [name, String(from), String(first + SEEDS_MAX - from)], {
      env: withMutant,
      execArgv: ["--test-reporter=tap"],
      stdio: ["ignore", test === undefined ? "ignore" : "pipe", "pipe", "ipc"],
      detached: true,
    });
    suspects.add(child);
    let detection: Detection | null = null;
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (bytes) => {
        output += bytes;
        // One failure is sufficient. The remaining tests would wait in vain for effects that the mutant prevents.
        if (FAILURE.test(output)) end(child);
      });
    const hangs = (): void => {
      detection = { seed: Number.NaN, problem: "hangs" };
      end(child);
    };
    let timer = setTimeout(hangs, test === undefined ? HANGS_AFTER_MS : TEST_HANGS_AFTER_MS);
    child.on("message", (message: Message) => {
      clearTimeout(timer);
      timer = setTimeout(hangs, HANGS_AFTER_MS);
      if (message.kind === "killed") detection = message;
    });
    child.on("close", (code) => {
      clearTimeout(timer);
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

await main(positionals);
