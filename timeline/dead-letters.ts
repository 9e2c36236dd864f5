/**
 * Dead letters: acknowledged entries that leave a timeline permanently although perhaps no other daemon has them,
 * stored as they were signed until an operator has them written again. The store is handed in; cluster/dead-letters/
 * has the files. Source: docs/decisions/0041-dead-letters-are-kept-on-disk.md.
 */
import type { Mark } from "./entries/storage.js";

/** The reason for which an entry leaves. The numbers are in files: never changed. */
export const LETTER_REASONS = {
  /** The adopted snapshot certainly does not contain it. */
  missing: 1,
  /** The snapshot has another sum for its second, so it may contain it or not. */
  possible: 2,
  /** The command that added its signer's key is such a letter itself. */
  "unknown-key": 3,
  /** Its daemon was left out of the member list before it had sent the entry to another member. */
  evicted: 4,
} as const;

export type LetterReason = keyof typeof LETTER_REASONS;

/**
 * Writes letters that belong together: of one snapshot that is taken over, or of the folder of a daemon that was left
 * out.
 */
export interface LetterWriter {
  /**
   * Stores an entry if there is room.
   * @param place  42 bytes
   * @param value  as stored
   * @throws Error  the disk has failed: then no entry may be dropped
   */
  keep(place: Buffer, value: Buffer, reason: LetterReason): void;
  /**
   * Brings them to the disk, undecided: a start makes letters of them if the mark is there, and removes them if it is
   * not.
   * @returns to be written in the step that removes the entries; null: there are none
   * @throws Error  the disk has failed: then no entry may be dropped
   */
  commit(): Promise<Mark | null>;
  /** Confirms the letters, since the entries are removed. */
  settle(): void;
  /** Drops the letters, since the entries remain. May be called at any time before `settle`. */
  discard(): void;
  readonly figures: KeptLetters;
}

export interface KeptLetters {
  /** The file's name; null: there were no letters. */
  readonly name: string | null;
  readonly kept: number;
  /** Further entries, for which there was no room. */
  readonly left: number;
}

/** @param cutAt  the date of the new snapshot; milliseconds since 1970 */
export type OpenLetters = (cutAt: number) => LetterWriter;
