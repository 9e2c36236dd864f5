/**
 * Dead letters: acknowledged entries that leave a timeline permanently although perhaps no other daemon has them, and
 * those that have no effect, because they write decided keys without a decision. They are stored as they were signed
 * until an operator writes them again. The caller passes the store; daemon/cluster/dead-letters/ has the files.
 * Source: daemon/cluster/README.md.
 */

import { inTurns, type Steps, type TurnClock } from "../../protocol/steps.js";
import type { Mark, Storage } from "./entries/storage.js";

/** The reason why an entry leaves the timeline. The numbers are stored in files and never change. */
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
  /** It writes decided keys, and the members have not decided on it (void-letters.ts). */
  void: 7,
} as const;

export type DeadLetterReason = keyof typeof DEAD_LETTER_REASONS;

/**
 * The writer of dead letters that belong together: all dead letters that one adopted snapshot causes, those that have
 * become final together, or all dead letters from the folder of a daemon that was left out of the member list, that no
 * peer has admitted, or that joins another group of members.
 */
export interface DeadLetterWriter {
  /**
   * Stores an entry if there is room for it.
   * @param orderKey  42 bytes
   * @param value  as stored
   * @param units  the indexes of the first commands of the units that are dead letters; null: all are
   * @throws Error  the disk has failed: then no entry may be dropped
   */
  store(orderKey: Buffer, value: Buffer, reason: DeadLetterReason, units?: DeadLetterToStore["units"]): void;
  /**
   * Writes the dead letters to disk as undecided. If the daemon stops before `settle`, the next start confirms the dead
   * letters if the returned mark is in the storage, and otherwise removes them. So no further dead letters of this
   * timeline may be committed until these are settled or discarded.
   * @returns the mark to write in the step that removes the entries, or null if there are no dead letters
   * @throws Error  the disk has failed: then no entry may be dropped
   */
  commit(): Promise<Mark | null>;
  /** Confirms the dead letters, because the mark is on the disk. */
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

/**
 * Opens a store for dead letters.
 * @param at  the date of the new snapshot, or the current date; milliseconds since 1970
 * @param share  the part of the room for all dead letters that may be in use afterwards, by default all of it
 */
export type OpenDeadLetters = (at: number, share?: number) => DeadLetterWriter;

/** An entry that becomes a dead letter. */
export interface DeadLetterToStore {
  readonly orderKey: Buffer;
  readonly reason: DeadLetterReason;
  /** As for `DeadLetterWriter.store`. */
  readonly units: readonly number[] | null;
}

/** The number of dead letters, and of bytes, after which a turn may end. */
const LETTERS_PER_STEP = 64;
const BYTES_PER_STEP = 1_048_576;

/**
 * Stores entries as dead letters, in short turns, and commits them. Nothing may remove the entries in the meantime.
 * @returns the mark, as `DeadLetterWriter.commit`, and how many entries the storage no longer has
 * @throws Error  the disk has failed; the dead letters are discarded
 */
export async function commitDeadLetters(
  storage: Pick<Storage, "get">,
  writer: DeadLetterWriter,
  letters: Iterable<DeadLetterToStore>,
  clock: TurnClock,
): Promise<{ readonly mark: Mark | null; readonly gone: number }> {
  try {
    const gone = await inTurns(storeSteps(storage, writer, letters), clock);
    return { mark: await writer.commit(), gone };
  } catch (problem) {
    writer.discard();
    throw problem;
  }
}

function* storeSteps(
  storage: Pick<Storage, "get">,
  writer: DeadLetterWriter,
  letters: Iterable<DeadLetterToStore>,
): Steps<number> {
  let [number, bytes, gone] = [0, 0, 0];
  for (const { orderKey, reason, units } of letters) {
    const value = storage.get(orderKey);
    if (value === null) gone++;
    else writer.store(orderKey, value, reason, units);

    number++;
    bytes += value?.length ?? 0;
    if (number < LETTERS_PER_STEP && bytes < BYTES_PER_STEP) continue;
    [number, bytes] = [0, 0];
    yield;
  }
  return gone;
}
