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
}

interface Report extends Partial<Checked> {
  readonly ready?: true;
  readonly stopped?: true;
  readonly added?: string;
  readonly failed?: string;
  readonly ran?: string;
  readonly hasData?: boolean;
}

export class LibraryWorkers implements AsyncDisposable {
  /** The jobs whose addition succeeded. */
  readonly added = new Set<string>();
  /** The number of runs of each job. */
  readonly ran = new Map<string, number>();
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
    const { added, ran } = report;
    if (added !== undefined) this.added.add(added);
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
