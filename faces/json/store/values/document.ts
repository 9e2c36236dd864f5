/**
 * A document: entries in the order of insertion, each a JSON text under a key. As long as the keys are 0, 1, 2, … they
 * are not stored. Otherwise each entry has its own rank, and a removed entry leaves a hole; when there are many holes,
 * they are closed. Ranks, holes and the contents of indexes are not part of the state. The state consists of the keys,
 * the texts, their order, the expiry times, the mark `next` and the names of the indexed members.
 */

import type { DigestMix } from "../../../../daemon/store/values/digest-mix.js";
import {
  REFERENCE,
  sampledBytes,
  stringBytes,
  tableBytes,
} from "../../../../daemon/store/values/memory-estimate.js";
import {
  type CopyEffort,
  ITEMS_PER_STEP,
  type ObjectValue,
  type ValueKind,
  type ValueReader,
  type ValueWriter,
} from "../../../../daemon/store/values/object-value.js";
import { firstIndexFrom } from "../../../../daemon/store/values/tables/binary-search.js";
import { ExpiryQueue } from "../../../../daemon/store/values/tables/expiry-queue.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { DocumentEntries, TextMemo } from "../../../../protocol/document-replies.js";
import type { Steps } from "../../../../protocol/steps.js";
import { type Alike, DocumentColumns, FAILS, type NumberTest } from "./document-columns.js";
import { type DocumentIndex, DocumentIndexes } from "./document-index.js";

/** Stands in a snapshot for an entry that does not expire. */
const NO_EXPIRY = 0;
/** Bytes of the key and the rank of an entry. */
const KEY_BYTES = 2 * REFERENCE;
/** Cost in steps of each copied entry, with its keys and ranks, in addition to the cost of an element. */
const COPIED_ENTRY_STEPS = 5;
/** Holes are closed when there are more than this, and more holes than entries. */
const HOLES_MAX = 64;

/** Entries that may meet a condition, with their slots. */
export interface SelectedEntries extends DocumentEntries {
  /** Null if the entries are those of all slots. */
  readonly slots: readonly number[] | null;
  /** Returns what is remembered about entries, by their slots. */
  readonly memoOf: (slots: readonly number[] | null) => TextMemo;
  /** The verdicts of the number tests, by slot; null if there are no tests. */
  readonly verdicts: Uint8Array | null;
}

export class Document implements ObjectValue {
  /** The key that orders documents by creation; it never changes. */
  readonly born: ByteString;
  /** Texts by slot; null means a hole. */
  #texts: (ByteString | null)[] = [];
  /** The entries' ranks, ascending, including those of holes; null if the ranks are the slots and there are no keys. */
  #ranks: number[] | null = null;
  /** The entries' keys, or null if the keys are the slots and there are no holes. */
  #keyed: Keyed | null = null;
  #holes = 0;
  /** Index before which all slots are holes. */
  #head = 0;
  /** The expiry times of entries, or null if no entry expires. */
  #expiries: EntryExpiries | null = null;
  readonly #indexes = new DocumentIndexes();
  readonly #columns = new DocumentColumns();

  constructor(born: ByteString = "") {
    this.born = born;
  }

  /** Returns a document without entries, but with the same `born` and the same indexed members. */
  emptied(): Document {
    const copy = new Document(this.born);
    copy.indexed = this.indexed;
    return copy;
  }

  get size(): number {
    return this.#texts.length - this.#holes;
  }

  get type(): "document" {
    return "document";
  }

  get allElements(): number {
    return this.size;
  }

  /** Whether the keys are 0, 1, 2, … and therefore not stored. */
  get isPlain(): boolean {
    return this.#keyed === null;
  }

  /** The number after the highest numeric key: the key of the next entry that is added without one. */
  get next(): number {
    return this.#keyed?.next ?? this.#texts.length;
  }

