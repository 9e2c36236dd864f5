/**
 * Memory ran out in this process in the middle of a command. Daemons with enough memory apply the command, so this daemon may neither
 * answer an error, as if the command were invalid everywhere, nor continue in a state without it.
 */
export class Shortage extends Error {
  override readonly name = "Shortage";
}

/**
 * The engine's message. For strings, arrays and tables above their maximum length it has another one; and a stack overflow stops no daemon,
 * since it would stop all of them, at each start.
 */
const TOLD = /allocation failed/i;
/** The error code of the engine's library. */
const CODE = "ERR_MEMORY_ALLOCATION_FAILED";

/** @throws Shortage  the problem is one; all other problems are the same on every daemon */
export function throwShortage(problem: unknown): void {
  if (!(problem instanceof Error)) return;
  const isShort = problem instanceof RangeError && TOLD.test(problem.message);
  if (isShort || ("code" in problem && problem.code === CODE))
    throw new Shortage(`there is not enough memory for a command: ${problem.message}`, { cause: problem });
}
