/**
 * A dbsyncd process for one test. It listens on a free loopback port unless the arguments choose one, and is killed
 * when the test ends.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { killedAtExit } from "./child-process.js";
import { freePort } from "./free-port.js";
import { programPaths } from "./programs.js";

const MAIN = programPaths.dbsyncd;
const STDIO: StdioOptions = ["ignore", "pipe", "pipe"];

/**
 * The flag of test/run.ts by which V8 optimizes functions later. A daemon that has it does not change the threshold.
 */
const INHERITED = process.execArgv.filter((arg) => arg.startsWith("--interrupt-budget="));

/** A line of the daemon's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

export interface Ended {
  /** The exit code, or null if a signal ended the process. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a listener serves, as the daemon logs it. */
export type Served = `${string} clients` | "/healthz and /metrics";

export interface DaemonProcess extends AsyncDisposable {
  /** The address that clients connect to. */
  readonly address: string;
  readonly port: number;
  readonly pid: number;
  /** The lines that the daemon has logged so far. */
  readonly log: readonly LogLine[];
  /** Sends a signal, for example SIGHUP, SIGSTOP or SIGKILL. */
  kill(signal: NodeJS.Signals): void;
  /** Waits for the first log line that matches, including earlier lines. Rejects if the process ends without one. */
  logged(matches: (line: LogLine) => boolean): Promise<LogLine>;
  /** Returns the port of a listener, once the daemon has logged it. */
  portOf(served: Served): Promise<number>;
  /** Closes the reading end of the daemon's log, so later lines are lost. */
  closeLog(): void;
  /** Waits for the end of the process. @returns how it ended */
  ended(): Promise<Ended>;
  /** Sends SIGTERM, then waits. @returns how it ended */
  stop(): Promise<Ended>;
}

export interface DaemonOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of Node, for example `--expose-gc`. */
  readonly execArgv?: readonly string[];
  /** A compiled program that runs instead of dbsyncd, and imports it. */
  readonly program?: string;
}

/**
 * Starts dbsyncd and waits until it listens.
 * @throws Error  if dbsyncd ends instead; the message contains its output
 */
export async function startDaemon(
  args: readonly string[] = [],
  options: DaemonOptions = {},
): Promise<DaemonProcess> {
  return await untilListening(await spawnDaemon(args, options));
}

/**
 * Starts another Node program that logs "listening" and its port, as dbsyncd does.
 * @param args  the arguments of Node, with the program
 * @param node  the path of Node
 */
export async function startProgram(args: readonly string[], node = process.execPath): Promise<DaemonProcess> {
  return await untilListening(spawn(node, args, { stdio: STDIO }));
}

async function untilListening(child: ChildProcess): Promise<DaemonProcess> {
  const daemon = new RunningDaemon(child);
  try {
    await daemon.listening();
  } catch (reason) {
    await daemon[Symbol.asyncDispose]();
    throw reason;
  }
  return daemon;
}

/** Runs dbsyncd until it exits, for arguments with which it does not keep running. Stops it if it becomes ready. */
export async function runDaemon(args: readonly string[], options: DaemonOptions = {}): Promise<Ended> {
  await using daemon = new RunningDaemon(await spawnDaemon(args, options));
  const stopped = daemon.logged(({ msg }) => msg.startsWith("ready")).then(() => daemon.stop());
  return await stopped.catch(() => daemon.ended());
}

async function spawnDaemon(
  args: readonly string[],
  { env = {}, execArgv = [], program = MAIN }: DaemonOptions,
): Promise<ChildProcess> {
  const isChosen = args.some((arg) => /^(-p|--port)/.test(arg)) || "DBSYNCD_PORT" in env;
  const port = isChosen ? [] : ["--port", String(await freePort())];
  return spawn(process.execPath, [...INHERITED, ...execArgv, program, ...args, ...port], {
    env: { ...process.env, ...env },
    stdio: STDIO,
  });
}

class RunningDaemon implements DaemonProcess {
  address = "";
  port = 0;
  readonly log: LogLine[] = [];
  readonly #child: ChildProcess;
  readonly #watchers = new Set<() => void>();
  #stdout = "";
  #stderr = "";
  #closed = false;

  constructor(child: ChildProcess) {
    this.#child = killedAtExit(child);
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) =>
      this.#readLine(line),
    );
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    child.once("close", () => {
      this.#closed = true;
      this.#notifyWatchers();
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  closeLog(): void {
    this.#child.stdout?.destroy();
  }

  async listening(): Promise<void> {
    const line = await this.logged(({ msg }) => msg === "listening");
    this.address = line["address"] as string;
    this.port = line["port"] as number;
  }

  logged(matches: (line: LogLine) => boolean): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = this.log.find(matches);
        if (found === undefined && !this.#closed) return;
        this.#watchers.delete(check);
        if (found !== undefined) return resolve(found);
        reject(new Error(`dbsyncd ended with ${this.#child.exitCode}: ${this.#stderr}${this.#stdout}`));
      };
      this.#watchers.add(check);
      check();
    });
  }

  async portOf(served: Served): Promise<number> {
    return (await this.logged(({ msg }) => msg === `serving ${served}`))["port"] as number;
  }

  async ended(): Promise<Ended> {
    if (!this.#closed) await once(this.#child, "close");
    return { code: this.#child.exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }

  async stop(): Promise<Ended> {
    this.#child.kill("SIGTERM");
    return await this.ended();
  }

  /** Kills the daemon immediately. A test that depends on an orderly shutdown calls `stop`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#child.kill("SIGKILL");
    await this.ended();
  }

  #readLine(line: string): void {
    this.#stdout += `${line}\n`;
    if (!line.startsWith("{")) return;
    this.log.push(JSON.parse(line) as LogLine);
    this.#notifyWatchers();
  }

  #notifyWatchers(): void {
    for (const check of [...this.#watchers]) check();
  }
}
