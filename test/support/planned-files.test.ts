/** Tests which files a run of the tests includes, and which of them run in full. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FULL_ONLY } from "./full-files.js";
import { plannedFiles } from "./planned-files.js";
import { scratchFolder } from "./scratch-folder.js";

const LONG_AND_FULL_ONLY = "test/system/scans.test.js";
const FILES = [
  ...["a", "b", "c"].map((name) => `test/daemon/${name}.test.js`),
  LONG_AND_FULL_ONLY,
  "test/docs.test.js",
];
const usual = { isFull: false, part: undefined, areNamed: false };

test("long files are first, and only full runs and runs that name them include the files for full runs", () => {
  assert.ok(FULL_ONLY.includes("test/system/scans.test"));
  const [docs, ...others] = plannedFiles(FILES, usual).inFull;
  assert.equal(docs, "test/docs.test.js");
  assert.deepEqual(others, FILES.slice(0, 3));
  const all = ["test/docs.test.js", LONG_AND_FULL_ONLY, ...FILES.slice(0, 3)];
  assert.deepEqual(plannedFiles(FILES, { ...usual, areNamed: true }), { inFull: all, usual: [] });
  assert.deepEqual(plannedFiles(FILES, { ...usual, isFull: true }), { inFull: all, usual: [] });
  assert.deepEqual(plannedFiles(FILES, { ...usual, part: "7" }).usual, []);
});

test("each file runs in full in one of five parts, and otherwise as usual", () => {
  const parts = ["40", "41", "42", "43", "44"].map((part) =>
    plannedFiles(FILES, { isFull: true, part, areNamed: false }),
  );
  assert.deepEqual(parts.flatMap(({ inFull }) => inFull).sort(), [...FILES].sort());
  for (const { inFull, usual: others } of parts) {
    assert.ok(inFull.length > 0);
    assert.deepEqual(
      others.toSorted(),
      FILES.filter((file) => !inFull.includes(file) && file !== LONG_AND_FULL_ONLY).sort(),
    );
  }
});

test("a process runs in full only if its file is listed", () => {
  const folder = scratchFolder("part");
  const [listed, other] = ["listed.mjs", "other.mjs"].map((name) => join(folder, name));
  const amountModule = new URL("./amount.js", import.meta.url).href;
  for (const file of [listed!, other!])
    writeFileSync(file, `import { isFull } from "${amountModule}"; console.log(isFull);`);
  const isFullIn = (file: string, env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [file], { env, encoding: "utf8" }).stdout.trim();
  const part = { DBSYNC_FULL: "1", DBSYNC_FULL_FILES: `${listed}\n${folder}` };
  assert.equal(isFullIn(listed!, part), "true");
  assert.equal(isFullIn(other!, part), "false");
  assert.equal(isFullIn(other!, { DBSYNC_FULL: "1" }), "true");
  assert.equal(isFullIn(listed!, {}), "false");
});
