/** Variants of the rules in which one rule is missing or wrong. For each variant, some seeds must find a problem. */

import { MemberClocks } from "../../../daemon/cluster/peers/member-clocks.js";
import type { Electorate } from "../../../daemon/cluster/peers/shared/electorate.js";
import {
  type DiskReport,
  entryOutcomeOf,
  isStable,
  type JoinReport,
  joinedWatermark,
  listRefusal,
  mayAcceptFrom,
  mayReport,
} from "../../../daemon/timeline/members/rules.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  type MemberList,
  type MembershipState,
  membershipStateOf,
  nextList,
} from "../../../protocol/members/member-list.js";
import { arrivalOf } from "./arrival.js";
import { RULES, type Rules } from "./rules.js";

type Reports = ReadonlyMap<ByteString, DiskReport<number>>;

const eachReport = (
  reports: Reports,
  change: (report: DiskReport<number>) => Partial<DiskReport<number>>,
): Reports => new Map([...reports].map(([id, report]) => [id, { ...report, ...change(report) }]));

const eachJoinReport = (
  reports: ReadonlyMap<ByteString, JoinReport>,
  change: Partial<JoinReport>,
): ReadonlyMap<ByteString, JoinReport> =>
  new Map([...reports].map(([id, one]) => [id, { ...one, ...change }]));

/** Clocks whose median is the upper of the two middle values if the number of clocks is even. */
class UpperClocks extends MemberClocks {
  readonly #samples = new Map<ByteString, { readonly ahead: number; readonly at: number }>();

  override recordSample(
    member: ByteString,
    sample: Parameters<MemberClocks["recordSample"]>[1],
    own: Parameters<MemberClocks["recordSample"]>[2],
    voters: Electorate,
  ): void {
    super.recordSample(member, sample, own, voters);
    this.#samples.set(member, { ahead: sample.sent - own.uptime, at: own.uptime });
  }

