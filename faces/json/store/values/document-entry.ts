/** An entry of a document: its key and its text, and the data needed to restore an entry that was removed. */
import type { ByteString } from "../../../../protocol/byte-string.js";

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
export interface Keyed {
  readonly keys: ByteString[];
  readonly rankOf: Map<ByteString, number>;
  /** The number after the highest numeric key. */
  next: number;
}
