/** Installs Debian packages that tests or checks need. */
import { spawnSync } from "node:child_process";
import { isOnPath, isThere, type Requirement } from "./requirements.js";

/**
 * Installs the packages of the missing requirements with apt-get if possible, and prints what it does.
 * @param users  the subject of the printed sentence
 * @returns the requirements that are still missing
 */
export function installPackages(requirements: readonly Requirement[], users: string): readonly Requirement[] {
  const missing = requirements.filter((requirement) => !isThere(requirement));
  if (missing.length === 0) return [];
  const packages = missing.map(({ debianPackage }) => debianPackage);
  console.log(`${users} ${missing.map(describe).join(", ")}.`);
  const prefix = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  if (isOnPath("apt-get") && (prefix.length === 0 || succeeds([...prefix, "true"]))) {
    console.log(`Installing with apt-get: ${packages.join(" ")}`);
    succeeds([...prefix, "apt-get", "update", "-q"]);
    succeeds([...prefix, "apt-get", "install", "-qy", "--no-install-recommends", ...packages]);
  }
  const stillMissing = missing.filter((requirement) => !isThere(requirement));
  for (const requirement of stillMissing) {
    console.error(
      `Missing: ${describe(requirement)}. On Debian: apt-get install ${requirement.debianPackage}`,
    );
  }
  return stillMissing;
}

function describe({ program, purpose }: Requirement): string {
  return `${program} (${purpose})`;
}

/** Runs a program without its output. @returns whether its exit code is 0 */
export function succeeds([program = "", ...args]: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(program, args, { stdio: ["ignore", "ignore", "inherit"], env }).status === 0;
}
