/**
 * The timeouts of decisions, and what they follow. Each is a sum of times that this daemon has measured itself, between
 * a minimum and a maximum: how long its disk takes, how long a message and its answer take between it and most other
 * members, and how late its own timers are. No member can move them alone. Source: docs/protocol-v2.md "Decisions".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { VotingList } from "./decision-types.js";
import { majorityOf } from "./vote-count.js";

/** Milliseconds without a decision after which a member with a waiting unit becomes the keeper. */
const PATIENCE_MS = 400;
export const PATIENCE_MS_MAX = 6_400;
/**
 * What happens, one after the other, until a new keeper has made a decision: promises and votes are stored, messages
 * are sent and answered, and processes begin to run.
 */
const SAVES = 4;
const TRIPS = 3;
const WAKES = 6;
/** Milliseconds between the attempts of two members to replace a keeper. */
const RANK_MS = 60;
const RANK_MS_MAX = 600;
/** Milliseconds after which a keeper's request or proposal without an outcome is sent again. */
const REPEAT_MS = 250;
const REPEAT_MS_MAX = 2_000;
/** Milliseconds for which a member waits for missing entries before it objects to a proposal. */
const OBJECT_AFTER_MS = 150;
const OBJECT_AFTER_MS_MAX = 1_000;
/**
 * Milliseconds for which the keeper waits for the other members to make a decision without its vote, which would cost
 * its disk a write: as long as that write usually takes.
 */
const LEAVE_MS = 10;
const LEAVE_MS_MAX = 50;
/** The maximum of a measured round trip, and of a measured delay of a tick; milliseconds. */
const TRIP_MS_MAX = 1_000;
const DELAY_MS_MAX = 500;
/** Milliseconds after which the longest of the measured times counts half. */
const HALF_LIFE_MS = 60_000;
/** The share of a new time in the mean of the measured times. The first ones have equal shares. */
const NEW_SHARE = 1 / 16;
/** Milliseconds between two ticks of the members. */
const TICK_MS = 25;
/** The milliseconds between two ticks that count as waiting. In the remaining ones, this process did not run. */
const COUNTED_MS = 4 * TICK_MS;
/**
 * Milliseconds without a tick after which this process counts as suspended, and milliseconds for which it then reads
 * what has arrived, before it becomes the keeper: another member may be the keeper now.
 */
const SUSPENDED_MS = 400;
const READ_MS = 100;

export class Timeouts {
  readonly #uptime: () => number;
  readonly #saves = new MeasuredTimes();
  readonly #trips = new MeasuredTimes();
  readonly #delays = new MeasuredTimes();
  /** When the writes began that are under way, the oldest first; `uptime` milliseconds. */
  readonly #saving: number[] = [];
  /** When `tick` was last called; null: never. */
  #tickedAt: number | null = null;
  /** When the delay of a tick and the round trips were last noted; `uptime` milliseconds. */
  #measuredAt = 0;
  #readUntil = 0;

  /** @param uptime  milliseconds; never jumps */
  constructor(uptime: () => number) {
    this.#uptime = uptime;
  }

  /** Called when a promise or a vote begins to be stored. */
  saving(): void {
    this.#saving.push(this.#uptime());
  }

  /** Called when the oldest promise or vote that was not stored yet is stored. */
  saved(): void {
    const now = this.#uptime();
    this.#saves.add(now - (this.#saving.shift() ?? now), now);
  }

  /**
   * Measures how late this call is, and the round trip to most other members. Called at each tick at least.
   * @param roundTrip  returns the milliseconds of the last round trip to a member, or null if it is unknown
   * @returns the milliseconds since the last call in which this process did not run
   */
  tick(own: ByteString, list: VotingList | null, roundTrip: (member: ByteString) => number | null): number {
    const now = this.#uptime();
    const passed = now - (this.#tickedAt ?? now);
    this.#tickedAt = now;
    if (now - this.#measuredAt >= TICK_MS) {
      this.#measuredAt = now;
      this.#delays.add(between(0, passed - TICK_MS, DELAY_MS_MAX), now);
      const trip = list === null ? null : majorityTrip(own, list, roundTrip);
      if (trip !== null) this.#trips.add(Math.min(trip, TRIP_MS_MAX), now);
    }

    if (passed >= SUSPENDED_MS) this.#readUntil = now + READ_MS;
    return Math.max(0, passed - COUNTED_MS);
  }

  /** Whether this process was suspended, and may not have read yet what has arrived in the meantime. */
  get isReading(): boolean {
    return this.#uptime() < this.#readUntil;
  }

  get patienceMs(): number {
    return between(PATIENCE_MS, this.#sum(SAVES, TRIPS, WAKES), PATIENCE_MS_MAX);
  }

  get rankMs(): number {
    return between(RANK_MS, this.#sum(1, 1, 2), RANK_MS_MAX);
  }

  get repeatMs(): number {
    return between(REPEAT_MS, 2 * this.#sum(1, 1, 2), REPEAT_MS_MAX);
  }

  get objectAfterMs(): number {
    return between(OBJECT_AFTER_MS, this.#sum(0, 2, 2), OBJECT_AFTER_MS_MAX);
  }

  get leaveMs(): number {
    return between(LEAVE_MS, this.#saves.mean, LEAVE_MS_MAX);
  }

  /** Returns the time of a number of writes, of round trips and of starts of a process. */
  #sum(saves: number, trips: number, wakes: number): number {
    const now = this.#uptime();
    const [oldest] = this.#saving;
    const longest = oldest === undefined ? 0 : now - oldest;
    return this.#saves.sum(saves, now, longest) + this.#trips.sum(trips, now) + this.#delays.sum(wakes, now);
  }
}

/** Times of something that happens again and again. */
class MeasuredTimes {
  mean = 0;
  #count = 0;
  #longest = 0;
  #longestAt = 0;

  add(milliseconds: number, now: number): void {
    this.#count++;
    this.mean += (milliseconds - this.mean) * Math.max(NEW_SHARE, 1 / this.#count);
    this.#longest = Math.max(milliseconds, this.#longestNow(now));
    this.#longestAt = now;
  }

  /**
   * Returns how long it takes a number of times, one after the other: one of them as long as the longest of the last
   * minutes, and the others as long as usually.
   * @param longest  the time for which the one that is under way has taken
   */
  sum(count: number, now: number, longest = 0): number {
    if (count === 0) return 0;
    return Math.max(longest, this.#longestNow(now)) + (count - 1) * this.mean;
  }

  #longestNow(now: number): number {
    return this.#longest * 2 ** ((this.#longestAt - now) / HALF_LIFE_MS);
  }
}

/**
 * Returns the round trip within which a majority of a list answers, of which this daemon is a member; null if too few
 * are known. A minority of members can make it shorter, but not longer than that of an honest member.
 */
function majorityTrip(
  own: ByteString,
  list: VotingList,
  roundTrip: (member: ByteString) => number | null,
): number | null {
  const trips = [...list.members]
    .map((id) => (id === own ? 0 : roundTrip(id)))
    .filter((trip) => trip !== null)
    .sort((a, b) => a - b);
  return trips[majorityOf(list) - 1] ?? null;
}

const between = (min: number, value: number, max: number): number => Math.min(Math.max(min, value), max);
