/**
 * A simulated disk, and the timeline's storage on it. Data is safe only after a sync. A crash keeps a prefix of the
 * remaining writes, each complete or not at all. Bytes rot, and the disk can be full or slow.
 */

import type { DeadLetterToStore } from "../../daemon/timeline/dead-letters.js";
import { firstOrderKeyBytes } from "../../daemon/timeline/entries/entry.js";
import type { Mark, MarkName, Storage } from "../../daemon/timeline/entries/storage.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { bytesOf } from "../../protocol/byte-string.js";
import type { SeededRandom } from "../support/seeded-random.js";
import type { Processor, Scheduler } from "./scheduler.js";

/** The points of a disk operation at which a run may crash the daemon. */
export type DiskMoment = "before put" | "after put" | "before sync" | "after sync";

/** The units that are dead letters, by the order keys of their entries; null: all units of the entry. */
export type SimulatedLetters = ReadonlyMap<ByteString, DeadLetterToStore["units"]>;

/** The data that a member's snapshot has replaced, as it was put aside. */
export interface KeptAside {
  /** Values by order key. */
  readonly entries: ReadonlyMap<ByteString, Buffer>;
  /** Dates of the snapshots. */
  readonly snapshots: ReadonlySet<number>;
}

/** The contents of a disk, which survive the processes that use it. */
export class Disk {
  /** Values by order key. */
  readonly entries = new Map<ByteString, Buffer>();
  readonly marks = new Map<MarkName, Buffer>();
  /** Chunks by the date of the cut. */
  readonly snapshots = new Map<number, readonly Buffer[]>();
  /** The order keys of the entries in each snapshot, by the date of its cut. */
  readonly contents = new Map<number, ReadonlySet<ByteString>>();
  /** Functions that restore a snapshot that a member's snapshot is about to replace, by date. */
  readonly replaced = new Map<number, () => void>();
  /** Data that was put aside, until an operator removes it. */
  readonly asides: KeptAside[] = [];
  /** Undecided dead letters, by file name. */
  readonly undecided = new Map<string, SimulatedLetters>();
  /** Dead letters, until an operator removes them. */
  readonly deadLetters = new Map<ByteString, DeadLetterToStore["units"]>();
  /** The date up to which the daemon has left void writes to the members that reported before it. */
  voidsFrom = Number.POSITIVE_INFINITY;
  /** The order keys that must be among the dead letters, unless the entry is still here. */
  readonly requiredDeadLetters = new Set<ByteString>();
  /** Whether one of the snapshots came from a member. */
  hasAcceptedSnapshot = false;
  /** Whether the daemon has reported that entries outside a member's snapshot are gone. */
  hasReportedOrphans = false;
  /** Hexadecimal ids of entries that the process has reported as possibly removed. */
  readonly reportedPossible = new Set<string>();
  isFull = false;
  /** Minimum and maximum duration of a sync, in milliseconds. */
  syncMs: readonly [number, number] = [0.2, 4];
  /** The order keys of values that have rotted since they were written. */
  readonly rotten = new Set<ByteString>();
  /** Hexadecimal ids of entries that the daemon has reported as damaged. */
  readonly reportedRotten = new Set<string>();
  /** The order keys of entries that were removed because they had rotted, and must be received again. */
  readonly missed = new Set<ByteString>();
  /**
   * For each entry that was ever on the disk, the numbers of the data folders that have contained it, by order key.
   */
  readonly kept = new Map<ByteString, Set<number>>();
  /** Changes that the operating system has received but not yet written to the disk, oldest first. */
  readonly unsynced: Change[] = [];
  #folder = 0;
  #sorted: ByteString[] | null = [];

