import assert from "node:assert/strict";
import { before, test } from "node:test";
import { OptionTable } from "../../../daemon/options/option-table.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
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

test("the order of the options depends neither on the order of the faces nor on a single face", () => {
  const order = new OptionTable(BUILD.faces).names;
  assert.deepEqual(new OptionTable(BUILD.faces.toReversed()).names, order);
  for (const removed of BUILD.faces) {
    const { names } = new OptionTable(BUILD.faces.filter((face) => face !== removed));
    const gone = new Set(Object.keys({ ...removed.options, ...removed.limits }));
    assert.deepEqual(names.toSorted(), order.filter((name) => !gone.has(name)).toSorted());
  }
});
