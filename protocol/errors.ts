/**
 * Errors about malformed bytes. The code that receives the bytes in a daemon or client decides what they mean for the
 * caller.
 */

/** Thrown for bytes that are not a frame, or for a frame above a limit. */
export class MalformedFrame extends Error {
  override readonly name = "MalformedFrame";
  /** The number of bytes in the stream before the first invalid one. */
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(`${problem}, at byte ${offset}`);
    this.offset = offset;
  }
}

/** Thrown for a command that the format in use cannot represent. */
export class UnsendableCommand extends Error {
  override readonly name = "UnsendableCommand";
}

/** Returns the stack of an error, or the text of any other value that was thrown. */
export const stackOf = (problem: unknown): string =>
  problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);

/** Returns why parsing bytes failed: the malformed part or, for any other exception, the error in the program. */
export const unreadable = (problem: unknown): string =>
  problem instanceof MalformedFrame ? problem.message : `an error in the program that reads it: ${problem}`;
