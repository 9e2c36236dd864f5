/** A daemon's disk. Data is safe after a sync, and a crash preserves some of the remaining data. */
import type { SeededRandom } from "../../support/seeded-random.js";

/** The data on a disk: sets of envelopes, with a bit for each, and marks. Both only grow. */
export interface Durable {
  /** Envelopes whose ids are known. */
  held: number;
  /** Envelopes of `held` whose bodies were dropped. */
  dropped: number;
  /** Envelopes of `held` that came from clients. */
  firstHand: number;
  lists: number;
  isLive: number;
  watermark: number;
  stable: number;
}

const SETS = ["held", "dropped", "firstHand", "lists", "isLive"] as const;
const MARKS = ["watermark", "stable"] as const;

const EMPTY: Durable = { held: 0, dropped: 0, firstHand: 0, lists: 0, isLive: 0, watermark: 0, stable: 0 };

export class Disk {
  durable: Durable = { ...EMPTY };
  #unsynced: Partial<Durable>[] = [];
  /** The lists, which are in another file. */
  #lists = 0;

  /** Writes all changes together or none. */
  write(change: Partial<Durable>): void {
    this.#unsynced.push(change);
  }

  writeLists(lists: number): void {
    this.#lists |= lists;
  }

  syncLists(): void {
    this.#apply({ lists: this.#lists });
  }

  sync(): void {
    for (const change of this.#unsynced) this.#apply(change);
    this.#unsynced = [];
  }

  /** Loses writes that were not synced. @param losesAny  whether any unsynced write may be lost, not only the last */
  crash(random: SeededRandom, losesAny: boolean): void {
    const unsynced = this.#unsynced;
    const kept = losesAny
      ? unsynced.filter(() => random.chance(0.5))
      : unsynced.slice(0, random.below(unsynced.length + 1));
    for (const change of kept) this.#apply(change);
    this.#unsynced = [];
    if (random.chance(0.5)) this.syncLists();
    this.#lists = 0;
  }

  wipe(): void {
    this.durable = { ...EMPTY };
    this.#unsynced = [];
    this.#lists = 0;
  }

  #apply(change: Partial<Durable>): void {
    const { durable } = this;
    for (const name of SETS) durable[name] |= change[name] ?? 0;
    for (const name of MARKS) durable[name] = Math.max(durable[name], change[name] ?? 0);
  }
}
