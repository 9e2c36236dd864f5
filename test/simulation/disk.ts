/**
 * A simulated disk and the timeline's storage on it. What was put is safe only after a sync; a crash keeps a prefix of the
 * rest, each put whole or not at all; bytes rot; the disk can be full, or slow.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import { bytesOf } from "../../protocol/byte-string.js";
import { firstPlaceAt } from "../../timeline/entries/entry.js";
import type { Mark, MarkName, Storage } from "../../timeline/entries/storage.js";
import type { SeededRandom } from "../support/seeded-random.js";
import type { Processor, Scheduler } from "./scheduler.js";

/** What happens on a disk, for whoever wants to crash a daemon just there. */
export type DiskMoment = "before put" | "after put" | "before sync" | "after sync";

/** What a member's snapshot has taken the place of, as it was kept. */
export interface KeptAside {
  /** By place. */
  readonly entries: ReadonlyMap<ByteString, Buffer>;
  /** Dates of the snapshots. */
  readonly snapshots: ReadonlySet<number>;
}

/** What survives the processes that use it. */
export class Disk {
  /** By place. */
  readonly entries = new Map<ByteString, Buffer>();
  readonly marks = new Map<MarkName, Buffer>();
  /** By the date of their cut. */
  readonly snapshots = new Map<number, readonly Buffer[]>();
  /** By the same: places of the entries that each is made of. */
  readonly contents = new Map<number, ReadonlySet<ByteString>>();
  /** How those come back that a member's is about to take the place of, by their date. */
  readonly replaced = new Map<number, () => void>();
  /** Until an operator removes it. */
  readonly asides: KeptAside[] = [];
  /** Places of entries that were kept as dead letters: by the file's name while it is undecided. */
  readonly undecided = new Map<string, ReadonlySet<ByteString>>();
  /** Until an operator removes them. */
  readonly letters = new Set<ByteString>();
  /** Places of what has to be among them, unless it is still here. */
  readonly owedLetters = new Set<ByteString>();
  /** Whether one of them was a member's. */
  hasTaken = false;
  /** Whether it was said that what a member's is not made of is gone. */
  hasToldStrays = false;
  /** Entries of which its process has said that it does not know whether they are gone. Hexadecimal ids. */
  readonly toldPossible = new Set<string>();
  isFull = false;
  /** Milliseconds that a sync takes, at least and at most. */
  syncMs: readonly [number, number] = [0.2, 4];
  /** Places whose values have rotted since they were written. */
  readonly rotten = new Set<ByteString>();
  /** Hexadecimal ids of entries of which it was said that they are damaged. */
  readonly toldRotten = new Set<string>();
  /** Places of entries that were removed because they had rotted, and are to be given anew. */
  readonly missed = new Set<ByteString>();
  /** Of everything that was ever on it: in which of its data folders, one after the other. */
  readonly kept = new Map<ByteString, Set<number>>();
  /** Changes that the system has, and the disk has not, oldest first. */
  readonly unsynced: Change[] = [];
  #folder = 0;
  #sorted: ByteString[] | null = [];

