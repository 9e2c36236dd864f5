/**
 * Runs MongoDB's own CRUD tests, which every driver runs against a server: those of the Debian package of the Go
 * driver, by the Node.js driver. Tests that fail here are listed with the reason, so any new failure is a fault.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startMongo } from "./scene.js";
import { applies, parsed, runTest } from "./unified-format.js";

const FOLDER = "/usr/share/gocode/src/go.mongodb.org/mongo-driver";
/** The folders where the package has them, depending on its version. */
const FOLDERS = ["testdata/crud/unified", "data/crud/unified"].map((path) => join(FOLDER, path));
const folder = FOLDERS.find(existsSync);

/** The reasons of failing tests, by the beginning of their names. */
const FAILING: readonly (readonly [begin: string, why: string])[] = [
  ["aggregate-merge", "$merge is missing"],
  ["aggregate-out", "$out is missing"],
  ["aggregate-write-readPreference", "$out and $merge are missing"],
  ["aggregate-let.json: Aggregate to collection", "$out is missing"],
  ["db-aggregate", "$listLocalSessions is missing"],
  ["estimatedDocumentCount.json: estimatedDocumentCount works correctly on views", "views are missing"],
  ["findOneAndUpdate-errorResponse", "validators are missing"],
  ["db-aggregate-write-readPreference", "$out and $merge are missing"],
];

/**
 * Tests that no server but MongoDB's can pass: they set faults by a command of MongoDB's test builds, the Node.js
 * driver sends what it should not, or they follow a later rule (count counts again).
 */
const NOT_OF_SERVERS =
  /failPoint of testRunner|on 4\.9\.0 or greater|unacknowledged-.*-hint-clientError|-hint-unacknowledged/;

/** The share of all tests that a server can pass. */
const SHARE_MIN = 0.85;

const skip = folder === undefined && "the Debian package golang-mongodb-mongo-driver-dev is not installed";

test("MongoDB's tests of CRUD pass, but for those that need what is missing", { skip }, async () => {
  await using scene = await startMongo();
  const [failed, passed]: [string[], string[]] = [[], []];
  const names = readdirSync(folder as string).filter((name) => name.endsWith(".json"));
  for (const name of names.sort()) {
    const file = parsed(readFileSync(join(folder as string, name), "utf8"));
    for (const one of file.tests) {
      if (!applies(file) || !applies(one)) continue;
      const title = `${name}: ${one.description}`;
      try {
        await runTest(file, one, `mongodb://127.0.0.1:${scene.port}/`);
        passed.push(title);
      } catch (problem) {
        const told = `${title}: ${problem instanceof Error ? problem.message : String(problem)}`;
        if (!NOT_OF_SERVERS.test(told)) failed.push(told);
      }
    }
  }
  const unexpected = failed.filter((told) => !FAILING.some(([begin]) => told.startsWith(begin)));
  assert.deepEqual(unexpected, []);
  const share = passed.length / (passed.length + failed.length);
  assert.ok(passed.length > 50 && share >= SHARE_MIN, `${passed.length} pass, ${failed.length} fail`);
});
