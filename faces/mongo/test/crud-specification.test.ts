/**
 * Runs MongoDB's own CRUD tests, which every driver runs against a server. The tests come from the Debian package of
 * the Go driver, and the Node.js driver runs them. Tests that fail here are grouped by reason, so that every new
 * failure is reported. docs/mongo.md contains the numbers.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../../../test/support/repository.js";
import { clientOf, startMongo } from "./scene.js";
import { applies, parsed, runTest } from "./unified-format.js";

const FOLDER = "/usr/share/gocode/src/go.mongodb.org/mongo-driver";
/** The folders that contain the tests, depending on the version of the package. */
const FOLDERS = ["testdata/crud/unified", "data/crud/unified"].map((path) => join(FOLDER, path));
const folder = FOLDERS.find(existsSync);

interface Group {
  /** The reason for the failures, as in docs/mongo.md. */
  readonly why: string;
  /** Matches the names and errors of the group's tests. */
  readonly pattern: RegExp;
  /** Whether a server could pass these tests. */
  readonly isOfServers: boolean;
}

/** The failing tests by reason. The first group with a matching pattern counts. */
const FAILING: readonly Group[] = [
  {
    why: "they inject faults by a command that only MongoDB's test builds have",
    pattern: /failPoint of testRunner/,
    isOfServers: false,
  },
  {
    why: "they expect `$collStats` for `estimatedDocumentCount`; the driver sends `count`",
    pattern: /on 4\.9\.0 or greater/,
    isOfServers: false,
  },
  {
    why: "they expect the driver to refuse `hint` in unacknowledged writes; it sends them to a server of version 7",
    pattern: /unacknowledged-.*-hint-clientError|-hint-unacknowledged/,
    isOfServers: false,
  },
  { why: "`$merge` is missing", pattern: /^(?:db-)?aggregate-(?:merge|write)/, isOfServers: true },
  {
    why: "`$out` is missing",
    pattern: /^aggregate-out|^aggregate-let\.json: Aggregate to collection/,
    isOfServers: true,
  },
  { why: "`$listLocalSessions` is missing", pattern: /^db-aggregate/, isOfServers: true },
  {
    why: "views and validators are missing",
    pattern: /works correctly on views|^findOneAndUpdate-errorResponse/,
    isOfServers: true,
  },
];

/** The minimum share of passing tests among those that a server can pass. */
const SHARE_MIN = 0.85;
/** The number of applicable tests in the package that docs/mongo.md describes. */
const DOCUMENTED = 119;

const skip = folder === undefined && "the Debian package golang-mongodb-mongo-driver-dev is not installed";

test("MongoDB's CRUD tests pass, except those that need missing features", { skip }, async () => {
  await using scene = await startMongo();
  await using own = clientOf(scene.port);
  const [failed, passed]: [string[], string[]] = [[], []];
  const counts = new Map<Group, number>();
  const names = readdirSync(folder as string).filter((name) => name.endsWith(".json"));

  for (const name of names.sort()) {
    const file = parsed(readFileSync(join(folder as string, name), "utf8"));
    for (const one of file.tests) {
      if (!applies(file) || !applies(one)) continue;
      const title = `${name}: ${one.description}`;
      try {
        await runTest(file, one, `mongodb://127.0.0.1:${scene.port}/`, own);
        passed.push(title);
      } catch (problem) {
        const report = `${title}: ${problem instanceof Error ? problem.message : String(problem)}`;
        const group = FAILING.find(({ pattern }) => pattern.test(report));
        if (group === undefined) failed.push(report);
        else counts.set(group, (counts.get(group) ?? 0) + 1);
      }
    }
  }

  assert.deepEqual(failed, []);
  const groups = [...counts].sort(([a], [b]) => FAILING.indexOf(a) - FAILING.indexOf(b));
  const missed = groups.reduce((sum, [{ isOfServers }, count]) => sum + (isOfServers ? count : 0), 0);
  const share = passed.length / (passed.length + missed);
  assert.ok(passed.length > 50 && share >= SHARE_MIN, `${passed.length} pass, ${missed} fail`);

  // Other versions of the package contain other tests.
  const all = groups.reduce((sum, [, count]) => sum + count, passed.length);
  if (all !== DOCUMENTED) return;

  const rows = [
    ["they pass", passed.length] as const,
    ...groups.map(([{ why }, count]) => [why, count] as const),
  ];
  const page = readFileSync(join(repositoryRoot, "docs/mongo.md"), "utf8");
  const [, table = ""] = /\n\| result \| tests \|\n.*\n((?:\|.*\n)*)/.exec(page) ?? [];
  assert.equal(table, rows.map(([why, count]) => `| ${why} | ${count} |\n`).join(""));
});
