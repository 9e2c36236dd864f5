/**
 * `npm test`: installs the missing requirements of the tests, then runs every test file. `npm test -- store system`
 * runs the files whose path below test/ contains one of the words.
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { amount, isFull } from "./support/amount.js";
import { chosenFiles, testFiles } from "./support/chosen-files.js";
import { isFullOnly } from "./support/full-files.js";
import { installPackages, succeeds } from "./support/install-packages.js";
import { buildRoot, repositoryRoot } from "./support/repository.js";
import { requirements } from "./support/requirements.js";
import { forgetSettings } from "./support/test-environment.js";
import { together } from "./support/together.js";

/** The time after which a test file is considered hung. The longest files take a few minutes on a busy machine. */
const FILE_MS_MAX = 900_000;

/** The number of parallel processes. It exceeds the number of processors, since many test files mostly wait. */
const LANES = availableParallelism() + amount(3, 4);

/** The beginnings of the paths of long files, the longest first, according to the list at the end of a run. */
const LONG = [
  "docs.test",
  "site/",
  "system/active-active",
  "system/claims/job-libraries",
  "faces/mongo/store/queries/long-expressions",
  "libraries/",
  "system/chaos",
  "client/effects/",
  "system/scans",
  "faces/sql/store/commands/planned",
  "daemon/program/working-memory",
  "system/member-snapshots",
  "system/lost-entries-alarm",
  "operations/",
  "conformance/differential",
  "system/",
  "daemon/program/replicas.test",
  "daemon/program/false-members",
  "client/unsigned.test",
  "run.test",
  "simulation/",
  "faces/sidecar/",
  "tools/cli/",
  "examples/",
  "faces/redis/users",
  "daemon/engine/memory/",
  "daemon/timeline/timeline.test",
  "daemon/timeline/compare/reconcile",
  "client/simulation",
  "daemon/store/keyspace/undo",
  "faces/redis/hostile",
];

const HOW_TO_RUN_MORE = `
These were the usual tests. There are more:
  DBSYNC_FULL=1 npm test               all cases of long tests, and the files of test/support/full-files.ts, as in .ci/run
  npm run explore [-- --minutes 30]    randomised tests with new seeds; prints how to repeat a failure
  npm run mutants                      breaks the rules one by one; a test must fail for each
  npm run chaos                        two daemons compared with two Redis servers, under the same faults
  npm run chaos -- --minutes 30        daemons that are killed, disconnected, damaged, evicted, replaced and upgraded`;

function main(words: readonly string[]): void {
  const isComplete = installMissing();
  forgetSettings();
  if (!isComplete && process.env["CI"]) {
    process.exitCode = 1;
    return;
  }
  const folder = join(buildRoot, "test");
  const pathsOf = (paths: readonly string[]) => paths.map((path) => join(folder, path));
  const chosen = chosenFiles(testFiles(folder), words);
  const files = isFull || words.length > 0 ? chosen : chosen.filter((file) => !isFullOnly(file));
  if (files.length === 0) {
    console.error(`No path of a test file below test/ contains ${words.join(" or ")}.`);
    process.exitCode = 2;
    return;
  }
  // The temporary folder of all tests. A test that leaves a file there is found, and the file does not remain.
  const scratch = mkdtempSync(join(tmpdir(), "dbsync-tests-"));
  // Some tests run programs as another user, who has to reach their folders, but not to list them.
  chmodSync(scratch, 0o711);
  process.env["TMPDIR"] = scratch;
  // Long files start first. Otherwise one of them would run alone at the end.
  const long = new Set(LONG.flatMap((words) => files.filter((file) => file.startsWith(words))));
  const short = together(pathsOf(files.filter((file) => !long.has(file))), { folder: scratch, lanes: LANES });
  runFiles([...pathsOf([...long]), ...short], () => {
    reportLeftFiles(scratch);
    rmSync(scratch, { recursive: true });
    if (words.length === 0) console.log(HOW_TO_RUN_MORE);
  });
}

/** Matches the files in the temporary folder that are not from tests: programs of groups, and Node's cache for npm. */
const NOT_LEFT = /^(together-\d+\.mjs|node-compile-cache)$/;

/** Fails a successful run if its tests have left files in the temporary folder. Tests that fail may leave files. */
function reportLeftFiles(scratch: string): void {
  const left = readdirSync(scratch).filter((name) => !NOT_LEFT.test(name));
  if (left.length === 0 || process.exitCode !== 0) return;
  console.error(
    `Tests have left files in the temporary folder. Remove them in the tests: ${left.join(", ")}`,
  );
  process.exitCode = 1;
}

/**
 * Runs the files in a process group. All processes of the group end with its leader, or when this process is
 * terminated.
 */
function runFiles(files: readonly string[], ended: () => void): void {
  const program = join(buildRoot, "test/run-files.js");
  const leader = spawn(process.execPath, [program, String(FILE_MS_MAX), String(LANES), ...files], {
    stdio: "inherit",
    detached: true,
  });
  const endGroup = () => {
    try {
      process.kill(-leader.pid!, "SIGKILL");
    } catch {
      // The group no longer has any process.
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, endGroup);
  leader.once("exit", (code) => {
    endGroup();
    process.exitCode = code ?? 1;
    ended();
  });
}

/** Installs the missing requirements. @returns whether everything is available afterwards */
function installMissing(): boolean {
  const needed = requirements.filter(({ isForFullRuns }) => isFull || !isForFullRuns);
  const haveNode = !isFull || haveNodeLibraries();
  const stillMissing = installPackages(needed, "The tests also use");
  if (stillMissing.length > 0 && !process.env["CI"]) console.error("The tests that use them are skipped.");
  return stillMissing.length === 0 && haveNode && (!isFull || havePymongo());
}

/**
 * Installs the npm packages of test/libraries, which the other tests do not need.
 * @returns whether they are available
 */
function haveNodeLibraries(): boolean {
  const folder = join(repositoryRoot, "test", "libraries", "npm");
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const names = Object.keys(manifest.dependencies);
  if (names.every((name) => existsSync(join(folder, "node_modules", name)))) return true;
  console.log("Installing libraries for Redis and MongoDB with npm: test/libraries/npm");
  if (
    succeeds([
      "npm",
      "install",
      "--no-save",
      "--prefix",
      folder,
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
    ])
  )
    return true;
  console.error(
    "Missing: npm libraries. To install them: npm install --no-save --ignore-scripts --prefix test/libraries/npm",
  );
  return false;
}

/** Installs pymongo 4, in addition to Debian's version. @returns whether it is available */
function havePymongo(): boolean {
  const folder = join(repositoryRoot, "test", "libraries", "python", "pymongo-4");
  if (existsSync(folder)) return true;
  console.log("Installing a MongoDB driver with pip: test/libraries/python/pymongo-4");
  const install = ["-m", "pip", "install", "--quiet", "--target", folder, "pymongo==4.*"];
  if (succeeds(["/usr/bin/python3", ...install])) return true;
  console.error(`Missing: pymongo 4. To install it: python3 ${install.join(" ")}`);
  return false;
}

main(process.argv.slice(2));
