/** Lets turns run, some at a time, until the time is over, and keeps those that failed. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Turn } from "./plan.js";

/** A turn that takes longer hangs. */
const TURN_MS_MAX = 900_000;

/** The end of what a turn that failed printed: there it says what failed. */
const LINES_KEPT = 60;

export interface Finding {
  readonly turn: Turn;
  /** The last lines of what it printed. */
  readonly output: string;
  /** Whether its seed finds it again: else a race, in the test or in what it tests, has shown itself. */
  readonly repeats: boolean;
}

export interface ExplorerOptions {
  /** The compiled test/. */
  readonly folder: string;
  readonly turns: Iterator<Turn, never>;
  /** So many run at once. */
  readonly lanes: number;
  /** Milliseconds after which none is started any more. */
  readonly ms: number;
  /** So many, and no more. */
  readonly most: number;
  /** At once, so that whoever ends the run early has it. */
  readonly found: (finding: Finding) => void;
  /** After each turn. */
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
   * @returns how many turns there were, at least one for each lane where so many are allowed, how many of them found something,
   * and how many others what their seed does not find again
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

  /** Ends what runs, with the servers that it started. */
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

  /** In a process group, which ends as a whole. */
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
      // A server that is left holds the pipes open: it is ended before what they brought is judged.
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
    // None of it is left.
  }
}
