/**
 * Decides when a daemon that a list has added may take entries itself: a live member has spoken under that list, all
 * entries that this member held by then are here, and nothing is taken any more at or before a date that any daemon
 * can have called final.
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** The last report of another member. */
export interface Heard {
  /** The hash of the list under which it spoke. */
  readonly list: ByteString;
  /** Whether it has joined itself. */
  readonly isLive: boolean;
  /** The watermark that the member has published. */
  readonly watermark: number;
  /** Whether all that it held at some time after it first spoke under the list is here, and on disk. */
  readonly isPulled: boolean;
}

/**
 * Returns the watermark to begin with: the lowest of the live members that have spoken under the list and all of
 * whose entries are here. One such member is enough: before any daemon calls a date final, each member of its list
 * has published a watermark as high and has it on disk; and a member that speaks under this list no longer reports
 * under an earlier one. So no stable point is required, nor a report of a member that is away. A watermark that is
 * ahead of the time, as after a clock's jump, is not adopted while another member has yet to speak.
 * @param list    the hash of the list in force
 * @param others  the remaining members of the list
 * @param now     by this daemon's clock, milliseconds since 1970
 * @returns null: the daemon may not begin
 */
export function joinedWatermark(
  list: ByteString,
  others: Iterable<ByteString>,
  heard: ReadonlyMap<ByteString, Heard>,
  now: number,
): number | null {
  let lowest = Number.POSITIVE_INFINITY;
  let isAll = true;
  for (const id of others) {
    const member = heard.get(id);
    if (member?.list === list && !member.isLive) continue;
    if (member?.list === list && member.isPulled) lowest = Math.min(lowest, member.watermark);
    else isAll = false;
  }
  if (lowest === Number.POSITIVE_INFINITY) return null;
  return lowest <= now || isAll ? lowest : null;
}
