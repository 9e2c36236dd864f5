/**
 * The rules of membership, as pure functions: which entries a daemon accepts and from which members, when it may
 * report, when a new member begins, what is final, and what becomes a dead letter. They depend on the member lists that
 * the daemon knows, even if these are not on disk yet.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { MembershipState } from "../../../protocol/members/member-list.js";

/** A daemon, and the lists that it knows. */
interface ListedDaemon {
  readonly membership: MembershipState;
  readonly own: ByteString;
}

/** The state of a daemon that may report. */
export interface OwnMembership extends ListedDaemon {
  /** Whether the daemon has caught up, and has raised its watermark above every date that other members call final. */
  readonly isLive: boolean;
}

/** The reason why the lists do not permit a daemon to accept writes from clients. */
export type ListRefusal = "no-data" | "no-member";

/** Whether any list determines which daemons are members. */
const isListed = ({ heads }: MembershipState): boolean => heads.length > 0;

/**
 * Whether a daemon may accept entries from another daemon. As soon as the daemon knows a newer list, it accepts no
 * entries from daemons that the list leaves out. A daemon that no list names accepts no entries: while it joins, it
 * could receive entries from a daemon before it learns that the list leaves that daemon out. Without a list every
 * authenticated daemon may send entries.
 */
export const mayAcceptFrom = (membership: MembershipState, own: ByteString, id: ByteString): boolean =>
  !isListed(membership) || (membership.members.has(own) && membership.members.has(id));

/**
 * Returns why the lists do not permit a daemon to accept writes from clients, or null if they do. A list must not have
 * members without a data folder, because such a member would restart empty.
 */
export function listRefusal({
  membership,
  own,
  hasData,
}: ListedDaemon & { readonly hasData: boolean }): ListRefusal | null {
  if (!isListed(membership)) return null;
  if (!hasData) return "no-data";
  return membership.members.has(own) ? null : "no-member";
}

/**
 * Whether a daemon may report. The list must be on disk, and so must all entries that the daemon had when it first
 * received the list; a daemon that the list leaves out may have sent some of them. A report covers only what is on
 * disk, so it would not cover such an entry if the entry reached the disk later. While there are two parallel lists, no
 * daemon may report, because a report is made under one list.
 */
export const mayReport = ({
  membership,
  own,
  isLive,
  isListOnDisk,
  isPastOnDisk,
}: OwnMembership & { readonly isListOnDisk: boolean; readonly isPastOnDisk: boolean }): boolean =>
  membership.heads.length <= 1 &&
  (!isListed(membership) || membership.members.has(own)) &&
  isLive &&
  isListOnDisk &&
  isPastOnDisk;

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

interface Joining {
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
 * Decides when a daemon that a list has added may accept entries from clients. Three conditions have to hold: a live
 * member has reported under that list, or all other members have and none of them has joined; the daemon has all
 * entries that these members had at that time; and the daemon accepts no entry dated at or before a date that some
 * daemon may have called final.
 *
 * Returns the watermark to begin with: the lowest watermark of the live members that have reported under the list and
 * whose entries this daemon has. One such member is enough: before any daemon calls a date final, each member of its
 * list has published a watermark at least as high and has it on disk; and a member that reports under this list no
 * longer reports under an earlier one. So neither a stable point nor a report from an absent member is required. A
 * watermark that is ahead of the time, for example after a clock jumped, is not adopted until all other members have
 * reported.
 *
 * If all daemons of the cluster's first list were restarted before they received it, no member can be live. Then no
 * daemon has accepted an entry or called a date final under this list, and all entries are at the members together. A
 * later list has other members with data, which have to be reached. Each date that was called final earlier is at most
 * the highest of their watermarks, which is limited to this daemon's time.
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

/** The report of a daemon, as of one moment, about the data on its disk. */
export interface Report<Digest> {
  /** The hash of the list under which it reports, or an empty string if the cluster has no list. */
  readonly list: ByteString;
  /** The date up to which nothing is accepted from clients any longer; milliseconds since 1970. */
  readonly watermark: number;
  /** The digest of all entries dated before the requested time. */
  readonly digest: Digest;
}

const SECOND = 1000;

/**
 * Whether a member's report was made under the same list as this daemon's own report. A report under another list does
 * not count.
 */
const isOfList = <Digest>(report: Report<Digest>, own: Report<Digest>): boolean => report.list === own.list;

/**
 * Whether everything dated before `at` is final. Each member must have reported two things, as of one moment and only
 * about data on its disk: that it no longer accepts earlier entries from clients, and that up to this time it has the
 * same entries as this daemon has *now*. The member that accepts an envelope from a client does so before its own
 * report, so equal reports mean that no earlier envelope can still arrive.
 * @param own      the report that this daemon would send now
 * @param others   the remaining members of the list
 * @param reports  the reports about the time `at`, by member
 */
export function isStable<Digest>(
  at: number,
  own: Report<Digest>,
  others: Iterable<ByteString>,
  reports: ReadonlyMap<ByteString, Report<Digest>>,
  isSame: (one: Digest, other: Digest) => boolean,
): boolean {
  if (own.watermark < at) return false;
  for (const id of others) {
    const report = reports.get(id);
    if (report === undefined || !isOfList(report, own)) return false;
    if (report.watermark < at || !isSame(report.digest, own.digest)) return false;
  }
  return true;
}

/**
 * Returns the latest time that may be final.
 * @param watermarks  the watermarks of all members, including this daemon's published watermark
 */
export const stableCandidate = (watermarks: Iterable<number>): number =>
  Math.floor(Math.min(...watermarks) / SECOND) * SECOND;

/**
 * Returns the watermark of a daemon whose clock is wrong. Such a daemon accepts no entries from clients, so its
 * watermark may follow the other members; otherwise the daemon would delay final answers for all members. The watermark
 * stays within the window of the median clock, so that the daemon does not copy a single watermark that is too far
 * ahead.
 * @param median      the median of the members' clocks, milliseconds since 1970
 * @param past        milliseconds before the clock up to which entries are accepted from clients
 * @param watermarks  the watermarks of the members whose clocks are right
 */
export const skewedWatermark = (median: number, past: number, watermarks: Iterable<number>): number =>
  Math.floor(Math.min(median - past, ...watermarks));

/**
 * `held`: the member has the entry. `forgotten`: the entry is so old that the member no longer knows whether it had the
 * entry.
 */
export type EntryOutcome = "held" | "undecided" | "dead-letter" | "forgotten";

interface MembersHistory {
  /** The date up to which a live member's entries can no longer change. */
  readonly stablePoint: number;
  /** The date from which the member knows all ids, including the ids of removed entries. */
  readonly idsFrom: number;
}

/**
 * Returns the outcome of an entry that a daemon accepted before the member list left it out. It can be determined only
 * once the members' entries up to the entry's date can no longer change, and only while members still remember the ids
 * of removed entries.
 * @param at  the entry's date
 * @param isHeld  whether the member has the entry, or its id. Before the entry is final, the outcome is undecided even
 * then, because the member could be lost together with the entry
 */
export function entryOutcomeOf(
  at: number,
  isHeld: boolean,
  { stablePoint, idsFrom }: MembersHistory,
): EntryOutcome {
  if (at >= stablePoint) return "undecided";
  if (isHeld) return "held";
  return at < idsFrom ? "forgotten" : "dead-letter";
}
