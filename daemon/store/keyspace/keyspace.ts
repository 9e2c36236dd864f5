/**
 * One database: keys, their values and expiry times. It does not depend on commands or undo records. The order of keys
 * is not part of the state (SCAN and RANDOMKEY promise no more than in Redis).
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { UNIT_ID_BYTES } from "../../../protocol/version-2/envelope.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import type { ObjectValue } from "../values/object-value.js";
import { StringDraft } from "../values/string-draft.js";
import { DenseTable } from "../values/tables/dense-table.js";
import type { PageRequest, ScanPage } from "../values/tables/scan-page.js";
import type { Value } from "../values/value.js";
import { ExpiringKeys } from "./expiring-keys.js";
import type { KeyUsage } from "./key-usage.js";
import type { Unit } from "./unit.js";

/** The value of `KeyEntry.expire` for a key that does not expire. */
export const NO_EXPIRY = 0;
/** The bytes in place of the id of a unit that does not exist. */
const NO_UNIT = "\0".repeat(UNIT_ID_BYTES);

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

/** Makes a unit the last writer of the consumer groups of a stream. */
export function noteGroupsWriter(value: ObjectValue, unit: Unit): void {
  value.groupsWriterStart = unit.envelope ?? unit.id;
  value.groupsWriterIndex = unit.index ?? COMPLETE_ID;
}

/** Returns the id of a writer from the parts in which it is stored. */
export const writerId = (start: ByteString, index: number): ByteString =>
  index === COMPLETE_ID ? start : unitId(start, index);

/**
 * Returns the id of the key's last writer; for a stream, followed by the id of the last writer of its groups. It
 * differs after each change of the value, the expiry time, the name or the groups.
 */
export function versionOf({ content, writer }: KeyEntry): ByteString {
  if (typeof content === "string" || content instanceof StringDraft) return writer;
  const { groupsWriterStart: start, groupsWriterIndex: index = COMPLETE_ID } = content;
  // Only streams have the field; it is empty until a unit changes the groups.
  if (start === undefined) return writer;
  return writer + (start === "" ? NO_UNIT : writerId(start, index));
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
  storedExpire: number | null = null;
  use: number;

  constructor(key: ByteString, value: Value, writer: ByteString, use: number) {
    this.key = key;
    this.content = value;
    this.writerStart = writer;
    this.use = use;
  }

  get writer(): ByteString {
    return writerId(this.writerStart, this.writerIndex);
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
    return this.storedExpire ?? NO_EXPIRY;
  }

  set expire(expire: number) {
    this.storedExpire = expire === NO_EXPIRY ? null : expire;
  }
}

export class Keyspace {
  readonly #usage: KeyUsage | null;
  readonly #table = new DenseTable<KeyEntry>((entry) => entry.key);
  /** Keys of values that have, or had, invalid indexes, so that these are found without a walk over all keys. */
  readonly #invalidKeys = new Set<ByteString>();
  readonly #expiringKeys = new ExpiringKeys((key, expire) => this.find(key)?.expire === expire);
  /** The number of keys that have an expiry time. Public, because every write reads it; only this class changes it. */
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
   * @param at  milliseconds since 1970. Time never goes back: the latest `at` so far replaces an earlier one
   */
  countExpired(at: number): number {
    return this.expiring === 0 ? 0 : this.#expiringKeys.countExpired(at);
  }

  /** Does part of the work of the next `countExpired`. @param max  approximate number of keys to check */
  lookForExpired(at: number, max: number): void {
    if (this.expiring > 0) this.#expiringKeys.advance(at, max);
  }

  /**
   * Returns the existing keys whose expiry time has passed since the last call and is before `at`. The first call
   * returns none and begins to collect them.
   */
  takeNewlyExpired(at: number): readonly ByteString[] {
    return this.#expiringKeys.takeNewlyExpired(at);
  }

  /** Whether `takeNewlyExpired` has already returned keys with this expiry time. */
  hasTaken(expire: number): boolean {
    return this.#expiringKeys.hasExpired(expire);
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
   * Returns a key that expires, or undefined if the random number selects no key; another number may then select one.
   * @param random  in [0, 1)
   */
  sampleExpiring(random: number): KeyEntry | undefined {
    const chosen = this.#expiringKeys.sample(random);
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
