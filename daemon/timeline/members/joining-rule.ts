/**
 * Decides when a daemon that a list has added may accept entries from clients. Three conditions have to hold: a live
 * member has reported under that list, or all other members have and none of them has joined; the daemon has all entries
 * that these members had at that time; and the daemon accepts no entry dated at or before a date that some daemon may
 * have called final.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

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

export interface Joining {
  /** The hash of the list in force. */
  readonly list: ByteString;
  /** Whether it is the cluster's first list, and the only one in force. */
  readonly isFirst: boolean;
  /** The remaining members of the list. */
  readonly others: Iterable<ByteString>;
  readonly reports: ReadonlyMap<ByteString, JoinReport>;
  /** This daemon's own watermark. */
  readonly own: number;
  /** Milliseconds since 1970, by this daemon's clock. */
  readonly now: number;
}

/**
 * Returns the watermark to begin with: the lowest watermark of the live members that have reported under the list and
 * whose entries this daemon has. One such member is enough: before any daemon calls a date final, each member of its
 * list has published a watermark at least as high and has it on disk; and a member that reports under this list no
 * longer reports under an earlier one. So neither a stable point nor a report from an absent member is required. A
 * watermark that is ahead of the time, for example after a clock jumped, is not adopted until all other members have
 * reported.
 *
 * If all daemons of the cluster's first list were restarted before they received it, no member can be live. Then no daemon
 * has accepted an entry or called a date final under this list, and all entries are at the members together. A later list
 * has other members with data, which have to be reached. Each date that was called
 * final earlier is at most the highest of their watermarks, which is limited to this daemon's time.
 * @returns null if the daemon may not begin
 */
export function joinedWatermark({ list, isFirst, others, reports, own, now }: Joining): number | null {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = own;
  let [isAll, areAllJoining, hasOthers] = [true, isFirst, false];
  for (const id of others) {
    hasOthers = true;
    const member = reports.get(id);
    if (member?.list === list && !member.isLive) {
      highest = Math.max(highest, member.watermark);
      if (!member.isPulled) areAllJoining = false;
      continue;
    }
    areAllJoining = false;
    if (member?.list === list && member.isPulled) lowest = Math.min(lowest, member.watermark);
    else isAll = false;
  }
  if (areAllJoining && hasOthers) return Math.min(highest, now);
  if (lowest === Number.POSITIVE_INFINITY) return null;
  return lowest <= now || isAll ? lowest : null;
}
