/**
 * The time for which entries wait before they are offered to one member. A client usually sends its envelopes to all
 * daemons, so most offers name entries that the member already has. As long as the member requests none of the offered
 * entries, each offer covers the entries of more and more ticks. The member's next request ends this delay.
 */
export class OfferPace {
  /** Ticks between two offers. */
  #ticks = 1;
  readonly #maxTicks: number;
  /** The last tick whose entries were offered. */
  #offeredTo: number;
  /** Whether the member has requested no entries since the last offer. */
  #isUnwanted = false;

  /**
   * @param tick  the number of the current tick; earlier entries are not offered, because the comparison with the
   * member finds them
   */
  constructor(tick: number, maxTicks: number) {
    this.#offeredTo = tick;
    this.#maxTicks = maxTicks;
  }

  /** Returns how many of the last ticks' entries to offer in this tick, or 0 if the offer has to wait. */
  ticksToOffer(tick: number): number {
    const ticks = tick - 1 - this.#offeredTo;
    return ticks >= this.#ticks ? ticks : 0;
  }

  /**
   * Records that the entries of all earlier ticks were offered.
   * @param hadAll  whether the member was known to have all of them
   */
  offered(tick: number, hadAll: boolean): void {
    this.#offeredTo = tick - 1;
    if (hadAll) return;
    if (this.#isUnwanted) this.#ticks = Math.min(2 * this.#ticks, this.#maxTicks);
    this.#isUnwanted = true;
  }

  /** Records that the member has requested an offered entry. */
  wanted(): void {
    this.#ticks = 1;
    this.#isUnwanted = false;
  }
}
