/**
 * Which entries are kept: each once, on disk before anybody is told, found by its place, checked by its id. Knows nothing
 * of the state that they make.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { DigestIndex } from "./digest-index.js";
import { type Entry, firstPlaceAt, type Place, placeOf, readPlace, writePlace } from "./entry.js";
import { RecentIds } from "./recent-ids.js";
import { isRingEntry } from "./recorded.js";
import type { Mark, Storage } from "./storage.js";
import { readEntry, writeValue } from "./stored-value.js";
import type { TimelineLog } from "./timeline-log.js";

export interface ArchiveParts {
  readonly storage: Storage;
  readonly hash: (bytes: Buffer) => ByteString;
  readonly log: TimelineLog;
  /** Told of entries that are on the disk now. */
  readonly flushed: (entries: readonly Entry[], from: ByteString | null) => void;
  readonly failed: (problem: Error) => void;
}

export class Archive {
  /** Of what is on disk. */
  readonly index: DigestIndex;
  readonly #parts: ArchiveParts;
  /** Ids of everything dated after `#recentFrom`. */
  readonly #recent = new RecentIds();
  #recentFrom = -1;
  /** Nothing dated at or before it is kept any more. */
  #prunedTo: number;
  /** Kept and not on disk. */
  readonly #unflushed = new Set<ByteString>();
  /** Found damaged, and still to be seen on disk. */
  readonly #removing = new Set<ByteString>();
  /** Found damaged on disk; the state has them. */
  readonly #lost = new Map<ByteString, Place>();

  constructor(parts: ArchiveParts) {
    this.#parts = parts;
    this.index = new DigestIndex(parts.storage);
    const mark = parts.storage.mark("pruned");
    this.#prunedTo = mark === null ? -1 : Number(mark.toString());
  }

  /** Removes entries dated up to a time, some at once, for good. Which there were stays counted in the index. */
  prune(until: number, most: number): void {
    if (until <= this.#prunedTo) return;
    const { storage } = this.#parts;
    const places: Buffer[] = [];
    let prunedTo = Math.floor(until);
    for (const place of storage.places(null, firstPlaceAt(prunedTo + 1))) {
      if (places.length >= most) {
        // Of the date of the last one there may be more.
        prunedTo = readPlace(places.at(-1) as Buffer).at - 1;
        break;
      }
      places.push(Buffer.from(place));
    }
    this.#prunedTo = Math.max(this.#prunedTo, prunedTo);
    storage.put([], [["pruned", Buffer.from(String(this.#prunedTo))]]);
    storage.remove(places);
  }

  /** Whether it has an entry, on disk or not, or has had it for as long as it keeps any. */
  holds(place: Place): boolean {
    if (place.at <= this.#prunedTo) return true;
    if (this.#unflushed.has(place.id)) return true;
    if (this.#lost.has(place.id) || this.#removing.has(place.id)) return false;
    return place.at > this.#recentFrom
      ? this.#recent.has(place)
      : this.#parts.storage.get(writePlace(place)) !== null;
  }

  /** Whether the state has an entry that is to be kept anew. */
  isLost(id: ByteString): boolean {
    return this.#lost.has(id);
  }

  /**
   * Keeps entries that it does not hold.
   * @param mark  written with them, or not at all
   * @returns when they are as safe as --fsync says
   */
  add(entries: readonly Entry[], from: ByteString | null, mark: Mark | null): Promise<void> {
    const { storage, flushed, failed } = this.#parts;
    const values: (readonly [Buffer, Buffer])[] = [];
    for (const entry of entries) {
      const place = placeOf(entry);
      if (place.at > this.#recentFrom) this.#recent.add(place);
      this.#unflushed.add(entry.id);
      this.#lost.delete(entry.id);
      values.push([writePlace(place), writeValue(entry.body, entry.signature)]);
    }
    storage.put(values, mark === null ? [] : [mark]);
    storage.synced().then(() => {
      for (const entry of entries) {
        this.#unflushed.delete(entry.id);
        this.index.add(placeOf(entry), isRingEntry(entry.envelope));
      }
      flushed(entries, from);
    }, failed);
    return storage.flushed();
  }

  /** An entry that is on disk; null: none, or a damaged one, which members will give again. */
  read(place: Place): Entry | null {
    const { storage, hash } = this.#parts;
    const bytes = writePlace(place);
    const value = storage.get(bytes);
    if (value === null) return null;
    const entry = readEntry(place, value, hash);
    if (entry === null) this.removeDamaged(bytes, true);
    return entry;
  }

  /** Notes the id of an entry that is found on disk at the start. */
  found(entry: Entry): void {
    this.#recent.add(placeOf(entry));
  }

  /** At the start: entries on disk that are dated after a time. */
  findAfter(until: number): Entry[] {
    const { storage, hash } = this.#parts;
    const found: Entry[] = [];
    for (const [bytes, value] of storage.entries(firstPlaceAt(until + 1), null)) {
      const place = readPlace(bytes);
      const entry = readEntry(place, value, hash);
      if (entry === null) {
        this.removeDamaged(Buffer.from(bytes), false);
        continue;
      }
      this.index.add(place, isRingEntry(entry.envelope));
      this.found(entry);
      found.push(entry);
    }
    return found;
  }

  /**
   * Whoever gives it anew is welcome.
   * @param isFolded  whether the state has it, and the index counts it
   */
  removeDamaged(place: Buffer, isFolded: boolean): void {
    const found = readPlace(place);
    // It was given anew already, and is on its way to the disk.
    if (this.#unflushed.has(found.id) || this.#removing.has(found.id)) return;
    const { storage, log, failed } = this.#parts;
    log.error({ at: new Date(found.at).toISOString() }, DAMAGED);
    storage.remove([place]);
    this.#removing.add(found.id);
    storage.synced().then(() => this.#removing.delete(found.id), failed);
    if (!isFolded) return;
    this.index.remove(found);
    this.#lost.set(found.id, found);
  }

  /** From now on the state is one that has just what is on disk. */
  refolded(): void {
    for (const place of this.#lost.values()) this.#recent.delete(place);
    this.#lost.clear();
  }

  /** Ids dated at or before it need not be in memory. */
  forget(at: number): void {
    this.#recentFrom = Math.max(this.#recentFrom, at);
    this.#recent.forget(at);
  }
}

const DAMAGED = "an entry of the timeline is damaged; members, if there are any, will give it again";
