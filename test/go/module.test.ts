/** Runs the tests of the Go client that need no daemons, and checks its form. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { MODULE, runGo, runGoTests } from "./running.js";

const skip = skipWithout("go");
const clean = { code: 0, stdout: "", stderr: "" };

test("the Go client writes and reads the vectors, and handles faults as the other clients do", {
  skip,
}, async () => {
  const names = await runGoTests(".");
  assert.ok(names.length > 40, names.join());
});

test("go vet and gofmt find nothing in the Go client", { skip }, async () => {
  assert.deepEqual(await runGo(["vet", "./..."]), clean);
  assert.deepEqual(await run("gofmt", ["-l", "."], { cwd: MODULE }), clean);
});

test("the Go client needs only the standard library", () => {
  assert.doesNotMatch(readFileSync(join(MODULE, "go.mod"), "utf8"), /require/);
});
