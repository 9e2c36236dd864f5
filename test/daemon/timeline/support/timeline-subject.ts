/** A timeline whose clock, turns of the event loop, storage and snapshots a test controls. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Semantics } from "../../../../daemon/store/semantics.js";
import type { OpenDeadLetters } from "../../../../daemon/timeline/dead-letters.js";
import {
  type Entry,
  type OrderKey,
  orderKeyOf,
  writeOrderKey,
} from "../../../../daemon/timeline/entries/entry.js";
import type { Mark } from "../../../../daemon/timeline/entries/storage.js";
import { readEntry } from "../../../../daemon/timeline/entries/stored-value.js";
import type { FoldedEntry } from "../../../../daemon/timeline/fold/fold.js";
import { MemoryStorage } from "../../../../daemon/timeline/memory-storage.js";
import { makeSnapshotInTurns } from "../../../../daemon/timeline/snapshots/make-snapshot.js";
import type { OpenReplacedData } from "../../../../daemon/timeline/snapshots/replaced-data.js";
import type { RefuseRingEntry } from "../../../../daemon/timeline/snapshots/ring-entries.js";
import {
  MemorySnapshots,
  type SnapshotStore,
} from "../../../../daemon/timeline/snapshots/snapshot-stores.js";
import { Timeline } from "../../../../daemon/timeline/timeline.js";
import type {
  DamagedEntryStore,
  OpenDamagedEntries,
  TimelineLimits,
} from "../../../../daemon/timeline/timeline-environment.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { signedBytes } from "../../../../protocol/version-2/envelope.js";
import { nextTurn, until } from "../../../support/until.js";
import { entryOf, genesisRing } from "./random-timeline.js";

export const START = 1_790_000_000_000;
export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;
export const MEMBER = "m".repeat(32);
/** Milliseconds that pass at each read of the uptime, so that a slow refold pauses after every 64 entries. */
const LOOK_MS = 6;

export interface SubjectOptions {
  readonly storage?: MemoryStorage;
  readonly snapshots?: SnapshotStore;
  /** The number of entries after which a snapshot is made. By default none are made. */
  readonly every?: number;
  readonly isAlone?: boolean;
  readonly limits?: Partial<TimelineLimits>;
  readonly now?: number;
  /** Whether members confirm each of its snapshots at its next tick. By default they do. */
  readonly isCertified?: boolean;
  readonly refusesRing?: RefuseRingEntry;
  readonly openReplacedData?: OpenReplacedData;
  readonly openDeadLetters?: OpenDeadLetters;
  readonly keepDamaged?: DamagedEntryStore["store"];
  /** Syncs damaged entries. By default data is on the disk immediately. */
  readonly syncDamaged?: DamagedEntryStore["synced"];
  /** Semantics by version; default: the versions of this release. */
  readonly known?: Semantics;
  /** Collects the error messages that the timeline logs. */
  readonly errors?: string[];
}

export const hash = (bytes: Buffer) => bytesOf(createHash("sha256").update(bytes).digest());

let made = 0;

/**
 * Returns an entry.
 * @param command  arguments as text
 * @param signer  id of its key; default: the application's initial key
 */
export function entryAt(at: number, command: string, signer?: ByteString): Entry {
  const key = signer === undefined ? {} : { key: signer };
  const nonce = String(made++).padStart(16, "0");
  const entry = entryOf({ ...key, at, nonce, commands: [command.split(" ")] }, "");
  return { ...entry, id: hash(signedBytes(entry.body)) };
}

function keepingOf({ keepDamaged, syncDamaged }: SubjectOptions): OpenDamagedEntries | null {
  if (keepDamaged === undefined) return null;
  return () => ({ store: keepDamaged, synced: syncDamaged ?? (() => Promise.resolve()) });
}

export class TimelineSubject {
  readonly storage: MemoryStorage;
  readonly snapshots: SnapshotStore;
  readonly timeline: Timeline;
  /** Entries reported to the owner as being on disk. */
  readonly announced: Entry[] = [];
  /** Members' entries reported to the owner as part of the state. */
  readonly folded: { readonly entries: readonly Entry[]; readonly answered: readonly FoldedEntry[] }[] = [];
  /** Milliseconds since 1970. */
  now: number;
  /** Whether each turn of a refold processes only 64 entries. */
  isSlow = false;
  readonly #options: SubjectOptions;
  readonly #steps: (() => void)[] = [];
  #uptime = 0;

