/** How far something is, on one line of a terminal; elsewhere nothing is shown. */

const EVERY_MS = 500;
const CLEAR_LINE = "\r\x1b[K";
const SECOND_MS = 1000;

/** @param text  asked anew each time. @returns  what ends it, and clears the line */
export function showProgress(text: () => string): Disposable {
  if (!process.stderr.isTTY) return { [Symbol.dispose]: () => {} };
  const timer = setInterval(() => void process.stderr.write(`${CLEAR_LINE}${text()}`), EVERY_MS);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      process.stderr.write(CLEAR_LINE);
    },
  };
}

export interface CountProgress extends Disposable {
  show(count: number): void;
}

/** Shows how far work is that leaves no time to timers; on a terminal alone. @returns  what ends it, and clears the line */
export function countProgress(what: string): CountProgress {
  const { isTTY } = process.stderr;
  let next = 0;
  return {
    show: (count) => {
      if (!isTTY || performance.now() < next) return;
      next = performance.now() + EVERY_MS;
      process.stderr.write(`${CLEAR_LINE}${shown(count)} ${what} …`);
    },
    [Symbol.dispose]: () => {
      if (isTTY) process.stderr.write(CLEAR_LINE);
    },
  };
}

/** `1,200 of 9,000 keys, 800 a second, 10 s left`. @param since  of `performance.now()` */
export function progressOf(done: number, all: number, what: string, since: number): string {
  const seconds = (performance.now() - since) / SECOND_MS;
  const rate = seconds > 0 ? done / seconds : 0;
  const left = rate > 0 && all > done ? `, ${Math.ceil((all - done) / rate)} s left` : "";
  return `${shown(done)} of ${shown(Math.max(done, all))} ${what}, ${shown(Math.round(rate))} a second${left}`;
}

const shown = (count: number) => count.toLocaleString("en");