  set(place: ByteString, value: Buffer): void {
    if (!this.entries.has(place)) this.#sorted = null;
    this.entries.set(place, value);
    this.missed.delete(place);
    const folders = this.kept.get(place) ?? new Set();
    this.kept.set(place, folders.add(this.#folder));
    this.rotten.delete(place);
  }

  delete(place: ByteString): void {
    if (this.entries.delete(place)) this.#sorted = null;
    if (this.rotten.delete(place)) this.missed.add(place);
  }

  /** In their order. */
  places(): readonly ByteString[] {
    this.#sorted ??= [...this.entries.keys()].sort();
    return this.#sorted;
  }

  /** Places of all that the state is made of, in their order: what is forgotten is in a snapshot. */
  held(): readonly ByteString[] {
    const { forgotten, end } = this.#base;
    return [...[...forgotten].sort(), ...this.places().filter((place) => place >= end)];
  }

  /** Places of what is in the snapshot only, in no order. */
  forgotten(): readonly ByteString[] {
    return [...this.#base.forgotten];
  }

  /** The first place that is not forgotten. */
  get keepsFrom(): ByteString {
    return this.#base.end;
  }

  /** Whether the state is made of an entry, which has not rotted. */
  holds(place: ByteString): boolean {
    const { forgotten, end } = this.#base;
    return place < end ? forgotten.has(place) : this.entries.has(place) && !this.rotten.has(place);
  }

  get #base(): { readonly forgotten: ReadonlySet<ByteString>; readonly end: ByteString } {
    const pruned = this.marks.get("pruned");
    const date = pruned === undefined ? -1 : Number(pruned.toString());
    return { forgotten: this.contents.get(date) ?? new Set(), end: bytesOf(firstPlaceAt(date + 1)) };
  }

  /** Flips a bit of an entry. */
  rot(place: ByteString, random: SeededRandom): void {
    const value = Buffer.from(this.entries.get(place) as Buffer);
    const byte = random.below(value.length);
    value[byte] = (value[byte] as number) ^ (1 << random.below(8));
    this.entries.set(place, value);
    this.rotten.add(place);
  }

  /** The machine stops: the system's last changes never reach the disk. @returns places that are gone */
  losePower(random: SeededRandom): ByteString[] {
    const before = [...this.entries.keys()];
    for (let left = random.below(this.unsynced.length + 1); left > 0; left--) this.unsynced.pop()?.takeBack();
    this.unsynced.length = 0;
    return before.filter((place) => !this.entries.has(place));
  }

  /** What makes a place what it is now. */
  restoring(place: ByteString): () => void {
    const value = this.entries.get(place);
    const isRotten = this.rotten.has(place);
    return () => {
      if (value === undefined) this.delete(place);
      else this.set(place, value);
      if (isRotten) this.rotten.add(place);
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
    this.unsynced.length = 0;
    this.entries.clear();
    this.marks.clear();
    this.snapshots.clear();
    this.contents.clear();
    this.replaced.clear();
    this.asides.length = 0;
    for (const letters of [this.undecided, this.letters, this.owedLetters]) letters.clear();
    this.hasTaken = this.hasToldStrays = false;
    this.rotten.clear();
    this.toldRotten.clear();
    this.toldPossible.clear();
    this.missed.clear();
    this.#sorted = [];
  }
}

interface Change {
  readonly places: readonly ByteString[];
  readonly takeBack: () => void;
}

interface Operation {
  readonly entries: readonly (readonly [place: ByteString, value: Buffer])[];
  readonly marks: readonly Mark[];
  readonly removed: readonly ByteString[];
}

interface Waiter {
  /** Operations that have to be safe. */
  readonly count: number;
  /** Whether on the disk, not only in the system's hands. */
  readonly isSync: boolean;
  readonly resolve: () => void;
  readonly reject: (problem: Error) => void;
}

export interface StorageParts {
  readonly disk: Disk;
  readonly scheduler: Scheduler;
  readonly processor: Processor;
  readonly random: SeededRandom;
  /** Milliseconds between two syncs; 0: each flush is one. */
  readonly syncEveryMs: number;
  /** May stop the process: what it does from then on has no effect. */
  readonly at: (moment: DiskMoment) => void;
  readonly isAlive: () => boolean;
  /** An entry was removed. @param wasSound  though it was not rotten */
  readonly removed: (place: ByteString, wasSound: boolean) => void;
  /** Entries were flushed, not synced, and are gone. */
  readonly vanished: (places: readonly ByteString[]) => void;
}

/** A sync nobody asked for comes after so many milliseconds. */
const LAZY_SYNC_MS = 40;

/** The storage of one process; the next one begins with what the disk has. */
export class SimulatedStorage implements Storage {
  readonly isDurable = true;
  readonly lostGroups = 0;
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
    // Whoever opens it has it synced first.
    parts.disk.unsynced.length = 0;
    this.isSafe = parts.syncEveryMs === 0;
    if (parts.syncEveryMs > 0) this.#syncLater();
  }

  get bytes(): number {
    let bytes = 0;
    for (const value of this.#parts.disk.entries.values()) bytes += value.length;
    return bytes;
  }

  /** Whether entries are on their way to the disk: the daemon has folded them, and the disk does not have them. */
  get isBusy(): boolean {
    return this.#queue.some(({ entries }) => entries.length > 0);
  }

  put(entries: readonly (readonly [place: Buffer, value: Buffer])[], marks: readonly Mark[] = []): void {
    const copied = entries.map(([place, value]) => [bytesOf(place), Buffer.from(value)] as const);
    this.#add({ entries: copied, marks: copiesOf(marks), removed: [] });
  }

  remove(places: readonly Buffer[], marks: readonly Mark[] = []): void {
    this.#add({ entries: [], marks: copiesOf(marks), removed: places.map((place) => bytesOf(place)) });
  }

  /** Every other time, so that both paths are taken. */
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

  get(place: Buffer): Buffer | null {
    return this.#parts.disk.entries.get(bytesOf(place)) ?? null;
  }

  last(): Buffer | null {
    const last = [...this.places(null, null)].at(-1);
    return last ?? null;
  }

  *places(from: Buffer | null, to: Buffer | null): Iterable<Buffer> {
    for (const [place] of this.entries(from, to)) yield place;
  }

  *entries(from: Buffer | null, to: Buffer | null): Iterable<readonly [place: Buffer, value: Buffer]> {
    const [first, end] = [from === null ? null : bytesOf(from), to === null ? null : bytesOf(to)];
    for (const place of this.#parts.disk.places()) {
      if (first !== null && place < first) continue;
      if (end !== null && place >= end) return;
      yield [Buffer.from(place, "latin1"), this.#parts.disk.entries.get(place) as Buffer];
    }
  }

  mark(name: MarkName): Buffer | null {
    return this.#parts.disk.marks.get(name) ?? null;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The process has died: of what was not safe a prefix reaches the disk. @param isMachine  with all around it */
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
    const [least, most] = disk.syncMs;
    scheduler.after(least + ((most - least) * random.below(1000)) / 1000, null, () => this.#finish(count));
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
    if (this.#waiters.some(({ isSync }) => !isSync)) this.#sync();
  }

  #release(isMeant: (waiter: Waiter) => boolean, count: number): void {
    const due = this.#waiters.filter((waiter) => isMeant(waiter) && waiter.count <= count);
    if (due.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter));
    this.#tell(() => {
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
    this.#tell(() => {
      for (const { reject } of waiters) reject(problem);
    });
  }

  /** The process learns it when it runs. */
  #tell(run: () => void): void {
    const { scheduler, processor, isAlive } = this.#parts;
    scheduler.after(0, processor, () => {
      scheduler.settles = true;
      if (isAlive()) run();
    });
  }

  #carryOut({ entries, marks, removed }: Operation): void {
    const { disk, syncEveryMs, removed: tellRemoved } = this.#parts;
    if (syncEveryMs > 0) {
      const places = [...entries.map(([place]) => place), ...removed];
      const steps = [
        ...places.map((place) => disk.restoring(place)),
        ...marks.map(([name]) => disk.restoringMark(name)),
      ];
      disk.unsynced.push({
        places,
        takeBack: () => {
          for (const restore of steps) restore();
        },
      });
    }
    for (const [place, value] of entries) disk.set(place, value);
    for (const [name, value] of marks) disk.marks.set(name, value);
    for (const place of removed) {
      const isThere = disk.entries.has(place);
      const wasSound = isThere && !disk.rotten.has(place);
      disk.delete(place);
      if (isThere) tellRemoved(place, wasSound);
    }
  }
}

const copiesOf = (marks: readonly Mark[]): Mark[] => marks.map(([name, value]) => [name, Buffer.from(value)]);
