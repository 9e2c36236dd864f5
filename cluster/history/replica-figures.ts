/** How a daemon's timeline and members are, as plain facts: for TIMELINE STATUS and for metrics. */

import type { MirrorFace, MirrorFigures } from "../../engine/mirror/mirror-parts.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { MemberReport, MirrorReport, TimelineReport } from "../../protocol/figures/timeline-figures.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { DaemonState } from "../../protocol/version-2/messages-v2.js";
import type { Timeline } from "../../timeline/timeline.js";
import type { MemberLists } from "../members/member-lists.js";
import type { Peering } from "../peers/peering.js";
import type { MessageFigures } from "../peers/shared/message-figures.js";
import type { MemberStatus } from "../peers/shared/peering-parts.js";

/** What is read. */
export interface ReplicaFace {
  readonly timeline: Pick<
    Timeline,
    | "figures"
    | "index"
    | "watermark"
    | "published"
    | "failure"
    | "newest"
    | "state"
    | "holds"
    | "prunedTo"
    | "standstill"
    | "ring"
  > & { readonly waiting: Pick<Timeline["waiting"], "isLevel"> };
  readonly peering: Pick<
    Peering,
    "members" | "isSkewed" | "state" | "stablePoint" | "quarantine" | "snapshots" | "order"
  > & {
    readonly speaking: Pick<Peering["speaking"], "figures">;
    readonly states: Pick<Peering["states"], "comparedAt"> & {
      readonly differences: Pick<Peering["states"]["differences"], "all">;
    };
  };
  /** As clients are told. */
  readonly state: () => DaemonState;
  readonly revoked: () => string | null;
  readonly unlisted: () => string | null;
  /** The command by which an administrator has yet to authorize the own key, which signs for clients without keys; null: none. */
  readonly introduction: () => readonly ByteString[] | null;
  readonly lists: Pick<MemberLists, "standing" | "isJoining">;
  /** When the daemon was started, by its clock then; milliseconds since 1970. */
  readonly startedAt: number;
  readonly isDurable: boolean;
  readonly lostGroups: number;
  /** Dead letters that wait for an operator. */
  readonly deadLetters: () => number;
  /** How many look back now. */
  readonly recalls: { readonly running: number };
  /** The Redis that follows the fold; null: none does. */
  readonly mirror: () => Pick<MirrorFace, "figures"> | null;
}

/** The figures of TIMELINE STATUS, and those that only metrics show. */
export interface ReplicaFigures extends TimelineReport {
  /** Messages on channels between members, by outcome. */
  readonly messages: Readonly<MessageFigures>;
}

export function figuresOf(face: ReplicaFace): ReplicaFigures {
  const { timeline, peering, isDurable, lostGroups, recalls, startedAt, lists } = face;
  const { failure, watermark, published, newest, index, figures, standstill } = timeline;
  const { heads } = lists.standing;
  const { size, dropped } = peering.quarantine;
  const { taken, strays, possibleStrays, progress } = peering.snapshots;
  const [ring, data] = [index.total("ring"), index.total("data")];
  const mirror = face.mirror()?.figures ?? null;
  return {
    ...figures,
    failure,
    watermark,
    published,
    lostGroups,
    dropped,
    strays,
    possibleStrays,
    standstill,
    durable: isDurable,
    deadLetters: face.deadLetters(),
    state: face.state(),
    semantics: timeline.ring.semantics,
    revoked: face.revoked(),
    unlisted: face.unlisted(),
    authorize: face.introduction()?.join(" ") ?? null,
    list: heads.length === 0 ? null : heads.map(({ list }) => list.number).join(" "),
    listHash: heads[0] === undefined ? null : hexOf(heads[0].hash),
    joining: lists.isJoining,
    skewed: peering.isSkewed,
    newest: newest.at,
    stable: peering.stablePoint,
    started: startedAt,
    ringEntries: ring.count,
    ringSum: hexOf(ring.sum),
    dataEntries: data.count,
    dataSum: hexOf(data.sum),
    quarantined: size,
    messages: peering.speaking.figures,
    recalls: recalls.running,
    snapshotsTaken: taken,
    takingFrom: progress?.address ?? null,
    takingBytes: progress?.received ?? 0,
    takingTotal: progress?.total ?? 0,
    order: peering.order,
    differing: peering.states.differences.all.map((each) => ({ ...each, members: each.members.map(hexOf) })),
    compared: peering.states.comparedAt,
    mirror: mirror === null ? null : mirrorReport(mirror),
    members: peering.members.map((member) => memberReport(member, face)),
  };
}

function memberReport(member: MemberStatus, { lists, timeline }: ReplicaFace): MemberReport {
  const { id, isLacking } = member;
  const { heads, members } = lists.standing;
  return {
    ...member,
    id: id === null ? null : hexOf(id),
    listed: heads.length > 0 && id !== null ? members.has(id) : null,
    lacking: isLacking,
    equal: isEqual(member, timeline.waiting),
  };
}

/** Whether both hold the same and have it in their states; null: the member has not reported it. */
const isEqual = (member: MemberStatus, { isLevel }: { readonly isLevel: boolean }): boolean | null =>
  member.isEqual && isLevel && member.state !== "catching-up";

function mirrorReport(figures: MirrorFigures): MirrorReport {
  const { name, level, comparing, compared } = figures;
  return {
    ...figures,
    redis: name,
    level: level.at,
    comparing: comparing?.number ?? 0,
    comparingWhy: comparing?.reason ?? null,
    checked: comparing?.checked ?? 0,
    total: comparing?.total ?? 0,
    compared: compared?.number ?? 0,
    comparedAt: compared?.at ?? 0,
    comparedKeys: compared?.checked ?? 0,
    comparedDifferent: compared?.different ?? 0,
    comparedFirst: compared?.named ?? [],
  };
}
