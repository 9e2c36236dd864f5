/**
 * `npm run mutants`: breaks one rule after the other and shows that the simulation, or a test, finds each out.
 * `npm run mutants -- dedupe order` tries those whose name holds one of the words.
 * `npm run mutants -- --tested`, behind a whole run of the tests in full, runs none of them once more without a mutant.
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

/** Within so many seeds each must be found out. */
const SEEDS_MOST = 3000;
/** A mutant that hangs in one run is found out too. */
const HANGS_AFTER_MS = 60_000;
/** A test file has many tests, and may share the machine. */
const TEST_HANGS_AFTER_MS = 300_000;
/** Tests with daemons wait most of their time. */
const LANES = availableParallelism() + 1;
const FIRST_SEED = 1;
/** Seeds that fail without any mutant show a defect, which is to be mended first. */
const UNSOUND_MOST = 5;
/** In what a test file prints as TAP: the first failure, with what was wrong. */
const FAILURE = /^( *)not ok .*\n\1 {2}---\n[\s\S]*?^\1 {2}\.\.\.$/m;
/** What is wrong with a mutant that dies of itself, not of the rule that it breaks. */
const UNFIT = /(?:ReferenceError|SyntaxError): .*/;

interface Death {
  readonly seed: number;
  readonly problem: string;
}

const { values, positionals } = parseArgs({
  options: { tested: { type: "boolean", default: false } },
  allowPositionals: true,
});

const suspect = join(dirname(fileURLToPath(import.meta.url)), "suspect.js");

type Message = { readonly kind: "trying" } | ({ readonly kind: "killed" } & Death);

/** Tries one. @returns null: it lives */
async function tryMutant(mutant: Mutant): Promise<Death | null> {
  for (let { from = FIRST_SEED } = mutant; ; ) {
    const death = await tryFrom(mutant, from);
    if (death === null) return null;
    if (mutant.test !== undefined) return values.tested || (await isSoundTest(mutant.test)) ? death : null;
    if (Number.isNaN(death.seed) || (await isSound(mutant, death.seed))) return death;
    from = death.seed + 1;
  }
}

/** Whether the code passes as it is: else a seed shows nothing about a mutant. */
async function isSound(mutant: Mutant, seed: number): Promise<boolean> {
  const problems = await problemsOf(mutant, seed);
  if (problems.length === 0) return true;
  if (!unsound.has(seed)) console.error(`seed ${seed} fails without any mutant: ${problems[0]}`);
  unsound.add(seed);
  if (unsound.size > UNSOUND_MOST) throw new Error("the code fails without mutants: mend that first");
  return false;
}

const unsound = new Set<number | string>();
const testRuns = new Map<string, Promise<boolean>>();

/** What tests leave that are ended when the first of them has failed. */
const leftovers = mkdtempSync(join(tmpdir(), "mutants-"));

forgetSettings();

/** What few runs of a test would miss, it may still find. */
const inFull = { ...process.env, DBSYNC_FULL: "1", TMPDIR: leftovers };

/** What a mutant keeps from coming is given up earlier. */
const withMutant = { ...inFull, DBSYNC_UNTIL_MS: "40000" };

/** The same of a test file: run once, for all mutants that it is to find out. */
function isSoundTest(test: string): Promise<boolean> {
  const run = testRuns.get(test) ?? canPass(test);
  testRuns.set(test, run);
  return run;
}

/** What fails now and then is for `npm test` to find out; here it is told, and tried once more. */
async function canPass(test: string): Promise<boolean> {
  if ((await passes(test)) || (await passes(test))) return true;
  unsound.add(test);
  return false;
}

/** Says what failed: a fault that shows here alone is to be found by what this prints. */
async function passes(test: string): Promise<boolean> {
  const child = spawn(process.execPath, [join(buildRoot, test)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: inFull,
    // Beside mutants it may take twice as long, and to be slow is no fault of it.
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

/** Of what a test file prints, what has failed and why. */
function failuresOf(output: string): string {
  return output
    .split(/^(?=# Subtest: )/m)
    .filter((part) => /^not ok /m.test(part))
    .join("");
}

const suspects = new Set<ChildProcess>();

/** With the servers that its test has started. */
function end(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), "SIGKILL");
  } catch {
    // None of it is left.
  }
}

function tryFrom({ name, test, from: first = FIRST_SEED }: Mutant, from: number): Promise<Death | null> {
  return new Promise((resolve) => {
    const child = fork(suspect, [name, String(from), String(first + SEEDS_MOST - from)], {
      env: withMutant,
      execArgv: ["--test-reporter=tap"],
      stdio: ["ignore", test === undefined ? "ignore" : "pipe", "pipe", "ipc"],
      detached: true,
    });
    suspects.add(child);
    let death: Death | null = null;
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (bytes) => {
        output += bytes;
        // One test is enough; the others would wait for what the mutant keeps from them.
        if (FAILURE.test(output)) end(child);
      });
    const hangs = (): void => {
      death = { seed: Number.NaN, problem: "hangs" };
      end(child);
    };
    let timer = setTimeout(hangs, test === undefined ? HANGS_AFTER_MS : TEST_HANGS_AFTER_MS);
    child.on("message", (message: Message) => {
      clearTimeout(timer);
      timer = setTimeout(hangs, HANGS_AFTER_MS);
      if (message.kind === "killed") death = message;
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      end(child);
      suspects.delete(child);
      if (death === null && code !== 0)
        death = {
          seed: Number.NaN,
          problem: UNFIT.exec(output)?.[0] ?? test ?? `breaks off: ${output.slice(0, 300)}`,
        };
      resolve(death);
    });
  });
}

/** What is wrong with the table: a mutant whose place has changed shows nothing. */
function staleness({ name, file, find }: Mutant): string | null {
  const times = readFileSync(join(buildRoot, file), "utf8").split(find).length - 1;
  return times === 1 ? null : `${name}: what it replaces stands ${times} times in ${file}`;
}

function verdictOn(death: Death | null): string {
  if (death === null) return "LIVES ";
  return UNFIT.test(death.problem) ? "UNFIT " : "killed";
}

function shown(death: Death | null, first: number): string {
  if (death === null) return "nothing finds it out";
  const seeds = Number.isNaN(death.seed) ? "" : `after ${death.seed - first + 1} seeds: `;
  return `${seeds}${death.problem.split("\n")[0]}`;
}

async function main(words: readonly string[]): Promise<void> {
  const chosen = mutants.filter(
    ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
  );
  const stale = chosen.map(staleness).filter((text) => text !== null);
  for (const text of stale) console.error(text);
  // The last of the table start servers, and take longest: nothing is to be waited for in the end that was begun last.
  const queue = chosen.filter((mutant) => staleness(mutant) === null).reverse();
  let alive = stale.length;
  const work = async () => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const startedAt = performance.now();
      const death = await tryMutant(mutant);
      if (death === null || UNFIT.test(death.problem)) alive++;
      const took = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
      console.log(`${verdictOn(death)} ${mutant.name}, ${took}: ${shown(death, mutant.from ?? FIRST_SEED)}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, work));
  console.log(`${chosen.length - alive} of ${chosen.length} mutants were found out`);
  if (alive > 0 || unsound.size > 0 || chosen.length === 0) process.exitCode = 1;
}

process.once("exit", () => {
  for (const child of suspects) end(child);
  rmSync(leftovers, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));

await main(positionals);
