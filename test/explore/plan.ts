/** The order in which randomised test files run. Each turn has its own seed and size. */

/** The files that run most often, since they have found the most errors. */
const CHIEF = [
  "test/simulation/simulation.test.js",
  "test/conformance/differential.test.js",
  "test/daemon/store/permutation.test.js",
  "test/daemon/timeline/fold/fold.test.js",
  "test/daemon/program/fuzz.test.js",
  "test/daemon/program/envelope-fuzz.test.js",
  "test/client/simulation.test.js",
] as const;

/** The number of turns of other files between two rounds of the chief files. */
const OTHERS = 4;

/** Settings that make the turns of some files short, so that many files can run. */
const SIZES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "test/simulation/simulation.test.js": { DBSYNC_SEEDS: "150" },
  "test/conformance/differential.test.js": { DBSYNC_COMMANDS: "30000" },
};

export interface Turn {
  /** The path of the file, from the root of the build. */
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Yields an endless sequence of turns.
 * @param draw  returns a new seed, 0 ≤ seed < 2³²
 * @throws Error if there is no file to run
 */
export function* turns(files: readonly string[], draw: () => number): Generator<Turn, never> {
  if (files.length === 0) throw new Error("There is no randomised test file to run.");
  const chief = CHIEF.filter((file) => files.includes(file));
  const remaining = files.filter((file) => !chief.some((one) => one === file));
  const turn = (file: string): Turn => ({
    file,
    env: { DBSYNC_FULL: "1", ...SIZES[file], DBSYNC_SEED: String(draw()) },
  });
  for (let next = draw(); ; ) {
    for (const file of chief) yield turn(file);
    for (let i = 0; i < Math.min(OTHERS, remaining.length); i++)
      yield turn(remaining[next++ % remaining.length] as string);
  }
}

/** Returns the shell command that repeats a turn. */
export function again({ file, env }: Turn): string {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return `${settings.join(" ")} npm test -- ${file.replace(/\.js$/, "")}`;
}
