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

/** What keyed entries have besides their texts; places are those of the texts. */
export interface Keyed {
  readonly keys: ByteString[];
  readonly rankOf: Map<ByteString, number>;
  /** The number behind the highest key that is one. */
  next: number;
}
