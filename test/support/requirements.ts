/** Programs that tests use beside Node: which are missing here, and how to get them. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export interface Requirement {
  readonly program: string;
  /** The Debian package that brings it. */
  readonly debianPackage: string;
  readonly purpose: string;
}

export const requirements: readonly Requirement[] = [
  {
    program: "redis-server",
    debianPackage: "redis-server",
    purpose: "the real server that replies are compared with",
  },
  { program: "php", debianPackage: "php-cli", purpose: "examples/php" },
  { program: "openssl", debianPackage: "openssl", purpose: "key files of every kind, examples/shell" },
  { program: "nc", debianPackage: "netcat-openbsd", purpose: "examples/shell" },
];

export function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** For a test's `skip`: false, or why it cannot run. In CI a missing program fails the run before any test. */
export function skipWithout(program: string): string | false {
  return isOnPath(program) ? false : `${program} is not installed`;
}
