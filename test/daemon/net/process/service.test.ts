/** Tests the errors of a start without an optional package, or without its native code. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadWith, StartError } from "../../../../daemon/net/process/service.js";
import { runDaemon } from "../../../support/daemon-process.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { ScratchFolder } from "../../../support/scratch-folder.js";

const machine = `${process.platform}-${process.arch}`;
const CURE = new RegExp(
  [
    "Install dbsyncd again on this machine, with its optional packages",
    "without --omit=optional",
    "compile it, with python3, make and a C\\+\\+ compiler: npm rebuild lmdb --ignore-scripts=false\n$",
  ].join("[^\n]*"),
);

/** Starts a daemon whose lmdb looks for its native code in a folder. @returns what it prints */
async function startWithout(folder: ScratchFolder): Promise<string> {
  const args = ["-p", "0", "-s", makeKeyPair().file, "--data", join(folder.path, "data")];
  const { code, stderr } = await runDaemon(args, { env: { LMDB_PREBUILD: folder.path } });
  assert.equal(code, 1, stderr);
  return stderr;
}

test("--data without lmdb's native code is refused, with the machine and the cure in one line", async () => {
  using folder = new ScratchFolder();
  const printed = await startWithout(folder);
  const start = `dbsyncd: --data requires the native code of the package lmdb for ${machine}, which cannot be loaded: `;
  assert.ok(printed.includes(`${start}No native build was found for platform=`), printed);
  assert.match(printed, CURE);
});

test("--data with native code of another machine is refused, with the name of the file", async () => {
  using folder = new ScratchFolder();
  const prebuilds = join(folder.path, "prebuilds", machine);
  mkdirSync(prebuilds, { recursive: true });
  const file = join(prebuilds, "node.napi.node");
  writeFileSync(file, "of another machine");
  const printed = await startWithout(folder);
  assert.ok(printed.includes(`cannot be loaded: ${file}: `), printed);
  assert.match(printed, CURE);
});

test("a missing package is named, and any other problem of a module remains what it is", async () => {
  const missing = loadWith("no-such-package", "--option", () => import("no-such-package" as string));
  await assert.rejects(missing, (problem) => {
    assert.ok(problem instanceof StartError);
    assert.equal(problem.exitCode, 1);
    assert.equal(
      problem.message,
      "--option requires the package no-such-package, which is not installed. Install it next to dbsyncd: npm install no-such-package",
    );
    return true;
  });
  const other = new SyntaxError("a mistake in the module");
  const failed = loadWith("lmdb", "--data", () => Promise.reject(other));
  await assert.rejects(failed, (problem) => problem === other);
});
