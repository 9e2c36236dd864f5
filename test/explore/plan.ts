/** The order of randomised test files, each turn with a seed of its own and a size. */

/** Files that have a turn each before some of the remaining files have theirs: none has found as much. */
const CHIEF = [
  "simulation/simulation.test.js",
  "conformance/differential.test.js",
  "store/permutation.test.js",
  "timeline/fold/fold.test.js",
  "daemon/fuzz.test.js",
  "daemon/envelope-fuzz.test.js",
  "client/simulation.test.js",
] as const;

/** Turns of the remaining files between two rounds of the chief ones. */
const OTHERS = 4;

/** Turns are short, so that many files get one: these files do more for one seed than that. */
const SIZES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "simulation/simulation.test.js": { DBSYNC_SEEDS: "150" },
  "conformance/differential.test.js": { DBSYNC_COMMANDS: "30000" },
};

export interface Turn {
  /** A path below test/. */
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Yields turns without end.
 * @param draw  returns a fresh seed, 0 ≤ seed < 2³²
 * @throws Error  there is no file to run
 */
export function* turns(files: readonly string[], draw: () => number): Generator<Turn, never> {
  if (files.length === 0) throw new Error("There is no randomised test file to run.");
  const chief = CHIEF.filter((file) => files.includes(file));
  const others = files.filter((file) => !chief.some((one) => one === file));
  const turn = (file: string): Turn => ({
    file,
    env: { DBSYNC_FULL: "1", ...SIZES[file], DBSYNC_SEED: String(draw()) },
  });
  for (let next = draw(); ; ) {
    for (const file of chief) yield turn(file);
    for (let i = 0; i < Math.min(OTHERS, others.length); i++)
      yield turn(others[next++ % others.length] as string);
  }
}

/** Returns the shell command that repeats a turn. */
export function again({ file, env }: Turn): string {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return `${settings.join(" ")} npm test -- ${file.replace(/\.js$/, "")}`;
}