  override median(clock: number, uptime: number, voters: Electorate): number | null {
    if (super.median(clock, uptime, voters) === null) return null;
    const clocks = [clock];
    for (const { ahead, at } of this.#samples.values()) if (uptime - at <= 8000) clocks.push(ahead + uptime);
    clocks.sort((a, b) => a - b);
    return clocks[clocks.length >> 1] as number;
  }
}

/** Returns one of two parallel lists, like a daemon that follows the list that it learned first. */
function firstOfParallel(membership: MembershipState): MembershipState {
  const [head] = membership.heads;
  if (head === undefined || membership.heads.length === 1) return membership;
  const left = new Set(membership.heads.flatMap(({ list }) => list.removed));
  return {
    ...membership,
    heads: [head],
    inForce: head,
    members: new Set(head.list.members.filter((id) => !left.has(id))),
  };
}

/** Returns the daemons that are in any head and were not removed by another head. */
function inAnyHead(membership: MembershipState): MembershipState {
  const left = new Set(membership.heads.flatMap(({ list }) => list.removed));
  const members = membership.heads.flatMap(({ list }) => list.members).filter((id) => !left.has(id));
  return { ...membership, members: new Set(members) };
}

/** Returns the next list, in which daemons that a parent removed may return. */
function withReturning(
  parents: Parameters<typeof nextList>[0],
  change: Parameters<typeof nextList>[1],
  cluster: string,
) {
  const add = new Set(change.add);
  const forgiving = parents.map(({ hash, list }) => ({
    hash,
    list: { ...list, removed: list.removed.filter((id) => !add.has(id)) },
  }));
  return nextList(forgiving, change, cluster);
}

/** Returns the members after two lists: the daemons that are in either list and were not removed before. */
function withEither(
  parents: Parameters<typeof nextList>[0],
  change: Parameters<typeof nextList>[1],
  cluster: string,
): MemberList | string {
  const list = nextList(parents, change, cluster);
  if (parents.length < 2 || typeof list === "string") return list;
  const before = parents.map((parent) => new Set(parent.list.removed));
  const members = [...new Set(parents.flatMap((parent) => parent.list.members))].sort();
  const removed = list.removed.filter((id) => !members.includes(id) || before.every((one) => one.has(id)));
  return { ...list, members: members.filter((id) => !removed.includes(id)), removed };
}

export const REMOVALS: Readonly<Record<string, Partial<Rules>>> = {
  "stable: equal sums": {
    isStable: (at, own, others, reports) => isStable(at, own, others, reports, () => true),
  },
  "stable: sums cover the entries held now": { comparesNow: false },
  "stable: the daemon's own watermark counts": {
    isStable: (at, own, others, reports, isSame) =>
      isStable(at, { ...own, watermark: Number.POSITIVE_INFINITY }, others, reports, isSame),
  },
  "stable: the members' watermarks count": {
    isStable: (at, own, others, reports, isSame) =>
      isStable(
        at,
        own,
        others,
        eachReport(reports, () => ({ watermark: Number.POSITIVE_INFINITY })),
        isSame,
      ),
  },
  "stable: all members report": {
    isStable: (at, own, others, reports, isSame) =>
      isStable(
        at,
        own,
        [...others].filter((id) => (reports.get(id)?.watermark ?? 0) >= at),
        reports,
        isSame,
      ),
  },
  "stable: reports name the same list": {
    isStable: (at, own, others, reports, isSame) =>
      isStable(
        at,
        own,
        others,
        eachReport(reports, () => ({ list: own.list })),
        isSame,
      ),
  },
  "report: in one step": { reportsAtOnce: false },
  "report: only data on disk": { reportsFromDisk: false },
  "report: the watermark is on disk": { publishesFromDisk: false },
  "report: the list is on disk": { mayReport: (all) => mayReport({ ...all, isListOnDisk: true }) },
  "report: earlier entries are on disk": { mayReport: (all) => mayReport({ ...all, isPastOnDisk: true }) },
  "send: only data on disk": { sendsFromDisk: false },
  "publish: the stable point is on disk": { stableFromDisk: false },
  "accept: checked and inserted in one step": { checksWhenInserting: false },
  "accept: above the watermark": {
    arrivalOf: (at, isKnown, isFirstHand, marks) =>
      arrivalOf(at, isKnown, isFirstHand, { ...marks, watermark: Number.NEGATIVE_INFINITY }),
  },
  "accept: known entries are recognized first": {
    arrivalOf: (at, _, isFirstHand, marks) => arrivalOf(at, false, isFirstHand, marks),
  },
  "accept: nothing from removed daemons": {
    mayAcceptFrom: (membership, own, id) =>
      membership.heads.length === 0 || membership.members.has(own) || id === own,
  },
  "accept: only from daemons that every head names": {
    membershipStateOf: (known) => inAnyHead(membershipStateOf(known)),
  },
  "accept: nothing unless a list names the daemon": {
    mayAcceptFrom: (membership, _, id) => mayAcceptFrom(membership, id, id),
  },
  "accept: only a member with data": { needsData: false },
  "accept: only a member accepts from clients": {
    listRefusal: (all) =>
      listRefusal({ ...all, membership: { ...all.membership, members: new Set([all.own]) } }),
  },
  "accept: a joiner waits": { refusesWhileJoining: false },
  "lists: a removed daemon never returns": { nextList: withReturning },
  "lists: a merge retains the daemons of both": { nextList: withEither },
  "lists: no parallel list has precedence": {
    membershipStateOf: (known) => firstOfParallel(membershipStateOf(known)),
  },
  "lists: a lost folder returns with a new id": { replacesLost: false },
  "join: reports name the list in force": {
    joinedWatermark: (all) =>
      joinedWatermark({ ...all, reports: eachJoinReport(all.reports, { list: all.list }) }),
    pullsUnderList: false,
  },
  "join: the members' entries were received": {
    joinedWatermark: (all) =>
      joinedWatermark({ ...all, reports: eachJoinReport(all.reports, { isPulled: true }) }),
  },
  "join: at the members' lowest watermark": {
    joinedWatermark: (all) => (joinedWatermark(all) === null ? null : 1),
  },
  "join: no watermark that ran ahead counts": {
    joinedWatermark: (all) => joinedWatermark({ ...all, now: Number.POSITIVE_INFINITY }),
  },
  "clock: if it is wrong, nothing is accepted": { refusesIfSkewed: false },
  "clock: the lower of two middle clocks counts": { Clocks: UpperClocks },
  "clock: if it is wrong, the watermark follows the members": { followsWhenSkewed: false },
  "clock: the watermark does not pass the median": {
    skewedWatermark: (_, __, watermarks) => Math.min(...watermarks),
  },
  "clock: a full tail does not move the watermark past it": { capsTail: false },
  "dead letters: only below the stable point": {
    entryOutcomeOf: (at, isHeld, past) =>
      entryOutcomeOf(at, isHeld, { ...past, stablePoint: Number.POSITIVE_INFINITY }),
  },
  "dead letters: ids are kept": { keepsIds: false },
};

/** Returns the rules without one of them. @param removal  a name from the table, or null to keep all rules */
export function rulesWithout(removal: string | null): Rules {
  if (removal === null) return RULES;
  const change = REMOVALS[removal];
  if (change === undefined)
    throw new Error(`There is no rule "${removal}": ${Object.keys(REMOVALS).join(", ")}`);
  return { ...RULES, ...change };
}
