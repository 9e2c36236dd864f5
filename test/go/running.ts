/** Runs the tests of the Go client, which are in clients/go. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { isFull } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { type Ended, run } from "../support/run-program.js";

export const MODULE: string = join(repositoryRoot, "clients", "go");

/** The command that needs no network: the module uses only the standard library. */
export const GO_ENV: Readonly<Record<string, string>> = {
  GOFLAGS: "-mod=mod",
  GOPROXY: "off",
  GOTOOLCHAIN: "local",
};

/** Runs `go` in the folder of the module. */
export function runGo(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return run("go", args, { cwd: MODULE, env: { ...GO_ENV, ...env } });
}

/**
 * Runs the tests whose names match, in full runs with the race detector.
 * @returns the names of the tests that have run
 */
export async function runGoTests(
  pattern: string,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const race = isFull && skipWithout("gcc") === false ? ["-race"] : [];
  const ended = await runGo(["test", "-v", "-count=1", ...race, "-run", pattern, "./..."], env);
  assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  return [...ended.stdout.matchAll(/^--- PASS: (\w+)/gm)].map(([, name = ""]) => name);
}
