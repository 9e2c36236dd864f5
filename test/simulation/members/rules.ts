/**
 * The rules that the model's daemons go by, each by its name: the product's predicates, and what a daemon makes sure of when
 * it writes and tells. removals.ts takes them away one by one.
 */
import { MemberClocks } from "../../../cluster/peers/member-clocks.js";
import { nextList, standingOf } from "../../../protocol/members/succession.js";
import { fateOf } from "../../../timeline/members/dead-letter-rule.js";
import { joinedWatermark } from "../../../timeline/members/joining-rule.js";
import { skewedWatermark } from "../../../timeline/members/skew-rule.js";
import { isStable } from "../../../timeline/members/stable-rule.js";
import { firstHandRefusal, mayReport, mayTakeFrom } from "../../../timeline/members/taking-rule.js";
import { arrivalOf } from "./arrival.js";

export interface Rules {
  readonly nextList: typeof nextList;
  readonly standingOf: typeof standingOf;
  readonly mayTakeFrom: typeof mayTakeFrom;
  readonly mayReport: typeof mayReport;
  readonly firstHandRefusal: typeof firstHandRefusal;
  readonly arrivalOf: typeof arrivalOf;
  readonly isStable: typeof isStable<number>;
  readonly joinedWatermark: typeof joinedWatermark;
  readonly skewedWatermark: typeof skewedWatermark;
  readonly fateOf: typeof fateOf;
  readonly Clocks: new (limits: { readonly skewMs: number; readonly clockSampleMs: number }) => MemberClocks;
  /** Envelopes are told to others once they are on disk. */
  readonly givesFromDisk: boolean;
  /** A report's sums are of what is on disk. */
  readonly reportsFromDisk: boolean;
  /** A report is made in one step. */
  readonly reportsAtOnce: boolean;
  /** The watermark is told once it is on disk. */
  readonly publishesFromDisk: boolean;
  /** The stable point is told once it is on disk. */
  readonly stableFromDisk: boolean;
  /** Reports are compared with what is held now. */
  readonly comparesNow: boolean;
  /** An envelope is looked at and put in in one step. */
  readonly checksWhenTaking: boolean;
  /** A full tail moves the watermark up to the own clock at most. */
  readonly capsTail: boolean;
  /** A daemon whose clock is off follows the others' watermarks. */
  readonly followsWhenSkewed: boolean;
  /** Ids are kept of what has no body any more. */
  readonly keepsIds: boolean;
  /** A joiner counts what it pulls of a member that has spoken under the list. */
  readonly pullsUnderList: boolean;
  /** A daemon whose folder is lost comes as another. */
  readonly replacesLost: boolean;
  /** A daemon without data is in no list. */
  readonly needsData: boolean;
}

export const RULES: Rules = {
  nextList,
  standingOf,
  mayTakeFrom,
  mayReport,
  firstHandRefusal,
  arrivalOf,
  isStable,
  joinedWatermark,
  skewedWatermark,
  fateOf,
  Clocks: MemberClocks,
  givesFromDisk: true,
  reportsFromDisk: true,
  reportsAtOnce: true,
  publishesFromDisk: true,
  stableFromDisk: true,
  comparesNow: true,
  checksWhenTaking: true,
  capsTail: true,
  followsWhenSkewed: true,
  keepsIds: true,
  pullsUnderList: true,
  replacesLost: true,
  needsData: true,
};
