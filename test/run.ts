/**
 * `npm test`: installs what the tests need and the machine lacks, then runs every test file.
 * `npm test -- store faults` runs the files whose path below test/ holds one of the words.
 */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { chosenFiles, testFiles } from "./support/chosen-files.js";
import { buildRoot } from "./support/repository.js";
import { isOnPath, isThere, type Requirement, requirements } from "./support/requirements.js";
import { forgetSettings } from "./support/test-environment.js";

/** A test file that takes longer hangs: on a busy machine thousands of simulated runs take ten minutes. */
const FILE_MS_MAX = 1_800_000;

/** Files that take longer than most, as the end of a run tells. */
const LONG = [
  "docs.test",
  "faults/",
  "attacks/",
  "daemon/listeners/json/fleet",
  "simulation/",
  "daemon/sidecar/",
  "client/cli/",
  "daemon/options/options",
  "daemon/listeners/resp/users",
  "daemon/memory/",
  "timeline/compare/reconcile",
  "conformance/differential",
  "client/simulation",
  "store/engine/undo",
  "daemon/listeners/resp/hostile",
];

const HOW_TO_RUN_MORE = `
These were the runs that everybody has. More of them:
  DBSYNC_FULL=1 npm test               what takes long in full; so does .ci/run
  npm run explore [-- --minutes 30]    randomised tests from fresh seeds; what they find comes with how to repeat it
  npm run mutants                      rules that are broken must be found out
  npm run chaos -- --minutes 30        daemons that are killed, frozen and damaged`;

function main(words: readonly string[]): void {
  forgetSettings();
  if (!installMissing() && process.env["CI"]) {
    process.exitCode = 1;
    return;
  }
  const folder = join(buildRoot, "test");
  const files = longestFirst(chosenFiles(testFiles(folder), words)).map((file) => join(folder, file));
  if (files.length === 0) {
    console.error(`No test file's path below test/ holds ${words.join(" or ")}.`);
    process.exitCode = 2;
    return;
  }
  runFiles(files, () => {
    if (words.length === 0) console.log(HOW_TO_RUN_MORE);
  });
}

/** Nobody is to wait in the end for what was begun last. */
function longestFirst(files: readonly string[]): string[] {
  const isLong = (file: string) => LONG.some((words) => file.startsWith(words));
  return [...files.filter(isLong), ...files.filter((file) => !isLong(file))];
}

/** In a process group, which ends as a whole: with its leader, or when we are to end. */
function runFiles(files: readonly string[], ended: () => void): void {
  const program = join(buildRoot, "test/run-files.js");
  const leader = spawn(process.execPath, [program, String(FILE_MS_MAX), ...files], {
    stdio: "inherit",
    detached: true,
  });
  const endGroup = () => {
    try {
      process.kill(-leader.pid!, "SIGKILL");
    } catch {
      // None of it is left.
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, endGroup);
  leader.once("exit", (code) => {
    endGroup();
    process.exitCode = code ?? 1;
    ended();
  });
}

/** @returns whether everything is there now */
function installMissing(): boolean {
  const missing = requirements.filter((requirement) => !isThere(requirement));
  if (missing.length === 0) return true;
  const packages = missing.map(({ debianPackage }) => debianPackage);
  console.log(`The tests also use ${missing.map(describe).join(", ")}.`);
  const prefix = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  if (isOnPath("apt-get") && (prefix.length === 0 || succeeds([...prefix, "true"]))) {
    console.log(`Installing with apt-get: ${packages.join(" ")}`);
    succeeds([...prefix, "apt-get", "update", "-q"]);
    succeeds([...prefix, "apt-get", "install", "-qy", "--no-install-recommends", ...packages]);
  }
  const left = missing.filter((requirement) => !isThere(requirement));
  for (const requirement of left) {
    console.error(
      `Missing: ${describe(requirement)}. On Debian: apt-get install ${requirement.debianPackage}`,
    );
  }
  if (left.length > 0 && !process.env["CI"]) console.error("The tests that use them are skipped.");
  return left.length === 0;
}

function describe({ program, purpose }: Requirement): string {
  return `${program} (${purpose})`;
}

function succeeds([program = "", ...args]: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(program, args, { stdio: ["ignore", "ignore", "inherit"], env }).status === 0;
}

main(process.argv.slice(2));
