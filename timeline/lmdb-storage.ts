/**
 * A timeline on disk: one LMDB environment in DIR/timeline, with the databases "entries" and "marks". Writes that come
 * while a transaction is on its way go together into the next one, so one sync serves all that wait. The map grows by
 * itself with the file. Needs the package lmdb: load this module only on use.
 */
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { lockFolder } from "./folder-lock.js";
import { BINARY, entriesOf, placesOf, timelineFolder } from "./lmdb-reader.js";
import type { Mark, MarkName, Storage } from "./storage.js";

/**
 * When what was put is flushed: "always": on the disk; interval: handed to the system, on the disk so many milliseconds
 * later at most; "never": handed to the system. A killed process loses nothing of what was handed to the system; a power
 * failure may, and may leave a folder that has to be thrown away, as LMDB's pages reach the disk in any order then.
 */
export type Fsync = "always" | "never" | { readonly interval: number };

/** The disk did not take something: from then on nothing is written, and nothing acknowledged. */
export class StorageFailure extends Error {
  override readonly name = "StorageFailure";
}

type Operation =
  | { readonly kind: "put"; readonly place: Buffer; readonly value: Buffer }
  | { readonly kind: "remove"; readonly place: Buffer }
  | { readonly kind: "mark"; readonly name: Buffer; readonly value: Buffer };

/** The promise of a transaction to come. */
interface Waiting {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (failure: Error) => void;
}

const FOLDER_MODE = 0o700;
const DATA_FILE = "data.mdb";

export class LmdbStorage implements Storage {
  readonly isDurable = true;
  readonly #folder: string;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #entries: Database<Buffer, Buffer>;
  readonly #marks: Database<Buffer, Buffer>;
  readonly #fsync: Fsync;
  readonly #unlock: () => void;
  #operations: Operation[] = [];
  /** Of what is in `#operations`. */
  #next: Waiting | null = null;
  /** Of what is on its way. */
  #current: Waiting | null = null;
  #failure: StorageFailure | null = null;
  /** Set before the failure is known in words. */
  #isBroken = false;
  #timer: NodeJS.Timeout | null = null;
  /** Whether something was written since the last sync began. */
  #isUnsynced = false;
  #syncing: Promise<void> | null = null;
  /** Of those that wait for the sync after that. */
  #nextSync: Waiting | null = null;

