/** The mutators of documents, each with its inverse: see daemon/store/keyspace/mutators.ts. */

import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import { type Inverse, NO_BYTES } from "../../../../daemon/store/keyspace/undo.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Document, RemovedEntry } from "../values/document.js";

/** `old` is the document's `next`. */
const entryPushed: Inverse<Document, number> = {
  undo: (document, next) => document.pop(next),
  bytes: NO_BYTES,
};

const entrySet: Inverse<Document, { readonly key: ByteString; readonly text: ByteString }> = {
  undo: (document, { key, text }) => document.set(key, text),
  bytes: ({ text }) => text.length,
};

const entryExpires: Inverse<Document, { readonly key: ByteString; readonly expire: number | undefined }> = {
  undo: (document, { key, expire }) => document.setExpire(key, expire),
  bytes: NO_BYTES,
};

const entryRemoved: Inverse<Document, RemovedEntry> = {
  undo: (document, removed) => document.restore(removed),
  bytes: ({ key, text }) => key.length + text.length,
};

const entryTakenOut: Inverse<Document, { readonly slot: number; readonly text: ByteString }> = {
  undo: (document, { slot, text }) => document.putIn(slot, text),
  bytes: ({ text }) => text.length,
};

const indexedSet: Inverse<Document, readonly ByteString[]> = {
  undo: (document, old) => {
    document.indexed = old;
  },
  bytes: NO_BYTES,
};

/** Appends an entry with a new key. */
export function pushEntry(data: Data, entry: Typed<Document>, key: ByteString, text: ByteString): void {
  data.effort.countProduced(1, text.length);
  data.record(entryPushed, entry.value, entry.value.next);
  entry.value.push(key, text);
  data.touch(entry);
}

/** Replaces the text of an existing entry. */
export function setEntry(data: Data, entry: Typed<Document>, key: ByteString, text: ByteString): void {
  const old = entry.value.get(key) as ByteString;
  if (old === text) return;
  data.effort.countProduced(1, text.length);
  data.record(entrySet, entry.value, { key, text: old });
  entry.value.set(key, text);
  data.touch(entry);
}

/** Sets the expiry time of an existing entry; undefined means that it does not expire. */
export function expireEntry(
  data: Data,
  entry: Typed<Document>,
  key: ByteString,
  expire: number | undefined,
): void {
  const old = entry.value.expireOf(key);
  if (old === expire) return;
  data.record(entryExpires, entry.value, { key, expire: old });
  entry.value.setExpire(key, expire);
  data.touch(entry);
}

/** Removes an existing entry; the remaining ones keep their keys. A document that becomes empty remains. */
export function removeEntry(data: Data, entry: Typed<Document>, key: ByteString): void {
  remove(data, entry.value, key);
  data.touch(entry);
}

/**
 * Removes entries that have expired by the unit's date. No command could see them, so the key's writer stays the same.
 */
export function purgeEntries(data: Data, { value }: Typed<Document>): void {
  if (value.expiries?.mayHaveExpired(data.at) !== true) return;
  for (const key of value.expiries.takeExpired(data.at)) remove(data, value, key);
}

/** Removes an entry from a plain document; later entries move up. */
export function takeOutEntry(data: Data, entry: Typed<Document>, slot: number): void {
  data.effort.countProduced(1);
  data.record(entryTakenOut, entry.value, { slot, text: entry.value.takeOut(slot) });
  data.touch(entry);
}

/** Sets which members are indexed. */
export function setIndexed(data: Data, entry: Typed<Document>, fields: readonly ByteString[]): void {
  data.record(indexedSet, entry.value, entry.value.indexed);
  entry.value.indexed = fields;
  data.touch(entry);
}

function remove(data: Data, document: Document, key: ByteString): void {
  data.effort.countProduced(1);
  data.record(entryRemoved, document, document.remove(key));
}
