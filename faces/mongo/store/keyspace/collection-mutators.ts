/** The mutators of collections: part of the interface in mutators.ts, with the same rules. */

import type { Entry } from "../../../../daemon/store/keyspace/keyspace.js";
import type { MutatedUnit } from "../../../../daemon/store/keyspace/mutated-unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Collection, NumberedDocuments } from "../values/collection.js";
import type { IndexSpec } from "../values/collection-index.js";

/** The key of a collection. */
type CollectionEntry = Omit<Entry, "value"> & { readonly value: Collection };

export class CollectionMutators {
  readonly #host: MutatedUnit;

  constructor(host: MutatedUnit) {
    this.#host = host;
  }

  /** Appends documents. */
  push(entry: CollectionEntry, documents: readonly ByteString[]): void {
    if (documents.length === 0) return;
    this.#produce(entry, documents);
    this.#host.record({ mutator: "collectionPush", collection: entry.value, count: documents.length });
    for (const bytes of documents) entry.value.push(bytes);
    this.#host.touch(entry);
  }

  /** Replaces documents. */
  set(entry: CollectionEntry, changed: NumberedDocuments): void {
    if (changed.numbers.length === 0) return;
    this.#produce(entry, changed.documents);
    const old = entry.value.set(changed);
    this.#host.record({ mutator: "collectionSet", collection: entry.value, old });
    this.#host.touch(entry);
  }

  /** Removes existing documents. @param numbers the numbers of the documents, ascending */
  remove(entry: CollectionEntry, numbers: readonly number[]): void {
    if (numbers.length === 0) return;
    this.#host.produce(numbers.length * (2 + entry.value.specs.length), 0);
    const removed = entry.value.remove(numbers);
    this.#host.record({ mutator: "collectionRemove", collection: entry.value, removed });
    this.#host.touch(entry);
  }

  /** Removes documents that have expired for the unit. Since clients see no change, the key's writer stays the same. */
  removeExpired(entry: CollectionEntry, numbers: readonly number[]): void {
    if (numbers.length === 0) return;
    this.#host.produce(numbers.length * (2 + entry.value.specs.length), 0);
    const removed = entry.value.remove(numbers);
    this.#host.record({ mutator: "collectionRemove", collection: entry.value, removed });
  }

  /** Sets the collection's indexes, without the one on _id. */
  index(entry: CollectionEntry, specs: readonly IndexSpec[]): void {
    this.#host.produce(entry.value.size * specs.length, 0);
    this.#host.record({ mutator: "collectionIndex", collection: entry.value, old: entry.value.specs });
    entry.value.specs = specs;
    this.#host.touch(entry);
  }

  #produce(entry: CollectionEntry, documents: readonly ByteString[]): void {
    const each = 2 + entry.value.specs.length;
    for (const { length } of documents) this.#host.produce(each, length);
  }
}
