/**
 * The envelopes of a run. An envelope is a number with a date, and a set of envelopes is a number with a bit for
 * each.
 */
import { ENVELOPES_MAX } from "./settings.js";

export class Envelopes {
  readonly dates: number[] = [];

  /** Adds an envelope. @returns its bit, or 0 if the maximum has been reached */
  add(at: number): number {
    if (this.dates.length === ENVELOPES_MAX) return 0;
    this.dates.push(at);
    return 1 << (this.dates.length - 1);
  }

  /** Returns the envelopes dated before a time. */
  before(at: number): number {
    const { dates } = this;
    let bits = 0;
    for (let i = 0; i < dates.length; i++) if ((dates[i] as number) < at) bits |= 1 << i;
    return bits;
  }

  /** Returns the date of one envelope. @param bit  its bit */
  dateOf(bit: number): number {
    return this.dates[31 - Math.clz32(bit)] as number;
  }

  newest(set: number): number {
    let newest = 0;
    for (const bit of bitsOf(set)) newest = Math.max(newest, this.dateOf(bit));
    return newest;
  }
}

export function bitsOf(set: number): number[] {
  const bits: number[] = [];
  for (let rest = set; rest !== 0; rest &= rest - 1) bits.push(rest & -rest);
  return bits;
}
