/** Runs randomised test files in parallel until the time is over, and reports the runs that failed. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { PlannedRun } from "./plan.js";

/** The number of milliseconds after which a run is considered hung. */
const RUN_MS_MAX = 900_000;

/** The maximum number of lines of a failed run's output that are reported. The end of the output shows the failure. */
const OUTPUT_LINES_MAX = 60;

/** A run that failed. */
export interface Failure {
  readonly run: PlannedRun;
  /** The last lines of the run's output. */
  readonly output: string;
  /** Whether the seed reproduces the failure. If not, the test or the tested code has a race. */
  readonly isReproducible: boolean;
}

export interface ExplorerOptions {
  /** The folder of the build. */
  readonly folder: string;
  readonly plan: Iterator<PlannedRun, never>;
  /** The number of runs at the same time. */
  readonly concurrency: number;
  /** The number of milliseconds after which no further run starts. */
  readonly durationMs: number;
  readonly runsMax: number;
  /** Called immediately after each failed run, so that no failure is lost if the exploration is interrupted. */
  readonly onFailure: (failure: Failure) => void;
  /** Called after each run, with the numbers of runs and of reproducible failures until then. */
  readonly onProgress: (runs: number, failures: number) => void;
}

/** The numbers of runs, and of runs that failed. */
export interface ExplorerCounts {
  readonly runs: number;
  /** Failures that their seed reproduces. */
  readonly failures: number;
  /** Failures that their seed does not reproduce. */
  readonly races: number;
}

export class Explorer {
  readonly #options: ExplorerOptions;
  /** The process groups of the current runs, each by the id of its first process. */
  readonly #groups = new Set<number>();
  #runs = 0;
  #failures = 0;
  #races = 0;

  constructor(options: ExplorerOptions) {
    this.#options = options;
  }

  /** Runs the plan until the time is over: at least `concurrency` runs, if `runsMax` permits. */
  async explore(): Promise<ExplorerCounts> {
    const { plan, concurrency, durationMs, runsMax } = this.#options;
    const end = performance.now() + durationMs;
    let started = 0;
    const runInSequence = async () => {
      while (started < runsMax) {
        started++;
        await this.#run(plan.next().value);
        if (performance.now() >= end) return;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, runInSequence));
    return { runs: this.#runs, failures: this.#failures, races: this.#races };
  }

  /** Kills the current runs and the servers that they have started. */
  kill(): void {
    for (const leader of this.#groups) killGroup(leader);
  }

  async #run(run: PlannedRun): Promise<void> {
    const { code, output } = await this.#spawn(run);
    this.#runs++;
    if (code !== 0) {
      const isReproducible = (await this.#spawn(run)).code !== 0;
      if (isReproducible) this.#failures++;
      else this.#races++;
      const lastLines = output.trimEnd().split("\n").slice(-OUTPUT_LINES_MAX).join("\n");
      this.#options.onFailure({ run, output: lastLines, isReproducible });
    }
    this.#options.onProgress(this.#runs, this.#failures);
  }

  /** Runs a test file in a process group, so that all its processes can be killed together. */
  #spawn({ file, env }: PlannedRun): Promise<{ code: number | null; output: string }> {
    return new Promise((resolve) => {
      const args = ["--test-reporter=spec", join(this.#options.folder, file)];
      const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
      const child = spawn(process.execPath, args, {
        env: { ...inherited, ...env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      const leader = child.pid!;
      this.#groups.add(leader);

      let output = "";
      const append = (bytes: Buffer) => {
        output += bytes;
      };
      child.stdout.on("data", append);
      child.stderr.on("data", append);

      const timeout = setTimeout(() => {
        output += `\nThe run was killed after ${RUN_MS_MAX} ms: it hangs.`;
        killGroup(leader);
      }, RUN_MS_MAX);

      // A remaining server would keep the pipes open, so the group is killed before the end of the output is awaited.
      child.once("exit", () => killGroup(leader));
      child.once("close", (code) => {
        clearTimeout(timeout);
        this.#groups.delete(leader);
        resolve({ code, output });
      });
    });
  }
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // No process of the group remains.
  }
}
