/**
 * Decides how long entries wait before they are offered to one member. A client mostly sends its envelopes to all
 * daemons, and then an offer only finds what is there: while the member requests nothing of what it is offered, more
 * ticks share one offer. The first request ends that.
 */
export class OfferPace {
  /** Ticks between two offers. */
  #ticks = 1;
  readonly #maxTicks: number;
  /** Entries of ticks up to this one were offered. */
  #offeredTo: number;
  /** Whether the member was offered something and has requested nothing since. */
  #isUnwanted = false;

  /** @param tick  the last one: what was on disk before it is found by comparison */
  constructor(tick: number, maxTicks: number) {
    this.#offeredTo = tick;
    this.#maxTicks = maxTicks;
  }

  /** Returns how many of the last ticks' entries are to be offered in this one; 0: none yet. */
  ticksToOffer(tick: number): number {
    const ticks = tick - 1 - this.#offeredTo;
    return ticks >= this.#ticks ? ticks : 0;
  }

  /** Notes that entries of the ticks before this one were offered. @param hadAll  the member was known to have all of them */
  offered(tick: number, hadAll: boolean): void {
    this.#offeredTo = tick - 1;
    if (hadAll) return;
    if (this.#isUnwanted) this.#ticks = Math.min(2 * this.#ticks, this.#maxTicks);
    this.#isUnwanted = true;
  }

  /** Notes that the member requests an entry. */
  wanted(): void {
    this.#ticks = 1;
    this.#isUnwanted = false;
  }
}
