/**
 * The clock that envelopes are dated by: this process's, corrected by what daemons say of theirs. It rests on a clock
 * that never jumps, so that setting this machine's time changes nothing. Pure: times are handed in.
 * Source: docs/protocol-v2.md "Clocks".
 */
import { SEQ_MAX } from "../protocol/envelope.js";

/** How far ahead of the daemons' clock an envelope may be dated; they take up to 5 s. */
const MAX_AHEAD_MS = 4_000;

export class ClientClock {
  /** For each daemon that was heard: its clock minus ours. */
  readonly #offsets = new Map<object, number>();
  /** Their middle one, or what this machine's own time says until a daemon was heard. */
  #offset: number;
  #newestAt = 0;
  #lastAt = 0;
  #lastSeq = 0;

  /** @param wallOffset  this machine's time minus the steady clock's, in milliseconds */
  constructor(wallOffset: number) {
    this.#offset = wallOffset;
  }

  /**
   * A daemon's clock, read between two times of ours: its offset is kept where that allows it, and else moved to the
   * nearest that does; the first is the middle.
   */
  heard(daemon: object, clock: number, sentAt: number, now: number): void {
    // Daemons tell whole milliseconds.
    const least = clock - now;
    const most = clock + 1 - sentAt;
    const known = this.#offsets.get(daemon);
    const offset = known === undefined ? (least + most) / 2 : Math.min(Math.max(known, least), most);
    if (offset === known) return;
    this.#offsets.set(daemon, offset);
    const sorted = [...this.#offsets.values()].sort((left, right) => left - right);
    this.#offset = sorted[(sorted.length - 1) >> 1] as number;
  }

  /** The newest write that a daemon has applied: whoever has seen an answer writes after it. */
  seen(newestAt: number): void {
    if (newestAt > this.#newestAt) this.#newestAt = newestAt;
  }

  /** Milliseconds since 1970, as the daemons count them. */
  time(now: number): number {
    return Math.floor(now + this.#offset);
  }

  /** The date of a new envelope: later than all before it, except after a correction of the clock. */
  date(now: number): { at: number; seq: number } {
    const time = this.time(now);
    const at = Math.max(0, Math.min(Math.max(time, this.#newestAt + 1, this.#lastAt), time + MAX_AHEAD_MS));
    const isSame = at === this.#lastAt;
    const isFull = isSame && this.#lastSeq === SEQ_MAX;
    this.#lastAt = isFull ? at + 1 : at;
    this.#lastSeq = isSame && !isFull ? this.#lastSeq + 1 : 0;
    return { at: this.#lastAt, seq: this.#lastSeq };
  }
}
