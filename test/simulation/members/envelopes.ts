/** The envelopes of a run: numbers with a date, so that a set of them is the bits of one number. */
import { ENVELOPES_MOST } from "./settings.js";

export class Envelopes {
  readonly dates: number[] = [];

  /** @returns its bit; 0: there are as many as there may be */
  add(at: number): number {
    if (this.dates.length === ENVELOPES_MOST) return 0;
    this.dates.push(at);
    return 1 << (this.dates.length - 1);
  }

  /** Those dated before a time. */
  before(at: number): number {
    const { dates } = this;
    let bits = 0;
    for (let i = 0; i < dates.length; i++) if ((dates[i] as number) < at) bits |= 1 << i;
    return bits;
  }

  /** @param bit  of one */
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
