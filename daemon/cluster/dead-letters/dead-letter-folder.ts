/**
 * Dead letters in a data folder. The daemon stores them, and an operator may handle them even while the daemon runs. A
 * file of dead letters is never changed in place; to remove dead letters, a new file replaces it. Empty files record
 * the progress of each dead letter: `written/ID.begun` exists while the dead letter is being written again, or if the
 * outcome is uncertain; then it is renamed to `written/ID.written`.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { discard, publishOver, stage, writingFailure } from "../../../keys/atomic-file.js";
import { errnoOf } from "../../../keys/key-source.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  ENTRY_ORDER_KEY_BYTES,
  type Envelope,
  hexOf,
  type UnitRange,
  unitsIn,
} from "../../../protocol/version-2/envelope.js";
import { hashOf } from "../../engine/trust/identity.js";
import { syncPathNow } from "../../net/process/disk.js";
import { DEAD_LETTER_REASONS, type DeadLetterReason } from "../../timeline/dead-letters.js";
import { compareOrderKeys, type Entry, type OrderKey, readOrderKey } from "../../timeline/entries/entry.js";
import { readEntry } from "../../timeline/entries/stored-value.js";

/** The folder's name in the data folder. */
const DEAD_LETTERS_FOLDER = "dead-letters";
const MARKS_FOLDER = "written";
/** The suffix of a file of valid dead letters, and the suffix of a file whose entries may still be in the timeline. */
export const DECIDED = ".letters";
export const UNDECIDED = ".undecided";
const BEGUN = ".begun";
const WRITTEN = ".written";
export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;
/**
 * A folder that was modified less than this number of milliseconds ago is always read again. Its modification date is
 * too coarse to show whether the folder has changed since the last reading.
 */
const FRESH_MS = 2000;

export const deadLettersFolder = (data: string): string => join(data, DEAD_LETTERS_FOLDER);

/**
 * `undecided`: the daemon was stopped while it adopted a snapshot; its next start decides whether the dead letter is
 * valid.
 * `begun`: the dead letter may have been written again, but the program that did so was stopped, or no daemon has
 * confirmed the write.
 */
export type DeadLetterState = "waiting" | "undecided" | "begun" | "written";

/** The progress of writing a dead letter again. */
interface DeadLetterProgress {
  readonly state: DeadLetterState;
  /**
   * When a program began or completed writing the dead letter again, in milliseconds since 1970. Null if no program has
   * begun.
   */
  readonly since: number | null;
}

export interface DeadLetter extends DeadLetterHead, DeadLetterProgress {
  readonly file: string;
}

/** A file, or the end of a file, that cannot be read. */
export interface UnreadDeadLetters {
  readonly file: string;
  readonly bytes: number;
  /** Why, and what to do. */
  readonly reason: string;
}

export interface FoundDeadLetters {
  /** Dead letters in order, each id once. */
  readonly deadLetters: readonly DeadLetter[];
  readonly unread: readonly UnreadDeadLetters[];
}

/** Thrown if another process is writing the dead letter again, or has begun to. */
export class DeadLetterTaken extends Error {
  override readonly name = "DeadLetterTaken";
}

export class DeadLetterFolder {
  readonly path: string;
  readonly #marks: string;
  #counted: { readonly of: string; readonly count: number } | null = null;

  constructor(data: string) {
    this.path = deadLettersFolder(data);
    this.#marks = join(this.path, MARKS_FOLDER);
  }

  /** The bytes of all files of dead letters. */
  get bytes(): number {
    return this.#files().reduce((sum, file) => sum + sizeOf(file), 0);
  }

