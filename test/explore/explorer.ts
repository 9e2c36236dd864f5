/** Runs turns in parallel until the time is over, and reports those that failed. A turn is one run of one test file. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Turn } from "./plan.js";

/** The number of milliseconds after which a turn is considered hung. */
const TURN_MS_MAX = 900_000;

/** The number of stored lines of a failed turn's output. The end of the output shows the failure. */
const LINES_KEPT = 60;

export interface Finding {
  readonly turn: Turn;
  /** The last lines of the turn's output. */
  readonly output: string;
  /** Whether the seed reproduces the failure. If not, the test or the tested code has a race. */
  readonly repeats: boolean;
}

export interface ExplorerOptions {
  /** The folder of the build. */
  readonly folder: string;
  readonly turns: Iterator<Turn, never>;
  /** The number of turns that run in parallel. */
  readonly lanes: number;
  /** The number of milliseconds after which no further turn starts. */
  readonly ms: number;
  /** The maximum number of turns. */
  readonly most: number;
  /** A callback for each finding. It is called immediately, so that no finding is lost if the run is interrupted. */
  readonly found: (finding: Finding) => void;
  /** A callback after each turn. */
  readonly progress: (turns: number, findings: number) => void;
}

export class Explorer {
  readonly #options: ExplorerOptions;
  readonly #running = new Set<number>();
  #turns = 0;
  #findings = 0;
  #races = 0;

  constructor(options: ExplorerOptions) {
    this.#options = options;
  }

  /**
   * Runs the turns, at least one per lane if `most` permits.
   * @returns the number of turns, of findings, and of findings that their seed does not reproduce
   */
  async run(): Promise<{ turns: number; findings: number; races: number }> {
    const { lanes, ms, most } = this.#options;
    const end = performance.now() + ms;
    let started = 0;
    const lane = async () => {
      while (started < most) {
        started++;
        await this.#run(this.#options.turns.next().value);
        if (performance.now() >= end) return;
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return { turns: this.#turns, findings: this.#findings, races: this.#races };
  }

  /** Kills the running turns and the servers that they have started. */
  end(): void {
    for (const leader of this.#running) endGroup(leader);
  }

  async #run(turn: Turn): Promise<void> {
    const { code, output } = await this.#play(turn);
    this.#turns++;
    if (code !== 0) {
      const repeats = (await this.#play(turn)).code !== 0;
      if (repeats) this.#findings++;
      else this.#races++;
      const lastLines = output.trimEnd().split("\n").slice(-LINES_KEPT).join("\n");
      this.#options.found({ turn, output: lastLines, repeats });
    }
    this.#options.progress(this.#turns, this.#findings);
  }

  /** Runs a turn in a process group, so that all its processes can be killed together. */
  #play({ file, env }: Turn): Promise<{ code: number | null; output: string }> {
    return new Promise((resolve) => {
      const args = ["--test-reporter=spec", join(this.#options.folder, file)];
      const { NODE_TEST_CONTEXT: _, ...own } = process.env;
      const child = spawn(process.execPath, args, {
        env: { ...own, ...env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      const leader = child.pid!;
      this.#running.add(leader);
      let output = "";
      const append = (bytes: Buffer) => {
        output += bytes;
      };
      child.stdout.on("data", append);
      child.stderr.on("data", append);
      const hangs = setTimeout(() => {
        output += `\nThe turn was killed after ${TURN_MS_MAX} ms: it hangs.`;
        endGroup(leader);
      }, TURN_MS_MAX);
      // A remaining server would keep the pipes open, so the group is killed before the end of the output is awaited.
      child.once("exit", () => endGroup(leader));
      child.once("close", (code) => {
        clearTimeout(hangs);
        this.#running.delete(leader);
        resolve({ code, output });
      });
    });
  }
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // No process of the group remains.
  }
}
