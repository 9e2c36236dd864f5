/** Runs turns in parallel until the time is over, and reports those that failed. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Turn } from "./plan.js";

/** A turn that takes longer hangs. */
const TURN_MS_MAX = 900_000;

/** Lines stored of a failed turn's output: its end says what failed. */
const LINES_KEPT = 60;

export interface Finding {
  readonly turn: Turn;
  /** The last lines of its output. */
  readonly output: string;
  /** Whether its seed reproduces it. If not, it is a race, in the test or in the code under test. */
  readonly repeats: boolean;
}

export interface ExplorerOptions {
  /** The compiled test/. */
  readonly folder: string;
  readonly turns: Iterator<Turn, never>;
  /** Number of turns that run in parallel. */
  readonly lanes: number;
  /** Milliseconds after which no further turn starts. */
  readonly ms: number;
  /** Maximum number of turns. */
  readonly most: number;
  /** Called immediately, so that the finding is not lost if the run is ended early. */
  readonly found: (finding: Finding) => void;
  /** Called after each turn. */
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
   * Runs turns, at least one in each lane if `most` permits.
   * @returns how many turns ran, how many had a finding, and how many had one that their seed does not reproduce
   */
  async run(): Promise<{ turns: number; findings: number; races: number }> {
    const { lanes, ms, most } = this.#options;
    const end = performance.now() + ms;
    let begun = 0;
    const lane = async () => {
      while (begun < most) {
        begun++;
        await this.#take(this.#options.turns.next().value);
        if (performance.now() >= end) return;
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return { turns: this.#turns, findings: this.#findings, races: this.#races };
  }

  /** Ends the running turns, with the servers that they started. */
  end(): void {
    for (const leader of this.#running) endGroup(leader);
  }

  async #take(turn: Turn): Promise<void> {
    const { code, output } = await this.#play(turn);
    this.#turns++;
    if (code !== 0) {
      const repeats = (await this.#play(turn)).code !== 0;
      if (repeats) this.#findings++;
      else this.#races++;
      const kept = output.trimEnd().split("\n").slice(-LINES_KEPT).join("\n");
      this.#options.found({ turn, output: kept, repeats });
    }
    this.#options.progress(this.#turns, this.#findings);
  }

  /** Runs a turn in a process group, which ends as a whole. */
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
      const heard = (bytes: Buffer) => {
        output += bytes;
      };
      child.stdout.on("data", heard);
      child.stderr.on("data", heard);
      const hangs = setTimeout(() => {
        output += `\nIt was ended after ${TURN_MS_MAX} ms: it hangs.`;
        endGroup(leader);
      }, TURN_MS_MAX);
      // A remaining server holds the pipes open, so it is ended before their output is checked.
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
