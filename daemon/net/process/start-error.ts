/**
 * The reason why the daemon did not start or did not accept a new configuration. It is reported to the operator.
 */

/** The exit code. 1: a port or file could not be opened. 2: an error in usage or configuration. */
export type StartExitCode = 1 | 2;

/** An error at the start. `message` says what is wrong, where, and what to do. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly exitCode: StartExitCode;

  constructor(message: string, exitCode: StartExitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Reports an error in usage or configuration. @throws StartError  always */
export function fail(sentence: string): never {
  throw new StartError(sentence, 2);
}

/** The error about a configuration file or key file that cannot be used. `dbsync` has a separate exit code for it. */
export class UnusableFile extends StartError {}
