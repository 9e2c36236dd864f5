/** Runs Python with the package of clients/python. */
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { type Ended, run } from "../support/run-program.js";
import { readVectors, vectorFolder } from "../support/v2-vectors/vector.js";

/** The Python on the PATH may not find Debian's packages. */
export const PYTHON = "/usr/bin/python3";

export const PACKAGE: string = join(repositoryRoot, "clients", "python");

export const vectors: ReturnType<typeof readVectors> = readVectors();

/** PYTHONWARNINGS makes Python report what it otherwise ignores, such as a socket that is never closed. */
export const env: Readonly<Record<string, string>> = {
  PYTHONDONTWRITEBYTECODE: "1",
  PYTHONPATH: PACKAGE,
  PYTHONWARNINGS: "default",
};

const folder = mkdtempSync(join(tmpdir(), "dbsync-python-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

/**
 * Returns the path of a key of the vectors. A private key is copied to a file that only its owner can read, since all
 * users can read the files of a checkout.
 */
export function keyFile(name: string, half: "private" | "public"): string {
  const key = vectors.keys.find((each) => each.name === name);
  assert.ok(key);
  if (half === "public") return join(vectorFolder, key.publicFile);
  const copy = join(folder, `${name}.pem`);
  copyFileSync(join(vectorFolder, key.privateFile), copy);
  chmodSync(copy, 0o600);
  return copy;
}

/** Runs Python code with `given`; its output must be JSON. */
export async function runPython(code: string, given: unknown): Promise<unknown> {
  const script = `import json, sys\ngiven = json.load(sys.stdin)\n${code}\n`;
  const ended = await run(PYTHON, ["-c", script], { env, input: JSON.stringify(given) });
  assert.equal(ended.code, 0, ended.stderr);
  return JSON.parse(ended.stdout);
}

/** Runs `python3 -m dbsync`. */
export function runCommand(
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return run(PYTHON, ["-m", "dbsync", ...args], { env: { ...env, ...more } });
}

/**
 * Runs a file of programs/, which contains cases of Python's unittest, most of them for both clients.
 * @param given  data for its cases: addresses, key files, process ids
 */
export async function runCases(file: string, given: unknown): Promise<void> {
  const path = join(repositoryRoot, "test", "python", "programs", file);
  const ended = await run(PYTHON, [path], { env: { ...env, DBSYNC_GIVEN: JSON.stringify(given) } });
  assert.equal(ended.code, 0, ended.stderr + ended.stdout);
  assert.match(ended.stderr, /^OK/m);
  assert.doesNotMatch(ended.stderr, /(Resource|Runtime)Warning|never (awaited|retrieved)|Traceback/);
}
