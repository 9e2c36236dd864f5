/** Runs a program or a script as a user would, and waits until it ends. */
import { fork, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isFull } from "../support/amount.js";
import { killedAtExit } from "../support/child-process.js";
import { programPaths } from "../support/programs.js";
import { buildRoot } from "../support/repository.js";
import { inTime } from "../support/until.js";
import type { RunEnd, RunRequest } from "./dbsync-runs.js";

/** The milliseconds after which a child is killed. Its test then fails because of the exit code (null). */
const LIFE_MS_MAX = 300_000;

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
  /** Whether a run of `dbsync` has its own process, since modules keep what it depends on: the profile in use. */
  readonly isAlone?: boolean;
}

/** The library's entry, for an import statement. */
export const ENTRY = JSON.stringify(pathToFileURL(join(buildRoot, "client/public-api.js")).href);

/** Runs the text of a module. */
export function runScript(text: string, options?: ChildOptions): Promise<ChildResult> {
  return run(["--input-type=module", "--eval", text], options);
}

/**
 * Runs the program `dbsync`. A run without input shares its process with earlier ones (dbsync-runs.ts), except in full
 * runs of the tests.
 */
export async function runDbsync(args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  if (isFull || options.isAlone === true || options.input !== undefined)
    return run([programPaths.dbsync, ...args], options);
  let shared = idle.pop();
  while (shared?.hasEnded) shared = idle.pop();
  shared ??= new SharedProcess();
  const result = await shared.run(args, options);
  if (!shared.hasEnded) idle.push(shared);
  return result;
}

/** The processes of ended runs of `dbsync`. */
const idle: SharedProcess[] = [];

/** The end of a run; without the numbers of bytes if the process has ended too. */
interface EndOfRun extends Partial<Omit<RunEnd, "code">> {
  readonly code: number | null;
}

/** A process for several runs of `dbsync`, one after the other. It does not keep the process of the tests alive. */
class SharedProcess {
  readonly #child = fork(join(buildRoot, "test/client/dbsync-runs.js"), {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  readonly #stdout = new Output(this.#child.stdout as Socket);
  readonly #stderr = new Output(this.#child.stderr as Socket);
  #end: (end: EndOfRun) => void = () => {};
  hasEnded = false;

  constructor() {
    const child = killedAtExit(this.#child);
    child.unref();
    child.channel!.unref();
    child.on("message", (end: RunEnd) => this.#end(end));
    child.on("error", () => child.kill("SIGKILL"));
    // A run that ends the process has written everything by then.
    child.once("close", (code) => {
      this.hasEnded = true;
      this.#end({ code });
    });
  }

  async run(args: readonly string[], options: ChildOptions): Promise<ChildResult> {
    const started = performance.now();
    const life = setTimeout(() => this.#child.kill("SIGKILL"), LIFE_MS_MAX);
    const ended = new Promise<EndOfRun>((end) => (this.#end = end));
    const folder = resolve(options.folder ?? buildRoot);
    this.#child.send({ args, variables: variablesOf(options), folder } satisfies RunRequest);
    const { code, stdoutLength = 0, stderrLength = 0 } = await ended;
    await this.#stdout.received(stdoutLength);
    await this.#stderr.received(stderrLength);
    clearTimeout(life);
    return resultOf({ code, stdout: this.#stdout.take(), stderr: this.#stderr.take(), started });
  }
}

/** What a process writes. */
class Output {
  #chunks: Buffer[] = [];
  #length = 0;
  #receivedMore = (): void => {};
  #hasEnded = false;

  constructor(stream: Socket) {
    stream.unref();
    stream.once("end", () => {
      this.#hasEnded = true;
      this.#receivedMore();
    });
    stream.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#receivedMore();
    });
  }

  /** Waits until this number of bytes has been received in all, or the process has ended. */
  async received(length: number): Promise<void> {
    while (this.#length < length && !this.#hasEnded)
      await inTime(
        () => `the process has sent ${this.#length} of ${length} bytes`,
        new Promise<void>((more) => (this.#receivedMore = more)),
      );
  }

  /** Returns what has been received since the last call. */
  take(): Buffer {
    return Buffer.concat(this.#chunks.splice(0));
  }
}

interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** When the run started, as `performance.now()`. */
  readonly started: number;
}

function resultOf({ code, stdout, stderr, started }: Ended): ChildResult {
  const ms = performance.now() - started;
  return { code, stdout: stdout.toString(), bytes: stdout, stderr: stderr.toString(), ms };
}

/** The variables that a program needs, without DBSYNC_* and the user's home folder. */
const variablesOf = ({ variables }: ChildOptions) => ({
  PATH: process.env["PATH"] ?? "",
  HOME: "/nonexistent",
  ...variables,
});

function run(args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  const started = performance.now();
  const child = spawn(process.execPath, args, {
    env: variablesOf(options),
    cwd: options.folder ?? buildRoot,
  });
  const [stdout, stderr] = [new Output(child.stdout as Socket), new Output(child.stderr as Socket)];
  // The child may end without reading its input.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const life = setTimeout(() => child.kill("SIGKILL"), LIFE_MS_MAX);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(life);
      resolve(resultOf({ code, stdout: stdout.take(), stderr: stderr.take(), started }));
    });
  });
}
