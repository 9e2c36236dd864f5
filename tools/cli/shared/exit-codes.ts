/** The exit codes of `dbsync`, and the errors that cause them. */

import { DbsyncError, type ErrorCode } from "../../../client/shared/errors.js";
import { KeyFileError } from "../../../keys/key-file-errors.js";

export const EXIT = { ok: 0, failed: 1, usage: 2, configuration: 3, unchecked: 4 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_ERROR: Partial<Record<ErrorCode, ExitCode>> = {
  "bad-command": EXIT.usage,
  "bad-option": EXIT.usage,
  "bad-config": EXIT.configuration,
  "bad-key": EXIT.configuration,
};

/** An error with its own exit code. */
export class ExitError extends Error {
  override readonly name = "ExitError";
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ExitError) return error.exitCode;
  if (error instanceof KeyFileError) return EXIT.configuration;
  return error instanceof DbsyncError ? (BY_ERROR[error.code] ?? EXIT.failed) : EXIT.failed;
}

/**
 * Returns the last lines of a subcommand's help.
 * @param failed  the meaning of exit code 1
 */
export function exitCodeHelp(failed: string): string {
  return `
Exit codes:
  0  ok
  1  ${failed}
  2  usage: an unknown option, or a command that cannot be sent
  3  a key or configuration file cannot be used`;
}
