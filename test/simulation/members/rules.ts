/**
 * The named rules of the model's daemons: the predicates of the product, and what a daemon ensures when it writes and
 * reports. removals.ts removes them one by one.
 */
import { MemberClocks } from "../../../daemon/cluster/peers/member-clocks.js";
import {
  entryOutcomeOf,
  isStable,
  joinedWatermark,
  listRefusal,
  mayAcceptFrom,
  mayReport,
  skewedWatermark,
} from "../../../daemon/timeline/members/rules.js";
import { membershipStateOf, nextList } from "../../../protocol/members/member-list.js";
import { arrivalOf } from "./arrival.js";

export interface Rules {
  readonly nextList: typeof nextList;
  readonly membershipStateOf: typeof membershipStateOf;
  readonly mayAcceptFrom: typeof mayAcceptFrom;
  readonly mayReport: typeof mayReport;
  readonly listRefusal: typeof listRefusal;
  readonly arrivalOf: typeof arrivalOf;
  readonly isStable: typeof isStable<number>;
  readonly joinedWatermark: typeof joinedWatermark;
  readonly skewedWatermark: typeof skewedWatermark;
  readonly entryOutcomeOf: typeof entryOutcomeOf;
  readonly Clocks: new (limits: { readonly skewMs: number; readonly clockSampleMs: number }) => MemberClocks;
  /** A daemon sends envelopes only from its disk. */
  readonly sendsFromDisk: boolean;
  /** A report's sums cover only what is on disk. */
  readonly reportsFromDisk: boolean;
  /** A daemon makes a report in one step. */
  readonly reportsAtOnce: boolean;
  /** A daemon publishes its watermark only when it is on disk. */
  readonly publishesFromDisk: boolean;
  /** A daemon publishes the stable point only when it is on disk. */
  readonly stableFromDisk: boolean;
  /** A daemon compares reports with what it holds now. */
  readonly comparesNow: boolean;
  /** A daemon checks and inserts an envelope in one step. */
  readonly checksWhenInserting: boolean;
  /** A full tail moves the watermark at most up to the daemon's own clock. */
  readonly capsTail: boolean;
  /** A daemon whose clock is off follows the other members' watermarks. */
  readonly followsWhenSkewed: boolean;
  /** A daemon retains ids of envelopes without a body. */
  readonly keepsIds: boolean;
  /** A joining daemon counts only what it pulls from a member that uses the list. */
  readonly pullsUnderList: boolean;
  /** A daemon whose folder is lost returns with a new identity. */
  readonly replacesLost: boolean;
  /** No list names a daemon without data. */
  readonly needsData: boolean;
  /** A daemon that is joining accepts no writes from clients. */
  readonly refusesWhileJoining: boolean;
  /** A daemon whose clock is off accepts no writes from clients. */
  readonly refusesIfSkewed: boolean;
}

export const RULES: Rules = {
  nextList,
  membershipStateOf,
  mayAcceptFrom,
  mayReport,
  listRefusal,
  arrivalOf,
  isStable,
  joinedWatermark,
  skewedWatermark,
  entryOutcomeOf,
  Clocks: MemberClocks,
  sendsFromDisk: true,
  reportsFromDisk: true,
  reportsAtOnce: true,
  publishesFromDisk: true,
  stableFromDisk: true,
  comparesNow: true,
  checksWhenInserting: true,
  capsTail: true,
  followsWhenSkewed: true,
  keepsIds: true,
  pullsUnderList: true,
  replacesLost: true,
  needsData: true,
  refusesWhileJoining: true,
  refusesIfSkewed: true,
};
