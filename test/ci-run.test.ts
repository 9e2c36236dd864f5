/** Tests what .ci/run does when a download fails, with programs that take the place of npm, node and sleep. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "./support/repository.js";
import { scratchFolder } from "./support/scratch-folder.js";

/** Runs .ci/run. @param npmCi  what `npm ci` does, as a line of a shell @param node  what the tests do */
function run(npmCi: string, node = "exit 0") {
  const folder = scratchFolder("ci-run");
  const calls = join(folder, "calls");
  mkdirSync(join(folder, ".ci"));
  cpSync(join(repositoryRoot, ".ci/run"), join(folder, ".ci/run"));
  const program = (name: string, line: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $*" >> ${calls}\n${line}\n`, { mode: 0o755 });
  program("npm", `case "$*" in *--dry-run*|"run form") ;; *) ${npmCi};; esac`);
  program("node", node);
  program("sleep", "");
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
  const { status, stderr } = spawnSync("bash", [join(folder, ".ci/run")], { env, encoding: "utf8" });
  const names = readFileSync(calls, "utf8").match(/^\w+( ci --ignore| run form)?/gm);
  return { status, stderr, calls: names };
}

const CI = "npm ci --ignore";
const ONCE = ["npm", CI];

test("a download is tried three times, and its failure is not that of the change", () => {
  const { status, stderr, calls } = run("echo npm error code ETIMEDOUT; exit 1");
  assert.equal(status, 75);
  assert.match(stderr, /^NETWORK, not the change: this failed three times: download$/m);
  assert.deepEqual(calls, [...ONCE, "sleep", CI, "sleep", CI]);
});

test("packages that do not exist are a failure of the change", () => {
  const { status, stderr, calls } = run("echo npm error code ETARGET; exit 1");
  assert.equal(status, 1);
  assert.doesNotMatch(stderr, /NETWORK/);
  assert.deepEqual(calls, ONCE);
});

test("the tests run again only if a program that they use could not be downloaded", () => {
  const before = [...ONCE, "npm run form", "node"];
  assert.deepEqual(run("exit 0"), { status: 0, stderr: "", calls: before });
  assert.deepEqual(run("exit 0", "exit 1"), { status: 1, stderr: "", calls: before });
  const { status, calls } = run("exit 0", "exit 75");
  assert.equal(status, 75);
  assert.deepEqual(calls, [...before, "sleep", "node", "sleep", "node"]);
});
