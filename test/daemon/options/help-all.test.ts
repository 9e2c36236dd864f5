import assert from "node:assert/strict";
import { before, test } from "node:test";
import { type Ended, runDaemon } from "../../support/daemon-process.js";

let printed: Ended;
before(async () => {
  printed = await runDaemon(["--help-all"]);
});

test("--help-all prints defaults in the form in which users type them", async () => {
  const { stdout, code } = printed;
  assert.equal(code, 0);
  const defaults = [...stdout.replace(/\s+/g, " ").matchAll(/default: ([^,)]*)/g)].map(([, value]) => value);
  assert.ok(defaults.length > 30);
  for (const value of defaults) assert.doesNotMatch(value ?? "", /^$|[{}[\]]|object|undefined|null/);
});

test("--help ends with a sentence about --help-all, and --help-all does not", async () => {
  const common = await runDaemon(["--help"]);
  assert.match(
    common.stdout,
    /\n\nThese are the common options\. dbsyncd --help-all prints all of them\.\n$/,
  );
  assert.doesNotMatch(printed.stdout, /common options\. /);
});
