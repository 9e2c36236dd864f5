/**
 * A timeline's folder as it is on the disk, or as a daemon goes on writing it: everything is read, nothing is opened
 * for writing, no lock is taken. Of a folder that is being written, the view shows what was there when it was opened;
 * of entries that are added meanwhile and are dated before the last of those, it shows some and counts the remaining
 * ones. Needs no package. Source: docs/decisions/0017-a-folder-is-only-looked-at.md.
 */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { LogMark } from "../entries/operation.js";
import type { MarkName } from "../entries/storage.js";
import { processIn } from "./folder-lock.js";
import { DATA_FILE, keyAfter, LmdbFile, type PageDamage } from "./lmdb-file.js";
import type { FileHead } from "./lmdb-header.js";
import type { Slice, StoredEntry } from "./lmdb-reader.js";
import { LOG_KEY, readLogMark } from "./log-mark.js";
import { Unfiled } from "./unfiled.js";
import { type LogRemains, readLog } from "./write-ahead-log.js";

/** Entries that are read in one go, while no transaction ends. */
const SLICE_MAX = 1024;
const SLICE_BYTES = 1024 * 1024;
/** Reads of a log in which groups seem to be missing, until it is certain that no process is just writing it. */
const LOOKS_MAX = 20;
/** Milliseconds between two: a daemon that runs has put into LMDB meanwhile what the log had. */
const LOOK_EVERY_MS = 500;

/**
 * Opens a timeline's folder for reading.
 * @param folder     DIR/timeline
 * @param onDamaged  called once for each page that cannot be read
 * @throws DamagedFile  LMDB's file is torn at its head
 * @throws Error        the system's
 */
export async function openFolderView(
  folder: string,
  onDamaged: (damage: PageDamage) => void,
): Promise<FolderView> {
  const file = new LmdbFile(join(folder, DATA_FILE));
  try {
    const tree = new TreeView(file, onDamaged);
    return new FolderView(folder, tree, await lookAtLog(folder, tree));
  } catch (problem) {
    file.close();
    throw problem;
  }
}

/** Returns the groups that the log of one moment has in addition to LMDB. */
async function lookAtLog(folder: string, tree: TreeView): Promise<LogRemains> {
  let before: string | null = null;
  for (let look = 1; ; look++) {
    const mark = tree.logMark;
    const remains = readLog(folder, mark ?? NO_MARK);
    // Between the reads of a log that is being written its files may have been started over: then groups only seem to
    // be missing.
    const now = `${mark?.sequence} ${remains.lost} ${JSON.stringify(remains.end)}`;
    if (remains.lost === 0 || now === before || look === LOOKS_MAX) return remains;
    before = now;
    await wait(LOOK_EVERY_MS);
  }
}

const NO_MARK: LogMark = { sequence: 0, marker: Buffer.alloc(16) };

export class FolderView {
  /** The process that has the folder; null: none on this machine. */
  readonly process: number | null;
  readonly log: LogRemains;
  /** Number of the last group that it shows. */
  readonly group: number;
  readonly #tree: TreeView;
  readonly #unfiled = new Unfiled();
  /** The first place after those that it shows; null: it shows everything. */
  readonly #end: Buffer | null;
  readonly #transaction: bigint;
  readonly #pruned: Buffer | null;
  #from: Buffer | null = null;
  #shown = 0;

