/** The order in which randomised test files run. Each run has its own seed and size. */

/** The files that run most often, since they have found the most errors. */
const FREQUENT_FILES = [
  "test/simulation/simulation.test.js",
  "test/conformance/differential.test.js",
  "test/daemon/store/permutation.test.js",
  "test/daemon/timeline/fold/fold.test.js",
  "test/daemon/program/fuzz.test.js",
  "test/daemon/program/envelope-fuzz.test.js",
  "test/client/simulation.test.js",
] as const;

/** The number of runs of other files between two rounds of the frequent files. */
const OTHER_FILES_PER_ROUND = 4;

/** Settings that make the runs of some files short, so that many files can run. */
const SETTINGS_OF_FILES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "test/simulation/simulation.test.js": { DBSYNC_SEEDS: "150" },
  "test/conformance/differential.test.js": { DBSYNC_COMMANDS: "30000" },
};

/** One run of one test file. */
export interface PlannedRun {
  /** The path of the file, from the root of the build. */
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Yields an endless sequence of runs.
 * @param newSeed  returns a new seed, 0 ≤ seed < 2³²
 * @throws Error if there is no file to run
 */
export function* planRuns(files: readonly string[], newSeed: () => number): Generator<PlannedRun, never> {
  if (files.length === 0) throw new Error("There is no randomised test file to run.");
  const frequent = FREQUENT_FILES.filter((file) => files.includes(file));
  const remaining = files.filter((file) => !frequent.some((other) => other === file));
  const runOf = (file: string): PlannedRun => ({
    file,
    env: { DBSYNC_FULL: "1", ...SETTINGS_OF_FILES[file], DBSYNC_SEED: String(newSeed()) },
  });
  for (let next = newSeed(); ; ) {
    for (const file of frequent) yield runOf(file);
    for (let i = 0; i < Math.min(OTHER_FILES_PER_ROUND, remaining.length); i++)
      yield runOf(remaining[next++ % remaining.length] as string);
  }
}

/** Returns the shell command that repeats a run. */
export function repeatCommand({ file, env }: PlannedRun): string {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return `${settings.join(" ")} npm test -- ${file.replace(/\.js$/, "")}`;
}
