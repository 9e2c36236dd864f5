/**
 * Randomness for tests: one seed yields one sequence. The user of the class prints the seed. DBSYNC_SEED replays a
 * run; `npm run explore` draws other seeds.
 */

/** A fixed seed, so that runs do not fail by chance. */
const SEED_USUAL = 1;

/** Returns the run's seed: DBSYNC_SEED, or the usual one. */
export function seedOfRun(): number {
  const given = process.env["DBSYNC_SEED"];
  if (given === undefined || given === "") return SEED_USUAL;
  const seed = Number(given);
  if (!Number.isSafeInteger(seed)) throw new Error(`DBSYNC_SEED must be a whole number, not "${given}".`);
  return seed;
}

export class SeededRandom {
  #state: number;

  /** @param path  numbers under the seed, so that a part of a run can be replayed without the rest */
  constructor(seed: number, ...path: readonly number[]) {
    this.#state = seed >>> 0;
    for (const number of path) this.#state = (this.#next() ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0;
  }

  /** Returns an integer 0 ≤ x < n. */
  below(n: number): number {
    return this.#next() % n;
  }

  /** Returns an integer from ≤ x ≤ to. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** Returns true with a probability. */
  chance(probability: number): boolean {
    return this.#next() < probability * 2 ** 32;
  }

  oneOf<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** Returns the items in a random order, as a new array. */
  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let last = result.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const item = result[last] as T;
      result[last] = result[other] as T;
      result[other] = item;
    }
    return result;
  }

  /** Returns 32 random bits (splitmix32). */
  #next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    return (bits ^ (bits >>> 15)) >>> 0;
  }
}