  constructor(folder: string, tree: TreeView, log: LogRemains) {
    this.process = processIn(folder);
    this.log = log;
    this.#tree = tree;
    for (const group of log.groups) this.#unfiled.add(group);
    this.group = log.groups.at(-1)?.sequence ?? tree.logMark?.sequence ?? 0;
    this.#transaction = tree.transaction;
    const last = [tree.last(), this.#unfiled.last()]
      .filter((place) => place !== null)
      .sort(Buffer.compare)
      .at(-1);
    this.#end = last === undefined ? null : keyAfter(last);
    this.#pruned = this.mark("pruned");
  }

  /** Whether something was written since it was opened. */
  get hasChanged(): boolean {
    return this.#tree.transaction !== this.#transaction;
  }

  /** Whether entries were removed since it was opened: then what was shown is not the state of any one moment. */
  get hasForgotten(): boolean {
    const pruned = this.mark("pruned");
    return pruned === null ? this.#pruned !== null : !pruned.equals(this.#pruned ?? Buffer.alloc(0));
  }

  mark(name: MarkName): Buffer | null {
    this.#unfiled.filed(this.#tree.logMark?.sequence ?? 0);
    return this.#unfiled.mark(name) ?? this.#tree.mark(name);
  }

  /** Yields entries as a storage does, and counts those that it shows. */
  *entries(from: Buffer | null): Generator<readonly [place: Buffer, value: Buffer]> {
    this.#from = from;
    this.#shown = 0;
    for (const { key, value } of this.#all(from, false)) {
      this.#shown++;
      yield [key, value];
    }
  }

  /** The places of all that is there by now up to the last that it shows. Not once it has forgotten. */
  *places(): Generator<Buffer> {
    for (const { key } of this.#all(null, true)) yield key;
  }

  /**
   * Counts the entries that were added meanwhile, before the last one that was shown. Not valid once `hasForgotten`.
   */
  countMissed(): number {
    if (!this.hasChanged) return 0;
    let count = 0;
    for (const _ of this.#all(this.#from, true)) count++;
    return Math.max(0, count - this.#shown);
  }

  close(): void {
    this.#tree.close();
  }

  *#all(from: Buffer | null, isBrief: boolean): Generator<StoredEntry> {
    for (let start = from; ; ) {
      const slice = this.#tree.slice(start, this.#end, isBrief);
      yield* this.#unfiled.merge(
        slice,
        ({ key }) => key,
        ({ place, value }) => ({ key: place, value }),
      );
      if (slice.to === null || slice.to === this.#end) return;
      start = slice.to;
    }
  }
}

/**
 * The part of the view that is in LMDB. Each read is of the last transaction, and is repeated if another transaction
 * followed meanwhile.
 */
class TreeView {
  readonly #file: LmdbFile;
  readonly #onDamaged: (damage: PageDamage) => void;
  readonly #reported = new Set<number>();

  constructor(file: LmdbFile, onDamaged: (damage: PageDamage) => void) {
    this.#file = file;
    this.#onDamaged = onDamaged;
  }

  get transaction(): bigint {
    return this.#file.head().transaction;
  }

  /** null: there was no log yet, or it cannot be read. */
  get logMark(): LogMark | null {
    const bytes = this.#mark(LOG_KEY);
    return bytes === null ? null : readLogMark(bytes);
  }

  mark(name: MarkName): Buffer | null {
    return this.#mark(Buffer.from(name));
  }

  /** Returns the greatest place; null: there is none, or it cannot be read. */
  last(): Buffer | null {
    return this.#whole((head) => {
      const tree = this.#file.tree(head, "entries");
      return tree === null || "problem" in tree ? null : this.#file.last(head, tree);
    });
  }

  /** Returns entries from a place on, up to some bound. */
  slice(from: Buffer | null, to: Buffer | null, isBrief: boolean): Slice<StoredEntry> {
    let max = SLICE_MAX * 2;
    const damages: PageDamage[] = [];
    const slice = this.#whole((head) => {
      // A shorter one is done sooner.
      max = Math.max(1, max >> 1);
      damages.length = 0;
      const items: StoredEntry[] = [];
      let bytes = 0;
      for (const found of this.#nodes(head, "entries", { from, isBrief })) {
        const last = items.at(-1);
        if (last !== undefined && (items.length >= max || bytes >= SLICE_BYTES))
          return { from, to: keyAfter(last.key), items };
        if (found.kind === "damage") damages.push(found.damage);
        else if (to !== null && found.key.compare(to) >= 0) break;
        else {
          items.push({ key: found.key, value: found.value });
          bytes += found.value.length;
        }
      }
      return { from, to, items };
    });
    for (const damage of damages) this.#report(damage);
    return slice;
  }

  close(): void {
    this.#file.close();
  }

  #mark(key: Buffer): Buffer | null {
    const damages: PageDamage[] = [];
    const value = this.#whole((head) => {
      damages.length = 0;
      for (const found of this.#nodes(head, "marks", { from: key })) {
        if (found.kind === "damage") damages.push(found.damage);
        else return found.key.equals(key) ? Buffer.from(found.value) : null;
      }
      return null;
    });
    for (const damage of damages) this.#report(damage);
    return value;
  }

  *#nodes(head: FileHead, name: string, from: Parameters<LmdbFile["nodes"]>[2]) {
    const tree = this.#file.tree(head, name);
    if (tree === null) return;
    if ("problem" in tree) yield { kind: "damage", damage: tree } as const;
    else yield* this.#file.nodes(head, tree, from);
  }

  /** Repeats a read until no transaction ends during it: then all of it is of one transaction. */
  #whole<T>(read: (head: FileHead) => T): T {
    for (;;) {
      const head = this.#file.head();
      const found = read(head);
      if (this.transaction === head.transaction) return found;
    }
  }

  #report(damage: PageDamage): void {
    if (this.#reported.has(damage.page)) return;
    this.#reported.add(damage.page);
    this.#onDamaged(damage);
  }
}
