/**
 * Shows a timeline's folder as it is on disk, even while a daemon writes to it. The view only reads: it opens nothing
 * for writing, and takes no lock. If the folder is being written, the view shows the entries that existed when it was
 * opened. Entries with earlier dates may be added in the meantime; the view shows some of these entries and counts
 * the rest. The view does not need the package lmdb. daemon/timeline/README.md gives
 * the reasons.
 */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { LogMark, MarkName } from "../entries/storage.js";
import { damagedMark, readCheckedMark } from "./checked-mark.js";
import { DATA_FILE, DamagedFile, type FileHead, keyAfter, LmdbFile, type PageDamage } from "./lmdb-file.js";
import type { Slice, StoredEntry } from "./lmdb-reader.js";
import { LOG_KEY, readLogMark } from "./log-record.js";
import { UnmovedOperations } from "./log-to-lmdb.js";
import { checkFolderFormat, processIn } from "./timeline-folder.js";
import { type LogRemains, readLog } from "./write-ahead-log.js";

/** The number of entries that are read in one step, during which no transaction may end. */
const SLICE_MAX = 1024;
const SLICE_BYTES = 1024 * 1024;
/** The maximum attempts to read a log in which groups appear to be missing, because a process may be writing it. */
const READS_MAX = 20;
/** Milliseconds between two attempts. In this time a running daemon moves the log's groups into LMDB. */
const READ_EVERY_MS = 500;

/**
 * Opens a timeline's folder for reading.
 * @param folder     DIR/timeline
 * @param onDamaged  called once for each page that cannot be read
 * @throws ForeignFolder  it has another format
 * @throws DamagedFile  the head of LMDB's file is torn, or a mark is damaged
 * @throws Error        the system's error
 */
export async function openFolderView(
  folder: string,
  onDamaged: (damage: PageDamage) => void,
): Promise<FolderView> {
  checkFolderFormat(folder);
  const file = new LmdbFile(join(folder, DATA_FILE));
  try {
    const tree = new TreeView(file, onDamaged);
    tree.checkMarks();
    return new FolderView(folder, tree, await readLogOfOneMoment(folder, tree));
  } catch (problem) {
    file.close();
    throw problem;
  }
}

/** Returns the groups that are in the log, but not in LMDB, at one moment. */
async function readLogOfOneMoment(folder: string, tree: TreeView): Promise<LogRemains> {
  let before: string | null = null;
  for (let attempt = 1; ; attempt++) {
    const mark = tree.logMark;
    const remains = readLog(folder, mark ?? NO_MARK);
    // Between reading the mark and reading the log, a running daemon may begin to overwrite one of the log's files.
    // Groups then appear to be missing although they are in LMDB.
    const now = `${mark?.sequence} ${remains.lost} ${JSON.stringify(remains.end)}`;
    if (remains.lost === 0 || now === before || attempt === READS_MAX) return remains;
    before = now;
    await wait(READ_EVERY_MS);
  }
}

const NO_MARK: LogMark = { sequence: 0, marker: Buffer.alloc(16) };

export class FolderView {
  /** The process that uses the folder, or null if there is none on this machine. */
  readonly process: number | null;
  readonly log: LogRemains;
  /** The number of the last group that is shown. */
  readonly group: number;
  readonly #tree: TreeView;
  readonly #unmoved = new UnmovedOperations();
  /** The first order key that is not shown, or null if all entries are shown. */
  readonly #end: Buffer | null;
  readonly #transaction: bigint;
  readonly #pruned: Buffer | null;
  #from: Buffer | null = null;
  #shown = 0;

