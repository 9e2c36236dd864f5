/**
 * Dead letters: acknowledged entries that leave a timeline for good though no other daemon need have them, kept as they were signed
 * until an operator has them written again. Where they are kept is handed in; cluster/dead-letters/ has the files.
 * Source: docs/decisions/0041-dead-letters-are-kept-on-disk.md.
 */
import type { Mark } from "./entries/storage.js";

/** Why an entry is let go. The numbers stand in files: never changed. */
export const LETTER_REASONS = {
  /** The snapshot that was taken over is certain to lack it. */
  missing: 1,
  /** Of its second that snapshot has another sum: it may be in it. */
  possible: 2,
  /** The command that had added its signer's key is such a letter. */
  "unknown-key": 3,
  /** Its daemon was left out of the list of members before it had given it to one of them. */
  evicted: 4,
} as const;

export type LetterReason = keyof typeof LETTER_REASONS;

/** Letters that are written together: of one snapshot that is taken over, or of the folder of a daemon that was left out. */
export interface LetterWriter {
  /**
   * Only as far as there is room.
   * @param place  42 bytes
   * @param value  as stored
   * @throws Error  the disk does not take it: then nothing may be let go
   */
  keep(place: Buffer, value: Buffer, reason: LetterReason): void;
  /**
   * Brings them to the disk, undecided: a start makes letters of them if the mark is there, and removes them if it is not.
   * @returns to be written in the step that lets the entries go; null: there are none
   * @throws Error  the disk does not take them: then nothing may be let go
   */
  commit(): Promise<Mark | null>;
  /** The entries are gone. */
  settle(): void;
  /** They are not. Harmless at any time before `settle`. */
  discard(): void;
  readonly figures: KeptLetters;
}

export interface KeptLetters {
  /** The file; null: there were none to be kept. */
  readonly name: string | null;
  readonly kept: number;
  /** So many more there was no room for. */
  readonly left: number;
}

/** @param cutAt  of the snapshot that comes; milliseconds since 1970 */
export type OpenLetters = (cutAt: number) => LetterWriter;
