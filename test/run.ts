/**
 * `npm test`: installs the missing requirements of the tests or prints how to, then runs every test file.
 * `npm test -- store system` runs the files whose path contains one of the words. DBSYNC_FULL=1 runs
 * everything in full; with a number in DBSYNC_PART too, only a fifth of the files runs in full, and the others as
 * without DBSYNC_FULL.
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { amount, isFull } from "./support/amount.js";
import { chosenFiles, testFiles } from "./support/chosen-files.js";
import { installLibraries, installPackages } from "./support/install-packages.js";
import { isLong, plannedFiles } from "./support/planned-files.js";
import { buildRoot, repositoryRoot } from "./support/repository.js";
import { isOfThisRun, requirements } from "./support/requirements.js";
import { forgetSettings } from "./support/test-environment.js";
import { together } from "./support/together.js";

/**
 * The time after which a test file is considered hung. On a busy machine, the longest files take a quarter of an hour.
 */
const FILE_MS_MAX = 1_500_000;

/** The number of parallel processes. It exceeds the number of processors, since many test files mostly wait. */
const LANES = availableParallelism() + amount(3, 4);

/**
 * The flags of V8 for the processes of the tests, unless they run in full: it optimizes a function after about seven
 * times as many executed bytes as by default. Most tests end before an optimized function has saved the time of its
 * compilation, which is otherwise a sixth of their CPU time. Later versions of V8, with another flag, compile functions
 * in a cheaper way first.
 */
const V8_FLAGS = !isFull && process.versions.v8.startsWith("11.") ? ["--interrupt-budget=500000"] : [];

const HOW_TO_RUN_MORE = `
These were the usual tests. There are more:
  DBSYNC_FULL=1 npm test               all cases of long tests, and the files of test/support/full-files.ts
  npm run explore [-- --minutes 30]    randomised tests with new seeds; prints how to repeat a failure
  npm run mutants                      breaks the rules one by one; a test must fail for each
  npm run chaos                        two daemons compared with two Redis servers, under the same faults
  npm run chaos -- --minutes 30        daemons that are killed, disconnected, damaged, evicted, replaced and upgraded
  npm run chaos -- --rounds 32         whether the units that the members decide are linearizable, under all faults
  npm run chaos -- --rounds 32 --decided-keys   the same for the commands of unmodified clients on decided keys`;

function main(words: readonly string[]): void {
  const isComplete = installMissing();
  forgetSettings();
  if (!isComplete && process.env["CI"]) {
    process.exitCode = 1;
    return;
  }

  const pathsOf = (paths: readonly string[]) => paths.map((path) => join(buildRoot, path));
  const chosen = chosenFiles(testFiles(buildRoot), words);
  const { inFull, usual } = plannedFiles(chosen, {
    isFull,
    part: process.env["DBSYNC_PART"],
    areNamed: words.length > 0,
  });

  if (inFull.length + usual.length === 0) {
    console.error(`No path of a test file contains ${words.join(" or ")}.`);
    process.exitCode = 2;
    return;
  }

  // The temporary folder of all tests. A test that leaves a file there is found, and the file does not remain.
  const scratch = mkdtempSync(join(tmpdir(), "dbsync-tests-"));
  // Some tests run programs as another user, who has to reach their folders, but not to list them.
  chmodSync(scratch, 0o711);
  process.env["TMPDIR"] = scratch;

  const programsOf = (files: readonly string[], name: string, inFull: boolean) => ({
    long: pathsOf(files.filter((file) => isLong(file, { inFull }))),
    shared: together(pathsOf(files.filter((file) => !isLong(file, { inFull }))), {
      folder: scratch,
      lanes: LANES,
      name,
    }),
  });

  const first = programsOf(inFull, "together", isFull);
  const others = programsOf(usual, "together-usual", false);
  if (usual.length > 0) process.env["DBSYNC_FULL_FILES"] = [...pathsOf(inFull), ...first.shared].join("\n");
  // Long files start first. Otherwise one of them would run alone at the end.
  const paths = [...first.long, ...others.long, ...first.shared, ...others.shared];

  const count = inFull.length + usual.length;
  console.log(`Running the test files (${count}), at most ${LANES} at the same time. Next: the failures.`);
  runFiles(paths, ({ hasFailed }) => {
    reportLeftFiles(scratch, hasFailed);
    rmSync(scratch, { recursive: true });
    // The failures remain the last lines.
    if (words.length === 0 && !hasFailed) console.log(HOW_TO_RUN_MORE);
  });
}

/** Matches the files in the temporary folder that are not from tests: programs of groups, and Node's cache for npm. */
const NOT_LEFT = /^(together(-usual)?-\d+\.mjs|node-compile-cache)$/;

/**
 * Reports the files that the tests have left in the temporary folder. They fail the run unless a test has failed, which
 * may be why they are left, even if the test passed when it ran again.
 */
function reportLeftFiles(scratch: string, hasFailed: boolean): void {
  const left = readdirSync(scratch).filter((name) => !NOT_LEFT.test(name));
  if (left.length === 0) return;
  if (!hasFailed) process.exitCode = 1;
  const reason = hasFailed
    ? "Tests of this run failed, so they may have left these files in the temporary folder"
    : "Tests have left files in the temporary folder. Remove them in the tests";
  console.error(`${reason}: ${left.join(", ")}`);
}

/**
 * Runs the files in a process group. All processes of the group end with its leader, or when this process is
 * terminated.
 */
function runFiles(files: readonly string[], ended: (run: { readonly hasFailed: boolean }) => void): void {
  const program = join(buildRoot, "test/run-files.js");
  // Node passes the flags to the processes of the tests.
  const args = [...V8_FLAGS, program, String(FILE_MS_MAX), String(LANES), ...files];
  const leader = spawn(process.execPath, args, {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    detached: true,
  });

  let hasFailed = false;
  leader.once("message", () => (hasFailed = true));
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
    ended({ hasFailed: hasFailed || code !== 0 });
  });
}

/**
 * Installs the missing requirements if this process may install, and otherwise prints how to.
 * @returns whether everything is available afterwards
 */
function installMissing(): boolean {
  console.log("Looking for the programs that the tests use. Next: the tests.");
  const stillMissing = installPackages(requirements.filter(isOfThisRun), "The tests also use");
  const haveNode = !isFull || haveNodeLibraries();
  // One of the packages contains pip.
  const havePython = !isFull || havePymongo();
  const isComplete = stillMissing.length === 0 && haveNode && havePython;
  if (!isComplete)
    console.error(
      process.env["CI"]
        ? "In CI, no test is skipped for this reason: no test runs."
        : "The tests that use them are skipped.",
    );
  return isComplete;
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
  const options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
  return installLibraries("libraries for Redis and MongoDB", [
    "npm",
    "install",
    ...options,
    "--prefix",
    folder,
  ]);
}

/** Installs pymongo 4, in addition to Debian's version. @returns whether it is available */
function havePymongo(): boolean {
  const folder = join(repositoryRoot, "test", "libraries", "python", "pymongo-4");
  if (existsSync(folder)) return true;
  const install = ["-m", "pip", "install", "--quiet", "--target", folder, "pymongo==4.*"];
  return installLibraries("pymongo 4", ["/usr/bin/python3", ...install]);
}

main(process.argv.slice(2));
