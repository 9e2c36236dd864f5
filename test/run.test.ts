/** `npm test -- WORD` looks at paths below test/ alone, wherever the clone lies. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildRoot } from "./support/repository.js";

test("a word in the name of the folder above chooses nothing", () => {
  const above = mkdtempSync(join(tmpdir(), "dbsync-above-"));
  const folder = join(above, "faults");
  mkdirSync(join(folder, "test/store"), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "name": "dbsyncd", "type": "module" }');
  cpSync(join(buildRoot, "test/run.js"), join(folder, "test/run.js"));
  cpSync(join(buildRoot, "test/support"), join(folder, "test/support"), { recursive: true });
  writeFileSync(join(folder, "test/store/empty.test.js"), "");
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = (word: string) =>
    spawnSync(process.execPath, [join(folder, "test/run.js"), word], { env, encoding: "utf8" });
  const byFolder = run("faults");
  assert.equal(byFolder.status, 2, byFolder.stdout);
  assert.match(byFolder.stderr, /No test file's path below test\/ holds faults\./);
  const byFile = run("store/");
  assert.equal(byFile.status, 0, byFile.stderr);
  rmSync(above, { recursive: true });
});
