/** The part of a timeline that members use, on a disk that a test can block. */

import { DecidedPatterns } from "../../../../daemon/store/rights/decided-patterns.js";
import { DigestIndex } from "../../../../daemon/timeline/compare/digest-index.js";
import {
  type AddedEntry,
  type Entry,
  firstOrderKeyBytes,
  type OrderKey,
  orderKeyOf,
  writeOrderKey,
} from "../../../../daemon/timeline/entries/entry.js";
import { readEntry, writeValue } from "../../../../daemon/timeline/entries/stored-value.js";
import { addedEntry } from "../../../../daemon/timeline/entry-store.js";
import { MemoryStorage } from "../../../../daemon/timeline/memory-storage.js";
import { OwnDates } from "../../../../daemon/timeline/own-dates.js";
import type { Timeline } from "../../../../daemon/timeline/timeline.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { NO_PROMISES, writeStoredPromises } from "../../../../protocol/members/decision-messages.js";
import { sha256 } from "../../../simulation/signatures.js";

/** A timeline whose writes reach the "disk" when the test's time advances. */
export class FakeTimeline {
  readonly storage = new MemoryStorage();
  readonly index = new DigestIndex(this.storage);
  readonly unflushed = new Map<ByteString, Entry>();
  state: Timeline["state"] = "live";
  failure: string | null = null;
  published = 0;
  lastStoredAt = 0;
  prunedTo = -1;
  handover: Timeline["handover"] | null = null;
  readonly newest = { at: 0, seq: 0 };
  /** The date up to which the state has all entries. */
  foldedTo = 0;
  readonly isFolded = (at: number) => at <= this.foldedTo;
  readonly ownDates: OwnDates = new OwnDates({
    mark: () => null,
    put: () => {},
    synced: () => this.#synced(),
  });
  readonly hasFolded = () => false;
  readonly ring = { patterns: DecidedPatterns.NONE };
  /** No unit is decided. */
  readonly decided = {
    folded: () => {},
    openDate: Number.POSITIVE_INFINITY,
    storedVote: [],
    promises: writeStoredPromises(NO_PROMISES),
    storePromises: (_: Buffer, stored: () => void) => stored(),
    stored: () => [],
    find: () => null,
    knownFrom: 0,
  };
  isSkewed = false;
  readonly waiting = { marks: 0, areMarkedFolded: true, mark: () => void this.waiting.marks++ };
  readonly damagedEntries = {
    lastAt: null as number | null,
    timesDropped: 0,
    drop: () => void this.damagedEntries.timesDropped++,
  };
  readonly forgotten = { clear() {} };
  /** Digests of an absent state. */
  readonly digests: Pick<Timeline["digests"], "isExact" | "digests" | "sums" | "keysIn"> = {
    isExact: () => false,
    digests: () => null,
    *sums() {
      yield;
      return { shares: 1, sums: new Uint32Array() };
    },
    *keysIn() {
      yield;
      return [];
    },
  };
  raisedTo = 0;
  /** Whether the disk is blocked, so that nothing reaches it. */
  isStuck = false;
  readonly #flushed: (entries: readonly AddedEntry[], from: ByteString | null) => void;
  readonly #soon: (step: () => void) => void;
  #waiting: (() => void)[] = [];

  constructor(soon: (step: () => void) => void, flushed: FakeTimeline["flush"]) {
    this.#soon = soon;
    this.#flushed = flushed;
  }

  /** Returns this object as a Timeline, for classes that require one. */
  get real(): Timeline {
    return this as unknown as Timeline;
  }

  flush(entries: readonly AddedEntry[], from: ByteString | null): void {
    this.#flushed(entries, from);
  }

  /** Records an entry from a client. */
  accept(entry: Entry): void {
    this.#store([entry], null);
  }

  receive(entries: readonly Entry[], from: ByteString): readonly Entry[] {
    if (this.state !== "live") return [];
    const fresh = entries.filter((entry) => !this.holds(orderKeyOf(entry)));
    if (fresh.length > 0) this.#store(fresh, from);
    return fresh;
  }

  holds(orderKey: OrderKey): boolean {
    if (orderKey.at <= this.prunedTo) return true;
    return this.unflushed.has(orderKey.id) || this.storage.get(writeOrderKey(orderKey)) !== null;
  }

  /** The date from which there is no space for entries. */
  roomUntil = Number.POSITIVE_INFINITY;

  hasRoom({ at }: Pick<OrderKey, "at">): boolean {
    return at <= this.roomUntil;
  }

  read(orderKey: OrderKey): Entry | null {
    const bytes = writeOrderKey(orderKey);
    const value = this.storage.get(bytes);
    return value === null ? null : readEntry(orderKey, value, (signed) => sha256(signed));
  }

  /** Prunes entries; the index still counts them. */
  prune(until: number): void {
    this.prunedTo = until;
    this.storage.remove(
      [...this.storage.orderKeys(null, firstOrderKeyBytes(until + 1))].map((p) => Buffer.from(p)),
    );
  }

  raise(to: number): void {
    this.raisedTo = Math.max(this.raisedTo, to);
  }

  release(): void {
    this.isStuck = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const step of waiting) this.#soon(step);
  }

  #synced(): Promise<void> {
    return this.isStuck ? new Promise((resolve) => void this.#waiting.push(resolve)) : Promise.resolve();
  }

  #store(entries: readonly Entry[], from: ByteString | null): void {
    for (const entry of entries) this.unflushed.set(entry.id, entry);
    const done = () => {
      this.storage.put(
        entries.map((entry) => [writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature)]),
      );
      const flushed = entries.map(addedEntry);
      for (const entry of flushed) {
        this.unflushed.delete(entry.id);
        this.index.add(entry, entry.ring !== null);
      }
      this.flush(flushed, from);
    };
    if (this.isStuck) this.#waiting.push(done);
    else this.#soon(done);
  }
}
