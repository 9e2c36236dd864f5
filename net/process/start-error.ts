/**
 * The reason why the daemon did not start, or did not take a new configuration: bad input, reported to the person who
 * runs it.
 */

/** 1: something could not be opened (port, file). 2: usage or configuration. */
export type StartExitCode = 1 | 2;

/** `message` says what is wrong, where, and what to do. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly exitCode: StartExitCode;

  constructor(message: string, exitCode: StartExitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A configuration file or a key file cannot be used: `dbsync` has an exit code of its own for that. */
export class UnusableFile extends StartError {}
