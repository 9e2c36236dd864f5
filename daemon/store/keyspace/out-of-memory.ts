/**
 * Thrown when this process ran out of memory in the middle of a command. Daemons with enough memory apply the command,
 * so this daemon must neither return an error, as if the command were invalid everywhere, nor continue in a state
 * without the command's effect.
 */
export class OutOfMemory extends Error {
  override readonly name = "Shortage";
}

/**
 * V8's message for a failed allocation. A string, an array or a table that exceeds its maximum length causes another
 * message, which must not match. A stack overflow must not match either: it would stop every daemon, at each start.
 */
const ALLOCATION_FAILED = /allocation failed/i;
/** The error code of Node.js. */
const CODE = "ERR_MEMORY_ALLOCATION_FAILED";

/** @throws OutOfMemory if the problem is a shortage of memory; all other problems are the same on every daemon */
export function throwOutOfMemory(problem: unknown): void {
  if (!(problem instanceof Error)) return;
  const isShort = problem instanceof RangeError && ALLOCATION_FAILED.test(problem.message);
  if (isShort || ("code" in problem && problem.code === CODE))
    throw new OutOfMemory(`there is not enough memory for a command: ${problem.message}`, { cause: problem });
}
