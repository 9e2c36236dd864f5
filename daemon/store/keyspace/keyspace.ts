/**
 * One database: keys, their values and expiry times. It does not depend on commands or undo records. The order of keys
 * is not part of the state (SCAN and RANDOMKEY promise no more than in Redis).
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import type { ObjectValue } from "../values/object-value.js";
import { StringDraft } from "../values/string-draft.js";
import { DenseTable } from "../values/tables/dense-table.js";
import { ExpiryQueue, STALE_MIN } from "../values/tables/expiry-queue.js";
import type { PageRequest, ScanPage } from "../values/tables/scan-page.js";
import type { Value } from "../values/value.js";
import type { KeyUsage } from "./key-usage.js";
import type { Unit } from "./unit.js";

/** The value of `KeyEntry.expire` for a key that does not expire. */
export const NO_EXPIRY = 0;

/** A key with its value, its expiry time and its last writer. */
export interface KeyEntry {
  readonly key: ByteString;
  value: Value;
  /** The value, or a long string that is being modified: see string-parts.ts. */
  content: Value | StringDraft;
  /** The last millisecond since 1970 at which the key exists, or NO_EXPIRY. */
  expire: number;
  /** Id of the unit that last changed the value, the expiry time or the name. */
  writer: ByteString;
  /** The stored part of the writer's id: the envelope's id, or the complete id if `writerIndex` is COMPLETE_ID. */
  writerStart: ByteString;
  /** The unit's index in its envelope, or COMPLETE_ID. */
  writerIndex: number;
  /** When or how often the key was used; see key-usage.ts. It is not part of the state. */
  use: number;
}

/** The value of `KeyEntry.writerIndex` if the id is stored completely. */
export const COMPLETE_ID = -1;

/** Makes a unit the key's last writer. */
export function noteWriter(entry: KeyEntry, unit: Unit): void {
  entry.writerStart = unit.envelope ?? unit.id;
  entry.writerIndex = unit.index ?? COMPLETE_ID;
}

/** Whether a key has expired for a unit with the given date: the key exists up to and including its expiry time. */
export function isExpired(entry: KeyEntry, at: number): boolean {
  return entry.expire !== NO_EXPIRY && at > entry.expire;
}

/**
 * An entry as it is stored. The expiry time of a key that does not expire is null: if the field contained a number in
 * every entry, V8 would allocate a separate object for each number.
 */
class StoredEntry implements KeyEntry {
  readonly key: ByteString;
  content: Value | StringDraft;
  writerStart: ByteString;
  writerIndex = COMPLETE_ID;
  /** The expiry time; null means NO_EXPIRY. */
  lease: number | null = null;
  use: number;

  constructor(key: ByteString, value: Value, writer: ByteString, use: number) {
    this.key = key;
    this.content = value;
    this.writerStart = writer;
    this.use = use;
  }

  get writer(): ByteString {
    return this.writerIndex === COMPLETE_ID ? this.writerStart : unitId(this.writerStart, this.writerIndex);
  }

  set writer(writer: ByteString) {
    this.writerStart = writer;
    this.writerIndex = COMPLETE_ID;
  }

  get value(): Value {
    const { content } = this;
    if (!(content instanceof StringDraft)) return content;
    const text = content.toString();
    // Only a second read without a change in between replaces the draft by a string.
    if (content.isRead) this.content = text;
    content.isRead = true;
    return text;
  }

  set value(value: Value) {
    this.content = value;
  }

  get expire(): number {
    return this.lease ?? NO_EXPIRY;
  }

  set expire(expire: number) {
    this.lease = expire === NO_EXPIRY ? null : expire;
  }
}

export class Keyspace {
  readonly #usage: KeyUsage | null;
  readonly #table = new DenseTable<KeyEntry>((entry) => entry.key);
  /** Keys of values that have, or had, invalid indexes, so that these are found without a walk over all keys. */
  readonly #invalidKeys = new Set<ByteString>();
  readonly #expiringKeys = new ExpiringKeys((key, expire) => this.find(key)?.expire === expire);
  /**
   * The number of keys that have an expiry time. It is a field, because each write reads it; only this class sets it.
   */
  expiring = 0;

  /** @param usage  determines the use of new entries; null if it is not tracked */
  constructor(usage: KeyUsage | null = null) {
    this.#usage = usage;
  }

  /** Number of keys, including expired ones. */
  get size(): number {
    return this.#table.size;
  }

  /**
   * Returns the number of keys that have expired but are still stored.
   * @param at milliseconds since 1970; if it is before the latest time requested, the latest time is used instead
   */
  expired(at: number): number {
    return this.expiring === 0 ? 0 : this.#expiringKeys.dueBefore(at);
  }

  /** Does part of the work of the next `expired`. @param max  approximate number of keys to check */
  lookForExpired(at: number, max: number): void {
    if (this.expiring > 0) this.#expiringKeys.advance(at, max);
  }

