/** Collects the state of a daemon's timeline and members as plain figures, for TIMELINE STATUS and for metrics. */

import type { MessageFigures } from "../../../protocol/figures/message-figures.js";
import type { MemberReport, TimelineReport } from "../../../protocol/figures/timeline-figures.js";
import { type MembershipState, membershipStateOf } from "../../../protocol/members/member-list.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { patternNames } from "../../store/rights/decided-patterns.js";
import type { Timeline } from "../../timeline/timeline.js";
import type { MemberStatus } from "../peers/shared/cluster-state.js";
import type { Recorder } from "../replica/recorder.js";
import type { NodeState } from "../replica/replica-context.js";
import type { FoldMirror } from "./fold-mirror.js";
import { invalidIndexesOf } from "./invalid-indexes.js";

/** The figures of TIMELINE STATUS, and the figures that only the metrics contain. */
export interface ReplicaFigures extends TimelineReport {
  /** The counts of channel messages between members, by outcome. */
  readonly messages: Readonly<MessageFigures>;
}

/** The sources of the figures. */
interface FigureSources {
  readonly node: NodeState;
  readonly recorder: Recorder;
  readonly recalls: number;
  /** When the daemon was started, by its clock at that time; milliseconds since 1970. */
  readonly startedAt: number;
  readonly deadLetters: number;
  readonly mirror: FoldMirror | null;
}

export function figuresOf(sources: FigureSources): ReplicaFigures {
  const { node, recorder, recalls, startedAt, deadLetters, mirror } = sources;
  const { timeline, peering, storage } = node;
  const membership = node.lists?.membership ?? membershipStateOf([]);
  const { failure, watermark, published, newest, index, figures, standstill } = timeline;
  const { heads } = membership;
  const { patterns } = timeline.ring;

  const ofKeys = peering.quarantined("unknown-signer");
  const ofLists = peering.quarantined("unknown-list");
  const { taken, orphaned: strays, possiblyOrphaned: possibleStrays, progress } = peering.snapshots;

  return {
    ...figures,
    failure,
    watermark,
    published,
    lostGroups: storage.lostGroups,
    dropped: ofKeys.dropped,
    decisionsDropped: ofLists.dropped,
    strays,
    possibleStrays,
    standstill,
    durable: storage.isDurable,
    diskFree: node.disk.last?.free ?? null,
    diskSize: node.disk.last?.size ?? null,
    diskLow: node.isDiskLow,
    deadLetters,
    state: recorder.state,
    semantics: timeline.ring.semantics,
    availableSemantics: availableSemantics(node),
    ...masterOf(node),
    revoked: recorder.revoked,
    unlisted: recorder.unlisted,
    unlistedCause: recorder.unlistedCause,
    notAdmitted: peering.admission.refusalText,
    authorize: recorder.introduction?.join(" ") ?? null,
    list: heads.length === 0 ? null : heads.map(({ list }) => list.number).join(" "),
    listHash: heads[0] === undefined ? null : hexOf(heads[0].hash),
    listWaitsFor: node.lists?.agreementWaitsFor ?? null,
    listForced: node.lists?.history.isForced ?? false,
    decidedPatterns: patternNames(patterns.all),
    patternsWaiting: patternNames(patterns.all.filter(({ isBegun }) => !isBegun)),
    administered: node.settings.rootKey.length > 0,
    joining: node.lists?.isJoining ?? false,
    skewed: peering.isSkewed,
    newest: newest.at,
    ...finalityOf(node),
    started: startedAt,
    ...totalsIn(index),
    quarantined: ofKeys.waiting,
    decisionsQuarantined: ofLists.waiting,
    messages: peering.channelMessages.figures,
    followersGaps: peering.closing.gaps,
    recalls,
    snapshotsTaken: taken,
    takingFrom: progress?.address ?? null,
    takingBytes: progress?.received ?? 0,
    takingTotal: progress?.total ?? 0,
    order: peering.order,
    differing: peering.states.differences.all.map((each) => ({ ...each, members: each.members.map(hexOf) })),
    invalidIndexes: invalidIndexesOf(timeline.database, node.environment.clock()),
    compared: peering.states.comparedAt,
    ...decisionsOf(node),
    mirror: mirror?.report ?? null,
    members: peering.members.map((member) => memberReport(member, membership, timeline)),
  };
}

