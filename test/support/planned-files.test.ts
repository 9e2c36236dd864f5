/** Tests which files a run of the tests includes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testFiles } from "./chosen-files.js";
import { FULL_ONLY } from "./full-files.js";
import { plannedFiles } from "./planned-files.js";
import { buildRoot } from "./repository.js";

const LONG_AND_FULL_ONLY = "test/system/scans.test.js";
const FILES = [
  ...["a", "b", "c"].map((name) => `test/daemon/${name}.test.js`),
  LONG_AND_FULL_ONLY,
  "test/docs.test.js",
];
const usual = { isFull: false, areNamed: false };

test("long files are first, and only full runs and runs that name them include the files for full runs", () => {
  assert.ok(FULL_ONLY.includes("test/system/scans.test"));
  const [docs, ...others] = plannedFiles(FILES, usual);
  assert.equal(docs, "test/docs.test.js");
  assert.deepEqual(others, FILES.slice(0, 3));
  const all = ["test/docs.test.js", LONG_AND_FULL_ONLY, ...FILES.slice(0, 3)];
  assert.deepEqual(plannedFiles(FILES, { ...usual, areNamed: true }), all);
  assert.deepEqual(plannedFiles(FILES, { ...usual, isFull: true }), all);
});

test("every path in full-files.ts matches a test file", () => {
  const files = testFiles(buildRoot);
  assert.deepEqual(
    FULL_ONLY.filter((words) => !files.some((file) => file.startsWith(words))),
    [],
  );
});
