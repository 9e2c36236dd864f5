/**
 * Decides when a daemon that a list has added may accept entries from clients. Three conditions have to hold: a live
 * member has reported under that list; the daemon has all entries that this member had at that time; and the daemon
 * accepts no entry dated at or before a date that some daemon may have called final.
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** The last report of another member. */
export interface JoinReport {
  /** The hash of the list under which the member reported. */
  readonly list: ByteString;
  /** Whether the member has itself joined. */
  readonly isLive: boolean;
  /** The watermark that the member has published. */
  readonly watermark: number;
  /** Whether this daemon has on disk all entries that the member had at its first report under the list, or later. */
  readonly isPulled: boolean;
}

/**
 * Returns the watermark to begin with: the lowest watermark of the live members that have reported under the list and
 * whose entries this daemon has. One such member is enough: before any daemon calls a date final, each member of its
 * list has published a watermark at least as high and has it on disk; and a member that reports under this list no
 * longer reports under an earlier one. So neither a stable point nor a report from an absent member is required. A
 * watermark that is ahead of the time, for example after a clock jumped, is not adopted until all other members have
 * reported.
 * @param list    the hash of the list in force
 * @param others  the remaining members of the list
 * @param now     milliseconds since 1970, by this daemon's clock
 * @returns null if the daemon may not begin
 */
export function joinedWatermark(
  list: ByteString,
  others: Iterable<ByteString>,
  reports: ReadonlyMap<ByteString, JoinReport>,
  now: number,
): number | null {
  let lowest = Number.POSITIVE_INFINITY;
  let isAll = true;
  for (const id of others) {
    const member = reports.get(id);
    if (member?.list === list && !member.isLive) continue;
    if (member?.list === list && member.isPulled) lowest = Math.min(lowest, member.watermark);
    else isAll = false;
  }
  if (lowest === Number.POSITIVE_INFINITY) return null;
  return lowest <= now || isAll ? lowest : null;
}
