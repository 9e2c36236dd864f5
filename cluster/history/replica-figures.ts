/** How a daemon's timeline and members are, as plain facts: for TIMELINE STATUS and for metrics. */

import type { MirrorFace, MirrorFigures } from "../../engine/mirror/mirror-parts.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { DaemonState } from "../../protocol/version-2/messages-v2.js";
import type { Digest } from "../../timeline/compare/digest-index.js";
import type { Timeline } from "../../timeline/timeline.js";
import type { TimelineFigures } from "../../timeline/timeline-figures.js";
import type { MemberLists } from "../members/member-lists.js";
import type { SnapshotProgress } from "../peers/past/snapshot-taking.js";
import type { Peering } from "../peers/peering.js";
import type { MessageFigures } from "../peers/shared/message-figures.js";
import type { MemberStatus } from "../peers/shared/peering-parts.js";
import type { StateDifference } from "../peers/state/state-differences.js";

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
  readonly isDurable: boolean;
  readonly lostGroups: number;
  /** Dead letters that wait for an operator. */
  readonly deadLetters: () => number;
  /** How many look back now. */
  readonly recalls: { readonly running: number };
  /** The Redis that follows the fold; null: none does. */
  readonly mirror: () => Pick<MirrorFace, "figures"> | null;
}

/** Times are milliseconds since 1970. */
export interface ReplicaFigures extends TimelineFigures {
  readonly state: DaemonState;
  /** Why nothing is taken any more; null: all is well. */
  readonly failure: string | null;
  /** The version of what commands mean, after all that is applied. */
  readonly semantics: number;
  /** Why nothing is applied any more from a date on; null: everything is. */
  readonly standstill: string | null;
  /** Who tells that the daemon's own key was revoked; null: it was not. */
  readonly revoked: string | null;
  /** Why it is no member of the list that there is; null: it is one, or there is none. */
  readonly unlisted: string | null;
  /** The command that authorizes its own key, which signs for clients without keys; null: there are none, or it is. */
  readonly authorize: string | null;
  /** Numbers of the lists of members that are known: more than one stand beside each other. */
  readonly lists: readonly number[];
  /** The first of them; empty: there is none. */
  readonly listHash: ByteString;
  /** Whether a list has added it, and it has yet to hear from a live one of them. */
  readonly isJoining: boolean;
  readonly isSkewed: boolean;
  readonly isDurable: boolean;
  /** Groups of writes that were safe before and were not in the log at the start. */
  readonly lostGroups: number;
  readonly watermark: number;
  readonly published: number;
  /** Of what has been folded; 0: nothing. */
  readonly newest: number;
  /** Everything dated before it is final; 0: not known. */
  readonly stable: number;
  readonly ring: Digest;
  readonly data: Digest;
  readonly quarantined: number;
  /** Envelopes of members that were let go because their signer did not become known. */
  readonly dropped: number;
  /** What became of messages on channels between members. */
  readonly messages: Readonly<MessageFigures>;
  readonly recalls: number;
  /** Snapshots taken over from members, and own envelopes that these are not made of; since the start. */
  readonly snapshotsTaken: number;
  readonly strays: number;
  /** Own envelopes of which that is not known. */
  readonly possibleStrays: number;
  /** Envelopes that are kept as dead letters, and were not written again. */
  readonly deadLetters: number;
  /** One that is on its way; null: none. */
  readonly taking: SnapshotProgress | null;
  /** The option that an operator could start this daemon with, as members cannot settle what lacks; null: none. */
  readonly order: string | null;
  /** null: no Redis follows. */
  readonly mirror: MirrorFigures | null;
  readonly members: readonly MemberStatus[];
  /** Keys that members hold otherwise, though they hold the same envelopes. */
  readonly differing: readonly StateDifference[];
  /** The last date whose state was compared with a member's; 0: none. */
  readonly compared: number;
}

export function figuresOf(face: ReplicaFace): ReplicaFigures {
  const { timeline, peering, state, isDurable, lostGroups, recalls } = face;
  const { failure, watermark, published, newest, index, figures, standstill } = timeline;
  const { heads } = face.lists.standing;
  const { size, dropped } = peering.quarantine;
  const { taken, strays, possibleStrays, progress } = peering.snapshots;
  return {
    ...figures,
    failure,
    watermark,
    published,
    isDurable,
    lostGroups,
    deadLetters: face.deadLetters(),
    state: state(),
    semantics: timeline.ring.semantics,
    standstill,
    revoked: face.revoked(),
    unlisted: face.unlisted(),
    authorize: face.introduction()?.join(" ") ?? null,
    lists: heads.map(({ list }) => list.number),
    listHash: heads[0]?.hash ?? "",
    isJoining: face.lists.isJoining,
    isSkewed: peering.isSkewed,
    newest: newest.at,
    stable: peering.stablePoint,
    ring: index.total("ring"),
    data: index.total("data"),
    quarantined: size,
    dropped,
    messages: peering.speaking.figures,
    recalls: recalls.running,
    snapshotsTaken: taken,
    strays,
    possibleStrays,
    taking: progress,
    order: peering.order,
    differing: peering.states.differences.all,
    compared: peering.states.comparedAt,
    mirror: face.mirror()?.figures ?? null,
    members: peering.members.map((member) => ({ ...member, isEqual: isEqual(member, timeline.waiting) })),
  };
}

/** Of two that hold the same, one may not have it in its state yet. null: it has not been heard. */
const isEqual = (member: MemberStatus, { isLevel }: { readonly isLevel: boolean }): boolean | null =>
  member.isEqual && isLevel && member.state !== "catching-up";
