/**
 * Checks whether this machine's clock is off, by comparing it with the median of the clocks of all members, including
 * this daemon. A sample states how far a member's clock was ahead of this machine's uptime. Source:
 * docs/decisions/0039-what-member-lists-allow.md.
 */
import type { ByteString } from "../../protocol/byte-string.js";

interface Sample {
  /** The member's clock minus this machine's uptime, in milliseconds. */
  readonly ahead: number;
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

  /** @param clock  the member's clock at this moment */
  note(member: ByteString, clock: number, uptime: number): void {
    this.#samples.set(member, { ahead: clock - uptime, takenAt: uptime });
  }

  /**
   * Returns the median of all clocks, the lower one if two are in the middle, or null if the clocks of fewer than a
   * majority of `members` are known.
   */
  median(clock: number, uptime: number, members: number): number | null {
    const clocks = [clock];
    for (const [member, { ahead, takenAt }] of this.#samples) {
      if (uptime - takenAt > this.#limits.clockSampleMs) this.#samples.delete(member);
      else clocks.push(ahead + uptime);
    }
    if (2 * clocks.length <= members) return null;
    clocks.sort((a, b) => a - b);
    return clocks[(clocks.length - 1) >> 1] as number;
  }

  /**
   * Whether this machine's clock is off. While the clocks of a majority are unknown, the last result remains valid.
   * @param members  the number of members, including this one
   */
  isSkewed(clock: number, uptime: number, members: number): boolean {
    const median = this.median(clock, uptime, members);
    if (median !== null) this.#verdict = Math.abs(clock - median) > this.#limits.skewMs;
    return this.#verdict;
  }

  /** Returns how far a member's clock is ahead of this one, or null if unknown. */
  skewOf(member: ByteString, clock: number, uptime: number): number | null {
    const sample = this.#samples.get(member);
    return sample === undefined ? null : Math.round(sample.ahead + uptime - clock);
  }
}
