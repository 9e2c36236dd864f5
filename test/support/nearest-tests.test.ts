import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestTests } from "./nearest-tests.js";

test("the tests of a file's path run first, then those with the fewest imports between, less what paths have in common", () => {
  const importers = new Map([
    ["daemon/net/port.js", ["test/faces/a.test.js", "test/daemon/net/b.test.js", "daemon/net/user.js"]],
    [
      "daemon/net/user.js",
      ["test/daemon/net/user.test.js", "test/daemon/net/port/far.test.js", "test/daemon/net/c.js"],
    ],
    ["daemon/other.js", ["test/daemon/other.test.js"]],
  ]);
  assert.deepEqual(
    nearestTests("daemon/net/port.js", importers, () => 0),
    [
      "test/daemon/net/port/far.test.js",
      "test/daemon/net/b.test.js",
      "test/daemon/net/user.test.js",
      "test/faces/a.test.js",
    ],
  );
});

test("tests that only full runs include are more distant, except those of the file's path", () => {
  const [full, usual] = ["test/client/processes.test.js", "test/client/a.test.js"];
  const importers = new Map([
    ["client/calls.js", [full, usual]],
    ["client/processes.js", [full, usual]],
  ]);
  assert.deepEqual(
    nearestTests("client/calls.js", importers, () => 0),
    [usual, full],
  );
  assert.deepEqual(
    nearestTests("client/processes.js", importers, () => 0),
    [full, usual],
  );
});

test("a test whose text is like that of the file runs before others", () => {
  const importers = new Map([["client/calls.js", ["test/client/a.test.js", "test/client/b.test.js"]]]);
  const tests = nearestTests("client/calls.js", importers, (_, one) => (one.includes("b.test") ? 0.5 : 0.4));
  assert.deepEqual(tests, ["test/client/b.test.js", "test/client/a.test.js"]);
});
