/**
 * The store of all entries that are not pruned. Each entry is stored once, is written to disk before it is announced,
 * is looked up by its order key, and is checked against its id. This class knows nothing about the state that the
 * entries produce.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { dateText, hexOf } from "../../protocol/version-2/envelope.js";
import { DigestIndex, type DigestSet } from "./compare/digest-index.js";
import type { DiskFailure } from "./disk-failure.js";
import {
  type AddedEntry,
  compareEntries,
  compareOrderKeys,
  type Entry,
  firstOrderKeyBytes,
  type OrderKey,
  orderKeyOf,
  readOrderKey,
  type SignedBytes,
  writeOrderKey,
} from "./entries/entry.js";
import { isRingEntry } from "./entries/recorded-envelopes.js";
import type { Mark } from "./entries/storage.js";
import { readEntry, viewParts, writeValue } from "./entries/stored-value.js";
import { SnapshotMaking } from "./snapshots/snapshot-schedule.js";
import type { TimelineParts } from "./timeline-environment.js";

/** An entry that was found damaged on disk, and has to be stored again. */
interface Damaged {
  readonly orderKey: OrderKey;
  /** Whether the state includes the entry. */
  readonly isFolded: boolean;
  /**
   * The set in which the index counted the entry before the damage was found, or null if it did not count the entry.
   */
  readonly counted: DigestSet | null;
  /** Whether the entry's remains were removed, and the state is being folded again without the entry. */
  readonly isRemoved: boolean;
}

export class EntryStore {
  /** The index of the entries on disk. */
  index: DigestIndex;
  /** The snapshots of these entries, or null if none are made. */
  readonly making: SnapshotMaking | null;
  readonly #parts: TimelineParts;
  readonly #failure: DiskFailure;
  /** The ids of all entries dated after `#recentFrom`. */
  readonly #recent = new RecentIds();
  #recentFrom = -1;
  /** The date up to which entries are no longer stored, or -1 if all are stored. */
  prunedTo: number;
  /**
   * Settles when all entries that were added so far are as safe as --fsync requires, or null if they already are. Stays
   * rejected once the disk has failed.
   */
  flushing: Promise<void> | null = null;
  /** The entries that are not on disk yet, by id. */
  readonly #unflushed = new Map<ByteString, OrderKey>();
  readonly #damaged = new Map<ByteString, Damaged>();
  /**
   * Whether the last removal of pruned entries is still being written to disk. Until then the storage still returns
   * their order keys, so another removal would only find the same entries again.
   */
  #isRemoving = false;

  constructor(parts: TimelineParts, failure: DiskFailure) {
    this.#parts = parts;
    this.#failure = failure;
    const { storage, log, snapshots } = parts;

    // Reading the entry again marks it as damaged. Members then send it again; otherwise no snapshot could ever be
    // made.
    const onDamaged = (orderKey: OrderKey): void => void this.read(orderKey);
    this.making = snapshots === null ? null : new SnapshotMaking(snapshots, storage, log, onDamaged);
    this.index = this.#emptyIndex();
    const mark = storage.mark("pruned");
    this.prunedTo = mark === null ? -1 : Number(mark.toString());
  }

