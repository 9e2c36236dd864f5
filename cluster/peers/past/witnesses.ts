/**
 * Whether what one member says of the past is more than its own word. Source: docs/protocol-v2.md "Members", rule 8;
 * docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Totals } from "../../../protocol/members/member-totals.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { electorateIn, majorityOf } from "../shared/electorate.js";
import { holdsLess, isSameTotals } from "../shared/totals.js";
import type { CutVoting } from "./cut-voting.js";

/** That a member has pruned what lacks here. */
export interface Claim {
  readonly member: ByteString;
  readonly address: string;
  /** Milliseconds since 1970. */
  readonly pruned: number;
  /** What it holds up to there, what is held here, and what the others have said that they hold. */
  readonly report: Totals;
  readonly own: Totals;
  readonly witnesses: ReadonlyMap<ByteString, Totals>;
}

/**
 * A daemon that is live believes most of the others; one that is not yet believes any, unless this daemon and those who
 * hold the same are most of the cluster. Those who began with nothing speak for nothing: what they hold may be what this
 * daemon gave them.
 */
export function isBelieved(
  { member, address, pruned, report, own, witnesses }: Claim,
  cluster: ClusterState,
  voting: CutVoting,
): boolean {
  const { members, notices, order, timeline } = cluster;
  if (order === member) return true;
  // What was here when both signed it, and cannot be read any more, is lost here: that needs nobody's word.
  const hasLost = timeline.handover?.hasLost(pruned) === true;
  if (hasLost && voting.haveSigned(member, pruned) && holdsLess(own, report)) return true;
  const voices = electorateIn(cluster);
  const reports = [...witnesses, [member, report] as const].filter(([id]) => voices.ids.has(id));
  const count = (isOne: (id: ByteString, totals: Totals) => boolean) =>
    reports.filter(([id, totals]) => isOne(id, totals)).length;
  if (cluster.state !== "live") {
    // Who has never served with what it has tells no watermark; beside one that began empty others may have as little.
    const speaks = (id: ByteString) => {
      const { state, watermark = 0 } = members.get(id)?.status ?? {};
      return state === "live" || (watermark > 0 && !cluster.beganEmpty);
    };
    const alike = count((id, totals) => isSameTotals(totals, own) && speaks(id));
    return 2 * (1 + alike) <= voices.others + 1;
  }
  const agreeing = count((_, totals) => isSameTotals(totals, report));
  if (voices.others > 1 && agreeing >= majorityOf(voices)) return true;
  // Of the others some may still be about to answer.
  if (witnesses.size + 1 < voices.ids.size) return false;
  const facts = { member: hexOf(member), address, agreeing, others: voices.others };
  notices.warn(`gap ${member}`, facts, NOT_BELIEVED);
  return false;
}

const NOT_BELIEVED =
  "a member says that it has pruned what lacks here, and most others do not say so: it is not believed, and nothing is changed";
