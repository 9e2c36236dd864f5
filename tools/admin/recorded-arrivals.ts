/** The envelopes of the last minute by date, for the strip of --admin that shows them as they are recorded. */
import {
  ARRIVAL_BIN_MS,
  ARRIVALS_AHEAD_MS,
  ARRIVALS_PAST_MS,
  type ArrivalBin,
} from "../../protocol/json/dashboard-frame.js";

type Counts = [clients: number, members: number, late: number];

/**
 * Counts of envelopes by date, limited to dates around the present: about 260 bins. Older bins remain until the next
 * call of `forget`.
 */
export class RecordedArrivals {
  readonly #clock: () => number;
  readonly #bins = new Map<number, Counts>();
  readonly #changed = new Set<number>();
  /** The newest date of an envelope so far. */
  #newest = 0;
  /** Number of envelopes since the start whose dates were outside the counted range. */
  outsideWindow = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  add(entries: Iterable<{ readonly at: number }>, isFromClients: boolean): void {
    const now = this.#clock();
    for (const { at } of entries) {
      if (at < now - ARRIVALS_PAST_MS || at > now + ARRIVALS_AHEAD_MS) this.outsideWindow++;
      else this.#count(at, isFromClients);
      // An entry with a future date is applied on that date; until then it makes no other entry late.
      if (at <= now && at > this.#newest) this.#newest = at;
    }
  }

  /** Returns all bins of the last minute. */
  get all(): ArrivalBin[] {
    return [...this.#bins].map(([bin, counts]) => [bin, ...counts]);
  }

  /** Returns the bins that have changed since the last call, with their complete counts. */
  takeChanged(): ArrivalBin[] {
    const changed = [...this.#changed].flatMap((bin): ArrivalBin[] => {
      const counts = this.#bins.get(bin);
      return counts === undefined ? [] : [[bin, ...counts]];
    });
    this.#changed.clear();
    return changed;
  }

  /** Drops the bins that are older than a minute. */
  forget(): void {
    const first = (this.#clock() - ARRIVALS_PAST_MS) / ARRIVAL_BIN_MS - 1;
    for (const bin of this.#bins.keys()) if (bin < first) this.#bins.delete(bin);
    for (const bin of this.#changed) if (!this.#bins.has(bin)) this.#changed.delete(bin);
  }

  #count(at: number, isFromClients: boolean): void {
    const bin = Math.floor(at / ARRIVAL_BIN_MS);
    let counts = this.#bins.get(bin);
    if (counts === undefined) {
      counts = [0, 0, 0];
      this.#bins.set(bin, counts);
    }
    counts[isFromClients ? 0 : 1]++;
    if (at < this.#newest - ARRIVAL_BIN_MS) counts[2]++;
    this.#changed.add(bin);
  }
}
