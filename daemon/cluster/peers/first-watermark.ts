/**
 * The choice of the first watermark of a daemon that begins with an empty folder. The daemon must not change what the
 * other members consider final, so it accepts nothing dated at or before their watermark, regardless of its own clock.
 * A single member's false report cannot permanently prevent the daemon from accepting writes. Source:
 * docs/member-protocol.md, rule 7.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { StatusMessage } from "../../../protocol/members/member-messages.js";
import type { ClusterState } from "./shared/cluster-state.js";
import type { Electorate } from "./shared/electorate.js";

/** Maximum milliseconds by which the clock of a single member may be ahead of this daemon's and still be believed. */
const BELIEVED_AHEAD_MS = 86_400_000;

export class FirstWatermark {
  /** Whether this daemon began without data, and has not caught up. */
  isUnderWay = false;
  readonly #cluster: ClusterState;
  /** Whether the cluster may be new: this daemon had no data when it became live, and no member has reported any. */
  #mayBeNew = false;
  /** Members whose first status since the start reported no entries. */
  readonly #empty = new Set<ByteString>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /** @param hasOthers  whether there are other members */
  start(hasOthers: boolean): void {
    this.isUnderWay = hasOthers && this.#cluster.timeline.published === 0;
    this.#mayBeNew = this.isUnderWay && this.#isEmpty;
  }

  /**
   * Records the first status of a member's connection; later connections of the member do not count.
   * @param id  the member's proved id
   */
  receiveFirstStatus(id: ByteString, { data }: StatusMessage): void {
    if (!this.#mayBeNew || this.#empty.has(id)) return;
    if (data.count === 0) this.#empty.add(id);
    else this.#mayBeNew = false;
  }

  /**
   * Whether this daemon has several members, and the first watermark depends on which clock is right: this daemon's, or
   * the only other one that it can read. A third clock decides, so a single member cannot.
   * @param members  the connected members
   * @param electorate  the configured or listed members
   */
  isDisputed(members: readonly StatusMessage[], { others }: Electorate): boolean {
    if (!this.isUnderWay || others < 2) return false;
    const { clock, limits } = this.#cluster;
    const now = clock();
    const isOneOther = clocksOf(members, now).length === 2;
    return isOneOther && watermarkToBegin(members, now) > watermarkAt(members, now + limits.skewMs);
  }

  /**
   * Raises the watermark once, when this daemon has received the members' entries or reaches no member. Each call also
   * checks whether all configured members began without data. If so, no daemon can have answered any client before this
   * daemon started, and answers are no longer marked as late.
   * @param members  the connected members
   * @param electorate  the configured or listed members
   */
  caughtUp(members: readonly StatusMessage[], { ids, others }: Electorate): void {
    const { timeline, clock } = this.#cluster;
    if (this.isUnderWay) {
      timeline.raise(watermarkToBegin(members, clock()));
      this.#mayBeNew &&= this.#isEmpty;
    }

    this.isUnderWay = false;
    if (!this.#mayBeNew || ids.size < others || ![...ids].every((id) => this.#empty.has(id))) return;

    timeline.forgotten.clear();
    this.#mayBeNew = false;
  }

  get #isEmpty(): boolean {
    return this.#cluster.timeline.index.total("data").count === 0;
  }
}

/**
 * Returns a date that is not earlier than any date that a member considers final. A date is final only after every
 * member has reported a watermark at least as high. Therefore the result is the highest reported watermark. It is
 * limited to the current time, unless most of several members report a later watermark: a single watermark far ahead
 * comes from a clock that once jumped ahead, or from a lie. New members report no watermark.
 * @param now  by this daemon's clock
 */
export function watermarkToBegin(members: readonly StatusMessage[], now: number): number {
  return watermarkAt(members, timeOf(clocksOf(members, now), now));
}

/** Returns the first watermark. @param time  the current time, which limits the highest reported watermark */
function watermarkAt(members: readonly StatusMessage[], time: number): number {
  const watermarks = members.map(({ watermark }) => watermark).filter((watermark) => watermark > 0);
  if (watermarks.length === 0) return 0;
  watermarks.sort((a, b) => b - a);
  const median = watermarks.length > 1 ? (watermarks[Math.floor(watermarks.length / 2)] as number) : 0;
  return Math.floor(Math.max(median, Math.min(watermarks[0] as number, time)));
}

/** Returns this daemon's clock and those of the members, except members that know that their clock is wrong. */
const clocksOf = (members: readonly StatusMessage[], now: number): readonly number[] => [
  now,
  ...members.filter(({ isSkewed }) => !isSkewed).map(({ clock }) => clock),
];

/**
 * Returns the current time according to the members: the median of three or more clocks, or the later of two clocks,
 * which is limited in case it is too far ahead.
 */
function timeOf(clocks: readonly number[], now: number): number {
  if (clocks.length <= 2) return Math.min(Math.max(...clocks), now + BELIEVED_AHEAD_MS);
  return [...clocks].sort((a, b) => a - b)[Math.floor((clocks.length - 1) / 2)] as number;
}
