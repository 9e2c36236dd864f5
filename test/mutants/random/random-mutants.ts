/**
 * `npm run mutants -- --random 300`: changes one operator, constant or condition of a random source line, and runs the
 * nearest tests, as often as stated. The seed is printed; without --seed, it is a hash of the day.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { importersOf, nearestTests } from "../../support/nearest-tests.js";
import { buildRoot } from "../../support/repository.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { forgetSettings } from "../../support/test-environment.js";
import { TextLikeness } from "../../support/text-likeness.js";
import { end } from "../test-process.js";
import { BuildCopy, copies, running } from "./build-copy.js";
import type { Candidate } from "./candidates.js";
import { ProductSources } from "./product-sources.js";

/** The maximum number of test files that run with one mutant. */
const TESTS_MAX = 12;
/** Milliseconds after which no further test file begins with a mutant. */
const NEXT_TEST_MS = 60_000;
/** Milliseconds after which a test file hangs. One that takes longer without a mutant is not used. */
const HANGS_AFTER_MS = 90_000;

interface RandomMutant {
  readonly file: string;
  readonly line: number;
  readonly candidate: Candidate;
}

type Verdict = "detected" | "survived" | "not buildable";

interface Result {
  readonly verdict: Verdict;
  /** The tests that ran, or the error of the compiler. */
  readonly details: string;
}

/** Returns the seed of a day, as a number below 2³². */
export function seedOfDay(day: Date): number {
  return createHash("sha256").update(day.toISOString().slice(0, 10)).digest().readUInt32BE(0);
}

/** Draws lines of the product, each at most once, and one candidate of each. */
export function drawn(sources: ProductSources, count: number, seed: number): RandomMutant[] {
  const random = new SeededRandom(seed);
  const lines = sources
    .files()
    .flatMap((file) =>
      [...sources.candidates(file)].map(([line, candidates]) => ({ file, line, candidates })),
    );
  return random
    .shuffled(lines)
    .slice(0, count)
    .map(({ file, line, candidates }) => ({ file, line, candidate: random.oneOf(candidates) }));
}

/** Returns the lines of a change as a diff shows them. */
export function difference(before: string, after: string, line: number, to: number): string {
  const last = before.slice(0, to).split("\n").length;
  const added = after.split("\n").length - before.split("\n").length;
  const part = (sign: string, text: string, end: number) =>
    text
      .split("\n")
      .slice(line - 1, end)
      .map((one) => `  ${sign} ${one.trim()}\n`)
      .join("");
  return part("-", before, last) + part("+", after, last + added);
}

/** A run with random mutants, which prints the result of each. */
export class RandomRun {
  readonly #sources: ProductSources;
  readonly #importers = importersOf(buildRoot);
  readonly #likeness = new TextLikeness(buildRoot, [...new Set([...this.#importers.values()].flat())]);
  readonly #unchanged = new BuildCopy("unchanged");
  /** For each test file, whether it passes without a mutant. */
  readonly #passing = new Map<string, Promise<boolean>>();
  /** The folder for temporary files of tests, which are killed after their first failure. */
  readonly #leftovers = mkdtempSync(join(tmpdir(), "mutants-"));
  readonly #env: NodeJS.ProcessEnv;

  constructor(sources: ProductSources) {
    this.#sources = sources;
    forgetSettings();
    this.#env = { ...process.env, TMPDIR: this.#leftovers };
    delete this.#env["DBSYNC_FULL"];
    process.once("exit", () => {
      for (const child of running) end(child);
      for (const folder of [this.#leftovers, copies]) rmSync(folder, { recursive: true, force: true });
    });
  }

  /** Tries the mutants, as many in parallel as there are cores. @returns the number of each verdict */
  async tryAll(mutants: readonly RandomMutant[]): Promise<Record<Verdict, number>> {
    const counts = { detected: 0, survived: 0, "not buildable": 0 };
    const queue = [...mutants];
    const work = async (lane: number) => {
      const copy = new BuildCopy(String(lane));
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        const { verdict, details } = await this.#try(mutant, copy);
        counts[verdict]++;
        console.log(`${verdict} ${this.#description(mutant)}  ${details}`);
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, (_, lane) => work(lane)));
    return counts;
  }

  #description({ file, line, candidate }: RandomMutant): string {
    const unchanged = this.#sources.changedText(file, { ...candidate, to: candidate.from, after: "" });
    const changed = this.#sources.changedText(file, candidate);
    return `${file}:${line}\n${difference(unchanged, changed, line, candidate.to)}`;
  }

