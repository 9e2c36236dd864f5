/** The help of every program prints defaults in the form in which they are typed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { programPaths } from "../support/programs.js";
import { run } from "../support/run-program.js";

const COMMANDS = ["send", "status", "log", "import", "export", "members", "keys", "sql", "top"];

for (const args of [
  ["dbsyncd", "--help-all"],
  ["dbsync-proxy", "balance", "--help"],
  ["dbsync-proxy", "cache", "--help"],
  ["dbsync-keygen", "--help"],
  ...COMMANDS.map((name) => ["dbsync", name, "--help"]),
] as const)
  test(`${args.join(" ")} prints defaults in the form in which they are typed`, async () => {
    const [program, ...rest] = args as [keyof typeof programPaths, ...string[]];
    const { stdout, code } = await run(process.execPath, [programPaths[program], ...rest]);
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /\[object|default:\s*[[{]/);
  });