  constructor(options: SubjectOptions = {}) {
    const { storage = new MemoryStorage(), snapshots = new MemorySnapshots(), now = START, every } = options;
    this.storage = storage;
    this.snapshots = snapshots;
    this.now = now;
    this.#options = options;

    const limits = {
      tailMs: MINUTE_MS,
      tailBytes: 1e9,
      unitSteps: 1e6,
      retainMs: Number.POSITIVE_INFINITY,
      retainBytes: Number.POSITIVE_INFINITY,
      ...options.limits,
    };

    const genesis = () => genesisRing({ hasRoots: true }, options.known);
    const soon = (step: () => void) => void this.#steps.push(step);
    const uptime = () => (this.isSlow ? (this.#uptime += LOOK_MS) : this.#uptime);
    const make = (from: number | null, to: number) =>
      makeSnapshotInTurns({ storage, snapshots, from, to, databases: 16, genesis, hash }, { soon, uptime });

    this.timeline = new Timeline({
      storage,
      hash,
      uptime,
      soon,
      genesis,
      limits,
      databases: 16,
      clock: () => this.now,
      window: { past: 30_000, future: 5000 },
      snapshots: {
        snapshots,
        make,
        every: every ?? Number.POSITIVE_INFINITY,
        retainMs: limits.retainMs,
      },
      refusesRing: options.refusesRing ?? (() => null),
      openReplacedData: options.openReplacedData ?? null,
      openDeadLetters: options.openDeadLetters ?? null,
      openDamagedEntries: keepingOf(options),
      isAlone: () => options.isAlone ?? false,
      isJoining: () => false,
      log: { info: () => {}, warn: () => {}, error: (_facts, line) => void options.errors?.push(line) },
      handlers: {
        storing: () => [],
        flushed: (entries) => void this.announced.push(...entries.map((orderKey) => this.#stored(orderKey))),
        folded: (entries, answered) => void this.folded.push({ entries, answered }),
        failed: () => {},
      },
    });
  }

  async open(): Promise<this> {
    let isDone = false;
    const opened = this.timeline.open().finally(() => {
      isDone = true;
    });
    opened.catch(() => {});
    await until("the timeline is open", () => isDone, { pause: () => this.turns(1) });
    await opened;
    return this;
  }

  /** Returns a subject with the same disk, as after a restart. The disk includes entries that were not flushed. */
  restarted(options: SubjectOptions = {}): TimelineSubject {
    const { storage, snapshots, now } = this;
    return new TimelineSubject({ ...this.#options, storage, snapshots, now, ...options });
  }

  /** Advances the time, with a tick every 100 ms. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      this.elapse(Math.min(left, 100));
      this.tick();
      await this.settle();
    }
  }

  tick(): void {
    const { handover } = this.timeline;
    if (this.#options.isCertified ?? true) for (const { at } of handover.cuts) handover.certify(at);
    this.timeline.tick();
  }

  /** Advances the time without a tick. */
  elapse(ms: number): void {
    this.now += ms;
    this.#uptime += ms;
  }

  /** Writes an entry dated now, as from a client. */
  write(command: string, at = this.now): Entry {
    const entry = entryAt(at, command);
    assert.equal(this.timeline.accept(entry).kind, "accepted");
    return entry;
  }

  /** Writes entries at the given interval. */
  async writes(count: number, stepMs: number, command: (i: number) => string): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (let i = 0; i < count; i++) {
      this.elapse(stepMs);
      entries.push(this.write(command(i)));
      this.tick();
      await this.settle();
    }
    return entries;
  }

  /** Runs turns of the event loop. @returns whether there may be more to do */
  async turns(count: number): Promise<boolean> {
    for (let i = 0; i < count; i++) {
      await nextTurn();
      const step = this.#steps.shift();
      if (step === undefined) return false;
      step();
    }
    return true;
  }

  /** Runs turns until there is nothing to do. */
  async settle(): Promise<void> {
    await until("there is nothing to do", async () => !(await this.turns(1)), { pause: async () => {} });
  }

  get(key: string): Reply {
    return this.timeline.database.execute(["GET", key], { at: this.now, db: 0, id: "" });
  }

  /** Damages an entry's bytes on disk. */
  damage(entry: Entry): void {
    this.storage.put([[writeOrderKey(orderKeyOf(entry)), Buffer.from("rotten")]]);
  }

  #stored(orderKey: OrderKey): Entry {
    return readEntry(orderKey, this.storage.get(writeOrderKey(orderKey)) as Buffer, hash) as Entry;
  }

  get mark(): { pruned: number | null; snapshots: number[] } {
    const pruned = this.storage.mark("pruned");
    const snapshots = this.storage.mark("snapshots")?.toString().split(" ").filter(Boolean) ?? [];
    return { pruned: pruned === null ? null : Number(pruned), snapshots: snapshots.map(Number) };
  }

  /** The number of entries that are indexed for members, and the number of stored entries. */
  get counts(): { indexed: number; kept: number } {
    const { ring, data } = {
      ring: this.timeline.index.total("ring"),
      data: this.timeline.index.total("data"),
    };
    return { indexed: ring.count + data.count, kept: [...this.storage.orderKeys(null, null)].length };
  }
}

/** Returns a timeline with five minutes of writes, one every half second. The last minute is in the tail. */
export async function fiveMinutes(
  limits: { tailBytes?: number } = {},
): Promise<TimelineSubject & { entries: Entry[] }> {
  const subject = await new TimelineSubject({ limits }).open();
  const entries: Entry[] = [];
  for (let i = 0; i < 600; i++) {
    subject.elapse(500);
    entries.push(subject.write("INCR k"));
    subject.timeline.tick();
  }
  await subject.settle();
  return Object.assign(subject, { entries });
}

export const bulk = (bytes: string): Reply => ({ kind: "bulk", bytes });

/** A disk that syncs only when a test calls `sync`, or fails when it calls `fail`. Puts are visible immediately. */
export class UnsyncedStorage extends MemoryStorage {
  #held: { resolve: () => void; reject: (problem: Error) => void }[] = [];

  override synced(): Promise<void> {
    return new Promise((resolve, reject) => this.#held.push({ resolve, reject }));
  }

  sync(): void {
    for (const { resolve } of this.#held.splice(0)) resolve();
  }

  fail(): void {
    for (const { reject } of this.#held.splice(0)) reject(new Error("the disk is broken"));
  }
}

/** A storage that records its puts. */
export class CountingStorage extends MemoryStorage {
  entriesPut = 0;
  removed = 0;
  readonly marksPut: string[] = [];

  override put(entries: readonly (readonly [Buffer, Buffer])[], marks: readonly Mark[] = []): void {
    this.entriesPut += entries.length;
    this.marksPut.push(...marks.map(([name]) => name));
    super.put(entries, marks);
  }

  override remove(orderKeys: readonly Buffer[], marks: readonly Mark[] = []): void {
    this.removed += orderKeys.length;
    this.marksPut.push(...marks.map(([name]) => name));
    super.remove(orderKeys, marks);
  }
}
