/**
 * A terminal on which lines are redrawn in the same position. At the end the cursor is restored, and the last lines
 * remain.
 */
import type { WriteStream } from "node:tty";
import { painted } from "../../../daemon/net/terminal/terminal-text.js";
import type { StyledLine } from "./watched-report.js";

const ESCAPE = "\x1b[";
const END_OF_LINE = `${ESCAPE}K`;
const BELOW = `${ESCAPE}J`;
const CLEAR = `${ESCAPE}2J${ESCAPE}H`;
const HIDE_CURSOR = `${ESCAPE}?25l`;
const SHOW_CURSOR = `${ESCAPE}?25h`;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

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
