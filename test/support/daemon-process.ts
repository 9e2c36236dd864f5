/**
 * A dbsyncd process for one test: on its own free port of the loopback unless the arguments choose one, killed when
 * the test ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { freePort } from "./free-port.js";
import { programPaths } from "./programs.js";

const MAIN = programPaths.dbsyncd;

/** A line of the daemon's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

export interface Ended {
  /** null: a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DaemonProcess extends AsyncDisposable {
  /** Its address for clients. */
  readonly address: string;
  readonly port: number;
  readonly pid: number;
  /** What it has logged so far. */
  readonly log: readonly LogLine[];
  /** Sends a signal, such as SIGHUP, SIGSTOP and SIGKILL. */
  kill(signal: NodeJS.Signals): void;
  /** Waits for the first line, past or future, for which `matches` holds. Rejects if the process ends without it. */
  logged(matches: (line: LogLine) => boolean): Promise<LogLine>;
  /** Closes our end of its log: what it writes from now on is lost. */
  closeLog(): void;
  /** Waits for the end of the process. @returns how it ended */
  ended(): Promise<Ended>;
  /** Sends SIGTERM, then waits. @returns how it ended */
  stop(): Promise<Ended>;
}

export interface DaemonOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of node, such as `--expose-gc`. */
  readonly execArgv?: readonly string[];
  /** A compiled program that imports dbsyncd and does more. */
  readonly program?: string;
}

/** Starts dbsyncd and waits until it listens. @throws Error  it ended instead; contains what it printed */
export async function startDaemon(
  args: readonly string[] = [],
  options: DaemonOptions = {},
): Promise<DaemonProcess> {
  const daemon = new RunningDaemon(await spawnDaemon(args, options));
  try {
    await daemon.listening();
  } catch (reason) {
    await daemon[Symbol.asyncDispose]();
    throw reason;
  }
  return daemon;
}

/** Runs dbsyncd to its end, with arguments with which it does not stay up. */
export async function runDaemon(args: readonly string[], options: DaemonOptions = {}): Promise<Ended> {
  await using daemon = new RunningDaemon(await spawnDaemon(args, options));
  return await daemon.ended();
}

async function spawnDaemon(
  args: readonly string[],
  { env = {}, execArgv = [], program = MAIN }: DaemonOptions,
): Promise<ChildProcess> {
  const isChosen = args.some((arg) => /^(-p|--port)/.test(arg)) || "DBSYNCD_PORT" in env;
  const port = isChosen ? [] : ["--port", String(await freePort())];
  return spawn(process.execPath, [...execArgv, program, ...args, ...port], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
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
    this.#child = child;
    const killChild = () => void child.kill("SIGKILL");
    process.once("exit", killChild);
    child.once("exit", () => process.off("exit", killChild));
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) =>
      this.#readLine(line),
    );
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    child.once("close", () => {
      this.#closed = true;
      this.#tellWatchers();
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
      const look = () => {
        const found = this.log.find(matches);
        if (found === undefined && !this.#closed) return;
        this.#watchers.delete(look);
        if (found !== undefined) return resolve(found);
        reject(new Error(`dbsyncd ended with ${this.#child.exitCode}: ${this.#stderr}${this.#stdout}`));
      };
      this.#watchers.add(look);
      look();
    });
  }

  async ended(): Promise<Ended> {
    if (!this.#closed) await once(this.#child, "close");
    return { code: this.#child.exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }

  async stop(): Promise<Ended> {
    this.#child.kill("SIGTERM");
    return await this.ended();
  }

  /** Kills it immediately. A test that depends on how the daemon stops calls `stop`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#child.kill("SIGKILL");
    await this.ended();
  }

  #readLine(line: string): void {
    this.#stdout += `${line}\n`;
    if (!line.startsWith("{")) return;
    this.log.push(JSON.parse(line) as LogLine);
    this.#tellWatchers();
  }

  #tellWatchers(): void {
    for (const look of [...this.#watchers]) look();
  }
}
