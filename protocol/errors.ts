/** Malformed input, as bytes show it. What it means for a caller is said where it crosses into a daemon or client. */

/** Bytes that are no frame, or a frame that is above a limit. */
export class MalformedFrame extends Error {
  override readonly name = "MalformedFrame";
  /** Bytes of the stream before the first bad one. */
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(`${problem}, at byte ${offset}`);
    this.offset = offset;
  }
}

/** A command that the format at hand has no bytes for. */
export class UnsendableCommand extends Error {
  override readonly name = "UnsendableCommand";
}

/** Returns the stack of an error, or the text of any other value that was thrown. */
export const stackOf = (problem: unknown): string =>
  problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);

/** Returns what reading bytes failed of: what is malformed, or, after any other exception, the error in the program. */
export const unreadable = (problem: unknown): string =>
  problem instanceof MalformedFrame ? problem.message : `an error in the program that reads it: ${problem}`;
