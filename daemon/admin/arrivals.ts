/** Which dates the envelopes had that were recorded lately, counted for the page of --admin while somebody looks at it. */
import {
  ARRIVAL_BIN_MS,
  ARRIVALS_AHEAD_MS,
  ARRIVALS_PAST_MS,
  type Arrival,
} from "../../protocol/json/dashboard-frame.js";

type Counts = [clients: number, members: number, late: number];

/** Bounded by those two times: some 260 bins, whatever comes. */
export class Arrivals {
  readonly #clock: () => number;
  #bins = new Map<number, Counts>();
  #elsewhere = 0;
  /** A date. */
  #newest: number;

  /** @param newest  date of the newest envelope that is applied */
  constructor(clock: () => number, newest: number) {
    this.#clock = clock;
    this.#newest = newest;
  }

  add(entries: Iterable<{ readonly at: number }>, isFromClients: boolean): void {
    const now = this.#clock();
    for (const { at } of entries) {
      if (at < now - ARRIVALS_PAST_MS || at > now + ARRIVALS_AHEAD_MS) this.#elsewhere++;
      else {
        const counts = this.#countsOf(Math.floor(at / ARRIVAL_BIN_MS));
        counts[isFromClients ? 0 : 1]++;
        if (at < this.#newest - ARRIVAL_BIN_MS) counts[2]++;
      }
      // What is dated ahead of the clock is applied when it is due; until then nothing is late for it.
      if (at <= now && at > this.#newest) this.#newest = at;
    }
  }

  /** What has come since it was asked last. */
  take(): { arrivals: Arrival[]; elsewhere: number } {
    const taken = {
      arrivals: [...this.#bins].map(([bin, counts]): Arrival => [bin, ...counts]),
      elsewhere: this.#elsewhere,
    };
    this.#bins = new Map();
    this.#elsewhere = 0;
    return taken;
  }

  #countsOf(bin: number): Counts {
    let counts = this.#bins.get(bin);
    if (counts === undefined) {
      counts = [0, 0, 0];
      this.#bins.set(bin, counts);
    }
    return counts;
  }
}