  /**
   * Returns the existing keys whose expiry time has passed since the last call and is before `at`. The first call
   * returns none and begins to collect them.
   */
  takeExpired(at: number): readonly ByteString[] {
    return this.#expiringKeys.takeFresh(at);
  }

  /** Whether `takeExpired` has already returned keys with this expiry time. */
  hasTaken(expire: number): boolean {
    return this.#expiringKeys.isDue(expire);
  }

  /** All entries as a dense array, for KEYS and RANDOMKEY; the caller must not change it. */
  get entries(): readonly KeyEntry[] {
    return this.#table.items;
  }

  /** Yields the keys that have invalid indexes, and the indexes' names. @param at  milliseconds since 1970 */
  *invalidIndexes(at: number): Generator<readonly [key: ByteString, index: ByteString]> {
    for (const key of this.#invalidKeys) {
      const entry = this.find(key);
      if (entry === undefined || isExpired(entry, at) || typeof entry.value === "string") continue;
      for (const index of entry.value.invalidIndexes ?? []) yield [key, index];
    }
  }

  /** Returns a page of a scan, by the entries' indexes. */
  page(request: PageRequest): ScanPage {
    return this.#table.page(request);
  }

  /** Returns the entry of a key, expired or not. */
  find(key: ByteString): KeyEntry | undefined {
    const slot = this.#table.find(key);
    return slot < 0 ? undefined : this.#table.items[slot];
  }

  /** Sets or adds a key. */
  set(key: ByteString, value: Value, expire: number, writer: ByteString): KeyEntry {
    const entry = this.find(key);
    if (entry === undefined) return this.add(key, value, expire, writer);
    this.replace(entry, value, expire);
    entry.writer = writer;
    return entry;
  }

  /** Adds a new key. */
  add(key: ByteString, value: Value, expire: number, writer: ByteString): KeyEntry {
    const entry = new StoredEntry(key, value, writer, this.#usage === null ? 0 : this.#usage.fresh);
    this.#table.push(entry);
    if (typeof value !== "string") this.noteIndexes(key, value);
    if (expire !== NO_EXPIRY) this.setExpire(entry, expire);
    return entry;
  }

  /** Replaces the value of an existing key; the caller must record its writer. */
  replace(entry: KeyEntry, value: Value, expire: number): void {
    if (typeof entry.content !== "string") this.#invalidKeys.delete(entry.key);
    entry.value = value;
    if (typeof value !== "string") this.noteIndexes(entry.key, value);
    if (entry.expire !== expire) this.setExpire(entry, expire);
  }

  setExpire(entry: KeyEntry, expire: number): void {
    this.#forgetExpire(entry);
    entry.expire = expire;
    if (expire === NO_EXPIRY) return;
    this.expiring++;
    this.#expiringKeys.add(expire, entry.key);
    if (this.#expiringKeys.isMostlyStale(this.expiring)) this.#expiringKeys.rebuild(this.#expiryTimes());
  }

  delete(key: ByteString): void {
    const slot = this.#table.find(key);
    if (slot < 0) return;
    const entry = this.#table.items[slot] as KeyEntry;
    this.#forgetExpire(entry);
    this.#table.removeAt(slot);
    if (typeof entry.content !== "string") this.#invalidKeys.delete(key);
  }

  /** Must be called after the indexes of a key's value changed. */
  noteIndexes(key: ByteString, { invalidIndexes }: ObjectValue): void {
    if (invalidIndexes !== undefined) this.#invalidKeys.add(key);
  }

  /**
   * Drops keys whose expiry time is before the given time. The fold does not do this: the caller must know that no
   * later unit has an earlier date.
   * @returns the number of dropped keys, at most `limit`
   */
  dropExpired(before: number, limit: number): number {
    let dropped = 0;
    while (dropped < limit) {
      const earliest = this.#expiringKeys.shift(before);
      if (earliest === undefined) break;
      if (this.find(earliest.key)?.expire !== earliest.expire) continue;
      this.delete(earliest.key);
      dropped++;
    }
    return dropped;
  }

  /** Returns the key that expires first, whether or not it has expired already. */
  firstToExpire(): KeyEntry | undefined {
    for (;;) {
      const { first } = this.#expiringKeys;
      if (first === undefined) return undefined;
      const entry = this.find(first.key);
      if (entry?.expire === first.expire) return entry;
      this.#expiringKeys.shift(Number.POSITIVE_INFINITY);
    }
  }

  /**
   * Returns a key that expires, selected by a number (at least 0, below 1), or undefined if the number selects no key.
   * Another number may then select a key.
   */
  sampleExpiring(chance: number): KeyEntry | undefined {
    const chosen = this.#expiringKeys.sample(chance);
    const entry = chosen === undefined ? undefined : this.find(chosen.key);
    return entry?.expire === chosen?.expire ? entry : undefined;
  }

  /** Must be called before an entry's expiry time changes, or the entry is removed. */
  #forgetExpire({ expire }: KeyEntry): void {
    if (expire === NO_EXPIRY) return;
    this.expiring--;
    this.#expiringKeys.remove(expire);
  }

  *#expiryTimes(): Generator<[number, ByteString]> {
    for (const entry of this.entries) if (entry.expire !== NO_EXPIRY) yield [entry.expire, entry.key];
  }
}

