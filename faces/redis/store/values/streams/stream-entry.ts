/** An entry of a stream. */
import type { ByteString } from "../../../../../protocol/byte-string.js";
import type { StreamId } from "./stream-id.js";

export interface StreamEntry {
  readonly id: StreamId;
  /** Name, value, name, value, … */
  readonly fields: readonly ByteString[];
}
