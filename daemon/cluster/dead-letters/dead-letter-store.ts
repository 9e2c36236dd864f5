/**
 * Stores dead letters, in one file for each adopted snapshot. The file is complete and on disk before the timeline
 * drops any of its entries. It is called `NAME.partial` while it is written, `NAME.undecided` until the timeline's mark
 * names it, and then `NAME.letters`.
 */

import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../../../keys/key-source.js";
import { dateText } from "../../../protocol/version-2/envelope.js";
import { syncPath } from "../../net/process/disk.js";
import type {
  DeadLetterFigures,
  DeadLetterReason,
  DeadLetterWriter,
  OpenDeadLetters,
} from "../../timeline/dead-letters.js";
import type { Mark, Storage } from "../../timeline/entries/storage.js";
import type { TimelineLogger } from "../../timeline/entries/timeline-logger.js";
import {
  DEAD_LETTERS_MAGIC,
  DECIDED,
  DeadLetterFolder,
  deadLetterBytes,
  FILE_MODE,
  FOLDER_MODE,
  namesIn,
  otherFormatOf,
  otherFormatText,
  syncFolder,
  UNDECIDED,
} from "./dead-letter-folder.js";

const PARTIAL = ".partial";
/**
 * The beginning of the name of a file with the entries of a folder whose daemon joins another group of members. The
 * file is valid once the timeline was moved away (tools/cli/folder/joining-folder.ts).
 */
const JOINED = "joined-";
/**
 * The number of random bytes in a file's name. Two files with the same date need different names, because the
 * timeline's mark may still contain the name of a file that was removed.
 */
const NAME_BYTES = 4;

type WriteBytes = (descriptor: number, bytes: Buffer, from: number) => number;

export class DeadLetterStore {
  readonly folder: DeadLetterFolder;
  /** The maximum bytes of all dead letters together. */
  readonly maxBytes: number;
  readonly write: WriteBytes;

  /**
   * @param data  the data folder
   * @param write  writes bytes to a file; tests pass another function, to simulate a full disk
   */
  constructor(data: string, maxBytes: number, write: WriteBytes = writeSync) {
    this.folder = new DeadLetterFolder(data);
    this.maxBytes = maxBytes;
    this.write = write;
  }

  /** Returns how many dead letters wait for an operator. @param now  milliseconds since 1970 */
  waiting(now: number): number {
    try {
      return this.folder.countWaiting(now);
    } catch {
      // The daemon reports an unreadable folder when it starts, and when it has to store letters.
      return 0;
    }
  }

  /**
   * Called at the start, for files that an earlier process left undecided. The file that the timeline's mark names
   * becomes valid, because its entries were dropped from the timeline, and so does a file of `openJoined` if the
   * timeline has no member list, because it is a new one. All remaining files are removed, because their entries were
   * not dropped. A file of another format is not changed.
   */
  decide(storage: Storage, log: TimelineLogger): void {
    const { path } = this.folder;
    const decided = storage.mark("letters")?.toString() ?? "";
    const isMoved = storage.mark("members") === null;
    try {
      for (const name of namesIn(path)) {
        if (!name.endsWith(UNDECIDED) && !name.endsWith(PARTIAL)) continue;
        const file = join(path, name);
        const format = otherFormatOf(file);
        if (format !== null) log.warn({ file, reason: otherFormatText(format) }, NOT_DECIDED);
        else if (name === decided + UNDECIDED || (isMoved && isOfJoined(name))) settleFile(file);
        else rmSync(file);
      }
      syncFolder(path);
    } catch (problem) {
      log.warn({ folder: path, reason: (problem as Error).message }, NOT_DECIDED);
    }
  }

  readonly open: OpenDeadLetters = (cutAt) => this.#open("", cutAt);

  /** Opens a file for the entries of a timeline that is moved away before the file is settled. */
  readonly openJoined: OpenDeadLetters = (now) => this.#open(JOINED, now);

  /** Makes the files valid whose timeline was moved away. @returns whether there was one */
  settleJoined(): boolean {
    const { path } = this.folder;
    const files = namesIn(path).filter(isOfJoined);
    for (const name of files) settleFile(join(path, name));
    syncFolder(path);
    return files.length > 0;
  }

