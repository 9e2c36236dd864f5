import { setTimeout } from "node:timers/promises";

/** Milliseconds after which a condition that does not become true ends the program. */
const UNTIL_MS = 120_000;

/**
 * Waits until a condition is met.
 * @param what  returns the condition, for the error message
 * @param pauseMs  the milliseconds between two checks
 */
export async function until(what, holds, pauseMs = 1) {
  for (const endsAt = performance.now() + UNTIL_MS; !(await holds()); await setTimeout(pauseMs))
    if (performance.now() > endsAt) throw new Error(`${what()}: not within ${UNTIL_MS} ms`);
}
