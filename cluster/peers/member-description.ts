/** How a connected member is, for `dbsync status` and metrics. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { MemberAbout } from "../../protocol/members/about-message.js";
import type { StatusMessage } from "../../protocol/members/member-messages.js";
import type { MemberConnection } from "./connections/member-connection.js";
import type { Outbox } from "./exchange/outbox.js";
import type { MemberShared } from "./member-shared.js";
import type { MemberStatus } from "./shared/cluster-state.js";

/** What is described. */
export interface DescribedMember {
  readonly id: ByteString;
  readonly bit: number;
  readonly status: StatusMessage | null;
  readonly connection: MemberConnection;
  readonly connectedSince: number;
  readonly isEqual: boolean | null;
  readonly outbox: Outbox;
  readonly refusals: number;
  readonly about: MemberAbout | null;
}

export function describeMember(
  member: DescribedMember,
  shared: MemberShared<never>,
  { address, roundTrip }: Pick<MemberStatus, "address" | "roundTrip">,
): MemberStatus {
  const { cluster, clock, spreading, gaps } = shared;
  const { id, status, connection, outbox } = member;
  const now = cluster.uptime();
  return {
    address,
    id,
    connection: "connected",
    trouble: null,
    state: status?.state ?? null,
    skewed: status?.skewed ?? false,
    connectedSince: member.connectedSince,
    roundTrip,
    skew: clock.clocks.skewOf(id, cluster.clock(), now),
    watermark: status?.watermark ?? null,
    prunedTo: status?.pruned ?? null,
    isLacking: gaps.isOpen(id),
    entries: status === null ? null : status.ring.count + status.data.count,
    isEqual: member.isEqual,
    lag: spreading.wants.countOf(member.bit),
    behind: outbox.behind,
    lastHeard: now - connection.heardAt,
    refusals: member.refusals,
    about: member.about,
  };
}
