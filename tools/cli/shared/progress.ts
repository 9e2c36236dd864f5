/**
 * Shows the progress of work on one line of a terminal, and processes many items concurrently. Without a terminal,
 * `showProgress` prints a line every ten seconds and `showProgressText` prints a line for each change, so that the log
 * of a job shows that it is working.
 */
import { shown as shownText } from "../../../daemon/net/terminal/terminal-text.js";
import { clip, terminalColumns } from "../../../daemon/net/terminal/text-table.js";
import { countText } from "../../../protocol/figures/amount-texts.js";

const EVERY_MS = 500;
/** Milliseconds between two lines of `showProgress` without a terminal. */
const LINE_EVERY_MS = 10_000;
const CLEAR_LINE = "\r\x1b[K";
const SECOND_MS = 1000;

/**
 * Shows a text that is updated regularly. Without a terminal, prints a line if the text has changed.
 * @param text  called for each update
 * @returns  an object that ends the display and clears the line
 */
export function showProgress(text: () => string): Disposable {
  if (!process.stderr.isTTY) return printProgressLines(text);
  const timer = setInterval(() => void process.stderr.write(`${CLEAR_LINE}${text()}`), EVERY_MS);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      process.stderr.write(CLEAR_LINE);
    },
  };
}

function printProgressLines(text: () => string): Disposable {
  let last = "";
  const timer = setInterval(() => {
    const line = text();
    if (line !== last) process.stderr.write(`dbsync: ${line}\n`);
    last = line;
  }, LINE_EVERY_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

export interface ProgressText extends Disposable {
  /**
   * Shows a text, which may come from a server. On a terminal the text replaces the line; otherwise it is printed if it
   * has changed.
   */
  show(text: string): void;
}

/** Shows what the program waits for. @returns  an object that shows texts, and ends the display */
export function showProgressText(): ProgressText {
  const { isTTY } = process.stderr;
  const startedAt = performance.now();
  let last = "";
  return {
    show: (raw) => {
      const text = shownText(raw);
      const seconds = Math.floor((performance.now() - startedAt) / SECOND_MS);
      if (isTTY)
        process.stderr.write(
          `${CLEAR_LINE}${clip(`waiting ${seconds} s: ${text}`, terminalColumns(process.stderr) - 1)}`,
        );
      else if (text !== last) process.stderr.write(`dbsync: waiting: ${text}\n`);
      last = text;
    },
    [Symbol.dispose]: () => {
      if (isTTY) process.stderr.write(CLEAR_LINE);
    },
  };
}

export interface EntryProgress extends Disposable {
  show(count: number): void;
}

/**
 * Shows the progress of work during which no timers can run; only on a terminal.
 * @returns  an object that shows counts, and ends the display
 */
export function countEntries(): EntryProgress {
  const { isTTY } = process.stderr;
  let next = 0;
  return {
    show: (count) => {
      if (!isTTY || performance.now() < next) return;
      next = performance.now() + EVERY_MS;
      process.stderr.write(`${CLEAR_LINE}${countText(count)} entries …`);
    },
    [Symbol.dispose]: () => {
      if (isTTY) process.stderr.write(CLEAR_LINE);
    },
  };
}

/**
 * Formats progress, such as `1,200 of 9,000 keys, 800 a second, 10 s left`.
 * @param since  the start, from `performance.now()`
 */
export function progressOf(done: number, all: number, what: string, since: number): string {
  const seconds = (performance.now() - since) / SECOND_MS;
  const rate = seconds > 0 ? done / seconds : 0;
  const left = rate > 0 && all > done ? `, ${Math.ceil((all - done) / rate)} s left` : "";
  return `${countText(done)} of ${countText(Math.max(done, all))} ${what}, ${countText(rate)} a second${left}`;
}

/** Formats the time since a start, such as `1.2 s`. @param since  the start, from `performance.now()` */
export const elapsedText = (since: number): string =>
  `${((performance.now() - since) / SECOND_MS).toFixed(1)} s`;

/**
 * Processes all items, `concurrency` of them at a time. After a failure it starts no further item, waits for those in
 * progress, and throws the first error.
 */
export async function forEachConcurrently<T>(
  items: AsyncGenerator<T> | Generator<T>,
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  const one = async () => {
    while (failures.length === 0) {
      const { done, value } = await items.next();
      if (done === true) return;
      await work(value);
    }
  };

  await Promise.all(
    Array.from({ length: concurrency }, () =>
      one().catch((problem: unknown) => {
        failures.push(problem);
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
}
