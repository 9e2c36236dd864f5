/**
 * Dead letters: acknowledged entries that leave a timeline permanently although perhaps no other daemon has them, and
 * acknowledged writes to decided keys that have no effect, because the members have not decided on them. They are
 * stored as they were signed until an operator writes them again. The caller passes the store;
 * daemon/cluster/dead-letters/ has the files. Source: daemon/cluster/README.md.
 */
import type { Mark } from "./entries/storage.js";

/** The reason why an entry is a dead letter. The numbers are stored in files and never change. */
export const DEAD_LETTER_REASONS = {
  /** The adopted snapshot certainly does not contain the entry. */
  missing: 1,
  /**
   * The entry is older than the ids that the snapshot lists, and the sum for its second differs: it may be contained.
   */
  possible: 2,
  /** The command that added its signer's key is itself a dead letter. */
  "unknown-key": 3,
  /** Its daemon was left out of the member list before it had sent the entry to another member. */
  evicted: 4,
  /** No peer has ever admitted its daemon, so no other daemon has received the entry. */
  stranded: 5,
  /** Its daemon has joined another group of members (`dbsync members join`). */
  joined: 6,
  /** It writes decided keys without a decision, so that it has no effect. It stays in the timeline. */
  void: 7,
} as const;

export type DeadLetterReason = keyof typeof DEAD_LETTER_REASONS;

/**
 * The writer of dead letters that belong together: all dead letters that one adopted snapshot causes, or all dead
 * letters from the folder of a daemon that was left out of the member list, that no peer has admitted, or that joins
 * another group of members.
 */
export interface DeadLetterWriter {
  /**
   * Stores an entry if there is room for it.
   * @param orderKey  42 bytes
   * @param value  as stored
   * @param units  the indexes of the first commands of the units that are dead letters; default: all are
   * @throws Error  the disk has failed: then no entry may be dropped
   */
  store(orderKey: Buffer, value: Buffer, reason: DeadLetterReason, units?: readonly number[]): void;
  /**
   * Writes the dead letters to disk as undecided. If the daemon stops before `settle`, the next start confirms the dead
   * letters if the returned mark is in the storage, and otherwise removes them.
   * @returns the mark to write in the step that removes the entries, or null if there are no dead letters
   * @throws Error  the disk has failed: then no entry may be dropped
   */
  commit(): Promise<Mark | null>;
  /** Confirms the dead letters, because the entries have been removed. */
  settle(): void;
  /** Drops the dead letters, because the entries remain. May be called at any time before `settle`. */
  discard(): void;
  readonly figures: DeadLetterFigures;
}

export interface DeadLetterFigures {
  /** The file's name, or null if there were no dead letters. */
  readonly file: string | null;
  readonly stored: number;
  /** The number of further entries for which there was no room. */
  readonly notStored: number;
}

/** Opens a store for dead letters. @param cutAt  the date of the new snapshot; milliseconds since 1970 */
export type OpenDeadLetters = (cutAt: number) => DeadLetterWriter;