  /**
   * @param data  the data folder; "timeline" below it is made if it is not there
   * @throws FolderInUse  another process has it
   */
  constructor(data: string, fsync: Fsync) {
    this.#folder = timelineFolder(data);
    this.#fsync = fsync;
    mkdirSync(this.#folder, { recursive: true, mode: FOLDER_MODE });
    this.#unlock = lockFolder(this.#folder);
    try {
      this.#root = open<Buffer, Buffer>({
        path: this.#folder,
        noSubdir: false,
        noSync: fsync !== "always",
        // The default resolves before the sync, and tells of its failure only on the console.
        overlappingSync: false,
        // The default makes a promise for itself, which nobody can catch when the disk is full.
        eventTurnBatching: false,
        maxDbs: 4,
        ...BINARY,
      });
      this.#entries = this.#root.openDB("entries", BINARY);
      this.#marks = this.#root.openDB("marks", BINARY);
    } catch (problem) {
      this.#unlock();
      throw problem;
    }
    if (typeof fsync === "object") {
      this.#timer = setInterval(() => this.#syncOnTime(), fsync.interval);
      this.#timer.unref();
    }
  }

  get bytes(): number {
    return statSync(join(this.#folder, DATA_FILE)).size;
  }

  put(entries: readonly (readonly [place: Buffer, value: Buffer])[], marks: readonly Mark[] = []): void {
    const operations: Operation[] = [];
    for (const [place, value] of entries) operations.push({ kind: "put", place, value });
    for (const [name, value] of marks) operations.push({ kind: "mark", name: Buffer.from(name), value });
    this.#enqueue(operations);
  }

  remove(places: readonly Buffer[]): void {
    this.#enqueue(places.map((place) => ({ kind: "remove", place })));
  }

  flushed(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return (this.#next ?? this.#current)?.promise ?? Promise.resolve();
  }

  async synced(): Promise<void> {
    await this.flushed();
    if (typeof this.#fsync !== "object") return;
    if (this.#isUnsynced) {
      this.#nextSync ??= newWaiting();
      this.#timer?.ref();
      await this.#nextSync.promise;
    } else await this.#syncing;
  }

  get(place: Buffer): Buffer | null {
    return this.#entries.get(place) ?? null;
  }

  places(from: Buffer | null, to: Buffer | null): Iterable<Buffer> {
    return placesOf(this.#entries, from, to);
  }

  entries(from: Buffer | null, to: Buffer | null): Iterable<readonly [place: Buffer, value: Buffer]> {
    return entriesOf(this.#entries, from, to);
  }

  last(): Buffer | null {
    for (const place of this.#entries.getKeys({ reverse: true, limit: 1 })) return place;
    return null;
  }

  mark(name: MarkName): Buffer | null {
    return this.#marks.get(Buffer.from(name)) ?? null;
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.flushed().catch(() => {});
    await this.#syncing?.catch(() => {});
    if (this.#isUnsynced && this.#fsync !== "always") this.#syncOnTime();
    await this.#syncing?.catch(() => {});
    await this.#root.close();
    this.#unlock();
  }

  /** Brings everything that the system has to the disk. @param done  told of what went wrong, if anything did */
  protected sync(done: (problem: unknown) => void): void {
    (this.#root as unknown as Syncable).sync(done);
  }

  #enqueue(operations: readonly Operation[]): void {
    if (this.#isBroken || operations.length === 0) return;
    for (const operation of operations) this.#operations.push(operation);
    if (this.#next !== null) return;
    this.#next = newWaiting();
    if (this.#current === null) setImmediate(() => this.#write());
  }

  /** Everything that waits, in one transaction. */
  #write(): void {
    const waiting = this.#next;
    if (waiting === null || this.#isBroken) return;
    const operations = this.#operations;
    this.#operations = [];
    this.#next = null;
    this.#current = waiting;
    this.#transact(operations).then(
      () => {
        // A sync has failed meanwhile: what that means for this one is told there.
        if (this.#isBroken) return;
        this.#current = null;
        this.#isUnsynced = true;
        waiting.resolve();
        this.#write();
      },
      (problem: unknown) => void this.#fail(problem, waiting),
    );
  }

  #transact(operations: readonly Operation[]): Promise<unknown> {
    try {
      const [only] = operations;
      // A single one is a transaction by itself, without what holds several together: a fifth less work.
      if (only !== undefined && operations.length === 1) return this.#carryOut(only);
      return this.#root.batch(() => {
        for (const operation of operations) this.#carryOut(operation);
      });
    } catch (problem) {
      return Promise.reject(problem);
    }
  }

  #carryOut(operation: Operation): Promise<unknown> {
    if (operation.kind === "put") return this.#entries.put(operation.place, operation.value);
    if (operation.kind === "remove") return this.#entries.remove(operation.place);
    return this.#marks.put(operation.name, operation.value);
  }

  #syncOnTime(): void {
    // After a failed sync another one may say that all is well.
    if (this.#isBroken || !this.#isUnsynced || this.#syncing !== null) return;
    const waiting = this.#nextSync;
    this.#nextSync = null;
    this.#timer?.unref();
    this.#isUnsynced = false;
    this.#syncing = new Promise<void>((resolve, reject) => {
      this.sync((problem) => {
        this.#syncing = null;
        if (problem == null) resolve();
        else this.#fail(problem, null).then(() => reject(this.#failure as StorageFailure));
      });
    });
    this.#syncing.then(
      () => waiting?.resolve(),
      (problem: Error) => waiting?.reject(problem),
    );
  }

  async #fail(problem: unknown, waiting: Waiting | null): Promise<void> {
    this.#isBroken = true;
    const cause = await causeOf(problem);
    this.#failure ??= new StorageFailure(
      `the timeline in ${this.#folder} cannot be written any more (${cause}): nothing is acknowledged until a restart`,
      { cause: problem },
    );
    this.#operations = [];
    waiting?.reject(this.#failure);
    this.#current?.reject(this.#failure);
    this.#next?.reject(this.#failure);
    this.#nextSync?.reject(this.#failure);
    this.#next = null;
    this.#nextSync = null;
    this.#current = null;
  }
}

/** A method of lmdb's that its types leave out. */
interface Syncable {
  sync(done: (problem: unknown) => void): void;
}

function newWaiting(): Waiting {
  let resolve = () => {};
  let reject: (failure: Error) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Nobody needs to ask for it.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** LMDB's own words. Its rejection holds a promise that is rejected in its turn with the reason. */
async function causeOf(problem: unknown): Promise<string> {
  let reason = problem;
  try {
    if (problem instanceof Error && "commitError" in problem) await problem.commitError;
  } catch (inner) {
    reason = inner;
  }
  return reason instanceof Error ? reason.message : String(reason);
}
