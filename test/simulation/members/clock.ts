/** A daemon's clock, its estimate of the other members' clocks, and the watermark that follows it. */
import type { MemberClocks } from "../../../daemon/cluster/peers/member-clocks.js";
import type { Electorate } from "../../../daemon/cluster/peers/shared/electorate.js";
import { idOf } from "./lists.js";
import { LIMITS, TICK_MS } from "./settings.js";
import type { DaemonView, Surroundings } from "./surroundings.js";

/**
 * Maximum milliseconds that a status may take on the network. The daemon does not use slower statuses to estimate the
 * sender's clock.
 */
const SAMPLE_MS_MAX = 2 * TICK_MS;
const TAIL_FULL = 0.02;

interface Reading {
  readonly now: number;
  readonly time: number;
  readonly size: number;
  readonly median: number | null;
  readonly isSkewed: boolean;
}

export class Clock {
  /** Milliseconds ahead of the right time. */
  offset = 0;
  readonly #daemon: DaemonView;
  readonly #around: Surroundings;
  #clocks: MemberClocks;
  #startedAt = 0;
  #isSettled = false;
  #reading: Reading | null = null;

  constructor(daemon: DaemonView, around: Surroundings) {
    this.#daemon = daemon;
    this.#around = around;
    this.#clocks = new around.rules.Clocks(LIMITS);
  }

  start(): void {
    this.#clocks = new this.#around.rules.Clocks(LIMITS);
    this.#startedAt = this.#around.time();
    this.#isSettled = false;
    this.#reading = null;
  }

  get now(): number {
    return this.#around.time() + this.offset;
  }

  get #voters(): Electorate {
    const { members } = this.#daemon.membership;
    return { ids: members, others: members.size - 1 };
  }

  /** Reads the clocks. The result is cached until a status arrives or a clock moves. */
  #read(): Reading {
    const { now } = this;
    const time = this.#around.time();
    const { size } = this.#daemon.membership.members;
    const reading = this.#reading;
    if (reading !== null && reading.now === now && reading.time === time && reading.size === size)
      return reading;
    const voters = this.#voters;
    const median = this.#clocks.median(now, time, voters);
    this.#reading = { now, time, size, median, isSkewed: this.#clocks.isSkewed(now, time, voters) };
    return this.#reading;
  }

  /**
   * Whether the clock counts as off. It always does until a majority of the members has answered, or until the daemon
   * has waited for that majority for `LIMITS.settleMs`.
   */
  get isSkewed(): boolean {
    return !this.#isSettled || this.#read().isSkewed;
  }

  /** Whether there are other members, and a majority of the members has answered. */
  get isSure(): boolean {
    const { size, median } = this.#read();
    return size > 1 && median !== null;
  }

  receive(from: number, clock: number, sentAt: number): void {
    const { time, random } = this.#around;
    const took = time() - sentAt;
    if (took > SAMPLE_MS_MAX || !this.#daemon.membership.members.has(idOf(from))) return;
    // The two directions of a round trip may take different times.
    const error = random.between(-took / 4, took / 4);
    this.#reading = null;
    const sample = { sent: clock + took + error, trip: 0 };
    this.#clocks.recordSample(idOf(from), sample, { clock: this.now, uptime: time() }, this.#voters);
  }

  /** Moves the watermark. */
  tick(): void {
    const { time, rules, random, envelopes } = this.#around;
    const daemon = this.#daemon;
    const { median } = this.#read();
    if (median !== null || time() - this.#startedAt > LIMITS.settleMs) this.#isSettled = true;
    if (!this.#isSettled || !daemon.isLive) return;
    if (!this.isSkewed) {
      this.#raise(this.now - LIMITS.past);
      if (random.chance(TAIL_FULL)) {
        const newest = envelopes.newest(daemon.held);
        this.#raise(rules.capsTail ? Math.min(newest, this.now) : newest);
      }
    } else if (median !== null && rules.followsWhenSkewed) {
      this.#raise(rules.skewedWatermark(median, LIMITS.past, this.#watermarks()));
    }
  }

  /** Returns the watermarks of the members whose clocks are right. */
  #watermarks(): number[] {
    const { membership, lastStatuses } = this.#daemon;
    return lastStatuses.flatMap((status, from) =>
      status?.isLive && !status.isSkewed && membership.members.has(idOf(from)) ? [status.watermark] : [],
    );
  }

  #raise(to: number): void {
    if (to > this.#daemon.watermark) this.#daemon.watermark = to;
  }
}
