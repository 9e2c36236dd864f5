/** Waits for conditions, and for promises. */

/** Time limit in milliseconds, long enough for a busy machine. With a mutant, a condition may never be met. */
const UNTIL_MS = Number(process.env["DBSYNC_UNTIL_MS"] ?? 120_000);

/** The first pause in milliseconds. Checks slow the daemons down, so the pauses grow. */
const PAUSE_MS_FIRST = 10;
const PAUSE_MS_MAX = 250;
const PAUSE_GROWTH = 1.3;

export interface UntilOptions {
  /** The time limit in milliseconds. */
  readonly ms?: number;
  /** Whether a rejection of the check counts as false. Otherwise it ends the wait. */
  readonly mayFail?: boolean;
  /** Waits between two checks, or lets the subject take a step. By default, the pauses grow. */
  readonly pause?: () => Promise<unknown>;
}

/**
 * Waits until a condition is met.
 * @param what  the condition, for the error message; a function is called after the time limit
 * @throws Error  after the time limit; its cause is the last rejection of the check
 */
export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  { ms = UNTIL_MS, mayFail = false, pause = growingPauses() }: UntilOptions = {},
): Promise<void> {
  const deadline = performance.now() + ms;
  for (;;) {
    let cause: unknown;
    try {
      if (await holds()) return;
    } catch (problem) {
      if (!mayFail) throw problem;
      cause = problem;
    }
    if (performance.now() > deadline) {
      const condition = typeof what === "string" ? what : what();
      throw new Error(`${condition}: not within ${ms} ms`, { cause });
    }
    await pause();
  }
}

function growingPauses(): () => Promise<unknown> {
  let ms = PAUSE_MS_FIRST / PAUSE_GROWTH;
  return () => {
    ms = Math.min(ms * PAUSE_GROWTH, PAUSE_MS_MAX);
    return new Promise((resolve) => setTimeout(resolve, ms));
  };
}

/** Waits for the next turn of the event loop: a pause for conditions that the test's own process makes true. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Returns the result of a promise.
 * @param failure  what is wrong if it has not settled within the usual time limit, for the error message
 * @throws Error  after the time limit, which does not keep the process alive
 */
export async function inTime<Result>(failure: () => string, promise: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), UNTIL_MS).unref();
  });
  const first = await Promise.race([promise.then((result) => ({ result })), limit]).finally(() =>
    clearTimeout(timer),
  );
  if (first === "late") throw new Error(`${failure()} (after ${UNTIL_MS} ms)`);
  return first.result;
}
