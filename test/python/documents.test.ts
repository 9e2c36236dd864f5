/**
 * Tests that the programs in docs/python.md behave as their comments say. docs.test.ts runs the page's shell blocks.
 */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../daemon/program/replicas.js";
import { startDaemon } from "../support/daemon-process.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { env, keyFile, PYTHON } from "./running.js";

const page = readFileSync(join(repositoryRoot, "docs/python.md"), "utf8");

/** Turns each comment that is a value into an assertion. */
const asserting = (program: string) =>
  program.replace(
    /^( *)((?:await )?[\w.]+\(.*\)) {2}# (\S.*)$/gm,
    (_, indent: string, expression: string, value: string) =>
      `${indent}shown = ${expression}\n${indent}assert shown == ${value}, shown`,
  );

test("the programs of docs/python.md print the documented values, and the page lists all errors", {
  skip: skipWithout(PYTHON),
}, async () => {
  using folder = makeFolder();
  copyFileSync(keyFile("ed25519", "private"), join(folder.path, "private.pem"));
  const signed = ["-s", keyFile("ed25519", "public")];
  await using one = await startDaemon(signed);
  await using other = await startDaemon(signed);

  const programs = [...page.matchAll(/^```python\n([\s\S]*?)^```$/gm)].map(([, program = ""]) =>
    asserting(program),
  );
  assert.equal(programs.length, 3);
  assert.equal(programs.join("").split("assert shown").length - 1, 14);

  const errors = `
import dbsync
listed = given.split()
errors = [name for name in dbsync.__all__ if isinstance(getattr(dbsync, name), type)
          and issubclass(getattr(dbsync, name), dbsync.DbsyncError) and name != "DbsyncError"]
assert sorted(errors) == sorted(listed), errors
`;

  const listed = [...page.matchAll(/^\| `(\w+)`[^|]*\| `[a-z-]+`/gm)].map(([, name]) => name).join(" ");
  const script = [...programs, errors.replace("given", JSON.stringify(listed))]
    .join("\n")
    .replaceAll('"private.pem"', '"private.pem", timeout=20')
    .replaceAll(":1111", `:${one.port}`)
    .replaceAll(":1112", `:${other.port}`);

  const ended = await run(PYTHON, ["-c", script], { cwd: folder.path, env });
  assert.deepEqual(ended, { code: 0, stdout: "", stderr: "" });
});
