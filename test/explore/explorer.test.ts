/** Tests `npm run explore`: it runs every randomised test file with new seeds, and reports reproducible failures. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildRoot } from "../support/repository.js";
import { Explorer, type Finding } from "./explorer.js";
import { again, type Turn, turns } from "./plan.js";
import { randomisedFiles } from "./randomised-files.js";

const folder = mkdtempSync(join(tmpdir(), "dbsync-explore-"));
after(() => rmSync(folder, { recursive: true }));

const tested = (code: string) => `import { test } from "node:test";\ntest("it holds", () => { ${code} });\n`;
writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
writeFileSync(
  join(folder, "even.test.js"),
  tested('if (process.env.DBSYNC_SEED % 2) throw new Error("odd");'),
);

/** Runs one file with the seeds 1, 2 and so on, and at most `most` turns. */
async function explore(
  file: string,
  most: number,
  lanes = most,
): Promise<{ findings: Finding[]; turns: number; code: number; races: number }> {
  let seed = 0;
  const findings: Finding[] = [];
  const one = turns([file], () => seed++);
  const explorer = new Explorer({
    folder,
    turns: one,
    lanes,
    ms: lanes === most ? 0 : Number.POSITIVE_INFINITY,
    most,
    found: (finding) => findings.push(finding),
    progress: () => undefined,
  });
  const { findings: count, turns: done, races } = await explorer.run();
  return { findings, turns: done, code: count, races };
}

test("the explorer reports a failed run with its output and the command that repeats it", async () => {
  const { findings, code } = await explore("even.test.js", 2);
  assert.equal(code, 1);
  const [finding] = findings as [Finding];
  assert.match(finding.output, /Error: odd/);
  assert.equal(again(finding.turn), "DBSYNC_FULL=1 DBSYNC_SEED=1 npm test -- even.test");
});

test("the explorer reports that a failure is not reproducible with the same seed", async () => {
  const mark = join(folder, "was-here");
  const once = `if (existsSync(${JSON.stringify(mark)})) return; writeFileSync(${JSON.stringify(mark)}, ""); throw new Error("once");`;
  writeFileSync(
    join(folder, "once.test.js"),
    `import { existsSync, writeFileSync } from "node:fs";\n${tested(once)}`,
  );
  const { findings, code, races } = await explore("once.test.js", 1);
  assert.deepEqual([code, races, findings[0]?.repeats], [0, 1, false]);
  assert.match(findings[0]?.output ?? "", /Error: once/);
});

test("the explorer performs the requested number of runs, regardless of the time", async () => {
  const { turns: done, code } = await explore("even.test.js", 3, 2);
  assert.deepEqual([done, code], [3, 2]);
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
  const plan = turns(files, () => ++seed);
  const planned: Turn[] = Array.from({ length: 20 * files.length }, () => plan.next().value);
  assert.deepEqual(
    files.filter((file) => !planned.some((turn) => turn.file === file)),
    [],
  );
  assert.equal(new Set(planned.map(({ env }) => env["DBSYNC_SEED"])).size, planned.length);
});
