/**
 * `npm test`: installs the missing requirements of the tests or prints how to, then runs every test file.
 * `npm test -- store system` runs the files whose path contains one of the words. DBSYNC_FULL=1 runs
 * everything in full.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { isFull } from "./support/amount.js";
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

/** The exit code in CI if a package could not be downloaded, as in sysexits.h: the same run may pass later. */
const DOWNLOAD_FAILED = 75;

/**
 * The number of parallel processes. Many test files mostly wait, so it exceeds the number of processors. With more
 * processes, a daemon of a test would have so little of a processor that its own time limits are reached.
 */
const LANES = availableParallelism() + 1;

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
  const { isComplete, hasDownloadFailed } = installMissing();
  forgetSettings();
  if (!isComplete && process.env["CI"]) {
    process.exitCode = hasDownloadFailed ? DOWNLOAD_FAILED : 1;
    return;
  }

  const chosen = chosenFiles(testFiles(buildRoot), words);
  const planned = plannedFiles(chosen, { isFull, areNamed: words.length > 0 });
  if (planned.length === 0) {
    console.error(`No path of a test file contains ${words.join(" or ")}.`);
    process.exitCode = 2;
    return;
  }

  // The temporary folder of all tests. A test that leaves a file there is found, and the file does not remain.
  const scratch = mkdtempSync(join(tmpdir(), "dbsync-tests-"));
  // Some tests run programs as another user, who has to reach their folders, but not to list them.
  chmodSync(scratch, 0o711);
  process.env["TMPDIR"] = scratch;

  const pathsOf = (files: readonly string[]) => files.map((path) => join(buildRoot, path));
  const isFirst = (file: string) => isLong(file, { isFull });
  const others = pathsOf(planned.filter((file) => !isFirst(file)));
  // Long files start first. Otherwise one of them would run alone at the end.
  const programs = [
    ...pathsOf(planned.filter(isFirst)),
    ...together(others, { folder: scratch, lanes: LANES }),
  ];
  console.log(
    `Running the test files (${planned.length}), at most ${LANES} at the same time. Next: the failures.`,
  );

  runFiles(programs, (flakes) => {
    reportLeftFiles(scratch);
    // A server that was just killed may still write.
    rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    const hasFailed = process.exitCode !== 0 || flakes.length > 0;
    // The failures remain the last lines.
    if (words.length === 0 && !hasFailed) console.log(HOW_TO_RUN_MORE);
    for (const flake of flakes) console.log(flake);
  });
}

/** Matches the files in the temporary folder that are not from tests: programs of groups, and Node's cache for npm. */
const NOT_LEFT = /^(together-\d+\.mjs|node-compile-cache)$/;

/** Prints the names of the files that the tests have left in the temporary folder. They do not fail the run. */
function reportLeftFiles(scratch: string): void {
  const left = readdirSync(scratch).filter((name) => !NOT_LEFT.test(name));
  if (left.length > 0)
    console.error(
      `LEFT in the temporary folder, by tests of this run: ${left.join(", ")}. Remove them in the tests.`,
    );
}

/**
 * Runs the files in a process group. All processes of the group end with its leader, or when this process is
 * terminated. The exit code of this process becomes the leader's.
 * @param ended  receives a line for each failure of a file that then passed alone
 */
function runFiles(files: readonly string[], ended: (flakes: readonly string[]) => void): void {
  const program = join(buildRoot, "test/run-files.js");
  // Node passes the flags to the processes of the tests.
  const args = [...V8_FLAGS, program, String(FILE_MS_MAX), String(LANES), ...files];
  const leader = spawn(process.execPath, args, {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
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

  let flakes: readonly string[] = [];
  leader.on("message", (lines) => {
    flakes = lines as readonly string[];
  });
  // The message may arrive after the exit, but not after the channel has closed.
  const closed = once(leader, "disconnect");
  leader.once("exit", async (code) => {
    endGroup();
    process.exitCode = code ?? 1;
    await closed;
    ended(flakes);
  });
}

/**
 * Installs the missing requirements if this process may install, and otherwise prints how to.
 * @returns whether everything is available afterwards, and whether a package could not be downloaded
 */
function installMissing() {
  console.log("Looking for the programs that the tests use. Next: the tests.");
  const { missing, hasDownloadFailed } = installPackages(
    requirements.filter(isOfThisRun),
    "The tests also use",
  );
  const haveNode = !isFull || haveNodeLibraries();
  // One of the packages contains pip.
  const havePython = !isFull || havePymongo();
  const isComplete = missing.length === 0 && haveNode && havePython;
  if (!isComplete)
    console.error(
      process.env["CI"]
        ? "In CI, no test is skipped for this reason: no test runs."
        : "The tests that use them are skipped.",
    );
  return { isComplete, hasDownloadFailed };
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