  #open(prefix: string, at: number): DeadLetterWriter {
    const date = dateText(at).replaceAll(":", "-");
    const name = `${prefix}${date}-${randomBytes(NAME_BYTES).toString("hex")}`;
    return new DeadLetterFileWriter(join(this.folder.path, name), this);
  }
}

const isOfJoined = (name: string): boolean => name.startsWith(JOINED) && name.endsWith(UNDECIDED);

const settleFile = (file: string): void => renameSync(file, file.slice(0, -UNDECIDED.length) + DECIDED);

class DeadLetterFileWriter implements DeadLetterWriter {
  /** The path without its suffix. */
  readonly #path: string;
  readonly #store: DeadLetterStore;
  #descriptor: number | null = null;
  #room = 0;
  #stored = 0;
  #notStored = 0;

  constructor(path: string, store: DeadLetterStore) {
    this.#path = path;
    this.#store = store;
  }

  store(orderKey: Buffer, value: Buffer, reason: DeadLetterReason): void {
    this.#try(() => {
      const descriptor = this.#opened();
      const pieces = deadLetterBytes(orderKey, value, reason);
      const bytes = pieces.reduce((sum, { length }) => sum + length, 0);

      if (bytes > this.#room) {
        this.#notStored++;
        return;
      }

      this.#write(descriptor, pieces);
      this.#room -= bytes;
      this.#stored++;
    });
  }

  async commit(): Promise<Mark | null> {
    if (this.#stored === 0) {
      this.discard();
      return null;
    }

    try {
      this.#close();
      await syncPath(this.#path + PARTIAL);
      renameSync(this.#path + PARTIAL, this.#path + UNDECIDED);
      await syncPath(dirname(this.#path));
      // Sync the parent folder too, because the folder of dead letters may just have been created.
      await syncPath(dirname(dirname(this.#path)));
    } catch (problem) {
      throw failure(this.#path, problem);
    }

    return ["letters", Buffer.from(basename(this.#path))];
  }

  settle(): void {
    if (this.#stored === 0) return;
    try {
      renameSync(this.#path + UNDECIDED, this.#path + DECIDED);
      syncFolder(dirname(this.#path));
    } catch {
      // Ignore the error: the next start renames the file, because the timeline's mark names it.
    }
  }

  discard(): void {
    this.#close();
    for (const ending of [PARTIAL, UNDECIDED]) {
      try {
        rmSync(this.#path + ending, { force: true });
      } catch {
        // Ignore the error: the next start removes the file, because no mark of the timeline names it.
      }
    }
  }

  get figures(): DeadLetterFigures {
    const file = this.#stored === 0 ? null : this.#path + DECIDED;
    return { file, stored: this.#stored, notStored: this.#notStored };
  }

  #opened(): number {
    if (this.#descriptor !== null) return this.#descriptor;
    mkdirSync(dirname(this.#path), { recursive: true, mode: FOLDER_MODE });
    const { maxBytes, folder } = this.#store;
    this.#room = Math.max(0, maxBytes - folder.bytes - DEAD_LETTERS_MAGIC.length);
    this.#descriptor = openSync(this.#path + PARTIAL, "wx", FILE_MODE);
    this.#write(this.#descriptor, [DEAD_LETTERS_MAGIC]);
    return this.#descriptor;
  }

  /** Writes all bytes. The system may write fewer than requested, and reports the reason at the next call. */
  #write(descriptor: number, pieces: readonly Buffer[]): void {
    const bytes = Buffer.concat(pieces);
    for (let at = 0; at < bytes.length; ) at += this.#store.write(descriptor, bytes, at);
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (problem) {
      throw failure(this.#path, problem);
    }
  }

  #close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

/** Thrown if dead letters cannot be written. Its `cause` is the system's error. */
export class DeadLettersNotStored extends Error {
  override readonly name = "DeadLettersNotStored";
}

const failure = (path: string, problem: unknown) =>
  new DeadLettersNotStored(
    `the entries that the snapshot may not contain cannot be stored as dead letters in ${dirname(path)} (${errnoOf(problem)}): free space, or correct its permissions`,
    { cause: problem },
  );

const NOT_DECIDED =
  "the dead letters that an interrupted process left in this folder could be neither kept nor removed; the next start tries again";
