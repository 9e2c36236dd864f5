/** A program in test/libraries with workers of a library at each daemon. It reports the jobs that they run. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** What the program found in the queue at the end. */
export interface Checked {
  readonly withoutData: number;
  readonly withoutLifetime: number;
  /** The number of jobs by state. */
  readonly waiting: Readonly<Record<string, number>>;
  /** Some of the jobs or keys that were counted. */
  readonly examples: readonly unknown[];
  /** The number of jobs that the library keeps because a write before or after their run failed. */
  readonly failedJobs?: number;
}

interface Report extends Partial<Checked> {
  readonly ready?: true;
  readonly stopped?: true;
  readonly added?: string;
  readonly failed?: string;
  readonly ran?: string;
  /** A job whose worker has not reported in time, so that it runs again. */
  readonly stalled?: string;
  /** Whether the program waits until the added job has ended. */
  readonly waits?: boolean;
  /** The job whose wait is over, with the error if there is one. */
  readonly finished?: string;
  readonly problem?: string | null;
  /** Why the addition of a job failed. */
  readonly reason?: string;
  readonly hasData?: boolean;
  readonly taken?: string;
  readonly notEnded?: string;
  readonly unknown?: true;
  /** Why a worker ended, or why its job failed. */
  readonly workerError?: string;
}

export class LibraryWorkers implements AsyncDisposable {
  /** The jobs whose addition succeeded. */
  readonly added = new Set<string>();
  /** The number of runs of each job. */
  readonly ran = new Map<string, number>();
  /** The jobs that a worker has received. */
  readonly taken = new Set<string>();
  /** The jobs of which a worker could not store that they have ended. */
  readonly notEnded = new Set<string>();
  /** The number of claims that failed, but may have taken a job. */
  unknownClaims = 0;
  /** The number of times that the library runs each job again, because its worker has not reported in time. */
  readonly stalls = new Map<string, number>();
  /** The jobs for whose end the program waits, by `waitUntilFinished` or similar. */
  readonly waits = new Set<string>();
  /** The errors of additions. */
  readonly failedAdditions: string[] = [];
  /** The errors of such waits. */
  readonly failedWaits: string[] = [];
  /** The errors for which workers ended, or which let a job fail. */
  readonly workerErrors: string[] = [];
  /** The number of runs without the job's data. */
  runsWithoutData = 0;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #watchers = new Set<(report: Report) => void>();
  #stderr = "";

  private constructor(program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } });
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = `${this.#stderr}${chunk}`.slice(-4000);
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      if (line.startsWith("{")) this.#onReport(JSON.parse(line) as Report);
    });
  }

  /** Starts the program and waits until its workers are ready. @param file  the program's file */
  static async start(program: string, file: string, ports: readonly number[]): Promise<LibraryWorkers> {
    const workers = new LibraryWorkers(program, [file, ...ports.map(String)]);
    let ready = 0;
    await workers.#reported((report) => report.ready === true && ++ready === ports.length);
    return workers;
  }

  /** Adds a job at a daemon. The program reports whether that succeeded. */
  async add(daemon: number, job: string): Promise<void> {
    const reported = this.#reported(({ added, failed }) => added === job || failed === job);
    this.#request({ do: "add", daemon, job });
    await reported;
  }

  /** Stops the workers after their current jobs. */
  async stop(): Promise<void> {
    const reported = this.#reported(({ stopped }) => stopped === true);
    this.#request({ do: "stop" });
    await reported;
  }

  /** The added jobs that no worker has run. */
  get notRun(): string[] {
    return [...this.added].filter((job) => !this.ran.has(job));
  }

  async check(): Promise<Checked> {
    const reported = this.#reported(({ withoutData }) => withoutData !== undefined);
    this.#request({ do: "check" });
    return (await reported) as Checked;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.stdin.end();
    await exited;
  }

  #request(request: object): void {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
  }

  #onReport(report: Report): void {
    const { added, ran, taken, notEnded, finished, stalled } = report;
    if (added !== undefined) this.added.add(added);
    if (taken !== undefined) this.taken.add(taken);
    if (notEnded !== undefined) this.notEnded.add(notEnded);
    if (report.unknown === true) this.unknownClaims++;
    if (added !== undefined && report.waits === true) this.waits.add(added);
    if (stalled !== undefined) this.stalls.set(stalled, (this.stalls.get(stalled) ?? 0) + 1);
    if (finished !== undefined) this.waits.delete(finished);
    if (report.reason !== undefined) this.failedAdditions.push(report.reason);
    if (report.workerError !== undefined) this.workerErrors.push(report.workerError);
    if (typeof report.problem === "string") this.failedWaits.push(report.problem);
    if (ran !== undefined) {
      this.ran.set(ran, (this.ran.get(ran) ?? 0) + 1);
      if (report.hasData !== true) this.runsWithoutData++;
    }
    for (const watch of [...this.#watchers]) watch(report);
  }

  #reported(matches: (report: Report) => boolean): Promise<Report> {
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error(`the workers' program has exited: ${this.#stderr}`));
      const watch = (report: Report) => {
        if (!matches(report)) return;
        this.#watchers.delete(watch);
        this.#child.off("exit", onExit);
        resolve(report);
      };
      this.#child.setMaxListeners(0);
      this.#child.once("exit", onExit);
      this.#watchers.add(watch);
    });
  }
}
