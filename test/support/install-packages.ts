/**
 * Installs what tests or checks need: as root, in CI (with CI set) or with DBSYNC_INSTALL=1. On any other machine, it
 * only prints the commands, since a run of the tests must not change a developer's system.
 */
import { spawnSync } from "node:child_process";
import { isOnPath, isThere, type Requirement } from "./requirements.js";

/** The process that may install: its user, its variables, and how it runs a command. */
export interface Installer {
  readonly uid: number | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Runs a command. Returns whether it succeeds. */
  readonly run: (command: readonly string[]) => boolean;
}

/** What an installation has achieved. */
export interface Installation {
  /** The requirements that are still missing. */
  readonly missing: readonly Requirement[];
  /** Whether a download failed, so that the same installation may succeed later. */
  readonly hasDownloadFailed: boolean;
}

const thisProcess: Installer = { uid: process.getuid?.(), env: process.env, run: succeeds };

/** Returns whether the process installs what is missing, and does not only print how. */
const mayInstall = ({ uid, env }: Installer): boolean =>
  uid === 0 || Boolean(env["CI"]) || env["DBSYNC_INSTALL"] === "1";

/**
 * Installs the packages of the missing requirements with apt-get, or prints the command.
 * @param users  the subject of the printed sentence
 */
export function installPackages(
  requirements: readonly Requirement[],
  users: string,
  installer: Installer = thisProcess,
): Installation {
  const missing = requirements.filter((requirement) => !isThere(requirement));
  if (missing.length === 0) return { missing, hasDownloadFailed: false };
  console.log(`${users} ${missing.map(describe).join(", ")}.`);
  const hasDownloadFailed = mayInstall(installer) && installWithApt(packagesOf(missing), installer);

  const stillMissing = missing.filter((requirement) => !isThere(requirement));
  if (stillMissing.length > 0) {
    const install = ["sudo", "apt-get", "install", "--no-install-recommends", ...packagesOf(stillMissing)];
    console.error(`Missing. To install on Debian or Ubuntu: ${install.join(" ")}`);
  }
  return { missing: stillMissing, hasDownloadFailed };
}

/** Installs packages. @returns whether a download failed */
function installWithApt(packages: readonly string[], { uid, env, run }: Installer): boolean {
  if (!isOnPath("apt-get", env["PATH"])) return false;
  const apt = [...(uid === 0 ? [] : ["sudo", "-n"]), "apt-get"];
  console.log(`Installing with apt-get: ${packages.join(" ")}`);
  const isUpdated = run([...apt, "update", "-q", "-o", "APT::Update::Error-Mode=any"]);
  const install = [...apt, "install", "-qy", "--no-install-recommends"];
  if (run([...install, ...packages])) return false;
  // With the current lists, apt-get can plan the installation of each package that exists.
  const arePlanned = run([...install, "--simulate", ...packages]);
  return !isUpdated || (arePlanned && !run([...install, "--download-only", ...packages]));
}

/**
 * Installs libraries into a folder of the repository, or prints the command.
 * @returns whether they are installed
 */
export function installLibraries(
  libraries: string,
  command: readonly string[],
  installer: Installer = thisProcess,
): boolean {
  if (mayInstall(installer)) {
    console.log(`Installing ${libraries}: ${command.join(" ")}`);
    if (installer.run(command)) return true;
  }
  console.error(`Missing: ${libraries}. To install: ${command.join(" ")}`);
  return false;
}

const packagesOf = (requirements: readonly Requirement[]): string[] => [
  ...new Set(requirements.map(({ debianPackage }) => debianPackage)),
];

function describe({ program, purpose }: Requirement): string {
  return `${program} (${purpose})`;
}

/** Runs a program without its output. @returns whether its exit code is 0 */
function succeeds([program = "", ...args]: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(program, args, { stdio: ["ignore", "ignore", "inherit"], env }).status === 0;
}
