/**
 * When a daemon that a list has added may take something itself: each other member has spoken under that list, all that those
 * that are live held by then is here, and nothing is taken any more at or before what any daemon can have called final.
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** What another member has said, last, in one step. */
export interface Heard {
  /** The hash of the list under which it spoke. */
  readonly list: ByteString;
  /** Whether it has joined itself. */
  readonly isLive: boolean;
  /** As published. */
  readonly watermark: number;
  /** Whether all that it held when it first spoke under the list is here, and on disk. */
  readonly isPulled: boolean;
}

/**
 * Where the watermark has to begin: at the lowest of those that the live members have published. Whatever any daemon calls final,
 * each member of its list had published a watermark as high before; so no stable point need be asked for, nor does one count
 * that a daemon told which this list leaves out.
 * @param list  the hash of the list in force
 * @param others  its other members
 * @returns null: it may not begin
 */
export function joinedWatermark(
  list: ByteString,
  others: Iterable<ByteString>,
  heard: ReadonlyMap<ByteString, Heard>,
): number | null {
  let lowest = Number.POSITIVE_INFINITY;
  for (const id of others) {
    const member = heard.get(id);
    if (member === undefined || member.list !== list) return null;
    if (!member.isLive) continue;
    if (!member.isPulled) return null;
    lowest = Math.min(lowest, member.watermark);
  }
  return lowest === Number.POSITIVE_INFINITY ? null : lowest;
}
