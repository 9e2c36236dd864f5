/**
 * Stores dead letters, in one file for each adopted snapshot, and for void writes that have become final together. The
 * file is complete and on disk before the timeline drops any of its entries. It is called `NAME.partial` while it is
 * written, `NAME.undecided` until the timeline's mark names it, and then `NAME.letters`.
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
  DeadLetterToStore,
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
  /** The names, without their suffix, of files that are valid, but that may not have been renamed. */
  readonly unsettled = new Set<string>();

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
   * Called at the start, for files that an earlier process left undecided. The files that the timeline's mark names
   * become valid, because the timeline no longer needs their entries, and so does a file of `openJoined` if the
   * timeline has no member list, because it is a new one. All remaining files are removed. A file of another format is
   * not changed.
   */
  decide(storage: Storage, log: TimelineLogger): void {
    const { path } = this.folder;
    const isMoved = storage.mark("members") === null;
    for (const name of namesInMark(storage.mark("letters"))) this.unsettled.add(name);
    try {
      this.settleAll();
      for (const name of namesIn(path)) {
        if (!name.endsWith(UNDECIDED) && !name.endsWith(PARTIAL)) continue;
        const file = join(path, name);
        const format = otherFormatOf(file);
        if (format !== null) log.warn({ file, reason: otherFormatText(format) }, NOT_DECIDED);
        else if (this.unsettled.has(basename(name, UNDECIDED))) log.warn({ file }, NOT_DECIDED);
        else if (isMoved && isOfJoined(name)) settleFile(file);
        else rmSync(file);
      }
      syncFolder(path);
    } catch (problem) {
      log.warn({ folder: path, reason: (problem as Error).message }, NOT_DECIDED);
    }
  }

  /** Renames the files in `unsettled`, and leaves those there that cannot be renamed or have another format. */
  settleAll(): void {
    for (const name of this.unsettled) {
      const file = join(this.folder.path, name + UNDECIDED);
      try {
        if (otherFormatOf(file) !== null) continue;
        settleFile(file);
      } catch (problem) {
        // A file that is not there was renamed or removed.
        if (errnoOf(problem) !== "ENOENT") continue;
      }
      this.unsettled.delete(name);
    }
  }

  readonly open: OpenDeadLetters = (at, share = 1) => this.#open("", at, share);

  /** Opens a file for the entries of a timeline that is moved away before the file is settled. */
  readonly openJoined: OpenDeadLetters = (now) => this.#open(JOINED, now, 1);

  /** Makes the files valid whose timeline was moved away. @returns whether there was one */
  settleJoined(): boolean {
    const { path } = this.folder;
    const files = namesIn(path).filter(isOfJoined);
    for (const name of files) settleFile(join(path, name));
    syncFolder(path);
    return files.length > 0;
  }

  #open(prefix: string, at: number, share: number): DeadLetterWriter {
    const date = dateText(at).replaceAll(":", "-");
    const name = `${prefix}${date}-${randomBytes(NAME_BYTES).toString("hex")}`;
    return new DeadLetterFileWriter(join(this.folder.path, name), this, share * this.maxBytes);
  }
}

const namesInMark = (mark: Buffer | null): readonly string[] => mark?.toString().split(" ") ?? [];

const isOfJoined = (name: string): boolean => name.startsWith(JOINED) && name.endsWith(UNDECIDED);

const settleFile = (file: string): void => renameSync(file, file.slice(0, -UNDECIDED.length) + DECIDED);

class DeadLetterFileWriter implements DeadLetterWriter {
  /** The path without its suffix. */
  readonly #path: string;
  readonly #store: DeadLetterStore;
  readonly #maxBytes: number;
  #descriptor: number | null = null;
  #room = 0;
  #stored = 0;
  #notStored = 0;

  /** @param maxBytes  the maximum bytes of all dead letters together */
  constructor(path: string, store: DeadLetterStore, maxBytes: number) {
    this.#path = path;
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  store(
    orderKey: Buffer,
    value: Buffer,
    reason: DeadLetterReason,
    units: DeadLetterToStore["units"] = null,
  ): void {
    this.#try(() => {
      const descriptor = this.#opened();
      const pieces = deadLetterBytes(orderKey, value, reason, units);
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
      this.#store.settleAll();
      await syncPath(this.#path + PARTIAL);
      renameSync(this.#path + PARTIAL, this.#path + UNDECIDED);
      await syncPath(dirname(this.#path));
      // Sync the parent folder too, because the folder of dead letters may just have been created.
      await syncPath(dirname(dirname(this.#path)));
    } catch (problem) {
      throw failure(this.#path, problem);
    }

    // The mark names each file that the next start must not remove.
    return ["letters", Buffer.from([...this.#store.unsettled, basename(this.#path)].join(" "))];
  }

  settle(): void {
    if (this.#stored === 0) return;
    try {
      renameSync(this.#path + UNDECIDED, this.#path + DECIDED);
      syncFolder(dirname(this.#path));
    } catch {
      // The next start renames the file, because the timeline's mark names it, or the next `commit` does.
      this.#store.unsettled.add(basename(this.#path));
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
    this.#room = Math.max(0, this.#maxBytes - this.#store.folder.bytes - DEAD_LETTERS_MAGIC.length);
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
    `dead letters cannot be stored in ${dirname(path)} (${errnoOf(problem)}): free space, or correct its permissions`,
    { cause: problem },
  );

const NOT_DECIDED =
  "the dead letters that an interrupted process left in this folder could be neither kept nor removed; the next start tries again";
