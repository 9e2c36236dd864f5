/**
 * A terminal on which lines are redrawn in the same position until the user types q. At the end the cursor is restored,
 * and the last lines remain.
 */
import { readFileSync } from "node:fs";
import type { WriteStream } from "node:tty";
import { painted, type Tone } from "../../../daemon/net/terminal/terminal-text.js";

const ESCAPE = "\x1b[";
const END_OF_LINE = `${ESCAPE}K`;
const BELOW = `${ESCAPE}J`;
const CLEAR = `${ESCAPE}2J${ESCAPE}H`;
const HIDE_CURSOR = `${ESCAPE}?25l`;
const SHOW_CURSOR = `${ESCAPE}?25h`;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

export interface StyledLine {
  readonly text: string;
  readonly tone: Tone;
}

/** Whether the stream is a terminal on which the cursor can be moved. */
export function isScreen(stream: WriteStream): boolean {
  return stream.isTTY && process.env["TERM"] !== "dumb";
}

export class RedrawnScreen {
  readonly #stream: WriteStream;
  #height = 0;
  /** Whether the screen must be cleared, because the terminal may have rewrapped the lines. */
  #isStale = true;
  #isClosed = false;

  constructor(stream: WriteStream) {
    this.#stream = stream;
    stream.on("resize", () => {
      this.#isStale = true;
    });
    stream.write(HIDE_CURSOR);
  }

  get columns(): number {
    return this.#stream.columns || DEFAULT_COLUMNS;
  }

  draw(lines: readonly StyledLine[]): void {
    const height = (this.#stream.rows || DEFAULT_ROWS) - 1;
    const excess = lines.length - height;
    const more: StyledLine = { text: `… ${excess + 1} more lines: enlarge the window`, tone: "warn" };
    const shown = excess > 0 ? [...lines.slice(0, Math.max(0, height - 1)), more] : lines;
    const start = this.#isStale ? CLEAR : this.#height > 0 ? `${ESCAPE}${this.#height}A\r` : "";
    // One write prevents flicker.
    this.#stream.write(
      `${start}${shown.map((line) => `${painted(line.text, line.tone, this.#stream)}${END_OF_LINE}\n`).join("")}${BELOW}`,
    );
    this.#height = shown.length;
    this.#isStale = false;
  }

  /** Restores the cursor below the drawn lines. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stream.write(SHOW_CURSOR);
  }
}

const CTRL_C = "\x03";
const CTRL_Z = "\x1a";

/**
 * Calls `end` when the user types q; Ctrl-C and Ctrl-Z work as usual. Does nothing unless the program runs in the
 * foreground of a terminal, because a shell stops a background job that changes the terminal's mode.
 * @returns  a function that restores the terminal's mode
 */
export function endOnQ(end: () => void): () => void {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY || !isForeground()) return () => {};

  const listen = () => {
    if (isForeground()) stdin.setRawMode(true);
  };
  const release = () => void stdin.setRawMode(false);

  listen();
  stdin.on("data", (typed: Buffer) => {
    for (const key of typed.toString("latin1")) {
      if (key === "q" || key === "Q") return end();
      if (key === CTRL_C) process.kill(process.pid, "SIGINT");
      if (key === CTRL_Z) {
        release();
        process.once("SIGCONT", listen);
        process.kill(process.pid, "SIGTSTP");
      }
    }
  });

  // Waiting for keys must not keep the program running.
  stdin.unref();
  process.once("exit", release);
  return release;
}

/** Whether this process runs in the terminal's foreground; true if the system does not report it. */
function isForeground(): boolean {
  try {
    // The fields after the name (which may contain any characters) are state, parent, group, session, terminal, and the
    // terminal's foreground group.
    const fields = readFileSync("/proc/self/stat", "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[2] === fields[5];
  } catch {
    return true;
  }
}
