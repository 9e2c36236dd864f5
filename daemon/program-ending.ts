/**
 * How the programs beside the daemon end when something is wrong: a sentence on standard error, and the exit code that the help of
 * `dbsync` names (cli/shared/exit-codes.ts).
 */
import { writingFailure } from "../keys/unwritable.js";
import { StartError, UnusableFile } from "../net/process/start-error.js";

const USAGE = 2;
const UNUSABLE = 3;

type ErrorClass = abstract new (...parts: never) => Error;

export interface Ending {
  /** What stands before the sentence. */
  readonly name: string;
  /** Problems that are no mistakes of the program's. */
  readonly told: readonly ErrorClass[];
  /** The exit code where neither the words nor a file that they name are to blame. */
  readonly failed: number;
}

/** @throws  a mistake of the program's */
export function endFor(problem: unknown, { name, told, failed }: Ending): void {
  if (!isTold(problem, told)) throw problem;
  const reason = isSystems(problem) ? writingFailure(problem) : null;
  process.stderr.write(`${name}: ${problem.message}${reason === null ? "" : ` (${reason})`}\n`);
  process.exitCode = codeOf(problem, failed);
}

function isTold(problem: unknown, told: readonly ErrorClass[]): problem is Error {
  if ([StartError, ...told].some((kind) => problem instanceof kind)) return true;
  // The system's: no room, no right, a folder that is a mount.
  return isSystems(problem);
}

/** Whether it is the system's, or has one of the system's as its cause. */
function isSystems(problem: unknown): problem is Error {
  return problem instanceof Error && ("syscall" in problem || isSystems(problem.cause));
}

function codeOf(problem: Error, failed: number): number {
  if (problem instanceof UnusableFile) return UNUSABLE;
  return problem instanceof StartError && problem.exitCode === USAGE ? USAGE : failed;
}