  /**
   * Drops all entries dated at or before a time, and rejects them if they arrive again. The index still counts the
   * dropped entries.
   */
  prune(until: number): void {
    if (until <= this.prunedTo) return;
    this.prunedTo = Math.floor(until);
    // The snapshot includes the damaged entries with their original contents. Members count these entries, so this
    // index must count them too.
    for (const { orderKey, counted } of this.#takeDamagedUpTo(this.prunedTo))
      if (counted !== null) this.index.add(orderKey, counted === "ring");
    this.#parts.storage.put([], [["pruned", Buffer.from(String(this.prunedTo))]]);
  }

  /**
   * Drops all entries dated at or before a time, because a member's snapshot replaces them. All earlier writes must
   * have been flushed.
   * @param marks  the snapshot's marks; written to disk together with the date, before anything is announced
   * @param dropped  order keys of later entries that are dropped too: removed in the same step, and accepted if they
   * are received again
   * @returns the empty index that replaces the current one; the caller fills it
   */
  async adopt(cutAt: number, marks: readonly Mark[], dropped: readonly Buffer[]): Promise<DigestIndex> {
    const { storage } = this.#parts;
    storage.remove(dropped, [...marks, ["pruned", Buffer.from(String(cutAt))]]);
    await storage.synced();

    this.prunedTo = cutAt;
    this.#takeDamagedUpTo(cutAt);
    for (const orderKey of dropped.map((bytes) => readOrderKey(bytes))) {
      this.#recent.remove(orderKey);
      this.#damaged.delete(orderKey.id);
    }
    return this.#emptyIndex();
  }

  /** Removes some of the pruned entries. @returns whether there may be more */
  removePruned(max: number): boolean {
    if (this.#isRemoving) return true;

    const { storage } = this.#parts;
    const orderKeys: Buffer[] = [];
    for (const orderKey of storage.orderKeys(null, firstOrderKeyBytes(this.prunedTo + 1))) {
      if (orderKeys.length === max) break;
      orderKeys.push(Buffer.from(orderKey));
    }

    storage.remove(orderKeys);
    this.#isRemoving = true;
    // A disk that has failed accepts no more writes.
    storage.flushed().then(
      () => void (this.#isRemoving = false),
      () => {},
    );
    return orderKeys.length === max;
  }

  /** Whether an entry is stored, even if it is not on disk yet, or its date is pruned. */
  holds(orderKey: OrderKey): boolean {
    if (orderKey.at <= this.prunedTo || this.#unflushed.has(orderKey.id)) return true;
    if (this.#damaged.has(orderKey.id)) return false;
    return orderKey.at > this.#recentFrom
      ? this.#recent.has(orderKey)
      : this.#parts.storage.get(writeOrderKey(orderKey)) !== null;
  }

  /** Returns the given entries that are not stored, each once, in order. */
  fresh(entries: readonly Entry[]): Entry[] {
    const fresh = new Map<ByteString, Entry>();
    for (const entry of entries) if (!this.holds(orderKeyOf(entry))) fresh.set(entry.id, entry);
    return [...fresh.values()].sort(compareEntries);
  }

  /** Whether the index counts all accepted entries dated before a time, and none of these entries is damaged. */
  countsBefore(at: number): boolean {
    return this.#damaged.size === 0 && ![...this.#unflushed.values()].some((entry) => entry.at < at);
  }

  /** Whether the state includes an entry that has to be stored again. */
  isFolded(id: ByteString): boolean {
    return this.#damaged.get(id)?.isFolded === true;
  }

  /** Whether an entry was removed as damaged, and the state is being folded again without it. */
  isRemoved(id: ByteString): boolean {
    return this.#damaged.get(id)?.isRemoved === true;
  }

  /**
   * Stores entries that are not stored yet. The same write marks all snapshots dated at or after the first of these
   * entries as no longer valid.
   * @param entries  in order, at least one
   * @param from     the member that sent them, or null for a client
   * @param isAwaited  whether a client's answer waits until they are stored
   * @returns a promise that resolves when the entries are as safe as --fsync requires, or null if they already are
   */
  add(entries: readonly Entry[], from: ByteString | null, isAwaited = from === null): Promise<void> | null {
    const [{ envelope }] = entries as readonly [Entry];
    const mark = this.making?.invalidateFrom(envelope.at) ?? null;
    const { storage, handlers } = this.#parts;
    const marks = from === null ? handlers.storing(entries) : [];
    const values: (readonly [Buffer, Buffer])[] = [];
    const added: AddedEntry[] = [];
    for (const entry of entries) {
      const orderKey = addedEntry(entry);
      if (orderKey.at > this.#recentFrom) this.#recent.add(orderKey);
      this.#unflushed.set(entry.id, orderKey);
      this.#damaged.delete(entry.id);
      values.push([writeOrderKey(orderKey), writeValue(entry.body, entry.signature)]);
      added.push(orderKey);
    }
    storage.put(values, mark === null ? marks : [mark, ...marks]);
    // Flush what a client waits for now. Members' entries are flushed together.
    const isFlushed = isAwaited && storage.flushNow();
    if (isFlushed && storage.isSafe) this.#synced(added, from);
    else void this.#whenSynced(added, from);
    this.#setFlushing(isFlushed || !storage.isDurable ? null : storage.flushed());
    return isFlushed ? null : (this.flushing ?? storage.flushed());
  }

  #setFlushing(flushing: Promise<void> | null): void {
    this.flushing = flushing;
    const done = () => {
      if (this.flushing === flushing) this.flushing = null;
    };
    flushing?.then(done, () => {});
  }

  /**
   * Forgets the entries that a failed disk does not have, once the state does not include them any longer. From then on
   * nothing in the state waits for the disk.
   */
  forgetUnflushed(): void {
    for (const orderKey of this.#unflushed.values()) {
      if (this.#parts.storage.get(writeOrderKey(orderKey)) !== null) continue;
      this.#unflushed.delete(orderKey.id);
      this.#recent.remove(orderKey);
    }
    this.flushing = null;
  }

  async #whenSynced(entries: readonly AddedEntry[], from: ByteString | null): Promise<void> {
    try {
      await this.#parts.storage.synced();
    } catch (problem) {
      this.#failure.report(problem as Error);
      return;
    }
    this.#synced(entries, from);
  }

  #synced(entries: readonly AddedEntry[], from: ByteString | null): void {
    for (const entry of entries) {
      this.#unflushed.delete(entry.id);
      // A refold may already have found the entry damaged on disk. Then the index does not count it until a member has
      // sent it again.
      if (!this.#damaged.has(entry.id)) this.index.add(entry, entry.ring !== null);
    }
    this.making?.grown(entries.length);
    this.#parts.handlers.flushed(entries, from);
  }

  /**
   * Returns the bytes of an entry that is on disk. Returns null if the entry is not on disk, or if it is damaged;
   * members send a damaged entry again.
   */
  read(orderKey: OrderKey): SignedBytes | null {
    const { storage, hash } = this.#parts;
    const value = this.#unflushed.has(orderKey.id) ? null : storage.get(writeOrderKey(orderKey));
    if (value === null) return null;
    const parts = viewParts(orderKey, value, hash);
    if (parts === null) this.damaged(orderKey, true);
    return parts;
  }

  /** Records the id of an entry that was found on disk at the start. */
  found(entry: Entry): void {
    this.#recent.add(orderKeyOf(entry));
  }

  /** Returns the entries on disk that are dated after a time; called at the start. */
  findAfter(until: number): Entry[] {
    const { storage, hash } = this.#parts;
    const found: Entry[] = [];
    for (const [bytes, value] of storage.entries(firstOrderKeyBytes(until + 1), null)) {
      const orderKey = readOrderKey(bytes);
      const entry = readEntry(orderKey, value, hash);
      if (entry === null) {
        this.damaged(orderKey, false);
        continue;
      }
      this.index.add(orderKey, isRingEntry(entry.envelope));
      this.found(entry);
      found.push(entry);
    }
    return found;
  }

  /**
   * Records that an entry on disk cannot be read; an undamaged copy from any member replaces it. Does nothing for a
   * pruned entry, because a snapshot contains it.
   * @param isFolded  whether the state includes the entry. If it does, and the entry has been flushed to disk, the
   * index stops counting the entry
   */
  damaged(orderKey: OrderKey, isFolded: boolean): void {
    if (orderKey.at <= this.prunedTo || this.#damaged.has(orderKey.id)) return;
    this.#parts.log.error({ at: dateText(orderKey.at), id: hexOf(orderKey.id) }, DAMAGED);
    const counted = isFolded && !this.#unflushed.has(orderKey.id) ? this.index.remove(orderKey) : null;
    this.#damaged.set(orderKey.id, { orderKey, isFolded, counted, isRemoved: false });
  }

  /**
   * Records that a new state, folded from the readable entries, is used from now on.
   * @param unreadable  ids of entries that could not be read
   * @param until       entries dated later were not read
   * @returns whether entries that the previous state included are missing in the new one
   */
  refolded(unreadable: ReadonlySet<ByteString>, until: number): boolean {
    let isMissingMore = false;
    for (const [id, damaged] of this.#damaged) {
      if (damaged.orderKey.at > until) continue;
      isMissingMore ||= damaged.isFolded && (damaged.isRemoved || unreadable.has(id));
      if (damaged.isRemoved) this.#damaged.delete(id);
      else this.#damaged.set(id, { ...damaged, isFolded: !unreadable.has(id) });
    }
    return isMissingMore;
  }

  /** Returns the order keys of damaged entries dated up to a time that no member has sent again, in order. */
  damagedUpTo(date: number): OrderKey[] {
    const orderKeys = [...this.#damaged.values()].flatMap(({ orderKey }) =>
      orderKey.at <= date ? orderKey : [],
    );
    return orderKeys.sort(compareOrderKeys);
  }

  /** Returns the latest date of the damaged entries dated up to a time, or null if there are none. */
  lastDamagedUpTo(date: number): number | null {
    let last: number | null = null;
    for (const { orderKey } of this.#damaged.values())
      if (orderKey.at <= date && (last === null || orderKey.at > last)) last = orderKey.at;
    return last;
  }

  /**
   * Removes the remains of damaged entries permanently.
   * @param mark  written in the same step, or null if there is none
   * @returns a promise that resolves when the removal is as safe as --fsync requires; until `forgetDamaged` is called,
   * the entries are still requested
   */
  removeDamaged(orderKeys: readonly OrderKey[], mark: Mark | null): Promise<void> {
    const { storage } = this.#parts;
    storage.remove(orderKeys.map(writeOrderKey), mark === null ? [] : [mark]);
    return storage.flushed();
  }

  /**
   * Stops requesting entries whose remains were removed; a member may still send such an entry.
   * @returns whether the state includes some of these entries, and has to be folded again immediately
   */
  forgetDamaged(orderKeys: readonly OrderKey[]): boolean {
    let isFolded = false;
    for (const orderKey of orderKeys) {
      const damaged = this.#damaged.get(orderKey.id);
      // A member has sent the entry again in the meantime.
      if (damaged === undefined) continue;
      this.#recent.remove(orderKey);
      isFolded ||= damaged.isFolded;
      if (damaged.isFolded) this.#damaged.set(orderKey.id, { ...damaged, isRemoved: true });
      else this.#damaged.delete(orderKey.id);
    }
    return isFolded;
  }

  #takeDamagedUpTo(date: number): Damaged[] {
    const taken = [...this.#damaged.values()].filter(({ orderKey }) => orderKey.at <= date);
    for (const { orderKey } of taken) this.#damaged.delete(orderKey.id);
    return taken;
  }

  /** Drops the ids of entries dated at or before a time from memory. */
  forget(at: number): void {
    this.#recentFrom = Math.max(this.#recentFrom, at);
    this.#recent.forget(at);
  }

  #emptyIndex(): DigestIndex {
    // The storage may already return order keys of entries that are not safe on disk yet; `#flushedOrderKeys` leaves
    // them out.
    return new DigestIndex({ orderKeys: (from, to) => this.#flushedOrderKeys(from, to) });
  }

  *#flushedOrderKeys(from: Buffer | null, to: Buffer | null): Iterable<Buffer> {
    for (const orderKey of this.#parts.storage.orderKeys(from, to)) {
      if (this.#unflushed.size > 0 || this.#damaged.size > 0) {
        const { id } = readOrderKey(orderKey);
        if (this.#unflushed.has(id) || this.#damaged.has(id)) continue;
      }
      yield orderKey;
    }
  }
}

/** Returns the part of an entry that stays in memory while the entry is being flushed. */
export function addedEntry(entry: Entry): AddedEntry {
  const { at, seq } = entry.envelope;
  return { at, seq, id: entry.id, ring: isRingEntry(entry.envelope) ? entry : null };
}

const DAMAGED = "an entry of the timeline is damaged; other members, if there are any, will send it again";

/** Ids are forgotten in intervals of this many milliseconds. */
const BUCKET_MS = 1000;

/** The ids of all entries newer than a date, kept in memory because they are looked up for each envelope. */
class RecentIds {
  readonly #buckets = new Map<number, Set<ByteString>>();

  has({ at, id }: OrderKey): boolean {
    return this.#buckets.get(bucketOf(at))?.has(id) ?? false;
  }

  add({ at, id }: OrderKey): void {
    const number = bucketOf(at);
    const bucket = this.#buckets.get(number);
    if (bucket === undefined) this.#buckets.set(number, new Set([id]));
    else bucket.add(id);
  }

  remove({ at, id }: OrderKey): void {
    this.#buckets.get(bucketOf(at))?.delete(id);
  }

  /** Forgets the ids of complete intervals dated at or before `at`. */
  forget(at: number): void {
    for (const number of this.#buckets.keys()) {
      if ((number + 1) * BUCKET_MS - 1 <= at) this.#buckets.delete(number);
    }
  }
}

const bucketOf = (at: number) => Math.floor(at / BUCKET_MS);