/** Whether a key exists and has exactly this expiry time: entries of the queues may be stale. */
type IsCurrent = (key: ByteString, expire: number) => boolean;

/**
 * The keys of a database that expire, by time, and the number of those that have expired but still exist: reads ignore
 * them, but only the fold may remove them. The expired keys are counted without a walk over all keys: each key moves
 * from one queue to another when its time has passed.
 */
class ExpiringKeys {
  /** Keys that expire before `#at`; the other queue has the remaining ones. */
  readonly #due = new ExpiryQueue();
  readonly #pending = new ExpiryQueue();
  readonly #isCurrent: IsCurrent;
  #at = 0;
  /** Number of existing keys that expire before `#at`. */
  #dueCount = 0;
  /** Keys that have expired since the last `takeFresh`, or null if they are not collected. */
  #fresh: ByteString[] | null = null;

  constructor(isCurrent: IsCurrent) {
    this.#isCurrent = isCurrent;
  }

  /** Records that a key expires at the given time, in milliseconds since 1970. */
  add(expire: number, key: ByteString): void {
    if (expire < this.#at) this.#dueCount++;
    this.#push(expire, key);
  }

  /** Records that a key no longer expires at the given time, or was removed. */
  remove(expire: number): void {
    if (expire < this.#at) this.#dueCount--;
  }

  /** Whether more than half of the entries are certainly stale. @param live the number of keys that expire */
  isMostlyStale(live: number): boolean {
    return this.#size > 2 * live + STALE_MIN;
  }

  /** @param keys all keys that expire */
  rebuild(keys: Iterable<readonly [expire: number, key: ByteString]>): void {
    this.#due.rebuild([]);
    this.#pending.rebuild([]);
    for (const [expire, key] of keys) this.#push(expire, key);
  }

  /**
   * Returns the number of keys that expire before the given time.
   * @param at milliseconds since 1970; if it is before the latest time requested, the latest time is used instead
   */
  dueBefore(at: number): number {
    this.advance(at, Number.POSITIVE_INFINITY);
    return this.#dueCount;
  }

  /**
   * Returns the keys that have expired since the last call; the first call returns none.
   * @param at as in `dueBefore`
   */
  takeFresh(at: number): readonly ByteString[] {
    const isFirst = this.#fresh === null;
    this.#fresh ??= [];
    this.advance(at, Number.POSITIVE_INFINITY);
    const fresh = this.#fresh;
    if (isFirst || fresh.length > 0) this.#fresh = [];
    return isFirst ? [] : fresh;
  }

  /** Whether the expiry time is before the latest time requested. */
  isDue(expire: number): boolean {
    return expire < this.#at;
  }

  /**
   * Does part of the work of the next `dueBefore`.
   * @param max maximum number of keys, not counting further keys with the same time as the last one
   */
  advance(at: number, max: number): void {
    if (at <= this.#at) return;
    let moved = 0;
    let expire = -1;
    let key = "";
    for (;;) {
      const next = this.#pending.at(0);
      if (next === undefined || next.expire >= at) {
        this.#at = at;
        return;
      }
      if (moved >= max && next.expire !== expire) {
        this.#at = next.expire;
        return;
      }
      this.#pending.shift(at);
      moved++;
      // Entries of the same key with the same time are adjacent; a duplicate is skipped.
      if (next.expire === expire && next.key === key) continue;
      ({ expire, key } = next);
      if (!this.#isCurrent(key, expire)) continue;
      this.#due.push(expire, key);
      this.#dueCount++;
      this.#fresh?.push(key);
    }
  }

  /** Removes and returns the earliest entry if it is before the given time. */
  shift(before: number): { expire: number; key: ByteString } | undefined {
    return this.#due.shift(before) ?? this.#pending.shift(before);
  }

  /** Returns the earliest entry. */
  get first(): { expire: number; key: ByteString } | undefined {
    return this.#due.at(0) ?? this.#pending.at(0);
  }

  /** Returns an entry, selected by a number (at least 0, below 1). */
  sample(chance: number): { expire: number; key: ByteString } | undefined {
    const index = Math.floor(chance * this.#size);
    return index < this.#due.size ? this.#due.at(index) : this.#pending.at(index - this.#due.size);
  }

  get #size(): number {
    return this.#due.size + this.#pending.size;
  }

  #push(expire: number, key: ByteString): void {
    (expire < this.#at ? this.#due : this.#pending).push(expire, key);
  }
}
