/**
 * Runs MongoDB's own CRUD tests, which every driver runs against a server. The tests come from the Debian package of
 * the Go driver, and the Node.js driver runs them. Tests that fail here are listed with the reason, so that every new
 * failure is reported.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startMongo } from "./scene.js";
import { applies, parsed, runTest } from "./unified-format.js";

const FOLDER = "/usr/share/gocode/src/go.mongodb.org/mongo-driver";
/** The folders that contain the tests, depending on the version of the package. */
const FOLDERS = ["testdata/crud/unified", "data/crud/unified"].map((path) => join(FOLDER, path));
const folder = FOLDERS.find(existsSync);

/** The reasons for failing tests, by the beginning of their names. */
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
 * Matches tests that only MongoDB's own server can pass. They cause faults with a command of MongoDB's test builds, or
 * the Node.js driver sends another command or value than they expect.
 */
const NOT_OF_SERVERS =
  /failPoint of testRunner|on 4\.9\.0 or greater|unacknowledged-.*-hint-clientError|-hint-unacknowledged/;

/** The minimum share of passing tests among those that a server can pass. */
const SHARE_MIN = 0.85;

const skip = folder === undefined && "the Debian package golang-mongodb-mongo-driver-dev is not installed";

test("MongoDB's CRUD tests pass, except those that need missing features", { skip }, async () => {
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
        const report = `${title}: ${problem instanceof Error ? problem.message : String(problem)}`;
        if (!NOT_OF_SERVERS.test(report)) failed.push(report);
      }
    }
  }
  const unexpected = failed.filter((report) => !FAILING.some(([begin]) => report.startsWith(begin)));
  assert.deepEqual(unexpected, []);
  const share = passed.length / (passed.length + failed.length);
  assert.ok(passed.length > 50 && share >= SHARE_MIN, `${passed.length} pass, ${failed.length} fail`);
});