  async #try({ file, candidate }: RandomMutant, copy: BuildCopy): Promise<Result> {
    const text = this.#sources.changedText(file, candidate);
    const error = this.#sources.errorOf(file, text);
    if (error !== null) return { verdict: "not buildable", details: error };
    try {
      await copy.change(file, text);
      const compiled = file.replace(/\.ts$/, ".js");
      const tests = nearestTests(compiled, this.#importers, (one, test) => this.#likeness.of(one, test));
      return await this.#tryTests(tests, copy);
    } finally {
      copy.restore();
    }
  }

  async #tryTests(tests: readonly string[], copy: BuildCopy): Promise<Result> {
    const passed: string[] = [];
    const begunAt = performance.now();
    for (const test of tests.slice(0, TESTS_MAX)) {
      if (performance.now() - begunAt > NEXT_TEST_MS) break;
      const outcome = await this.#confirmed(test, copy);
      if (outcome === "unfit")
        return { verdict: "not buildable", details: `an error of its code in ${test}` };
      if (outcome !== "passes") return { verdict: "detected", details: `${outcome}: ${test}` };
      passed.push(test);
    }
    return { verdict: "survived", details: passed.length === 0 ? "no test" : `passes: ${passed.join(", ")}` };
  }

  /**
   * Runs a test file. A failure counts if it is repeated and the file passes without the mutant. A hang counts if the
   * file passes without it.
   */
  async #confirmed(test: string, copy: BuildCopy): Promise<Awaited<ReturnType<BuildCopy["run"]>>> {
    const outcome = await copy.run(test, HANGS_AFTER_MS, this.#env);
    if (outcome === "passes" || !(await this.#passes(test))) return "passes";
    return outcome === "hangs" ? outcome : await copy.run(test, HANGS_AFTER_MS, this.#env);
  }

  #passes(test: string): Promise<boolean> {
    const run = this.#passing.get(test) ?? this.#passesUnchanged(test);
    this.#passing.set(test, run);
    return run;
  }

  async #passesUnchanged(test: string): Promise<boolean> {
    const passes = (await this.#unchanged.run(test, HANGS_AFTER_MS, this.#env)) === "passes";
    if (!passes) console.log(`${test} does not pass without a mutant, and is not used`);
    return passes;
  }
}

/**
 * Draws mutants, tries them and prints the share of those that a test detects.
 * @param words  if there are any, only mutants whose `file:line` contains one of them are tried
 * @throws Error if a number is not a whole number
 */
export async function tryRandom(
  random: string,
  seed: string | undefined,
  words: readonly string[],
): Promise<void> {
  const [count, chosen] = [Number(random), seed === undefined ? seedOfDay(new Date()) : Number(seed)];
  if (!(Number.isSafeInteger(count) && count > 0 && Number.isSafeInteger(chosen)))
    throw new Error("--random and --seed must be whole numbers");
  console.log(`${count} random mutants, seed ${chosen}`);

  using sources = new ProductSources();
  const mutants = drawn(sources, count, chosen).filter(
    ({ file, line }) => words.length === 0 || words.some((word) => `${file}:${line}`.includes(word)),
  );
  const { detected, survived, "not buildable": unbuildable } = await new RandomRun(sources).tryAll(mutants);
  const share = ((100 * detected) / (detected + survived)).toFixed(1);
  console.log(
    `${detected} detected, ${survived} survived (${share} % detected), ${unbuildable} not buildable`,
  );
}
