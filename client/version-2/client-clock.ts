/**
 * The clock for the dates of envelopes: this process's, corrected by the clocks that daemons report. It rests on a
 * clock that never jumps, so that setting this machine's time changes nothing. Pure: times are passed in. Source:
 * docs/protocol-v2.md "Clocks".
 */
import { SEQ_MAX } from "../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../protocol/version-2/messages-v2.js";

/** The maximum time that an envelope may be dated ahead of the daemons' clock; they accept up to 5 s. */
const AHEAD_MS_MAX = 4_000;

export class ClientClock {
  /** For each daemon that has answered: its clock minus ours. */
  readonly #offsets = new Map<object, number>();
  /** Their median; this machine's own time until a daemon has answered. */
  #offset: number;
  #seen: EnvelopeDate = NEVER;
  #used: EnvelopeDate = NEVER;

  /** @param wallOffset  this machine's time minus the steady clock's, in milliseconds */
  constructor(wallOffset: number) {
    this.#offset = wallOffset;
  }

  /**
   * Records a daemon's clock, read between two times of ours. A known offset stays if it fits, and else moves to the
   * nearest that does; the first is the middle of the range.
   */
  update(daemon: object, clock: number, sentAt: number, now: number): void {
    // Daemons send whole milliseconds.
    const least = clock - now;
    const most = clock + 1 - sentAt;
    const known = this.#offsets.get(daemon);
    const offset = known === undefined ? (least + most) / 2 : Math.min(Math.max(known, least), most);
    if (offset === known) return;
    this.#offsets.set(daemon, offset);
    this.#offset = middleOf([...this.#offsets.values()]);
  }

  /** Records the newest write that a daemon has applied: this client's next write has a later date. */
  seen(newest: EnvelopeDate): void {
    this.#seen = laterOf(this.#seen, newest);
  }

  /** Milliseconds since 1970, as the daemons count them. */
  time(now: number): number {
    return Math.floor(now + this.#offset);
  }

  /** The date of a new envelope: later than all that were used or seen, except after a correction of the clock. */
  date(now: number): EnvelopeDate {
    const time = Math.max(0, this.time(now));
    const latest = time + AHEAD_MS_MAX;
    // What was dated later went by a clock that has proved wrong.
    const used = this.#used.at > latest ? NEVER : this.#used;
    const seen = this.#seen.at > latest ? { at: latest, seq: -1 } : this.#seen;
    const highest = laterOf(used, seen);
    this.#used = time > highest.at ? { at: time, seq: 0 } : after(highest);
    return this.#used;
  }

  /**
   * Returns the time by the median clock of these daemons, each of which has answered. It is for reads only, which
   * have no order.
   */
  timeBy(daemons: readonly object[], now: number): number {
    return Math.max(
      0,
      Math.floor(now + middleOf(daemons.map((daemon) => this.#offsets.get(daemon) ?? this.#offset))),
    );
  }
}

/** The lower of two. */
function middleOf(offsets: readonly number[]): number {
  const sorted = offsets.toSorted((left, right) => left - right);
  return sorted[(sorted.length - 1) >> 1] as number;
}

const NEVER: EnvelopeDate = { at: 0, seq: 0 };

const laterOf = (one: EnvelopeDate, other: EnvelopeDate): EnvelopeDate =>
  other.at > one.at || (other.at === one.at && other.seq > one.seq) ? other : one;

const after = ({ at, seq }: EnvelopeDate): EnvelopeDate =>
  seq < SEQ_MAX ? { at, seq: seq + 1 } : { at: at + 1, seq: 0 };
