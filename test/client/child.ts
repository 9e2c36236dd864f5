/** Runs a program or a script as a user would, and waits until it ends. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { programPaths } from "../support/programs.js";
import { buildRoot } from "../support/repository.js";

/** The milliseconds after which a child is killed. Its test then fails because of the exit code (null). */
const MAX_LIFE_MS = 300_000;

export interface ChildResult {
  readonly code: number | null;
  readonly stdout: string;
  /** The bytes of `stdout`. */
  readonly bytes: Buffer;
  readonly stderr: string;
  /** The milliseconds from its start to its end. */
  readonly ms: number;
}

export interface ChildOptions {
  readonly variables?: Readonly<Record<string, string>>;
  readonly folder?: string;
  readonly input?: string | Buffer;
}

/** The library's entry, for an import statement. */
export const ENTRY = JSON.stringify(pathToFileURL(join(buildRoot, "client/public-api.js")).href);

/** Runs the text of a module. */
export function runScript(text: string, options?: ChildOptions): Promise<ChildResult> {
  return run(["--input-type=module", "--eval", text], options);
}

/** Runs the program `dbsync`. */
export function runDbsync(args: readonly string[], options?: ChildOptions): Promise<ChildResult> {
  return run([programPaths.dbsync, ...args], options);
}

function run(args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  // The child has only the variables that a program needs, without DBSYNC_* and the user's home folder.
  const env = { PATH: process.env["PATH"], HOME: "/nonexistent", ...options.variables };
  const started = performance.now();
  const child = spawn(process.execPath, args, { env, cwd: options.folder ?? buildRoot });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => void out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => void err.push(chunk));
  // The child may end without reading its input.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const life = setTimeout(() => child.kill("SIGKILL"), MAX_LIFE_MS);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(life);
      const ms = performance.now() - started;
      const bytes = Buffer.concat(out);
      resolve({ code, stdout: bytes.toString(), bytes, stderr: Buffer.concat(err).toString(), ms });
    });
  });
}
