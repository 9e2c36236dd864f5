/**
 * Decides when everything dated before a time is final: when each member has reported, as of one moment and only of
 * what is on its disk, that it takes nothing earlier any longer, and that it holds the same entries up to there as this
 * daemon does *now*. Each envelope is taken first-hand by some member before that member's report, so equal reports
 * mean that no earlier envelope can still arrive.
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** The report of a daemon as of one moment, about what is on its disk. */
export interface Report<Digest> {
  /** The hash of the list under which it reports; empty: the cluster has no list. */
  readonly list: ByteString;
  /** The date up to which nothing is taken first-hand any longer; milliseconds since 1970. */
  readonly watermark: number;
  /** The digest of all entries dated before the requested time. */
  readonly digest: Digest;
}

const SECOND = 1000;

/** A report of another list counts for nothing. */
const isOfList = <Digest>(report: Report<Digest>, own: Report<Digest>): boolean => report.list === own.list;

/**
 * Whether everything dated before `at` is final.
 * @param own      the report that this daemon would send now
 * @param others   the remaining members of the list
 * @param reports  of the time `at`, by member
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

/** The latest time that may be final. @param watermarks  of all members, the own published one among them */
export const stableCandidate = (watermarks: Iterable<number>): number =>
  Math.floor(Math.min(...watermarks) / SECOND) * SECOND;
