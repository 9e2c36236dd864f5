/** Runs the model checker spin. It translates a model to a C program, which searches the states of the model. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "../support/repository.js";
import type { Search } from "./search.js";

export const modelFolder = join(repositoryRoot, "docs/model");

/** The maximum memory of a search, in MiB. A search that needs more fails. */
const MEMORY_MIB = 3_000;
/** The maximum number of steps from the first state. A search that needs more fails. */
const DEPTH_MAX = 200_000;
/** The duration of a random search, in minutes. */
const RANDOM_MINUTES = 1;
/** The binary logarithm of the number of bits in which a random search marks visited states: 128 MiB. */
const RANDOM_BITS = 30;

const run = promisify(execFile);

export interface Outcome {
  /** Distinct states. A random search may count some states as visited that are not. */
  readonly states: number;
  readonly transitions: number;
  /** The number of steps to the state that is the furthest from the first one. */
  readonly depth: number;
  /** The steps to a violation of a rule, with the rule as the last line; null: none was found. */
  readonly trace: string | null;
  /** Why the search is incomplete; null: it visited all states, or ended as intended. */
  readonly incomplete: string | null;
}

/**
 * Searches the states of a model.
 * @param folder  an empty folder for the generated files
 * @param seed  selects the order of a random search
 */
export async function runSearch(
  { model, defines, search }: Search,
  folder: string,
  seed: number,
): Promise<Outcome> {
  mkdirSync(folder, { recursive: true });
  const file = `${model}.pml`;
  copyFileSync(join(modelFolder, file), join(folder, file));

  const options = defines.map((define) => `-D${define}`);
  const at = { cwd: folder, maxBuffer: 2 ** 26 };
  await run("spin", [...options, "-a", file], at);
  await run("gcc", ["-w", ...compilerOptions(search), "-o", "pan", "pan.c"], at);
  const { stdout } = await run("./pan", [`-m${DEPTH_MAX}`, ...checkerOptions(search, seed)], at);

  const violated = /errors: [1-9]/.test(stdout);
  const replay = violated
    ? await run("spin", [...options, "-k", `${file}.trail`, "-t", "-T", file], at)
    : null;

  return {
    states: numberIn(stdout, /^\s*([\d.e+]+) states, stored/m),
    transitions: numberIn(stdout, /^\s*([\d.e+]+) transitions/m),
    depth: numberIn(stdout, /depth reached (\d+)/),
    trace: replay === null ? null : stepsOf(replay.stdout, stdout),
    incomplete: violated ? null : reasonIn(stdout, search),
  };
}

function compilerOptions(search: Search["search"]): readonly string[] {
  // The steps of the models are not independent of each other, so partial-order reduction would only take time.
  const common = ["-DSAFETY", "-DNOREDUCE", `-DMEMLIM=${MEMORY_MIB}`];
  // The search of a mistake is usually so short that more optimizations would take longer.
  if (search === "shortest") return ["-O1", ...common, "-DBFS"];
  return search === "random" ? ["-O2", ...common, "-DBITSTATE", "-DT_RAND", "-DP_RAND"] : ["-O2", ...common];
}

function checkerOptions(search: Search["search"], seed: number): readonly string[] {
  if (search === "random") return [`-w${RANDOM_BITS}`, `-RS${seed}`, `-Q${RANDOM_MINUTES}`];
  return search === "all" ? ["-w24"] : [];
}

/**
 * Returns what the model printed on the way to the violation. A violation without a text is the checker's own.
 * @param replay  what spin printed: the lines of the model, then its own. Warnings precede them, for example that the
 *   model is newer than the trail, if the clock was set back in between.
 * @param report  what the search printed
 */
export function stepsOf(replay: string, report: string): string {
  const steps = replay.replace(/^spin: warning, .*\n/gm, "").split(/^spin: /m, 1)[0] as string;
  if (/^violated: /m.test(steps)) return steps;
  return `${steps}violated: ${/^pan:\d+: (.*) \(at depth/m.exec(report)?.[1] ?? "an unknown rule"}\n`;
}

function reasonIn(report: string, search: Search["search"]): string | null {
  const reason = /^(?:error: .*|pan: (?:out of memory|reached -DMEMLIM).*)/m.exec(report)?.[0];
  if (reason !== undefined) return reason;
  if (search === "random" || !report.includes("Search not completed")) return null;
  return "Search not completed";
}

function numberIn(report: string, pattern: RegExp): number {
  return Number(pattern.exec(report)?.[1] ?? Number.NaN);
}

/** Returns the kept steps to the violation that a search must find; null: there is no such file. */
export function keptTrace(name: string): string | null {
  try {
    return readFileSync(tracePath(name), "utf8");
  } catch {
    return null;
  }
}

export const tracePath = (name: string): string => join(modelFolder, "traces", `${basename(name)}.txt`);
