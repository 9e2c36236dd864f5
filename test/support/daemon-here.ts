/** A daemon in the process of the test, for tests that send it no signals and do not depend on its process. */
import { realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import { Daemon } from "../../daemon/program/daemon.js";
import { BUILD } from "../../daemon/program/installed-faces.js";
import { settingsFrom } from "../daemon/program/replicas.js";
import { isFull } from "./amount.js";
import { type DaemonProcess, type Ended, type LogLine, type Served, startDaemon } from "./daemon-process.js";
import { freePort } from "./free-port.js";
import { keepLog } from "./log-lines.js";
import { until } from "./until.js";

/** A daemon, without what only a process has. */
export interface DaemonHere
  extends Pick<DaemonProcess, "address" | "port" | "log" | "logged" | "portOf">,
    AsyncDisposable {
  /** Stops the daemon as SIGTERM does. */
  stop(): Promise<unknown>;
}

/**
 * Starts a daemon in this process, since a process takes 0.3 seconds of CPU time until it listens. In full runs of the
 * tests, it is a process, so that they check the program with these options too.
 * @throws StartError, or in full runs Error with the output of the process
 */
export async function startDaemonHere(args: readonly string[] = []): Promise<DaemonHere> {
  return await (isFull ? startDaemon(args) : startInThisProcess(args));
}

/** Starts a daemon in this process. It cannot be killed: SIGTERM stops it, and any other signal is an error. */
export async function startInThisProcess(args: readonly string[]): Promise<DaemonProcess> {
  const isChosen = args.some((arg) => /^(-p|--port)/.test(arg));
  const settings = settingsFrom([...args, ...(isChosen ? [] : ["--port", String(await freePort())])]);
  const { log, lines } = keepLog(settings.logLevel === "trace" ? "trace" : "info");
  const daemon = new Daemon({ ...BUILD, settings, environment: realEnvironment, log });
  await daemon.start();
  return new Here(daemon, lines);
}

class Here implements DaemonProcess {
  readonly address: string;
  readonly port: number;
  readonly pid = process.pid;
  readonly log: readonly LogLine[];
  readonly #daemon: Daemon;
  readonly #ended: Promise<Ended>;
  #end = (_: Ended): void => {};

  constructor(daemon: Daemon, log: readonly LogLine[]) {
    const { address, port } = daemon.address!;
    this.address = address;
    this.port = port;
    this.log = log;
    this.#daemon = daemon;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async logged(matches: (line: LogLine) => boolean): Promise<LogLine> {
    await until("the daemon has logged the line", () => this.log.some(matches));
    return this.log.find(matches)!;
  }

  async portOf(served: Served): Promise<number> {
    return (await this.logged(({ msg }) => msg === `serving ${served}`))["port"] as number;
  }

  kill(signal: NodeJS.Signals): void {
    if (signal === "SIGTERM") void this.stop();
    else if (signal !== "SIGCONT")
      throw new Error(`a daemon in the process of the test receives no ${signal}`);
  }

  closeLog(): void {
    throw new Error("a daemon in the process of the test has no pipe for its log");
  }

  async ended(): Promise<Ended> {
    return await this.#ended;
  }

  async stop(): Promise<Ended> {
    await this.#daemon.stop();
    this.#end({ code: 0, stdout: "", stderr: "" });
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