  get(key: ByteString): ByteString | undefined {
    const slot = this.#slotOf(key);
    return slot < 0 ? undefined : (this.#texts[slot] as ByteString);
  }

  /** The first entry, or undefined if the document is empty. */
  get first(): DocumentEntry | undefined {
    while (this.#head < this.#texts.length && this.#texts[this.#head] === null) this.#head++;
    const text = this.#texts[this.#head];
    return typeof text === "string" ? [this.#keyAt(this.#head), text] : undefined;
  }

  /** Replaces the text of an existing entry. */
  set(key: ByteString, text: ByteString): void {
    const slot = this.#slotOf(key);
    this.#unindex(slot);
    this.#texts[slot] = text;
    this.#columns.set(slot, text);
    this.#index(slot);
  }

  /** Appends an entry whose key is absent. Inverse: `pop`, with `next` as it was. */
  push(key: ByteString, text: ByteString, expire?: number): void {
    const keyed =
      this.#keyed === null && key === String(this.#texts.length) ? null : (this.#keyed ?? this.#makeKeyed());
    const rank = this.#ranks === null ? this.#texts.length : (this.#ranks.at(-1) ?? -1) + 1;
    this.#ranks?.push(rank);
    this.#texts.push(text);
    if (keyed !== null) {
      keyed.keys.push(key);
      keyed.rankOf.set(key, rank);
      if (isNumberKey(key)) keyed.next = Math.max(keyed.next, Number(key) + 1);
    }

    if (expire !== undefined) this.setExpire(key, expire);
    this.#index(this.#texts.length - 1);
  }

  pop(next: number): void {
    this.#unindex(this.#texts.length - 1);
    this.#texts.pop();
    this.#ranks?.pop();
    this.#columns.cut(this.#texts.length);
    this.#head = Math.min(this.#head, this.#texts.length);
    const keyed = this.#keyed;
    if (keyed === null) return;
    keyed.rankOf.delete(keyed.keys.pop() as ByteString);
    keyed.next = next;
  }

  /** Removes an existing entry; the remaining ones keep their keys. Inverse: `restore`. */
  remove(key: ByteString): RemovedEntry {
    const { rankOf } = this.#keyed ?? this.#makeKeyed();
    const slot = this.#slotOf(key);
    const removed = {
      rank: this.#rankAt(slot),
      key,
      text: this.#texts[slot] as ByteString,
      expire: this.expireOf(key),
    };
    this.#unindex(slot);
    this.#texts[slot] = null;
    rankOf.delete(key);
    this.#expiries?.delete(key);
    this.#holes++;
    if (this.#holes > Math.max(HOLES_MAX, this.size)) this.#closeHoles();
    return removed;
  }

  /**
   * Whether the document keeps its holes after the given number of removals. Once the holes are closed, restoring an
   * entry means moving all later entries.
   */
  staysOpen(removals: number): boolean {
    return this.#holes + removals <= Math.max(HOLES_MAX, this.size - removals);
  }

  restore({ rank, key, text, expire }: RemovedEntry): void {
    const { keys, rankOf } = this.#keyed ?? this.#makeKeyed();
    const ranks = this.#ranks as number[];
    const slot = firstIndexFrom(ranks, rank);
    rankOf.set(key, rank);
    this.#head = Math.min(this.#head, slot);
    if (ranks[slot] === rank) {
      this.#texts[slot] = text;
      this.#columns.set(slot, text);
      this.#holes--;
    } else {
      this.#columns.cut(slot);
      ranks.splice(slot, 0, rank);
      keys.splice(slot, 0, key);
      this.#texts.splice(slot, 0, text);
    }

    this.setExpire(key, expire);
    this.#index(slot);
  }

  /** Removes an entry from a plain document; the later entries move up. Inverse: `putIn`. */
  takeOut(slot: number): ByteString {
    if (this.#indexes.areMade) this.#ranks ??= [...this.#texts.keys()];
    else this.#ranks = null;
    this.#unindex(slot);
    this.#ranks?.splice(slot, 1);
    this.#columns.takeOut(slot);
    return this.#texts.splice(slot, 1)[0] as ByteString;
  }

  putIn(slot: number, text: ByteString): void {
    this.#makePlain();
    const rank = (this.#ranks?.[slot - 1] ?? -1) + 1;
    const hasRoom = rank < (this.#ranks?.[slot] ?? Number.POSITIVE_INFINITY);
    this.#texts.splice(slot, 0, text);
    this.#columns.cut(slot);
    if (this.#ranks === null || !hasRoom) {
      // The ranks start again, so the contents of the indexes are no longer valid.
      this.#ranks = null;
      this.#indexes.forget();
    } else {
      this.#ranks.splice(slot, 0, rank);
      this.#index(slot);
    }
  }

  /**
   * Returns the time until which an entry exists, in milliseconds since 1970, inclusive, or undefined if it does not
   * expire.
   */
  expireOf(key: ByteString): number | undefined {
    return this.#expiries?.get(key);
  }

  /** Sets the expiry time of an existing entry. */
  setExpire(key: ByteString, expire: number | undefined): void {
    if (expire === undefined) this.#expiries?.delete(key);
    else {
      this.#keyed ?? this.#makeKeyed();
      this.#expiries ??= new EntryExpiries();
      this.#expiries.set(key, expire);
    }
  }

  /** Expiry times of the entries that have one, or null if no entry has ever had one. */
  get expiries(): EntryExpiries | null {
    return this.#expiries;
  }

  /** The names of the indexed members, in order. */
  get indexed(): readonly ByteString[] {
    return this.#indexes.fields;
  }

  set indexed(fields: readonly ByteString[]) {
    this.#indexes.fields = fields;
  }

  /** Returns the index of a member and builds it if necessary; returns undefined if the member has no index. */
  index(field: ByteString): DocumentIndex | undefined {
    const index = this.#indexes.find(field);
    if (index?.isMade === false) index.make(this.#ranked());
    return index;
  }

  /** Returns the entry with the given rank, which an index has found. */
  entryAt(rank: number): DocumentEntry {
    const slot = this.#ranks === null ? rank : firstIndexFrom(this.#ranks, rank);
    return [this.#keyAt(slot), this.#texts[slot] as ByteString];
  }

  /**
   * Yields the entries whose text passes the test, in order. The document must not change meanwhile.
   * @param alike a value that all of these entries have
   */
  *entries(passes?: (text: ByteString) => boolean, alike?: Alike): Generator<DocumentEntry> {
    const next = this.#columns.finder(alike, this.#texts);
    for (let slot = next(this.#head); slot < this.#texts.length; slot = next(slot + 1)) {
      const text = this.#texts[slot] as ByteString | null;
      if (text !== null && (passes === undefined || passes(text))) yield [this.#keyAt(slot), text];
    }
  }

  /**
   * Returns the current entries that may meet a condition; later changes do not affect the result.
   * @param alike if undefined, any value matches
   * @param numbers tests that all of the entries pass
   */
  select(alike?: Alike, numbers: readonly NumberTest[] = []): SelectedEntries {
    const memoOf = this.#columns.forms.selected();
    const ids = this.#keyed?.keys ?? null;
    if (alike === undefined && numbers.length === 0 && this.#holes === 0) {
      const texts = [...this.#texts] as ByteString[];
      return { keys: ids && [...ids], texts, memo: memoOf(null), slots: null, memoOf, verdicts: null };
    }

    const verdicts = numbers.length === 0 ? null : this.#columns.verdicts(numbers, this.#texts);
    const slots: number[] = [];
    const keys: ByteString[] = [];
    const texts: ByteString[] = [];
    const next = this.#columns.finder(alike, this.#texts);
    for (let slot = next(this.#head); slot < this.#texts.length; slot = next(slot + 1)) {
      const text = this.#texts[slot] as ByteString | null;
      if (text === null || verdicts?.[slot] === FAILS) continue;
      if (ids !== null) keys.push(ids[slot] as ByteString);
      texts.push(text);
      slots.push(slot);
    }

    return { keys: ids === null ? slots : keys, texts, memo: memoOf(slots), slots, memoOf, verdicts };
  }

  clone(): Document {
    const copy = this.emptied();
    for (const [key, text] of this.entries()) copy.push(key, text, this.expireOf(key));
    copy.raiseNext(this.next);
    return copy;
  }

  countCopy(effort: CopyEffort): void {
    effort.produce(this.size);
    effort.work(COPIED_ENTRY_STEPS * this.size);
  }

  canonical(): readonly unknown[] {
    const entries = [...this.entries()].map(([key, text]) => {
      const expire = this.expireOf(key);
      return expire === undefined ? [key, text] : [key, text, expire];
    });
    return [this.born, this.next, entries, this.indexed];
  }

  addTo(digest: DigestMix): void {
    digest.text(this.born);
    digest.number(this.next);
    for (const field of this.indexed) digest.text(field);
    for (const [key, text] of digest.first(this.entries())) {
      digest.part(key);
      digest.part(text);
      digest.number(this.expireOf(key) ?? 0);
    }
  }

  estimatedBytes(samples: number): number {
    const bytes = sampledBytes(this.size, samples, (count) => this.#bytesOfFirst(count));
    return bytes + (this.isPlain ? 0 : tableBytes(this.size));
  }

  get form(): "document" | "document-of-more" {
    return this.indexed.length > 0 || (this.#expiries?.size ?? 0) > 0 ? "document-of-more" : "document";
  }

  *write(writer: ValueWriter): Generator<undefined> {
    writer.bytes(this.born);
    writer.number(this.next);

    const isExtended = this.form === "document-of-more";
    if (isExtended) {
      writer.number(this.indexed.length);
      for (const field of this.indexed) writer.bytes(field);
    }

    for (const [key, text] of this.entries()) {
      writer.bytes(key);
      writer.bytes(text);
      if (isExtended) writer.number(this.expireOf(key) ?? NO_EXPIRY);
      if (writer.isFull) yield;
    }
  }

  /** Raises `next` in a document that is loaded or copied, because entries with higher numbers may have existed. */
  raiseNext(next: number): void {
    if (next > this.next) (this.#keyed ?? this.#makeKeyed()).next = next;
  }

  #bytesOfFirst(count: number): number {
    let bytes = 0;
    for (const [key, text] of this.entries()) {
      if (count-- === 0) break;
      bytes += REFERENCE + stringBytes(text) + (this.isPlain ? 0 : KEY_BYTES + stringBytes(key));
    }
    return bytes;
  }

  #keyAt(slot: number): ByteString {
    return this.#keyed === null ? String(slot) : (this.#keyed.keys[slot] as ByteString);
  }

  #slotOf(key: ByteString): number {
    if (this.#keyed !== null) {
      const rank = this.#keyed.rankOf.get(key);
      return rank === undefined ? -1 : firstIndexFrom(this.#ranks as number[], rank);
    }
    const slot = Number(key);
    return slot < this.#texts.length && slot >= 0 && String(slot) === key ? slot : -1;
  }

  #rankAt(slot: number): number {
    return this.#ranks === null ? slot : (this.#ranks[slot] as number);
  }

  #makeKeyed(): Keyed {
    this.#ranks ??= [...this.#texts.keys()];
    const ranks = this.#ranks;
    const keys = [...this.#texts.keys()].map(String);
    const rankOf = new Map(keys.map((key, slot) => [key, ranks[slot] as number]));
    this.#keyed = { keys, rankOf, next: keys.length };
    return this.#keyed;
  }

  /** Discards the keys, which are 0, 1, 2, … again when `takeOut` is undone. */
  #makePlain(): void {
    if (this.#keyed === null) return;
    this.#closeHoles();
    this.#keyed = null;
  }

  #closeHoles(): void {
    const { keys, rankOf, next } = this.#keyed ?? this.#makeKeyed();
    const isEntry = (_: unknown, slot: number) => this.#texts[slot] !== null;
    this.#ranks = (this.#ranks as number[]).filter(isEntry);
    this.#keyed = { keys: keys.filter(isEntry), rankOf, next };
    this.#texts = this.#texts.filter((text) => text !== null);
    this.#columns.cut(0);
    this.#holes = this.#head = 0;
  }

  *#ranked(): Generator<readonly [rank: number, text: ByteString]> {
    for (let slot = this.#head; slot < this.#texts.length; slot++) {
      const text = this.#texts[slot] as ByteString | null;
      if (text !== null) yield [this.#rankAt(slot), text];
    }
  }

  #index(slot: number): void {
    this.#indexes.add(this.#rankAt(slot), this.#texts[slot] as ByteString);
  }

  #unindex(slot: number): void {
    this.#indexes.remove(this.#rankAt(slot), this.#texts[slot] as ByteString);
  }
}

export const DOCUMENT_KIND: ValueKind = {
  forms: ["document", "document-of-more"],
  read: (reader, size, form) => readDocument(reader, size, form === "document-of-more"),
};

function* readDocument(reader: ValueReader, size: number, isExtended: boolean): Steps<Document> {
  const document = new Document(reader.bytes());
  const next = reader.number();
  const fields: ByteString[] = [];
  for (let left = isExtended ? reader.number() : 0; left > 0; left--) fields.push(reader.bytes());
  document.indexed = fields;
  for (let index = 1; index <= size; index++) {
    const [key, text] = [reader.bytes(), reader.bytes()];
    const expire = isExtended ? reader.number() : NO_EXPIRY;
    document.push(key, text, expire === NO_EXPIRY ? undefined : expire);
    if (index % ITEMS_PER_STEP === 0) yield;
  }

  document.raiseNext(next);
  return document;
}

/** The expiry times of a document's entries, by key and with the earliest first. */
class EntryExpiries {
  readonly #times = new Map<ByteString, number>();
  readonly #queue = new ExpiryQueue();

  /** Number of entries with an expiry time. */
  get size(): number {
    return this.#times.size;
  }

  /**
   * Returns the time until which an entry exists, in milliseconds since 1970, inclusive, or undefined if it does not
   * expire.
   */
  get(key: ByteString): number | undefined {
    return this.#times.get(key);
  }

  set(key: ByteString, expire: number): void {
    this.#times.set(key, expire);
    this.#queue.push(expire, key);
    if (this.#queue.isMostlyStale(this.#times.size)) {
      this.#queue.rebuild([...this.#times].map(([each, time]) => [time, each] as const));
    }
  }

  delete(key: ByteString): void {
    this.#times.delete(key);
  }

  /** Whether an entry may have expired by a date; if false, certainly none has expired. */
  mayHaveExpired(at: number): boolean {
    const first = this.#queue.at(0);
    return first !== undefined && at > first.expire;
  }

  /** Returns the keys of the entries that are expired for a unit with the given date, in no particular order. */
  expired(at: number): ByteString[] {
    const keys: ByteString[] = [];
    for (const [key, time] of this.#times) if (at > time) keys.push(key);
    return keys;
  }

  /**
   * Removes and returns the expired keys, the earliest first. The caller removes the entries; a key is not returned
   * again unless its time is set again.
   */
  takeExpired(at: number): ByteString[] {
    const keys = new Set<ByteString>();
    for (;;) {
      const earliest = this.#queue.shift(at);
      if (earliest === undefined) return [...keys];
      if (this.#times.get(earliest.key) === earliest.expire) keys.add(earliest.key);
    }
  }
}

/** An entry of a document: its key and its text, and the data needed to restore an entry that was removed. */
export type DocumentEntry = readonly [key: ByteString, text: ByteString];

/** An entry that was removed, and its former position. */
export interface RemovedEntry {
  readonly rank: number;
  readonly key: ByteString;
  readonly text: ByteString;
  /** The expiry time, or undefined if there is none. */
  readonly expire: number | undefined;
}

/** The keys of a document's entries; each key has the same index as its text. */
interface Keyed {
  readonly keys: ByteString[];
  readonly rankOf: Map<ByteString, number>;
  /** The number after the highest numeric key. */
  next: number;
}

/** Matches numbers that are short enough to be counted; longer ones are ordinary names. */
const NUMBER_KEY = /^(?:0|-?[1-9]\d{0,14})$/;
/** The first number after those that are counted as numeric keys. */
export const NUMBERS_END = 1e15;

/**
 * Whether a key counts as a number, from which the keys of later entries are counted. The removal of such a key may
 * change the next number.
 */
export const isNumberKey = (key: ByteString): boolean => NUMBER_KEY.test(key);