  set(orderKey: ByteString, value: Buffer): void {
    if (!this.entries.has(orderKey)) this.#sorted = null;
    this.entries.set(orderKey, value);
    this.missed.delete(orderKey);
    const folders = this.kept.get(orderKey) ?? new Set();
    this.kept.set(orderKey, folders.add(this.#folder));
    this.rotten.delete(orderKey);
  }

  delete(orderKey: ByteString): void {
    if (this.entries.delete(orderKey)) this.#sorted = null;
    if (this.rotten.delete(orderKey)) this.missed.add(orderKey);
  }

  /** Returns all order keys in order. */
  orderKeys(): readonly ByteString[] {
    this.#sorted ??= [...this.entries.keys()].sort();
    return this.#sorted;
  }

  /** Returns the order keys of all entries that make up the state, in order. Forgotten entries are in a snapshot. */
  held(): readonly ByteString[] {
    const { forgotten, end } = this.#base;
    return [...[...forgotten].sort(), ...this.orderKeys().filter((orderKey) => orderKey >= end)];
  }

  /** Returns the order keys of entries that are only in the snapshot, in no particular order. */
  forgotten(): readonly ByteString[] {
    return [...this.#base.forgotten];
  }

  /** The first order key that is not forgotten. */
  get keepsFrom(): ByteString {
    return this.#base.end;
  }

  /** Whether an entry is part of the state and has not rotted. */
  holds(orderKey: ByteString): boolean {
    const { forgotten, end } = this.#base;
    return orderKey < end
      ? forgotten.has(orderKey)
      : this.entries.has(orderKey) && !this.rotten.has(orderKey);
  }

  get #base(): { readonly forgotten: ReadonlySet<ByteString>; readonly end: ByteString } {
    const pruned = this.marks.get("pruned");
    const date = pruned === undefined ? -1 : Number(pruned.toString());
    return { forgotten: this.contents.get(date) ?? new Set(), end: bytesOf(firstOrderKeyBytes(date + 1)) };
  }

  /** Flips a bit of an entry. */
  rot(orderKey: ByteString, random: SeededRandom): void {
    const value = Buffer.from(this.entries.get(orderKey) as Buffer);
    const byte = random.below(value.length);
    value[byte] = (value[byte] as number) ^ (1 << random.below(8));
    this.entries.set(orderKey, value);
    this.rotten.add(orderKey);
  }

  /**
   * Stops the machine: the operating system's last changes never reach the disk.
   * @returns the order keys that were lost
   */
  losePower(random: SeededRandom): ByteString[] {
    const before = [...this.entries.keys()];
    for (let left = random.below(this.unsynced.length + 1); left > 0; left--) this.unsynced.pop()?.revert();
    this.unsynced.length = 0;
    return before.filter((orderKey) => !this.entries.has(orderKey));
  }

  /** Returns a function that restores the present value of an order key. */
  restoring(orderKey: ByteString): () => void {
    const value = this.entries.get(orderKey);
    const isRotten = this.rotten.has(orderKey);
    return () => {
      if (value === undefined) this.delete(orderKey);
      else this.set(orderKey, value);
      if (isRotten) this.rotten.add(orderKey);
    };
  }

  restoringMark(name: MarkName): () => void {
    const value = this.marks.get(name);
    return () => {
      if (value === undefined) this.marks.delete(name);
      else this.marks.set(name, value);
    };
  }

  wipe(): void {
    this.#folder++;
    this.voidsFrom = Number.POSITIVE_INFINITY;
    this.unsynced.length = 0;
    this.entries.clear();
    this.marks.clear();
    this.snapshots.clear();
    this.contents.clear();
    this.replaced.clear();
    this.asides.length = 0;
    for (const deadLetters of [this.undecided, this.deadLetters, this.requiredDeadLetters])
      deadLetters.clear();
    this.hasAcceptedSnapshot = this.hasReportedOrphans = false;
    this.rotten.clear();
    this.reportedRotten.clear();
    this.reportedPossible.clear();
    this.missed.clear();
    this.#sorted = [];
  }
}

interface Change {
  readonly orderKeys: readonly ByteString[];
  readonly revert: () => void;
}

interface Operation {
  readonly entries: readonly (readonly [orderKey: ByteString, value: Buffer])[];
  readonly marks: readonly Mark[];
  readonly removed: readonly ByteString[];
}

interface Waiter {
  /** The number of operations that must be safe before the promise resolves. */
  readonly count: number;
  /** Whether the operations must be on the disk, and not only in the memory of the operating system. */
  readonly isSync: boolean;
  readonly resolve: () => void;
  readonly reject: (problem: Error) => void;
}

export interface StorageParts {
  readonly disk: Disk;
  readonly scheduler: Scheduler;
  readonly processor: Processor;
  readonly random: SeededRandom;
  /** Milliseconds between two syncs, or 0 if each flush is a sync. */
  readonly syncEveryMs: number;
  /** Called at each point of a disk operation. It may stop the process, which then has no further effect. */
  readonly at: (moment: DiskMoment) => void;
  readonly isAlive: () => boolean;
  /** Whether the daemon has a data folder. Without one, the host deletes the disk's contents with the process. */
  readonly isDurable: boolean;
  /** Called when an entry has been removed. @param wasSound  whether it was not rotten */
  readonly removed: (orderKey: ByteString, wasSound: boolean) => void;
  /** Called when entries that were flushed, but not synced, were lost. */
  readonly vanished: (orderKeys: readonly ByteString[]) => void;
}

/** Milliseconds until a sync for which no caller waits. */
const LAZY_SYNC_MS = 40;

/** The storage of one process. The next process starts with the content of the disk. */
export class SimulatedStorage implements Storage {
  readonly isDurable: boolean;
  readonly lostGroups = 0;
  readonly mayHaveForgotten = false;
  readonly isSafe: boolean;
  readonly #parts: StorageParts;
  readonly #queue: Operation[] = [];
  #waiters: Waiter[] = [];
  #putCount = 0;
  #safeCount = 0;
  #syncedCount = 0;
  #isSyncing = false;
  #isLazy = false;
  #failure: Error | null = null;

  constructor(parts: StorageParts) {
    this.#parts = parts;
    // A process that opens the disk syncs it first.
    parts.disk.unsynced.length = 0;
    this.isDurable = parts.isDurable;
    this.isSafe = parts.syncEveryMs === 0;
    if (parts.syncEveryMs > 0) this.#syncLater();
  }

  get bytes(): number {
    let bytes = 0;
    for (const value of this.#parts.disk.entries.values()) bytes += value.length;
    return bytes;
  }

  /** Whether the daemon has folded entries that have not reached the disk yet. */
  get isBusy(): boolean {
    return this.#queue.some(({ entries }) => entries.length > 0);
  }

  put(entries: readonly (readonly [orderKey: Buffer, value: Buffer])[], marks: readonly Mark[] = []): void {
    const copied = entries.map(([orderKey, value]) => [bytesOf(orderKey), Buffer.from(value)] as const);
    this.#add({ entries: copied, marks: copiesOf(marks), removed: [] });
  }

  remove(orderKeys: readonly Buffer[], marks: readonly Mark[] = []): void {
    this.#add({
      entries: [],
      marks: copiesOf(marks),
      removed: orderKeys.map((orderKey) => bytesOf(orderKey)),
    });
  }

  /** Flushes in every second call, so that runs cover both paths. */
  flushNow(): boolean {
    const { disk, at, isAlive } = this.#parts;
    if (this.#failure !== null || this.#isSyncing || disk.isFull || this.#putCount % 2 === 0) return false;
    at("before sync");
    if (!isAlive()) return false;
    for (const operation of this.#queue.splice(0)) this.#carryOut(operation);
    this.#safeCount = this.#putCount;
    at("after sync");
    return isAlive();
  }

  flushed(): Promise<void> {
    return this.#wait(this.#safeCount, false);
  }

  synced(): Promise<void> {
    const isInterval = this.#parts.syncEveryMs > 0;
    return this.#wait(isInterval ? this.#syncedCount : this.#safeCount, isInterval);
  }

  settled(): Promise<void> {
    return this.flushed();
  }

  #wait(reached: number, isSync: boolean): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (reached === this.#putCount) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ count: this.#putCount, isSync, resolve, reject });
      this.#sync();
    });
  }

