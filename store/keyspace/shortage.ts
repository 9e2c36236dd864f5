/**
 * Memory that this process lacks in the middle of a command. Others have enough and go on, so nothing may come of it
 * here either: neither an answer, as if the command could not be applied anywhere, nor a state without it.
 */
export class Shortage extends Error {
  override readonly name = "Shortage";
}

/**
 * As the engine tells it. Of strings, arrays and tables that are too long for it at all it says something else; and a stack
 * that is too deep ends no daemon, since it would end all of them, at each start.
 */
const TOLD = /allocation failed/i;
/** As its library does. */
const CODE = "ERR_MEMORY_ALLOCATION_FAILED";

/** @throws Shortage  the problem is one; all others are the same wherever the command is applied */
export function throwShortage(problem: unknown): void {
  if (!(problem instanceof Error)) return;
  const isShort = problem instanceof RangeError && TOLD.test(problem.message);
  if (isShort || ("code" in problem && problem.code === CODE))
    throw new Shortage(`there is not enough memory for a command: ${problem.message}`, { cause: problem });
}
