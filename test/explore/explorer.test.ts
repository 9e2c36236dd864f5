/** Tests `npm run explore`: it runs every randomised test file with new seeds, and reports reproducible failures. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildRoot } from "../support/repository.js";
import { Explorer, type ExplorerCounts, type Failure } from "./explorer.js";
import { type PlannedRun, planRuns, repeatCommand } from "./plan.js";
import { randomisedFiles } from "./randomised-files.js";

const folder = mkdtempSync(join(tmpdir(), "dbsync-explore-"));
after(() => rmSync(folder, { recursive: true }));

const testFileOf = (code: string) =>
  `import { test } from "node:test";\ntest("it holds", () => { ${code} });\n`;
writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
writeFileSync(
  join(folder, "even.test.js"),
  testFileOf('if (process.env.DBSYNC_SEED % 2) throw new Error("odd");'),
);

/** Runs one file with the seeds 1, 2 and so on, `runsMax` times. @returns the counts, and the reported failures */
async function explore(
  file: string,
  runsMax: number,
  concurrency = runsMax,
): Promise<{ counts: ExplorerCounts; failures: Failure[] }> {
  let seed = 0;
  const failures: Failure[] = [];
  const explorer = new Explorer({
    folder,
    plan: planRuns([file], () => seed++),
    concurrency,
    durationMs: concurrency === runsMax ? 0 : Number.POSITIVE_INFINITY,
    runsMax,
    onFailure: (failure) => failures.push(failure),
    onProgress: () => undefined,
  });
  return { counts: await explorer.explore(), failures };
}

test("the explorer reports a failed run with its output and the command that repeats it", async () => {
  const { counts, failures } = await explore("even.test.js", 2);
  assert.equal(counts.failures, 1);
  const [failure] = failures as [Failure];
  assert.match(failure.output, /Error: odd/);
  assert.equal(repeatCommand(failure.run), "DBSYNC_FULL=1 DBSYNC_SEED=1 npm test -- even.test");
});

test("the explorer reports that a failure is not reproducible with the same seed", async () => {
  const marker = JSON.stringify(join(folder, "has-run"));
  const failOnce = `if (existsSync(${marker})) return; writeFileSync(${marker}, ""); throw new Error("once");`;
  writeFileSync(
    join(folder, "once.test.js"),
    `import { existsSync, writeFileSync } from "node:fs";\n${testFileOf(failOnce)}`,
  );
  const { counts, failures } = await explore("once.test.js", 1);
  assert.deepEqual([counts.failures, counts.races, failures[0]?.isReproducible], [0, 1, false]);
  assert.match(failures[0]?.output ?? "", /Error: once/);
});

test("the explorer performs the requested number of runs, regardless of the time", async () => {
  const { counts } = await explore("even.test.js", 3, 2);
  assert.deepEqual([counts.runs, counts.failures], [3, 2]);
});

test("the plan contains every randomised test file, each time with another seed", () => {
  const files = randomisedFiles(buildRoot);
  for (const file of [
    "test/simulation/simulation.test.js",
    "test/conformance/differential.test.js",
    "test/daemon/program/fuzz.test.js",
    "test/daemon/store/permutation.test.js",
    "test/protocol/frame.test.js",
  ])
    assert.ok(files.includes(file), file);
  assert.ok(!files.includes("test/run.test.js"), "a file without a seed is not in the plan");

  let seed = 0;
  const plan = planRuns(files, () => ++seed);
  const planned: PlannedRun[] = Array.from({ length: 20 * files.length }, () => plan.next().value);
  assert.deepEqual(
    files.filter((file) => !planned.some((run) => run.file === file)),
    [],
  );
  assert.equal(new Set(planned.map(({ env }) => env["DBSYNC_SEED"])).size, planned.length);
});
