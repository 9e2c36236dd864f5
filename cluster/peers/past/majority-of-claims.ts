/**
 * Decides whether a member's claim about the past has enough witnesses. Source: docs/protocol-v2.md "Members", rule
 * 8; docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Totals } from "../../../protocol/members/member-totals.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { electorateIn, majorityOf } from "../shared/electorate.js";
import { holdsLess, isSameTotals } from "../shared/totals.js";
import type { CutVoting } from "./cut-voting.js";

/** A member's claim that it has pruned entries that are missing here. */
export interface Claim {
  readonly member: ByteString;
  readonly address: string;
  /** The date up to which the member has pruned its entries, in milliseconds since 1970. */
  readonly pruned: number;
  /** The totals up to that date: of that member, of this daemon, and as the other members have reported them. */
  readonly report: Totals;
  readonly own: Totals;
  readonly witnesses: ReadonlyMap<ByteString, Totals>;
}

/**
 * Whether this daemon believes a claim. A live daemon believes a claim that a majority of the other members confirm. A
 * daemon that is not live believes any claim, unless it forms a majority of the cluster together with the members that
 * have the same entries. Members that began without data are not witnesses, because they may have only the entries that
 * this daemon sent them.
 */
export function isBelieved(
  { member, address, pruned, report, own, witnesses }: Claim,
  cluster: ClusterState,
  voting: CutVoting,
): boolean {
  const { members, notices, order, timeline } = cluster;
  if (order === member) return true;
  // If this daemon can no longer read a state that it and the member have both signed, this daemon has lost entries.
  // The claim then needs no witness.
  const hasLost = timeline.handover?.hasLost(pruned) === true;
  if (hasLost && voting.haveSigned(member, pruned) && holdsLess(own, report)) return true;
  const voices = electorateIn(cluster);
  const reports = [...witnesses, [member, report] as const].filter(([id]) => voices.ids.has(id));
  const count = (isOne: (id: ByteString, totals: Totals) => boolean) =>
    reports.filter(([id, totals]) => isOne(id, totals)).length;
  if (cluster.state !== "live") {
    // A member is a witness if it is live. A member that is not live but reports a watermark has served before, and is
    // a witness too, unless this daemon itself began empty.
    const isWitness = (id: ByteString) => {
      const { state, watermark = 0 } = members.get(id)?.status ?? {};
      return state === "live" || (watermark > 0 && !cluster.beganEmpty);
    };
    const alike = count((id, totals) => isSameTotals(totals, own) && isWitness(id));
    return 2 * (1 + alike) <= voices.others + 1;
  }
  const agreeing = count((_, totals) => isSameTotals(totals, report));
  if (voices.others > 1 && agreeing >= majorityOf(voices)) return true;
  // Some of the other members may not have replied yet.
  if (witnesses.size + 1 < voices.ids.size) return false;
  const facts = { member: hexOf(member), address, agreeing, others: voices.others };
  notices.warn(`gap ${member}`, facts, NOT_BELIEVED);
  return false;
}

const NOT_BELIEVED =
  "a member claims to have pruned entries that are missing here, but most other members do not confirm that: the claim is ignored";
