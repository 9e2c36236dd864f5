/** An entry of a document: its key, its text, and what is kept of one that was removed. */
import type { ByteString } from "../../../protocol/byte-string.js";

export type DocumentEntry = readonly [key: ByteString, text: ByteString];

/** An entry that was removed, and where it was. */
export interface RemovedEntry {
  readonly rank: number;
  readonly key: ByteString;
  readonly text: ByteString;
  /** undefined: it would have stayed. */
  readonly expire: number | undefined;
}

/** The data of keyed entries in addition to their texts, at the same indexes. */
export interface Keyed {
  readonly keys: ByteString[];
  readonly rankOf: Map<ByteString, number>;
  /** The number after the highest key that is a number. */
  next: number;
}
