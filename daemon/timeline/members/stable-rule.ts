/**
 * Decides when everything dated before a time is final. Each member must have reported two things, as of one moment and
 * only about data on its disk: that it no longer accepts earlier entries from clients, and that up to this time it has
 * the same entries as this daemon has *now*. The member that accepts an envelope from a client does so before its own
 * report, so equal reports mean that no earlier envelope can still arrive.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

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
 * Whether everything dated before `at` is final.
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
