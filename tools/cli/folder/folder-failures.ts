/** Turns problems with a daemon's data folder into the errors that `dbsync` reports: a sentence and an exit code. */
import { DbsyncError } from "../../../client/shared/errors.js";
import { StartError, UnusableFile } from "../../../daemon/net/process/service.js";
import { KeyFileError } from "../../../keys/key-file-errors.js";
import { writingFailure } from "../../../keys/write-failures.js";
import { EXIT, type ExitCode, Failure } from "../shared/exit-codes.js";

type ErrorClass = abstract new (...parts: never) => Error;

export interface Expected {
  /** Expected errors about the folder, in addition to those of the operating system. */
  readonly kinds?: readonly ErrorClass[];
  /** The exit code for errors that are caused neither by the options nor by a file that they name. */
  readonly failed?: ExitCode;
}

/** Runs work on a folder. @throws Failure  for an error in the folder, the options or the operating system */
export async function withFolderErrors<T>(
  work: () => Promise<T>,
  { kinds = [], failed = EXIT.failed }: Expected = {},
): Promise<T> {
  try {
    return await work();
  } catch (problem) {
    // The client's errors have their own sentences and exit codes.
    if (problem instanceof DbsyncError || problem instanceof KeyFileError) throw problem;
    const isExpected = [StartError, ...kinds].some((kind) => problem instanceof kind);
    if (!(problem instanceof Error) || !(isExpected || isSystemError(problem))) throw problem;
    const reason = isSystemError(problem) ? writingFailure(problem) : null;
    const sentence = reason === null ? problem.message : `${problem.message} (${reason})`;
    throw new Failure(sentence, codeOf(problem, failed), { cause: problem });
  }
}

/**
 * Whether a problem is an error of the operating system or was caused by one, for example a full disk or a missing
 * permission.
 */
function isSystemError(problem: unknown): boolean {
  return problem instanceof Error && ("syscall" in problem || isSystemError(problem.cause));
}

function codeOf(problem: Error, failed: ExitCode): ExitCode {
  if (problem instanceof UnusableFile) return EXIT.configuration;
  return problem instanceof StartError && problem.exitCode === EXIT.usage ? EXIT.usage : failed;
}

/** The message if signatures have to be verified but no keys are configured. */
export const KEYS_MISSING =
  "the keys are missing: add --sign-key and --root-key as for the daemon, or --config with its configuration file.";
