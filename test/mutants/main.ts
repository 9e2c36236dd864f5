/**
 * `npm run mutants`: breaks one rule after the other and shows that the simulation finds each out.
 * `npm run mutants -- dedupe order` tries those whose name holds one of the words.
 */
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildRoot } from "../support/repository.js";
import { problemsOf } from "./killers.js";
import type { Mutant } from "./mutant.js";
import { mutants } from "./table.js";

/** Within so many seeds each must be found out. */
const SEEDS_MOST = 500;
/** A mutant that hangs in one run is found out too. */
const HANGS_AFTER_MS = 60_000;
const FIRST_SEED = 1;
/** Seeds that fail without any mutant show a defect, which is to be mended first. */
const UNSOUND_MOST = 5;

interface Death {
  readonly seed: number;
  readonly problem: string;
}

const suspect = join(dirname(fileURLToPath(import.meta.url)), "suspect.js");

type Message = { readonly kind: "trying" } | ({ readonly kind: "killed" } & Death);

/** Tries one. @returns null: it lives */
async function tryMutant(mutant: Mutant): Promise<Death | null> {
  for (let from = FIRST_SEED; ; ) {
    const death = await tryFrom(mutant, from);
    if (death === null || Number.isNaN(death.seed) || (await isSound(mutant, death.seed))) return death;
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

const unsound = new Set<number>();

function tryFrom({ name }: Mutant, from: number): Promise<Death | null> {
  return new Promise((resolve) => {
    const child = fork(suspect, [name, String(from), String(FIRST_SEED + SEEDS_MOST - from)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let death: Death | null = null;
    let errors = "";
    child.stderr?.on("data", (bytes) => {
      errors += bytes;
    });
    const hangs = (): void => {
      death = { seed: Number.NaN, problem: "hangs" };
      child.kill("SIGKILL");
    };
    let timer = setTimeout(hangs, HANGS_AFTER_MS);
    child.on("message", (message: Message) => {
      clearTimeout(timer);
      timer = setTimeout(hangs, HANGS_AFTER_MS);
      if (message.kind === "killed") death = message;
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (death === null && code !== 0)
        death = { seed: Number.NaN, problem: `breaks off: ${errors.slice(0, 300)}` };
      resolve(death);
    });
  });
}

/** What is wrong with the table: a mutant whose place has changed shows nothing. */
function staleness({ name, file, find }: Mutant): string | null {
  const times = readFileSync(join(buildRoot, file), "utf8").split(find).length - 1;
  return times === 1 ? null : `${name}: what it replaces stands ${times} times in ${file}`;
}

async function main(words: readonly string[]): Promise<void> {
  const chosen = mutants.filter(
    ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
  );
  const stale = chosen.map(staleness).filter((text) => text !== null);
  for (const text of stale) console.error(text);
  const queue = chosen.filter((mutant) => staleness(mutant) === null);
  let alive = stale.length;
  const work = async () => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const death = await tryMutant(mutant);
      if (death === null) alive++;
      const seeds =
        death === null || Number.isNaN(death.seed) ? "" : `after ${death.seed - FIRST_SEED + 1} seeds: `;
      console.log(
        `${death === null ? "LIVES " : "killed"} ${mutant.name} ${seeds}${death?.problem.split("\n")[0] ?? ""}`,
      );
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  console.log(`${chosen.length - alive} of ${chosen.length} mutants were found out`);
  if (alive > 0 || unsound.size > 0 || chosen.length === 0) process.exitCode = 1;
}

await main(process.argv.slice(2));