  constructor(folder: string, tree: TreeView, log: LogRemains) {
    this.process = processIn(folder);
    this.log = log;
    this.#tree = tree;
    for (const group of log.groups) this.#unmoved.add(group);
    this.group = log.groups.at(-1)?.sequence ?? tree.logMark?.sequence ?? 0;
    this.#transaction = tree.transaction;

    const last = [tree.last(), this.#unmoved.last()]
      .filter((orderKey) => orderKey !== null)
      .sort(Buffer.compare)
      .at(-1);
    this.#end = last === undefined ? null : keyAfter(last);
    this.#pruned = this.mark("pruned");
  }

  /** Whether anything was written since the view was opened. */
  get hasChanged(): boolean {
    return this.#tree.transaction !== this.#transaction;
  }

  /**
   * Whether entries were removed since the view was opened. The shown entries are then not the state of any single
   * moment.
   */
  get hasForgotten(): boolean {
    const pruned = this.mark("pruned");
    return pruned === null ? this.#pruned !== null : !pruned.equals(this.#pruned ?? Buffer.alloc(0));
  }

  mark(name: MarkName): Buffer | null {
    this.#unmoved.moved(this.#tree.logMark?.sequence ?? 0);
    return this.#unmoved.mark(name) ?? this.#tree.mark(name);
  }

  /** Yields entries like a storage, and counts them. */
  *entries(from: Buffer | null): Generator<readonly [orderKey: Buffer, value: Buffer]> {
    this.#from = from;
    this.#shown = 0;
    for (const { key, value } of this.#all(from, false)) {
      this.#shown++;
      yield [key, value];
    }
  }

  /** Yields the order keys that now exist up to the last shown entry. Not valid once `hasForgotten`. */
  *orderKeys(): Generator<Buffer> {
    for (const { key } of this.#all(null, true)) yield key;
  }

  /**
   * Counts the entries that were added in the meantime before the last shown entry. Not valid once `hasForgotten`.
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
      yield* this.#unmoved.merge(
        slice,
        ({ key }) => key,
        ({ orderKey, value }) => ({ key: orderKey, value }),
      );
      if (slice.to === null || slice.to === this.#end) return;
      start = slice.to;
    }
  }
}

/**
 * The part of the view that is in LMDB. Each read uses the last transaction, and is repeated if another transaction
 * followed in the meantime.
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

  /** The log's mark, or null if there was no log yet or the mark cannot be read. */
  get logMark(): LogMark | null {
    const bytes = this.#mark(LOG_KEY);
    return bytes === null ? null : readLogMark(bytes);
  }

  mark(name: MarkName): Buffer | null {
    return this.#mark(Buffer.from(name));
  }

  /** @throws DamagedFile  a mark is damaged */
  checkMarks(): void {
    const names = this.#consistent((head) =>
      [...this.#nodes(head, "marks", { from: null })].flatMap((found) =>
        found.kind === "damage" ? [] : [Buffer.from(found.key)],
      ),
    );
    for (const name of names) this.#mark(name);
  }

  /** Returns the greatest order key, or null if there is none, or it cannot be read. */
  last(): Buffer | null {
    return this.#consistent((head) => {
      const tree = this.#file.tree(head, "entries");
      return tree === null || "problem" in tree ? null : this.#file.last(head, tree);
    });
  }

  /** Returns entries starting at an order key, up to a bound. */
  slice(from: Buffer | null, to: Buffer | null, isBrief: boolean): Slice<StoredEntry> {
    let max = SLICE_MAX * 2;
    const damages: PageDamage[] = [];

    const slice = this.#consistent((head) => {
      // If a transaction interrupts a read, the next attempt reads half as much, which takes less time.
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

    const value = this.#consistent((head) => {
      damages.length = 0;
      for (const found of this.#nodes(head, "marks", { from: key })) {
        if (found.kind === "damage") damages.push(found.damage);
        else return found.key.equals(key) ? Buffer.from(found.value) : null;
      }
      return null;
    });

    for (const damage of damages) this.#report(damage);
    if (value === null) return null;
    const bytes = readCheckedMark(key, value);
    if (bytes === null) throw new DamagedFile(damagedMark(this.#file.path, key));
    return bytes;
  }

  *#nodes(head: FileHead, name: string, from: Parameters<LmdbFile["nodes"]>[2]) {
    const tree = this.#file.tree(head, name);
    if (tree === null) return;
    if ("problem" in tree) yield { kind: "damage", damage: tree } as const;
    else yield* this.#file.nodes(head, tree, from);
  }

  /** Repeats a read until no transaction ends during it, so that all its data belong to one transaction. */
  #consistent<T>(read: (head: FileHead) => T): T {
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