  get(orderKey: Buffer): Buffer | null {
    return this.#parts.disk.entries.get(bytesOf(orderKey)) ?? null;
  }

  last(): Buffer | null {
    const last = [...this.orderKeys(null, null)].at(-1);
    return last ?? null;
  }

  *orderKeys(from: Buffer | null, to: Buffer | null): Iterable<Buffer> {
    for (const [orderKey] of this.entries(from, to)) yield orderKey;
  }

  *entries(from: Buffer | null, to: Buffer | null): Iterable<readonly [orderKey: Buffer, value: Buffer]> {
    const [first, end] = [from === null ? null : bytesOf(from), to === null ? null : bytesOf(to)];
    for (const orderKey of this.#parts.disk.orderKeys()) {
      if (first !== null && orderKey < first) continue;
      if (end !== null && orderKey >= end) return;
      yield [Buffer.from(orderKey, "latin1"), this.#parts.disk.entries.get(orderKey) as Buffer];
    }
  }

  mark(name: MarkName): Buffer | null {
    return this.#parts.disk.marks.get(name) ?? null;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Ends the process: a prefix of the unsynced changes reaches the disk.
   * @param isMachine  whether the complete machine crashes
   */
  crash(isMachine: boolean): void {
    const { random, disk } = this.#parts;
    const kept = random.chance(0.5) ? 0 : random.below(this.#queue.length + 1);
    if (!disk.isFull) for (const operation of this.#queue.slice(0, kept)) this.#carryOut(operation);
    this.#queue.length = 0;
    this.#waiters = [];
    if (isMachine) this.#parts.vanished(disk.losePower(random));
  }

  #add(operation: Operation): void {
    const { at, isAlive, scheduler } = this.#parts;
    if (!isAlive() || this.#failure !== null) return;
    at("before put");
    if (!isAlive()) return;
    this.#queue.push(operation);
    this.#putCount++;
    at("after put");
    if (this.#isLazy) return;
    this.#isLazy = true;
    scheduler.after(LAZY_SYNC_MS, null, () => {
      this.#isLazy = false;
      this.#sync();
    });
  }

  #sync(): void {
    if (this.#isSyncing || this.#queue.length === 0 || !this.#parts.isAlive()) return;
    this.#isSyncing = true;
    const count = this.#putCount;
    const { disk, random, scheduler } = this.#parts;
    const [minimum, maximum] = disk.syncMs;
    scheduler.after(minimum + ((maximum - minimum) * random.below(1000)) / 1000, null, () =>
      this.#finish(count),
    );
  }

  #finish(count: number): void {
    const { disk, at, isAlive } = this.#parts;
    if (!isAlive()) return;
    at("before sync");
    if (!isAlive()) return;

    this.#isSyncing = false;
    if (disk.isFull) {
      this.#fail(new Error("ENOSPC: no space left on device"));
      return;
    }
    for (const operation of this.#queue.splice(0, count - this.#safeCount)) this.#carryOut(operation);
    this.#safeCount = count;

    at("after sync");
    if (!isAlive()) return;
    this.#release(({ isSync }) => !isSync, count);
    // The operations that were added in the meantime are written, too, if a promise waits for them.
    if (this.#waiters.some(({ count: wanted }) => wanted > count)) this.#sync();
  }

  #release(matches: (waiter: Waiter) => boolean, count: number): void {
    const due = this.#waiters.filter((waiter) => matches(waiter) && waiter.count <= count);
    if (due.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter));
    this.#notify(() => {
      for (const { resolve } of due) resolve();
    });
  }

  #syncLater(): void {
    const { scheduler, disk, isAlive, syncEveryMs } = this.#parts;
    scheduler.after(syncEveryMs, null, () => {
      if (!isAlive() || this.#failure !== null) return;
      disk.unsynced.length = 0;
      this.#syncedCount = this.#safeCount;
      this.#release(({ isSync }) => isSync, this.#syncedCount);
      this.#syncLater();
    });
  }

  #fail(problem: Error): void {
    this.#failure = problem;
    const waiters = this.#waiters.splice(0);
    this.#notify(() => {
      for (const { reject } of waiters) reject(problem);
    });
  }

  /** Notifies the process when it runs next. */
  #notify(run: () => void): void {
    const { scheduler, processor, isAlive } = this.#parts;
    scheduler.after(0, processor, () => {
      scheduler.settles = true;
      if (isAlive()) run();
    });
  }

  #carryOut({ entries, marks, removed }: Operation): void {
    const { disk, syncEveryMs, removed: reportRemoved } = this.#parts;
    if (syncEveryMs > 0) {
      const orderKeys = [...entries.map(([orderKey]) => orderKey), ...removed];
      const steps = [
        ...orderKeys.map((orderKey) => disk.restoring(orderKey)),
        ...marks.map(([name]) => disk.restoringMark(name)),
      ];
      disk.unsynced.push({
        orderKeys,
        revert: () => {
          for (const restore of steps) restore();
        },
      });
    }

    for (const [orderKey, value] of entries) disk.set(orderKey, value);
    for (const [name, value] of marks) disk.marks.set(name, value);
    for (const orderKey of removed) {
      const exists = disk.entries.has(orderKey);
      const wasSound = exists && !disk.rotten.has(orderKey);
      disk.delete(orderKey);
      if (exists) reportRemoved(orderKey, wasSound);
    }
  }
}

const copiesOf = (marks: readonly Mark[]): Mark[] => marks.map(([name, value]) => [name, Buffer.from(value)]);
