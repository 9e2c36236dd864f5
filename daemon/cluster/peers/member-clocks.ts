/**
 * Checks whether this machine's clock is off, by comparing it with the median of the clocks of all members, including
 * this daemon. A sample states how far a member's clock was ahead of this machine's uptime. Source:
 * docs/decisions/0039-states-of-member-lists.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { skewedWatermark } from "../../timeline/members/rules.js";
import type { ClusterState } from "./shared/cluster-state.js";
import type { Electorate } from "./shared/electorate.js";
import { MEMBERS_MAX } from "./shared/peering-limits.js";

/**
 * Milliseconds by which the round trip of a sample may be longer than that of the last one, and for which the last one
 * is otherwise used: while one of the two processes is suspended, the trip is long, and the sample is inaccurate.
 */
const TRIP_MS = 10;
const TRIP_LASTS_MS = 10_000;
/** The maximum number of members whose samples are stored, apart from voters. */
const SAMPLES_MAX = 2 * MEMBERS_MAX;

interface Sample {
  /** The member's clock minus this machine's uptime, in milliseconds. */
  readonly ahead: number;
  /** Milliseconds of the message to the member and its answer; infinity: not known. */
  readonly trip: number;
  /** `uptime` milliseconds. */
  readonly takenAt: number;
}

export class MemberClocks {
  readonly #limits: { readonly skewMs: number; readonly clockSampleMs: number };
  readonly #samples = new Map<ByteString, Sample>();
  #verdict = false;

  constructor(limits: { readonly skewMs: number; readonly clockSampleMs: number }) {
    this.#limits = limits;
  }

  /**
   * Notes a member's clock. A member is noted before it is known to be a voter, because its address may be proved
   * later. Members that do not vote are not noted while the samples of SAMPLES_MAX members are stored.
   * @param sent  the member's clock when it sent its message
   * @param trip  the milliseconds of the last message to the member and its answer; null: not known
   * @param clock  this machine's clock
   */
  note(
    member: ByteString,
    { sent, trip }: { readonly sent: number; readonly trip: number | null },
    { clock, uptime }: { readonly clock: number; readonly uptime: number },
    { ids }: Electorate,
  ): void {
    for (const [other, sample] of this.#samples) if (this.#isOld(sample, uptime)) this.#samples.delete(other);

    const last = this.#samples.get(member);
    const latest = sent + (trip ?? 0);
    // If the clocks may be equal, they are: a guess would date a decision ahead of a write that follows it.
    const mayBeEqual = clock >= sent && clock <= latest;

    const sample = {
      ahead: (mayBeEqual ? clock : (sent + latest) / 2) - uptime,
      trip: trip ?? Number.POSITIVE_INFINITY,
      takenAt: uptime,
    };

    const isBetter = last === undefined || sample.trip <= last.trip + TRIP_MS;
    if (!isBetter && uptime - last.takenAt < TRIP_LASTS_MS) return;
    if (this.#samples.size < SAMPLES_MAX || ids.has(member)) this.#samples.set(member, sample);
  }

  /**
   * Returns the median of all voters' clocks, or null if the clocks of fewer than a majority of the voters are known.
   * @param isLater  whether it is the later one if two are in the middle
   */
  median(
    clock: number,
    uptime: number,
    { ids, others }: Electorate,
    isLater: boolean = false,
  ): number | null {
    const clocks = [clock];
    for (const id of ids) {
      const sample = this.#samples.get(id);
      if (sample !== undefined && !this.#isOld(sample, uptime)) clocks.push(sample.ahead + uptime);
    }
    if (2 * clocks.length <= 1 + others) return null;
    clocks.sort((a, b) => a - b);
    return clocks[(clocks.length - Number(!isLater)) >> 1] as number;
  }

  /**
   * Whether this machine's clock is off. While the clocks of a majority are unknown, the last result remains valid.
   */
  isSkewed(clock: number, uptime: number, electorate: Electorate): boolean {
    const median = this.median(clock, uptime, electorate);
    if (median !== null) this.#verdict = Math.abs(clock - median) > this.#limits.skewMs;
    return this.#verdict;
  }

  /** Returns how far a voter's clock is ahead of this one, or null if unknown, or if the member does not vote. */
  skewOf(member: ByteString, clock: number, uptime: number, { ids }: Electorate): number | null {
    const sample = this.#samples.get(member);
    return sample === undefined || !ids.has(member) ? null : Math.round(sample.ahead + uptime - clock);
  }

  #isOld({ takenAt }: Sample, uptime: number): boolean {
    return uptime - takenAt > this.#limits.clockSampleMs;
  }
}

/** The comparison of this machine's clock with the members' clocks. It logs when the verdict changes. */
export class OwnClock {
  readonly clocks: MemberClocks;
  readonly #cluster: ClusterState;
  /** The last verdict that was logged. */
  #wasSkewed = false;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    this.clocks = new MemberClocks(cluster.limits);
  }

  /** Whether this machine's clock differs too much from the members' median. Computed at each access. */
  get isSkewed(): boolean {
    return this.clocks.isSkewed(this.#cluster.clock(), this.#cluster.uptime(), this.#cluster.electorate);
  }

  /** Whether enough members' clocks are known to check this machine's clock. */
  get canCheck(): boolean {
    return this.#median !== null;
  }

  /**
   * Returns the members' median clock: milliseconds since 1970, an integer. It is this machine's clock while fewer than
   * a majority of the members' clocks are known.
   * @param isLater  whether it is the later one if two are in the middle
   */
  common(isLater: boolean): number {
    return Math.floor(this.#medianOf(isLater) ?? this.#cluster.clock());
  }

  /** Returns `isSkewed`, and logs when that has changed. */
  watch(): boolean {
    const { isSkewed } = this;
    if (isSkewed !== this.#wasSkewed) this.#logVerdict(isSkewed);
    this.#wasSkewed = isSkewed;
    return isSkewed;
  }

  /**
   * Returns the watermark to report while this machine's clock is off, or null if the clock is right. By reporting that
   * watermark, this daemon does not delay finality.
   */
  watermarkIfSkewed(
    members: readonly { readonly status: { readonly skewed: boolean; readonly watermark: number } | null }[],
  ): number | null {
    const median = this.#median;
    if (!this.isSkewed || median === null) return null;
    const watermarks = members.flatMap(({ status }) =>
      status === null || status.skewed ? [] : [status.watermark],
    );
    return skewedWatermark(median, this.#cluster.limits.past, watermarks);
  }

  get #median(): number | null {
    return this.#medianOf(false);
  }

  #medianOf(isLater: boolean): number | null {
    const { clock, uptime, electorate } = this.#cluster;
    return this.clocks.median(clock(), uptime(), electorate, isLater);
  }

  #logVerdict(isSkewed: boolean): void {
    const { log, clock } = this.#cluster;
    const median = this.#median;
    if (!isSkewed) log.info({}, "this machine's clock is correct again");
    else log.warn(median === null ? {} : { aheadMs: Math.round(clock() - median) }, SKEWED);
  }
}

const SKEWED =
  "this machine's clock differs from the members' clocks: no writes are accepted from clients until it is corrected";
