/**
 * Runs command lines of `dbsync` one after the other in one process, since loading the program takes most of the CPU
 * time of a short run. A run ends when its own process would end: when there is nothing left to wait for. A run that
 * ends the process itself ends it. Otherwise, what an own process would end with remains: the state of modules, and
 * connections that do not keep a process alive, which may still deliver what a run has sent. Full runs of the tests
 * check both.
 */
import type { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { programPaths } from "../support/programs.js";

/** What the parent sends to start a run. */
export interface RunRequest {
  readonly args: readonly string[];
  /** All variables of the environment. */
  readonly variables: Readonly<Record<string, string>>;
  /** The current folder. */
  readonly folder: string;
}

/** What the parent receives at the end of a run. */
export interface RunEnd {
  readonly code: number;
  /** The numbers of bytes that all runs of this process have written to stdout and stderr. */
  readonly stdoutLength: number;
  readonly stderrLength: number;
}

/** Node's exit code if the program still waits although nothing is left to wait for. */
const UNSETTLED = 13;

const commandLine = pathToFileURL(
  join(
    dirname(programPaths.dbsync),
    /import\("\.\/(command-line-\w+\.js)"\)/.exec(readFileSync(programPaths.dbsync, "utf8"))![1]!,
  ),
).href;
const emitters: readonly EventEmitter[] = [process, process.stdout, process.stderr];
let runs = 0;

process.on("message", ({ args, variables, folder }: RunRequest) => {
  // The program's own handles decide when the run ends.
  process.channel!.unref();
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, variables);
  process.chdir(folder);
  process.argv = [process.execPath, programPaths.dbsync, ...args];
  process.exitCode = undefined;
  Object.defineProperty(process, "stdin", { value: Readable.from([]), configurable: true });

  const kept = new Set(listeners().map(({ listener }) => listener));
  let isSettled = false;
  // A query makes the program a new module, which runs again. The modules that it imports are kept.
  void import(`${commandLine}?${++runs}`).then(() => (isSettled = true));

  process.once("beforeExit", () => {
    if (!isSettled) process.exitCode ??= UNSETTLED;
    for (const { emitter, name, listener } of listeners()) {
      if (kept.has(listener)) continue;
      if (name === "exit") listener.call(process, Number(process.exitCode ?? 0));
      emitter.removeListener(name, listener);
    }
    process.channel!.ref();
    process.send!({
      code: Number(process.exitCode ?? 0),
      stdoutLength: process.stdout.bytesWritten,
      stderrLength: process.stderr.bytesWritten,
    } satisfies RunEnd);
  });
});

interface Listening {
  readonly emitter: EventEmitter;
  readonly name: string | symbol;
  readonly listener: (...args: unknown[]) => unknown;
}

/** Returns the listeners of the process, of stdout and of stderr. */
function listeners(): Listening[] {
  return emitters.flatMap((emitter) =>
    emitter.eventNames().flatMap((name) =>
      emitter.rawListeners(name).map((listener) => ({
        emitter,
        name,
        listener: listener as Listening["listener"],
      })),
    ),
  );
}
