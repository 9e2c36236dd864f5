/**
 * When a daemon that a list has added may take something itself: each other member has spoken under that list, all that those
 * that are live held by then is here, and nothing is taken any more at or before what any of them has called final.
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** What another member has said, last, in one step. */
export interface Heard {
  /** The hash of the list under which it spoke. */
  readonly list: ByteString;
  /** Whether it has joined itself. */
  readonly isLive: boolean;
  /** Also one that is not on its disk yet. */
  readonly stablePoint: number;
  /** As published. */
  readonly watermark: number;
  /** Whether all that it held when it first spoke under the list is here, and on disk. */
  readonly isPulled: boolean;
}

/**
 * Where the watermark has to begin. What members call final; and the lowest of their watermarks, as a daemon that the list
 * leaves out may have called final what all of them had reported, and none of them has called final yet.
 * @param list  the hash of the list in force
 * @param others  its other members
 * @returns null: it may not begin
 */
export function joinedWatermark(
  list: ByteString,
  others: Iterable<ByteString>,
  heard: ReadonlyMap<ByteString, Heard>,
): number | null {
  let highest = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (const id of others) {
    const member = heard.get(id);
    if (member === undefined || member.list !== list) return null;
    if (!member.isLive) continue;
    if (!member.isPulled) return null;
    highest = Math.max(highest, member.stablePoint);
    lowest = Math.min(lowest, member.watermark);
  }
  return lowest === Number.POSITIVE_INFINITY ? null : Math.max(highest, lowest);
}
