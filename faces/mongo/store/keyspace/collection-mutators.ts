/** The mutators of collections, each with its inverse: see daemon/store/keyspace/mutators.ts. */

import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import { ELEMENT_BYTES, type Inverse, NO_BYTES } from "../../../../daemon/store/keyspace/undo.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Collection, NumberedDocuments } from "../values/collection.js";
import type { IndexSpec } from "../values/collection-index.js";

/** `old` is the number of documents. */
const documentsPushed: Inverse<Collection, number> = {
  undo: (collection, count) => collection.pop(count),
  bytes: NO_BYTES,
};

const documentsSet: Inverse<Collection, NumberedDocuments> = {
  undo: (collection, old) => void collection.set(old),
  bytes: bytesOfDocuments,
};

const documentsRemoved: Inverse<Collection, NumberedDocuments> = {
  undo: (collection, removed) => collection.restore(removed),
  bytes: bytesOfDocuments,
};

const indexesSet: Inverse<Collection, readonly IndexSpec[]> = {
  undo: (collection, old) => {
    collection.specs = old;
  },
  bytes: NO_BYTES,
};

/** Appends documents. */
export function pushDocuments(data: Data, entry: Typed<Collection>, documents: readonly ByteString[]): void {
  if (documents.length === 0) return;
  produce(data, entry, documents);
  data.record(documentsPushed, entry.value, documents.length);
  for (const bytes of documents) entry.value.push(bytes);
  data.touch(entry);
}

/** Replaces documents. */
export function setDocuments(data: Data, entry: Typed<Collection>, changed: NumberedDocuments): void {
  if (changed.numbers.length === 0) return;
  produce(data, entry, changed.documents);
  data.record(documentsSet, entry.value, entry.value.set(changed));
  data.touch(entry);
}

/** Removes existing documents. @param numbers the numbers of the documents, ascending */
export function removeDocuments(data: Data, entry: Typed<Collection>, numbers: readonly number[]): void {
  if (numbers.length === 0) return;
  removeExpiredDocuments(data, entry, numbers);
  data.touch(entry);
}

/** Removes documents that have expired for the unit. Since clients see no change, the key's writer stays the same. */
export function removeExpiredDocuments(
  data: Data,
  entry: Typed<Collection>,
  numbers: readonly number[],
): void {
  if (numbers.length === 0) return;
  data.effort.countProduced(numbers.length * (2 + entry.value.specs.length));
  data.record(documentsRemoved, entry.value, entry.value.remove(numbers));
}

/** Sets the collection's indexes, without the one on _id. */
export function setIndexes(data: Data, entry: Typed<Collection>, specs: readonly IndexSpec[]): void {
  data.effort.countProduced(entry.value.size * specs.length);
  data.record(indexesSet, entry.value, entry.value.specs);
  entry.value.specs = specs;
  data.keyspace().noteIndexes(entry.key, entry.value);
  data.touch(entry);
}

function produce(data: Data, entry: Typed<Collection>, documents: readonly ByteString[]): void {
  const each = 2 + entry.value.specs.length;
  for (const { length } of documents) data.effort.countProduced(each, length);
}

function bytesOfDocuments({ documents }: NumberedDocuments): number {
  return documents.reduce((sum, text) => sum + ELEMENT_BYTES + text.length, 0);
}
