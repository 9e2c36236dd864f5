/** The mutators of documents: part of the interface in mutators.ts, with the same rules. */

import type { Entry } from "../../../../daemon/store/keyspace/keyspace.js";
import type { MutatedUnit } from "../../../../daemon/store/keyspace/mutated-unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Document } from "../values/document.js";

/** The key of a document. */
type DocumentEntry = Omit<Entry, "value"> & { readonly value: Document };

export class DocumentMutators {
  readonly #host: MutatedUnit;

  constructor(host: MutatedUnit) {
    this.#host = host;
  }

  /** Appends an entry with a new key. */
  push(entry: DocumentEntry, key: ByteString, text: ByteString): void {
    this.#host.produce(1, text.length);
    this.#host.record({ mutator: "documentPush", document: entry.value, next: entry.value.next });
    entry.value.push(key, text);
    this.#host.touch(entry);
  }

  /** Replaces the text of an existing entry. */
  set(entry: DocumentEntry, key: ByteString, text: ByteString): void {
    const old = entry.value.get(key) as ByteString;
    if (old === text) return;
    this.#host.produce(1, text.length);
    this.#host.record({ mutator: "documentSet", document: entry.value, key, old });
    entry.value.set(key, text);
    this.#host.touch(entry);
  }

  /** Sets the expiry time of an existing entry; undefined means that it does not expire. */
  expire(entry: DocumentEntry, key: ByteString, expire: number | undefined): void {
    const old = entry.value.expireOf(key);
    if (old === expire) return;
    this.#host.record({ mutator: "documentExpire", document: entry.value, key, old });
    entry.value.setExpire(key, expire);
    this.#host.touch(entry);
  }

  /** Removes an existing entry; the remaining ones keep their keys. A document that becomes empty remains. */
  remove(entry: DocumentEntry, key: ByteString): void {
    this.#remove(entry.value, key);
    this.#host.touch(entry);
  }

  /**
   * Removes entries that have expired by the unit's date. No command could see them, so the key's writer stays the
   * same.
   */
  purge({ value }: DocumentEntry): void {
    const at = this.#host.at();
    if (value.expiries?.mayHaveExpired(at) !== true) return;
    for (const key of value.expiries.takeExpired(at)) this.#remove(value, key);
  }

  /** Removes an entry from a plain document; later entries move up. */
  takeOut(entry: DocumentEntry, slot: number): void {
    this.#host.produce(1, 0);
    const old = entry.value.takeOut(slot);
    this.#host.record({ mutator: "documentTakeOut", document: entry.value, slot, old });
    this.#host.touch(entry);
  }

  /** Sets which members are indexed. */
  setIndexed(entry: DocumentEntry, fields: readonly ByteString[]): void {
    this.#host.record({ mutator: "documentIndex", document: entry.value, old: entry.value.indexed });
    entry.value.indexed = fields;
    this.#host.touch(entry);
  }

  #remove(document: Document, key: ByteString): void {
    this.#host.produce(1, 0);
    const removed = document.remove(key);
    this.#host.record({ mutator: "documentRemove", document, removed });
  }
}
