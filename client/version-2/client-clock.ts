/**
 * The clock for the dates of envelopes: the clock of this process, corrected by the clocks that daemons report. It is
 * based on a monotonic clock, so setting the machine's time does not affect it. Callers pass all times. Source:
 * docs/protocol-v2.md "Clocks".
 */
import { dateAfter, isLaterDate } from "../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../protocol/version-2/messages-v2.js";

/** The maximum time that an envelope may be dated ahead of the daemons' clock; they accept up to 5 s. */
const AHEAD_MS_MAX = 4_000;

export class ClientClock {
  /** For each daemon that has answered, its clock minus the monotonic clock. */
  readonly #offsets = new Map<object, number>();
  /** The median offset; until a daemon has answered, the offset of this machine's time. */
  #offset: number;
  #seen: EnvelopeDate = NEVER;
  #used: EnvelopeDate = NEVER;

  /** Creates a clock. @param wallOffset  this machine's time minus the monotonic clock, in milliseconds */
  constructor(wallOffset: number) {
    this.#offset = wallOffset;
  }

  /**
   * Records a daemon's clock, which was read between two local times. A known offset stays if it is in the possible
   * range; otherwise it moves to the nearest value in it. The first offset is the middle of the range.
   */
  update(daemon: object, clock: number, sentAt: number, now: number): void {
    // Daemons send whole milliseconds, so the exact time is between `clock` and `clock` + 1.
    const min = clock - now;
    const max = clock + 1 - sentAt;
    const known = this.#offsets.get(daemon);
    const offset = known === undefined ? (min + max) / 2 : Math.min(Math.max(known, min), max);
    if (offset === known) return;
    this.#offsets.set(daemon, offset);
    this.#offset = middleOf([...this.#offsets.values()]);
  }

  /** Records the newest write that a daemon has applied. This client's next write receives a later date. */
  seen(newest: EnvelopeDate): void {
    this.#seen = laterOf(this.#seen, newest);
  }

  /** Returns the milliseconds since 1970 by the daemons' clocks. */
  time(now: number): number {
    return Math.floor(now + this.#offset);
  }

  /**
   * Returns the date for a new envelope. It is later than all used or seen dates, except after a correction of the
   * clock.
   */
  date(now: number): EnvelopeDate {
    const time = Math.max(0, this.time(now));
    const latest = time + AHEAD_MS_MAX;
    // Dates after `latest` came from a clock that was wrong, so new dates need not follow them.
    const used = this.#used.at > latest ? NEVER : this.#used;
    const seen = this.#seen.at > latest ? { at: latest, seq: -1 } : this.#seen;
    const highest = laterOf(used, seen);
    this.#used = time > highest.at ? { at: time, seq: 0 } : dateAfter(highest);
    return this.#used;
  }

  /**
   * Returns the time by the median clock of these daemons, each of which has answered. It is only for reads, which have
   * no order.
   */
  timeBy(daemons: readonly object[], now: number): number {
    return Math.max(
      0,
      Math.floor(now + middleOf(daemons.map((daemon) => this.#offsets.get(daemon) ?? this.#offset))),
    );
  }
}

/** Returns the median; of an even number of values, the lower of the middle two. */
function middleOf(offsets: readonly number[]): number {
  const sorted = offsets.toSorted((left, right) => left - right);
  return sorted[(sorted.length - 1) >> 1] as number;
}

const NEVER: EnvelopeDate = { at: 0, seq: 0 };

const laterOf = (one: EnvelopeDate, other: EnvelopeDate): EnvelopeDate =>
  isLaterDate(other, one) ? other : one;