/** Returns the figures of the daemon that sentinels name, if this daemon knows a sentinel. */
function masterOf({ named }: NodeState): Pick<ReplicaFigures, "master" | "masterId" | "isMaster"> {
  if (!named?.hasSentinel) return { master: null, masterId: null, isMaster: null };
  const id = named.current?.id ?? null;
  return { master: named.addressText, masterId: id && hexOf(id), isMaster: id === named.id };
}

/** Returns the numbers of entries of each kind, and their sums, which members compare. */
function totalsIn(
  index: Timeline["index"],
): Pick<ReplicaFigures, "ringEntries" | "ringSum" | "dataEntries" | "dataSum"> {
  const ring = index.total("ring");
  const data = index.total("data");
  return {
    ringEntries: ring.count,
    ringSum: hexOf(ring.sum),
    dataEntries: data.count,
    dataSum: hexOf(data.sum),
  };
}

function decisionsOf({ peering: { decisions }, identity }: NodeState) {
  const { contradicting, missingPromises, undecided, disturbing, keeperChanges } = decisions;
  const { keeper, slots, units, lastAt, waiting, waitingKeys } = decisions.figures;

  return {
    contradicting: [...contradicting].map(hexOf),
    missingPromises: missingPromises.map(hexOf),
    undecidedFor: undecided?.milliseconds ?? 0,
    undecidedCause: undecided?.cause ?? null,
    undecidedMembers: undecided?.members.map(hexOf) ?? [],
    disturbing: disturbing.map(hexOf),
    keeperChanges,
    keeper: keeper && hexOf(keeper),
    isKeeper: keeper === identity.id,
    decidedSlots: slots,
    decidedUnits: units,
    decidedAt: lastAt,
    waitingEnvelopes: waiting,
    waitingKeys: waitingKeys.map(([key, count]) => ({ key: hexOf(key), envelopes: count })),
  };
}

/** Returns the figures of the date before which everything is final, and of what the next one waits for. */
function finalityOf({ peering: { stablePoint, finalityDelay: delay } }: NodeState) {
  return {
    stable: finalBefore(stablePoint),
    finalCause: delay?.cause ?? null,
    finalMembers: delay?.members.map(hexOf) ?? [],
    finalDelayedFor: Math.round(delay?.milliseconds ?? 0),
    finalOverdue: delay?.isOverdue ?? false,
  };
}

/** Returns the date before which everything is final; 0 if it precedes all dates, as until the first agreement. */
const finalBefore = (stablePoint: number): number => (stablePoint > 1 ? stablePoint : 0);

const availableSemantics = ({ settings, timeline: { ring } }: NodeState): number =>
  settings.rootKey.length === 0 ? ring.semantics : ring.known.last;

function memberReport(
  member: MemberStatus,
  { heads, members }: MembershipState,
  timeline: Timeline,
): MemberReport {
  const { id, isMissingEntries, isLeftOut, about } = member;
  // The member reports both figures as 0 if it has no data folder.
  const known = (bytes = 0) => (about !== null && about.diskSize > 0 ? bytes : null);

  return {
    ...member,
    software: about?.software ?? null,
    pagePort: about?.pagePort ?? 0,
    pageLocal: about?.isPageLocal ?? false,
    diskFree: known(about?.diskFree),
    diskSize: known(about?.diskSize),
    clientAnswers: about?.clientAnswers ?? null,
    clientRefusals: about?.clientRefusals ?? null,
    clientConnections: about?.clientConnections ?? null,
    problems: about?.problems ?? [],
    id: id === null ? null : hexOf(id),
    listed: heads.length > 0 && id !== null ? members.has(id) : null,
    lacking: isMissingEntries,
    leftOut: isLeftOut,
    equal: isEqual(member, timeline.waiting),
  };
}

/**
 * Whether the member and this daemon have the same entries, and have applied all of them; null if the member has not
 * reported its entries.
 */
const isEqual = (
  member: MemberStatus,
  { hasOnlyFuture }: { readonly hasOnlyFuture: boolean },
): boolean | null => member.isEqual && hasOnlyFuture && member.state !== "catching-up";