  /** Counts the dead letters that have not certainly been written again. Reads the folder only if it has changed. */
  countWaiting(now: number): number {
    const times = [this.path, this.#marks].map((folder) => modifiedAt(folder));
    const of = times.join(" ");
    if (this.#counted?.of !== of || times.some((time) => now - time < FRESH_MS)) {
      const { deadLetters } = this.list();
      this.#counted = { of, count: deadLetters.filter(({ state }) => state !== "written").length };
    }
    return this.#counted.count;
  }

  list(): FoundDeadLetters {
    const deadLetters = new Map<ByteString, DeadLetter>();
    const unread: UnreadDeadLetters[] = [];
    const marks = this.#readMarks();

    for (const file of this.#files()) {
      const found = reading(file, (opened) => opened.heads());
      if (found === null) continue;

      if (found.unread > 0) {
        const reason =
          found.otherFormat === null
            ? `its last ${found.unread} bytes cannot be read`
            : otherFormatText(found.otherFormat);
        unread.push({ file, bytes: found.unread, reason });
      }

      for (const head of found.heads) {
        const { id } = head.orderKey;
        const state = file.endsWith(UNDECIDED)
          ? UNTOUCHED.undecided
          : (marks.get(hexOf(id)) ?? UNTOUCHED.waiting);
        // If the same entry was stored twice, the dead letter that is already valid takes precedence over the undecided
        // one, and then the one that is certain.
        const known = deadLetters.get(id);
        const isCertain = head.reason !== "possible" && state.state !== "undecided";
        if (known === undefined || known.state === "undecided" || (isCertain && known.reason === "possible"))
          deadLetters.set(id, { ...head, file, ...state });
      }
    }

    return {
      deadLetters: [...deadLetters.values()].sort((a, b) => compareOrderKeys(a.orderKey, b.orderKey)),
      unread,
    };
  }

  /** Returns the entry of a dead letter, or null if its bytes are damaged or it has been removed. */
  entry(deadLetter: DeadLetter): Entry | null {
    return reading(deadLetter.file, (opened) => opened.entry(deadLetter));
  }

  /**
   * Records that a dead letter is about to be written again. The record is on disk when this method returns.
   * @param isAgain  whether to continue even if an earlier attempt has begun
   * @throws DeadLetterTaken
   * @throws DeadLettersNotWritten
   */
  begin({ orderKey }: DeadLetter, isAgain: boolean): void {
    const path = this.#mark(orderKey.id, BEGUN);
    try {
      mkdirSync(this.#marks, { recursive: true, mode: FOLDER_MODE });
      if (isAgain) rmSync(path, { force: true });
      writeSafely(path);
    } catch (problem) {
      if (errnoOf(problem) === "EEXIST")
        throw new DeadLetterTaken("another program is writing it again, or was stopped while doing so");
      const reason = writingFailure(problem);
      throw reason === null
        ? problem
        : new DeadLettersNotWritten(path, reason, "The dead letter was not sent");
    }

    // Check only after creating the mark `begun`: another program creates its mark `written` before it removes its own
    // mark `begun`.
    if (!isAgain && existsSync(this.#mark(orderKey.id, WRITTEN))) {
      rmSync(path, { force: true });
      throw new DeadLetterTaken("another program has written it again in the meantime");
    }
    syncFolder(this.#marks);
  }

  /**
   * Records, after `begin`, that a dead letter has certainly been written again. The record needs no space on the disk.
   */
  written({ orderKey }: DeadLetter): void {
    const path = this.#mark(orderKey.id, WRITTEN);
    try {
      renameSync(this.#mark(orderKey.id, BEGUN), path);
    } catch (problem) {
      if (errnoOf(problem) !== "ENOENT") throw problem;
      // Another program that wrote the dead letter again in the meantime (--anyway) has removed the mark.
      if (!existsSync(path)) writeSafely(path);
    }
    syncFolder(this.#marks);
  }

  /** Records that a dead letter was certainly not written again. */
  unwritten({ orderKey }: DeadLetter): void {
    rmSync(this.#mark(orderKey.id, BEGUN), { force: true });
    syncFolder(this.#marks);
  }

  /** Removes dead letters permanently from each file that contains them. Unreadable bytes of a file stay in it. */
  remove(deadLetters: readonly DeadLetter[]): void {
    const removed = new Set(deadLetters.map(({ orderKey }) => orderKey.id));
    for (const file of this.#files()) if (file.endsWith(DECIDED)) removeFrom(file, removed);
    syncFolder(this.path);
    for (const { orderKey } of deadLetters)
      for (const kind of [BEGUN, WRITTEN]) rmSync(this.#mark(orderKey.id, kind), { force: true });
  }

  #mark(id: ByteString, kind: string): string {
    return join(this.#marks, `${hexOf(id)}${kind}`);
  }

  /** Reads the progress of dead letters, by hexadecimal id. */
  #readMarks(): Map<string, DeadLetterProgress> {
    const marks = new Map<string, DeadLetterProgress>();
    for (const [kind, state] of [
      [BEGUN, "begun"],
      [WRITTEN, "written"],
    ] as const)
      for (const name of namesIn(this.#marks))
        if (name.endsWith(kind)) {
          const since = modifiedAt(join(this.#marks, name));
          marks.set(name.slice(0, -kind.length), { state, since });
        }
    return marks;
  }

  #files(): string[] {
    return namesIn(this.path)
      .filter((name) => name.endsWith(DECIDED) || name.endsWith(UNDECIDED))
      .sort()
      .map((name) => join(this.path, name));
  }
}

/** Returns the units of a dead letter's envelope that are dead letters, in order. */
export const deadUnitsOf = (envelope: Envelope, { units }: Pick<DeadLetter, "units">): readonly UnitRange[] =>
  unitsIn(envelope).filter(({ index }) => units === null || units.includes(index));

/** Returns the number of a file's format if this program does not read it, or null. */
export const otherFormatOf = (file: string): number | null => reading(file, (opened) => opened.otherFormat);

/** Returns why a file of another format is not used, and what to do. */
export const otherFormatText = (format: number): string =>
  `it has format ${format}, and this program reads only format ${DEAD_LETTERS_FORMAT}; it was not changed: use the version of dbsync that wrote it`;

const UNTOUCHED = {
  waiting: { state: "waiting", since: null },
  undecided: { state: "undecided", since: null },
} as const;

/** Reads a file, or returns null if it was removed or renamed in the meantime. */
function reading<T>(file: string, read: (opened: DeadLetterFile) => T): T | null {
  let opened: DeadLetterFile;
  try {
    opened = new DeadLetterFile(file, statSync(file).size);
  } catch (problem) {
    if (errnoOf(problem) === "ENOENT") return null;
    throw problem;
  }

  try {
    return read(opened);
  } finally {
    opened.close();
  }
}

/** @param removed  ids of the dead letters to remove */
function removeFrom(file: string, removed: ReadonlySet<ByteString>): void {
  const contents = reading(file, (opened) => {
    const { heads, unread } = opened.heads();
    const remaining = heads.filter(({ orderKey }) => !removed.has(orderKey.id));
    if (remaining.length === heads.length) return null;
    const pieces = remaining.map(({ from, to }) => opened.read(from, to));
    const size = sizeOf(file);
    return unread > 0 ? [...pieces, opened.read(size - unread, size)] : pieces;
  });

  if (contents === null) return;
  if (contents.length === 0) {
    unlinkSync(file);
    return;
  }

  try {
    const staged = stage(file, Buffer.concat([DEAD_LETTERS_MAGIC, ...contents]), FILE_MODE);
    try {
      publishOver(staged, file);
    } finally {
      discard(staged);
    }
  } catch (problem) {
    const reason = writingFailure(problem);
    throw reason === null ? problem : new DeadLettersNotWritten(file, reason);
  }
}

/** Thrown if a file in the folder of dead letters cannot be written. */
export class DeadLettersNotWritten extends Error {
  override readonly name = "DeadLettersNotWritten";

  /** @param left  a sentence about the resulting state */
  constructor(file: string, reason: string, left = "It was not changed") {
    super(`${file} cannot be written (${reason}). ${left}. Free space there, and run the same command again`);
  }
}

/** Creates an empty file that must not exist yet. */
function writeSafely(path: string): void {
  writeFileSync(path, "", { mode: FILE_MODE, flag: "wx", flush: true });
}

export function syncFolder(path: string): void {
  if (existsSync(path)) syncPathNow(path);
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (problem) {
    if (errnoOf(problem) === "ENOENT") return [];
    throw problem;
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Returns milliseconds since 1970, or 0 if the file does not exist. */
const modifiedAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** The number of the format that this program reads and writes. */
const DEAD_LETTERS_FORMAT = 2;
export const DEAD_LETTERS_MAGIC = Buffer.from(`dbsync-letters-${DEAD_LETTERS_FORMAT}`);
const MAGIC = /^dbsync-letters-([1-9])$/;

const CRC_BYTES = 4;
const LENGTH_AT = CRC_BYTES + 1;
const COUNT_AT = LENGTH_AT + 4;
const ORDER_KEY_AT = COUNT_AT + 4;
const UNITS_AT = ORDER_KEY_AT + ENTRY_ORDER_KEY_BYTES;
/** The number of bytes that are read together. */
const BLOCK_BYTES = 65_536;
/** The bytes of a unit's index. */
const INDEX_BYTES = 4;
/** The maximum length of a value in bytes, which exceeds the length of the longest possible request. */
const VALUE_BYTES_MAX = 512 * 1024 * 1024;

const REASONS = new Map<number, DeadLetterReason>(
  Object.entries(DEAD_LETTER_REASONS).map(([name, number]) => [number, name as DeadLetterReason]),
);

/** The position of a dead letter in its file. */
interface DeadLetterHead {
  readonly orderKey: OrderKey;
  readonly reason: DeadLetterReason;
  /** The indexes of the first commands of the units that are dead letters; null: all are. */
  readonly units: readonly number[] | null;
  /** The index of the entry's first byte. */
  readonly valueFrom: number;
  /** The index of the dead letter's first byte, which belongs to its head, and the index after its last byte. */
  readonly from: number;
  readonly to: number;
}

interface DeadLetterHeads {
  readonly heads: readonly DeadLetterHead[];
  /** The number of unreadable bytes at the end of the file. */
  readonly unread: number;
  /** The number of the file's format if this program does not read it, or null. */
  readonly otherFormat: number | null;
}

/**
 * Returns a dead letter as its file contains it. The file has lengths in bytes and big-endian integers:
 * "dbsync-letters-" and the number of the format, one digit (16), then for each dead letter
 *   CRC-32 of the remaining head (4) ‖ reason (1) ‖ length of the value (4) ‖ number of units (4) ‖ order key (42) ‖
 *   index of the first command of each unit (4 each), which is the end of the head ‖ value as stored
 * If no units are named, all units of the entry are dead letters. A value is verified by its own CRC and by its id. The
 * numbers in each head determine where the next head begins. If a head is damaged, the remaining bytes are skipped,
 * because a value contains bytes that a client chose and that could look like a dead letter. A file of another format
 * is never changed.
 * @param units  null: all
 */
export function deadLetterBytes(
  orderKey: Buffer,
  value: Buffer,
  reason: DeadLetterReason,
  units: readonly number[] | null = null,
): readonly Buffer[] {
  const named = units ?? [];
  const head = Buffer.alloc(UNITS_AT + INDEX_BYTES * named.length);
  head[CRC_BYTES] = DEAD_LETTER_REASONS[reason];
  head.writeUInt32BE(value.length, LENGTH_AT);
  head.writeUInt32BE(named.length, COUNT_AT);
  head.set(orderKey, ORDER_KEY_AT);
  for (const [i, index] of named.entries()) head.writeUInt32BE(index, UNITS_AT + INDEX_BYTES * i);
  head.writeUInt32BE(crc32(head.subarray(CRC_BYTES)), 0);
  return [head, value];
}

/** A file of dead letters that is open for reading. */
class DeadLetterFile {
  readonly #descriptor: number;
  readonly #size: number;
  /** The block that was read last. */
  #block: { readonly from: number; readonly bytes: Buffer } = { from: 0, bytes: Buffer.alloc(0) };

  /** @throws Error  the system's error */
  constructor(path: string, size: number) {
    this.#descriptor = openSync(path, "r");
    this.#size = size;
  }

  get #begin(): Buffer {
    return this.read(0, DEAD_LETTERS_MAGIC.length);
  }

  /** The number of the file's format if this program does not read it, or null. */
  get otherFormat(): number | null {
    const [, digit] = MAGIC.exec(this.#begin.toString("latin1")) ?? [];
    return digit === undefined || Number(digit) === DEAD_LETTERS_FORMAT ? null : Number(digit);
  }

  /** Reads only the heads. */
  heads(): DeadLetterHeads {
    const heads: DeadLetterHead[] = [];
    if (!this.#begin.equals(DEAD_LETTERS_MAGIC))
      return { heads, unread: this.#size, otherFormat: this.otherFormat };

    let from = DEAD_LETTERS_MAGIC.length;
    while (from < this.#size) {
      const head = this.#headAt(from);
      if (head === null) break;
      heads.push(head);
      from = head.to;
    }
    return { heads, unread: this.#size - from, otherFormat: null };
  }

  /** Reads the head that begins at an index. @returns null if it is damaged */
  #headAt(from: number): DeadLetterHead | null {
    const begin = this.read(from, from + UNITS_AT);
    if (begin.length < UNITS_AT) return null;
    const valueFrom = from + UNITS_AT + INDEX_BYTES * begin.readUInt32BE(COUNT_AT);
    if (valueFrom > this.#size) return null;

    const head = this.read(from, valueFrom);
    const reason = REASONS.get(head[CRC_BYTES] ?? 0);
    const bytes = head.readUInt32BE(LENGTH_AT);
    const to = valueFrom + bytes;
    const isIntact = crc32(head.subarray(CRC_BYTES)) === head.readUInt32BE(0);
    if (!isIntact || reason === undefined || bytes > VALUE_BYTES_MAX || to > this.#size) return null;

    const units: number[] = [];
    for (let at = UNITS_AT; at < head.length; at += INDEX_BYTES) units.push(head.readUInt32BE(at));
    const orderKey = readOrderKey(head.subarray(ORDER_KEY_AT, UNITS_AT));
    return { orderKey, reason, units: units.length === 0 ? null : units, valueFrom, from, to };
  }

  /** Returns the entry, or null if its bytes are damaged. */
  entry({ orderKey, valueFrom, to }: DeadLetterHead): Entry | null {
    return readEntry(orderKey, this.read(valueFrom, to), hashOf);
  }

  /**
   * Returns a range of the file's bytes, which is shorter if the file ends before `to`. Short ranges are read in
   * blocks, because a file may contain 100,000 short dead letters.
   */
  read(from: number, to: number): Buffer {
    if (to - from > BLOCK_BYTES) return this.#readRange(from, to);
    const isRead = from >= this.#block.from && to <= this.#block.from + this.#block.bytes.length;
    if (!isRead) this.#block = { from, bytes: this.#readRange(from, from + BLOCK_BYTES) };
    return this.#block.bytes.subarray(from - this.#block.from, to - this.#block.from);
  }

  #readRange(from: number, to: number): Buffer {
    const bytes = Buffer.alloc(to - from);
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, bytes.length, from));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
